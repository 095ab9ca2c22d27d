"""Keeps the page and the worker going, each a process of its own: they are started again when they die, and meet in the store only."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import final

from askwell.campaign.labelling import DATABASE, INDEXED, LabellingSettings, index_folder
from askwell.campaign.processes import SECONDS_BETWEEN_LOOKS, SECONDS_TO_END, Children, PageProcess
from askwell.errors import AskwellError, WorkerDiedError
from askwell.store.labelling import LabellingStore

MOST_CRASHES = 3  # of the worker
WEB_DEATHS = 5  # within a minute
LOG = "worker.log"
NICENESS = 10  # of indexing

Say = Callable[[str], object]


@final
class Supervisor:
    """The processes of one campaign. ``run`` goes on until ``stop`` is called, from a signal handler or another thread."""

    def __init__(
        self,
        directory: Path,
        folder: Path,
        settings: LabellingSettings,
        children: Children,
        page: PageProcess,
    ) -> None:
        self._directory, self._folder, self._settings = directory, folder, settings
        self._children, self._page = children, page
        self._stopping = threading.Event()
        self._web_deaths: list[float] = []
        self._crashes = 0

    def stop(self) -> None:
        """End ``run``; the processes are told to end."""
        self._stopping.set()

    def run(self, say: Say) -> None:
        """Keep the page and the worker going; ``say`` is told, in a sentence each, what the person at the terminal should know.

        Raises WorkerDiedError when the page cannot be kept up.
        """
        with LabellingStore(self._directory / DATABASE) as store:
            store.tell({"crashes": "0", "message": "", "doing": "indexing", INDEXED: "", "left_s": "", "progress": ""})
            self._page.begin()
            indexing = threading.Thread(target=self._index, args=(store, say), daemon=True)
            indexing.start()
            worker: subprocess.Popen[bytes] | None = None
            while not self._stopping.wait(SECONDS_BETWEEN_LOOKS):
                if worker is None and self._crashes == 0 and not indexing.is_alive():
                    worker = self._start_worker()
                if (code := self._page.ended) is not None:
                    self._count_web_death(code)
                    say("the page's process ended and was started again; no answer that was confirmed is lost.")
                    self._page.start_again()
                if worker is not None and worker.poll() is not None:
                    worker = self._start_worker() if self._may_restart(worker, store, say) else None
            indexing.join(SECONDS_TO_END)

    def _start_worker(self) -> subprocess.Popen[bytes]:
        arguments = [str(self._directory), "--root", str(self._folder)]
        return self._children.start("askwell.campaign.worker", arguments, log=self._directory / LOG)

    def _may_restart(self, worker: subprocess.Popen[bytes], store: LabellingStore, say: Say) -> bool:
        """Note that the worker died, for the page and the terminal; whether it is worth another try."""
        self._crashes += 1
        by_signal = (worker.returncode or 0) < 0  # then the log holds warnings at most
        reason = (None if by_signal else _last_line(self._directory / LOG)) or _ended_by(worker.returncode)
        again = self._crashes < MOST_CRASHES
        if again:
            sentence = f"Learning stopped ({reason}) and was started again."
        else:
            sentence = (
                f"Learning stopped {self._crashes} times, at last because {reason}, and is not started again; labelling goes on "
                "in the order there is. Start the command again to try once more."
            )
        about = {"crashes": str(self._crashes), "message": sentence, "left_s": "", "progress": ""}
        with contextlib.suppress(AskwellError):  # a full disk is no reason to end the page
            store.tell({**about, "doing": "starting" if again else "stopped"})
        say(sentence)
        return again

    def _count_web_death(self, code: int | None) -> None:
        now = time.monotonic()
        self._web_deaths = [at for at in self._web_deaths if now - at < 60] + [now]
        if len(self._web_deaths) > WEB_DEATHS:
            raise WorkerDiedError(
                f"expected the page's process to run, found that it ended {len(self._web_deaths)} times within a minute "
                f"({_ended_by(code)}); run `{self._page.by_hand()}` to see why."
            )

    def _index(self, store: LabellingStore, say: Say) -> None:
        if sys.platform == "linux":  # where a thread can stand back by itself: the first image comes first
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
        try:
            for _ in index_folder(
                store, self._folder, self._directory, self._settings, lambda: not self._stopping.is_set()
            ):
                pass
        except (AskwellError, OSError) as error:
            say(f"the folder could not be read to its end ({error}); start the command again to go on.")


def _last_line(log: Path) -> str | None:
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    except OSError:
        return None
    return lines[-1][:200] if lines else None


def _ended_by(code: int | None) -> str:
    if code is not None and code < 0:
        return f"it was ended by {signal.Signals(-code).name}"
    return f"it ended with {code}"

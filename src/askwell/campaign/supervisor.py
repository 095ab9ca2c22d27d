"""Starts the page and the worker, each a process of its own, and starts them again when they die. They meet in the store only.

Both end when this process does, however it ends: each waits for the end of its standard input.
"""

import contextlib
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, final

from askwell.campaign.labelling import DATABASE, INDEXED, LabellingSettings, index_folder
from askwell.errors import AskwellError, SettingsError, WorkerDiedError
from askwell.store.labelling import LabellingStore

MOST_CRASHES = 3  # of the worker
SECONDS_BETWEEN_LOOKS = 0.25
SECONDS_TO_END = 5.0
WEB_DEATHS = 5  # within a minute
LOG = "worker.log"
DEFAULT_PORT = 8642

Say = Callable[[str], object]


def listening_socket(host: str, port: int | None) -> socket.socket:
    """A socket that listens, so that the address is good from now on; without a port the usual one, or any if that is taken.

    Raises SettingsError for a port in use or an address that is not this machine's.
    """
    for attempt in [port] if port is not None else [DEFAULT_PORT, 0]:
        bound = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            bound.bind((host, attempt))
        except OSError as error:
            bound.close()
            if attempt == DEFAULT_PORT and port is None:
                continue
            raise SettingsError(
                f"expected to listen on port {attempt} of {host}, found {error.strerror or error}; choose another --port or --host."
            ) from None
        bound.listen(128)
        return bound
    raise AssertionError("the last attempt returns or raises")


@final
class Supervisor:
    """The processes of one campaign. ``run`` goes on until ``stop`` is called, from a signal handler or another thread."""

    def __init__(
        self,
        directory: Path,
        folder: Path,
        settings: LabellingSettings,
        listening: socket.socket,
        web_options: Sequence[str] = (),
    ) -> None:
        self._directory, self._folder, self._settings = directory, folder, settings
        self._listening, self._web_options = listening, web_options
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
        with LabellingStore(self._directory / DATABASE) as store, self._children() as start:
            store.tell({"crashes": "0", "message": "", "doing": "indexing", INDEXED: "", "left_s": "", "progress": ""})
            web = start(self._web_command(), None, self._listening.fileno())
            indexing = threading.Thread(target=self._index, args=(store, say), daemon=True)
            indexing.start()
            log = self._directory / LOG
            worker: subprocess.Popen[bytes] | None = start(self._worker_command(), log, None)
            while not self._stopping.wait(SECONDS_BETWEEN_LOOKS):
                if web.poll() is not None:
                    self._count_web_death(web.returncode)
                    say("the page's process ended and was started again; no answer that was confirmed is lost.")
                    web = start(self._web_command(), None, self._listening.fileno())
                if worker is not None and worker.poll() is not None:
                    worker = start(self._worker_command(), log, None) if self._may_restart(worker, store, say) else None
            indexing.join(SECONDS_TO_END)

    def _web_command(self) -> list[str]:
        module = [sys.executable, "-P", "-m", "askwell.web", str(self._directory), "--root", str(self._folder)]
        return [*module, "--fd", str(self._listening.fileno()), *self._web_options]

    def _worker_command(self) -> list[str]:
        return [
            sys.executable,
            "-P",
            "-m",
            "askwell.campaign.worker",
            str(self._directory),
            "--root",
            str(self._folder),
        ]

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
                f"({_ended_by(code)}); run `{' '.join(self._web_command()[:5])}` to see why."
            )

    def _index(self, store: LabellingStore, say: Say) -> None:
        try:
            for _ in index_folder(
                store, self._folder, self._directory, self._settings, lambda: not self._stopping.is_set()
            ):
                pass
        except (AskwellError, OSError) as error:
            say(f"the folder could not be read to its end ({error}); start the command again to go on.")

    @contextmanager
    def _children(self) -> Iterator[Callable[[list[str], Path | None, int | None], subprocess.Popen[bytes]]]:
        """Starts processes with (command, file for what they say, descriptor to hand over); ends all of them."""
        started: list[subprocess.Popen[bytes]] = []

        def start(command: list[str], log: Path | None, descriptor: int | None) -> subprocess.Popen[bytes]:
            said: IO[bytes] | int = subprocess.DEVNULL if log is None else log.open("wb")
            child = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=None if log is None else said,
                pass_fds=() if descriptor is None else (descriptor,),
                start_new_session=True,  # Ctrl-C is for this process, which tells the others
            )
            if not isinstance(said, int):
                said.close()
            started.append(child)
            return child

        try:
            yield start
        finally:
            for child in started:
                if child.poll() is None:
                    child.send_signal(signal.SIGTERM)
            for child in started:
                try:
                    child.wait(SECONDS_TO_END)
                except subprocess.TimeoutExpired:
                    child.kill()
                    child.wait()
                if child.stdin is not None:
                    with contextlib.suppress(OSError):
                        child.stdin.close()


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

"""Images decoded by several processes at once; one that dies or hangs is replaced and costs at most one image. Imports no torch.

The processes are plain children that import neither the caller's script nor torch, so they start in a fraction of a second.
"""

import contextlib
import errno
import json
import multiprocessing.connection
import os
import subprocess
import sys
import tempfile
import threading
import time
import weakref
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, NamedTuple, final

import numpy as np

from askwell.errors import StoreUnavailableError, WorkerDiedError
from askwell.pool.decoder_process import Setup, SharedSlots
from askwell.pool.decoding import ImageForm

COMMAND = (sys.executable, "-P", "-m", "askwell.pool.decoder_process")
SECONDS_PER_IMAGE = 60.0
SECONDS_TO_START = 120.0
SECONDS_BETWEEN_LOOKS = 1.0  # at processes that say nothing
LARGEST_TASK = 32  # images that are handed over together
TASK_BYTES = 4 * 2**20  # of their pixels, unless one image has more
LONGEST_REQUEST = 30_000  # characters: the two that a process may have waiting fit into a pipe of 64 KiB
WAITING = 2  # tasks of each process, so that it has the next one when it finishes one
ATTEMPTS = 2  # at an image: a process may be killed for reasons that are not the image's
IDLE_DEATHS = 3  # in a row, of processes that had not begun an image


class _Task(NamedTuple):
    """Images that go to a process together: their places in the call, and their paths and pages as JSON."""

    places: Sequence[int]
    request: str


class _Process:
    """A child that decodes, the memory shared with it, and its tasks in the order they were sent."""

    def __init__(self, root: Path, form: ImageForm, largest_task: int) -> None:
        slots = WAITING * largest_task
        with _shared_file(SharedSlots.length(slots, form)) as file:
            self.slots = SharedSlots(file.fileno(), slots, form)
            self.child = subprocess.Popen(
                COMMAND,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                pass_fds=(file.fileno(),),
                env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
            )
            setup = Setup(str(root), *form, file.fileno(), slots)
        assert self.child.stdin is not None
        assert self.child.stdout is not None
        self._requests, self.answers = self.child.stdin, self.child.stdout
        self.tasks: deque[tuple[_Task, int]] = deque()  # with the number of the first slot
        self._largest_task, self._sent, self._done = largest_task, 0, 0
        self._answered = b""
        self._last_begun, self._since = 0, time.monotonic()
        self._write(json.dumps(setup._asdict()))

    @property
    def begun(self) -> int:
        """How many images it has begun since it was started."""
        return int(self.slots.begun[0])

    def send(self, task: _Task) -> None:
        """Hand over a task; slots alternate, as no more than two tasks wait."""
        if not self.tasks:
            self._since = time.monotonic()
        first = self._largest_task * (self._sent % WAITING)
        self._sent += 1
        self.tasks.append((task, first))
        self._write(f"[{first}, {task.request}]")

    def receive(self) -> Iterator[tuple[_Task, int, Mapping[str, str]]]:
        """The finished tasks that it has answered, each with its first slot and reasons; EOFError when it has ended."""
        read = os.read(self.answers.fileno(), 2**16)
        if not read:
            raise EOFError
        *answers, self._answered = (self._answered + read).split(b"\n")
        for answer in answers:
            task, first = self.tasks.popleft()
            self._done += len(task.places)
            yield task, first, json.loads(answer)

    def stalled(self) -> bool:
        """Whether it has been busy with one image, or with starting, for too long."""
        now, begun = time.monotonic(), self.begun
        if begun != self._last_begun:
            self._last_begun, self._since = begun, now
        return bool(self.tasks) and now - self._since > (SECONDS_PER_IMAGE if begun else SECONDS_TO_START)

    def unfinished(self) -> tuple[list[int], int | None]:
        """The places of its tasks, in order, and the one among them that it was decoding or had just decoded."""
        places = [place for task, _ in self.tasks for place in task.places]
        at_work = self.begun - self._done - 1
        return places, places[at_work] if 0 <= at_work < len(places) else None

    def end(self) -> int | None:
        """Kill it; returns what it ended with."""
        self.child.kill()
        for pipe in (self._requests, self.answers):
            with contextlib.suppress(BrokenPipeError):
                pipe.close()
        with contextlib.suppress(subprocess.TimeoutExpired):  # a process that waits for a lost disk dies later
            self.child.wait(timeout=5)
        return self.child.returncode

    def _write(self, line: str) -> None:
        with contextlib.suppress(BrokenPipeError):  # that it has ended shows where its answers are read
            self._requests.write(line.encode("ascii") + b"\n")
            self._requests.flush()


class _Work:
    """One call's images: each is waiting, in a task of a process, or done with pixels or a reason."""

    def __init__(
        self, images: Sequence[tuple[str, int]], pixels: np.ndarray, digests: np.ndarray, together: int
    ) -> None:
        self._images, self._pixels, self._digests = images, pixels, digests
        self._attempts: Counter[int] = Counter()
        self.reasons: dict[int, str] = {}
        self.waiting = deque(self._tasks(range(len(images)), together))

    def finish(self, task: _Task, slots: SharedSlots, first: int, reasons: Mapping[str, str]) -> None:
        """Take over the pixels, digests and reasons of a finished task."""
        places, used = list(task.places), slice(first, first + len(task.places))
        self._pixels[places] = slots.pixels[used]
        self._digests[places] = slots.digests[used]
        self.reasons.update({places[int(place)]: reason for place, reason in reasons.items()})

    def take_back(self, places: Sequence[int], at_work: int | None, reason: str, attempts: int) -> None:
        """Have the images of a process that has ended decoded by others, but for one that was tried often enough."""
        if at_work is not None:
            self._attempts[at_work] += 1
            if self._attempts[at_work] < attempts:
                self.waiting.extendleft(self._tasks([at_work], 1))
            else:
                self.reasons[at_work] = reason
        others = [place for place in places if place != at_work]
        self.waiting.extendleft(self._tasks(others, max(1, len(others) // WAITING)))

    def _tasks(self, places: Sequence[int], together: int) -> Iterator[_Task]:
        for start in range(0, len(places), together):
            part = places[start : start + together]
            request = json.dumps([self._images[place] for place in part])
            if len(request) > LONGEST_REQUEST and len(part) > 1:
                yield from self._tasks(part, len(part) // 2)
            else:
                yield _Task(part, request)


@final
class Decoders:
    """Up to ``workers`` processes (one for each processor unless given) that decode images below one folder.

    They are started when there is work for them, and end with ``close``, with this object or with the interpreter.
    Calls from several threads take turns.
    """

    def __init__(self, root: Path, form: ImageForm, workers: int | None = None) -> None:
        self._root, self._form = root, form
        self._workers = workers or available_processors()
        self._largest_task = max(1, min(LARGEST_TASK, TASK_BYTES // int(np.prod(form.shape))))
        self._lock = threading.Lock()
        self._processes: list[_Process] = []
        self._idle_deaths = 0
        self._owner = os.getpid()
        weakref.finalize(self, _end_all, self._processes)

    @property
    def process_ids(self) -> tuple[int, ...]:
        """The processes that run at present."""
        return tuple(process.child.pid for process in self._processes)

    def decode(self, images: Sequence[tuple[str, int]], pixels: np.ndarray, digests: np.ndarray) -> dict[int, str]:
        """Decode images, given as (path below the folder, page); the reasons of those that cannot be, by place.

        pixels uint8 [n, channels, size, size] and digests uint8 [n, 32], the sha256 of the files' contents, are filled
        in; what stands there for an image with a reason means nothing. An image that a process died on is tried again
        once; one that takes longer than a minute is not.

        Raises WorkerDiedError when processes end before they begin an image.
        """
        with self._lock:
            if self._owner != os.getpid():  # after a fork the processes answer to somebody else
                self._processes.clear()
                self._owner = os.getpid()
            together = max(1, min(self._largest_task, len(images) // (WAITING * self._workers)))
            work = _Work(images, pixels, digests, together)
            self._idle_deaths = 0
            try:
                while work.waiting or any(process.tasks for process in self._processes):
                    self._hand_out(work)
                    self._collect(work)
            except BaseException:  # also Ctrl-C: answers still to come would be taken for those of the next call
                _end_all(self._processes)
                raise
            return work.reasons

    def close(self) -> None:
        """End the processes; another call starts new ones."""
        with self._lock:
            _end_all(self._processes)

    def _hand_out(self, work: _Work) -> None:
        while len(self._processes) < min(self._workers, len(work.waiting)):
            self._processes.append(_Process(self._root, self._form, self._largest_task))
        for waiting in range(WAITING):
            for process in self._processes:
                if work.waiting and len(process.tasks) <= waiting:
                    process.send(work.waiting.popleft())

    def _collect(self, work: _Work) -> None:
        """Wait for answers, and replace what has died or hangs."""
        ready = multiprocessing.connection.wait(
            [process.answers.fileno() for process in self._processes], timeout=SECONDS_BETWEEN_LOOKS
        )
        for process in [process for process in self._processes if process.answers.fileno() in ready]:
            try:
                for task, first, reasons in process.receive():
                    self._idle_deaths = 0
                    work.finish(task, process.slots, first, reasons)
            except EOFError:
                self._give_up(process, work, "the process that decoded it died, twice", ATTEMPTS)
        for process in [process for process in self._processes if process.stalled()]:
            self._give_up(process, work, f"decoding it takes longer than {SECONDS_PER_IMAGE:.0f} seconds", 1)

    def _give_up(self, process: _Process, work: _Work, reason: str, attempts: int) -> None:
        self._processes.remove(process)
        code = process.end()
        places, at_work = process.unfinished()
        self._idle_deaths += process.begun == 0
        if self._idle_deaths >= IDLE_DEATHS:
            raise WorkerDiedError(
                f"expected processes that decode images, found that they end before they begin (exit code {code}); "
                f"run `{' '.join(COMMAND)}` to see why."
            )
        work.take_back(places, at_work, reason, attempts)


def available_processors() -> int:
    """The processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _shared_file(length: int) -> IO[bytes]:
    """A file without a name, so that nothing is left behind however the processes end."""
    file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - the caller closes it
    try:
        if file.write(bytes(length)) < length:  # claimed now: a disk that is full later would kill whoever writes
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    except OSError as error:
        file.close()
        raise StoreUnavailableError(
            f"expected {length / 2**20:.0f} MB for decoded images in {tempfile.gettempdir()!r}, found an error "
            f"({error.strerror}); make room there, or set TMPDIR to another folder."
        ) from error
    return file


def _end_all(processes: list[_Process]) -> None:
    while processes:
        processes.pop().end()

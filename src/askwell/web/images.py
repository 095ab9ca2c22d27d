"""Images for the page, from processes that do nothing else: one that dies or hangs on a file is replaced, and costs that file alone."""

import asyncio
import json
import os
import queue
import select
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple, final

from askwell.pool.rooted import OUTSIDE
from askwell.web.image_process import REFUSED, UNREADABLE

COMMAND = (sys.executable, "-P", "-m", "askwell.web.image_process")
PROCESSES = 2
SECONDS_PER_IMAGE = 20.0


class Shown(NamedTuple):
    """An image as the page gets it, or (media type None) the reason why there is none; refused: its path leads out of the folder."""

    media_type: str | None
    content: bytes
    reason: str = ""
    refused: bool = False


class _Process:
    """A child that encodes one image at a time."""

    def __init__(self, root: Path) -> None:
        self.child = subprocess.Popen(
            (*COMMAND, str(root)), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0
        )
        self._received = b""

    def encode(self, path: bytes, page: int, longest: int) -> Shown:
        """Raises EOFError when it ended, TimeoutError when it takes too long."""
        assert self.child.stdin is not None, "it was started with pipes"
        until = time.monotonic() + SECONDS_PER_IMAGE
        try:
            self.child.stdin.write(json.dumps([path.hex(), page, longest]).encode() + b"\n")
        except BrokenPipeError:
            raise EOFError from None
        while b"\n" not in self._received:
            self._receive(until)
        line, _, self._received = self._received.partition(b"\n")
        kind, length = json.loads(line)
        while len(self._received) < length:
            self._receive(until)
        content, self._received = self._received[:length], self._received[length:]
        if kind == REFUSED:
            return Shown(None, b"", OUTSIDE, refused=True)
        return Shown(None, b"", content.decode()) if kind == UNREADABLE else Shown(kind, content)

    def end(self) -> None:
        self.child.kill()
        for pipe in (self.child.stdin, self.child.stdout):
            if pipe is not None:
                pipe.close()
        self.child.wait()

    def _receive(self, until: float) -> None:
        assert self.child.stdout is not None, "it was started with pipes"
        left = until - time.monotonic()
        if left <= 0 or not select.select([self.child.stdout], [], [], left)[0]:
            raise TimeoutError
        read = os.read(self.child.stdout.fileno(), 2**20)
        if not read:
            raise EOFError
        self._received += read


@final
class Images:
    """The images below one folder, encoded anew by processes that are started when they are needed."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._idle: queue.LifoQueue[_Process | None] = queue.LifoQueue()  # those that run first
        for _ in range(PROCESSES):
            self._idle.put(None)
        self._threads = ThreadPoolExecutor(PROCESSES, thread_name_prefix="images")

    def warm(self) -> None:
        """Start a process before the first image is asked for."""
        if (process := self._idle.get()) is None:
            process = _Process(self.root)
        self._idle.put(process)

    async def show(self, path: bytes, page: int, longest: int) -> Shown:
        """An image with no side longer than so many pixels; waits for its turn without holding up anything else."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self.encode, path, page, longest)

    def encode(self, path: bytes, page: int, longest: int) -> Shown:
        """The same, for a thread of its own."""
        process = self._idle.get()
        try:
            process = process or _Process(self.root)
            return process.encode(path, page, longest)
        except (EOFError, TimeoutError) as error:
            if process is not None:
                process.end()
            process = None
            late = f"decoding it takes longer than {SECONDS_PER_IMAGE:.0f} seconds"
            return Shown(None, b"", late if isinstance(error, TimeoutError) else "the process that decoded it died")
        finally:
            self._idle.put(process)

    def folder_is_gone(self) -> bool:
        """Whether there is no such folder, or an empty one, as where a disk was taken away."""
        try:
            with os.scandir(self.root) as entries:
                return next(entries, None) is None
        except OSError:
            return True

    def close(self) -> None:
        """End the processes."""
        self._threads.shutdown(cancel_futures=True)
        for _ in range(PROCESSES):
            process = self._idle.get()
            if process is not None:
                process.end()
            self._idle.put(None)

"""The page and the worker as processes: an address to listen on, how they are started, and that all of them end.

Imports nothing heavy: the page's process is started first of all, and loads what it needs while the command does.
"""

import contextlib
import errno
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO, final

from askwell.errors import SettingsError
from askwell.store.files import BESIDE, replace_file

DEFAULT_PORT = 8642
PORT_FILE = "port"  # in the campaign's directory
SECONDS_FOR_PORT = 10.0
SECONDS_BETWEEN_LOOKS = 0.25
SECONDS_TO_END = 5.0


def campaign_directory(folder: Path) -> Path:
    """Where the campaign on a folder is unless somebody says otherwise: beside it."""
    absolute = folder.expanduser().absolute()
    return absolute.with_name(absolute.name + BESIDE)


def last_port(directory: Path) -> int | None:
    """The port that the campaign's page was served on last: what answers wait in a browser for is that address. None for a new campaign."""
    try:
        port = int((directory / PORT_FILE).read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None
    return port if 0 < port < 2**16 else None


def remember_port(directory: Path, port: int) -> None:
    """Note the port that the page is served on now."""
    if port != last_port(directory):
        replace_file(directory / PORT_FILE, lambda path: path.write_text(f"{port}\n", encoding="ascii"))


def listening_socket(host: str, port: int | None, former: int | None = None) -> socket.socket:
    """A socket that listens, so that the address is good from now on; without a port the former one, the usual one, or any.

    A port that was named, and the former one, is waited for: the page of a command that was killed may be about to let go of it.

    Raises SettingsError for a port in use or an address that is not this machine's.
    """
    waited_for = [each for each in (port if port is not None else former,) if each is not None]
    for attempt in waited_for if port is not None else [*waited_for, DEFAULT_PORT, 0]:
        try:
            return _listening(host, attempt, SECONDS_FOR_PORT if attempt in waited_for else 0.0)
        except OSError as error:
            if port is None and attempt != 0:
                continue
            raise SettingsError(
                f"expected to listen on port {attempt} of {host}, found {error.strerror or error}; choose another --port or --host."
            ) from None
    raise AssertionError("the last attempt returns or raises")


def _listening(host: str, port: int, patience: float) -> socket.socket:
    """A socket on that port, which is waited for while it is in use; OSError."""
    until = time.monotonic() + patience
    while True:
        bound = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, proto=socket.IPPROTO_TCP)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            bound.bind((host, port))
            bound.listen(128)
        except OSError as error:
            bound.close()
            if error.errno != errno.EADDRINUSE or time.monotonic() >= until:
                raise
            time.sleep(SECONDS_BETWEEN_LOOKS)
        else:
            return bound


@final
class Children:
    """Processes that end when this one does, however it ends: each waits for the end of its standard input."""

    def __init__(self) -> None:
        self._started: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> "Children":
        return self

    def __exit__(self, *_: object) -> None:
        for child in self._started:
            if child.poll() is None:
                child.send_signal(signal.SIGTERM)
        for child in self._started:
            try:
                child.wait(SECONDS_TO_END)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
            if child.stdin is not None:
                with contextlib.suppress(OSError):
                    child.stdin.close()

    def start(
        self, module: str, arguments: Sequence[str], *, log: Path | None = None, descriptor: int | None = None
    ) -> subprocess.Popen[bytes]:
        """Run a module with arguments; ``log`` is the file for what it says on stderr, ``descriptor`` one to hand over."""
        said: IO[bytes] | None = None if log is None else log.open("wb")
        child = subprocess.Popen(
            [sys.executable, "-P", "-m", module, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=said,
            pass_fds=() if descriptor is None else (descriptor,),
            start_new_session=True,  # Ctrl-C is for this process, which tells the others
        )
        if said is not None:
            said.close()
        self._started.append(child)
        return child


@final
class PageProcess:
    """The process of a campaign's page, on a socket that listens. Started before there is a campaign, it waits for ``begin``."""

    MODULE = "askwell.web"

    def __init__(
        self,
        children: Children,
        directory: Path,
        folder: Path,
        listening: socket.socket,
        options: Sequence[str] = (),
    ) -> None:
        self._children, self._descriptor = children, listening.fileno()
        self._arguments = [str(directory), "--root", str(folder), "--fd", str(self._descriptor), *options]
        self._child = self._start()

    @property
    def ended(self) -> int | None:
        """The code with which it ended; None while it runs."""
        return self._child.poll()

    def begin(self) -> None:
        """There is a campaign now: serve it."""
        assert self._child.stdin is not None, "it is piped"
        with contextlib.suppress(OSError):  # it died already, which whoever looks will see
            self._child.stdin.write(b"\n")
            self._child.stdin.flush()

    def start_again(self) -> None:
        """After it ended."""
        self._child = self._start()
        self.begin()

    def by_hand(self) -> str:
        """The command that shows why it does not run."""
        return f"{sys.executable} -m {self.MODULE} {self._arguments[0]} --root {self._arguments[2]}"

    def _start(self) -> subprocess.Popen[bytes]:
        return self._children.start(self.MODULE, self._arguments, descriptor=self._descriptor)

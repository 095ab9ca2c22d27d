"""Real servers in processes of their own, on small folders of real image files."""

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx2 as httpx
import numpy as np
import PIL.Image

from askwell.store.labelling import LabellingStore
from askwell.web.sessions import STATE

SECONDS_TO_START = 120.0
WITH_CLOCK = """# the server, in a process whose clock can be set by a file
import pathlib, sys, time
file, now = pathlib.Path(sys.argv.pop(1)), time.time
time.time = lambda: now() + (float(file.read_text() or 0) if file.exists() else 0.0)
from askwell.web.__main__ import main
sys.exit(main())
"""
DIGITS = ("zero", "one", "two")  # the classes of the digits that are labelled here


class Served:
    """A campaign on a folder, and the process that serves it."""

    def __init__(self, directory: Path, folder: Path, state: Path, *, clock: bool = False) -> None:
        self.directory, self.folder = directory, folder
        self._clock = folder.with_name("clock") if clock else None  # the file that says how far it is set
        self._environment = {**os.environ, STATE: str(state)}
        self.tokens: dict[str, str] = {}
        self.port = 0
        self._clients: list[httpx.Client] = []
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def link(self) -> str:
        """The way in of the first annotator."""
        return f"{self.address}/?token={next(iter(self.tokens.values()))}"

    def start(self) -> "Served":
        if self.port == 0:  # later on the same one
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                self.port = free.getsockname()[1]
        program = ["-m", "askwell.web"] if self._clock is None else ["-c", WITH_CLOCK, str(self._clock)]
        command = [sys.executable, *program, str(self.directory), "--root", str(self.folder)]
        self.process = subprocess.Popen([*command, "--port", str(self.port)], env=self._environment)
        until = time.monotonic() + SECONDS_TO_START
        while time.monotonic() < until:
            try:
                httpx.get(f"{self.address}/static/none.js", timeout=5)
                return self
            except httpx.TransportError:
                assert self.process.poll() is None, "the server ended"
                time.sleep(0.05)
        raise AssertionError("the server did not start")

    def set_clock(self, seconds: float) -> None:
        """Set the clock of the server's process so much on, or back."""
        assert self._clock is not None, "it was not served with a clock"
        self._clock.write_text(str(seconds), encoding="ascii")

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()
        for client in self._clients:
            client.close()

    def client(self, annotator: str = "ann") -> httpx.Client:
        """Somebody who came in by the link."""
        client = httpx.Client(base_url=self.address, timeout=60)
        self._clients.append(client)
        assert client.get("/", params={"token": self.tokens[annotator]}).status_code == 303
        return client


def told(served: Served, **status: object) -> None:
    """What a worker would say, in the store, where the page finds it."""
    with LabellingStore(served.directory / "campaign.db") as store:
        store.tell({name: value if isinstance(value, str) else json.dumps(value) for name, value in status.items()})


def write_images(folder: Path, count: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(0)
    for number in range(count):
        PIL.Image.fromarray(generator.integers(0, 255, (24, 24, 3), np.uint8)).save(folder / f"{number:03d}.png")


def said(reply: httpx.Response) -> Any:
    """The sentence of a refusal."""
    return json.loads(reply.content)["error"]

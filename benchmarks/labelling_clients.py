"""Annotators who label by the page's own requests, and a campaign on real images for them: what the labelling benchmarks share.

A client does what the page does: it asks for more questions after each answer, loads their images ahead, looks at each for a while,
answers, and asks for the state every three seconds. What it was told and what it was promised is kept, to be compared with the database.
"""

import asyncio
import json
import os
import secrets
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self, final
from urllib.parse import parse_qs, urlsplit

import PIL.Image
import torch

from askwell.pool.datasets import load_dataset

CLASSES = "zero,one,two,three,four,five,six,seven,eight,nine"
AHEAD = 10  # questions behind the one that is shown; with fewer the page asks for more
STATE_EVERY = 3.0  # seconds
IMAGES_AHEAD = 3  # loads at once
BEGINNING = 10.0  # seconds in which everybody has come
RETRY = 0.1  # seconds after a reply that did not come


def write_mnist(folder: Path, count: int) -> None:
    """The first ``count`` of MNIST's 70,000 images as PNG files, a thousand in a folder; then mirrored. Nothing if they are there."""
    if sum(len(names) for _, _, names in os.walk(folder)) == count:
        return
    data = load_dataset("mnist")
    written = 0
    while written < count:
        mirrored = written > 0
        for source in (data.pool, data.test.images):
            for start in range(0, len(source), 1000):
                if written >= count:
                    return
                (place := folder / f"{written // 1000:03d}").mkdir(parents=True, exist_ok=True)
                positions = torch.arange(start, min(start + 1000, len(source), start + count - written))
                for pixels in source.images(positions)[:, 0].mul(255).round().byte().numpy():
                    picture = PIL.Image.fromarray(pixels[:, ::-1] if mirrored else pixels)
                    picture.save(place / f"{written:06d}.png", compress_level=1)
                    written += 1


@final
class Command:
    """`askwell label` in a process of its own, and the links that it printed."""

    def __init__(
        self,
        folder: Path,
        campaign: Path,
        annotators: Sequence[str],
        options: Sequence[str] = (),
        classes: str = CLASSES,
    ) -> None:
        self.folder, self.campaign, self.annotators = folder, campaign, list(annotators)
        self._options, self._classes = options, classes
        self.links: dict[str, str] = {}
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> Self:
        """Begin the campaign or go on with it."""
        command = [sys.executable, "-m", "askwell", "label", str(self.folder), "--campaign", str(self.campaign)]
        command += [
            "--classes",
            self._classes,
            "--annotators",
            ",".join(self.annotators),
            "--no-browser",
            *self._options,
        ]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert self.process.stdout is not None, "it is piped"
        for name in self.annotators:
            line = self.process.stdout.readline().strip()
            if not line:
                assert self.process.stderr is not None, "it is piped"
                raise SystemExit(f"expected the links of `askwell label`, found: {self.process.stderr.read()}")
            self.links[name] = line
        return self

    def children(self) -> dict[str, int]:
        """ "web" and "worker" -> their process numbers."""
        assert self.process is not None, "it was started"
        found: dict[str, int] = {}
        threads = Path(f"/proc/{self.process.pid}/task")
        listed = [number for thread in threads.iterdir() for number in (thread / "children").read_text().split()]
        for number in listed:
            words = Path(f"/proc/{number}/cmdline").read_bytes()
            for name, module in (("web", b"askwell.web"), ("worker", b"askwell.campaign.worker")):
                if module in words:
                    found[name] = int(number)
        return found

    def stop(self) -> None:
        """As Ctrl-C does."""
        assert self.process is not None, "it was started"
        self.process.send_signal(signal.SIGINT)
        self.process.wait(30)

    def kill(self) -> None:
        """At once, and it alone: what it started has to notice by itself."""
        assert self.process is not None, "it was started"
        self.process.kill()
        self.process.wait()


@dataclass
class Seen:
    """What all clients saw: seconds of each kind of request, answers that got their 200, who was shown which image."""

    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    confirmed: dict[str, tuple[int, str, str]] = field(default_factory=dict)  # key -> item, class, annotator
    shown_to: dict[int, set[str]] = field(default_factory=lambda: defaultdict(set))
    refused: Counter[str] = field(default_factory=Counter)
    broken: int = 0  # requests without a reply


@final
class Client:
    """One annotator with a browser: connections that stay open, and a cookie."""

    def __init__(self, name: str, link: str, seen: Seen) -> None:
        parts = urlsplit(link)
        self._host, self._port = parts.hostname or "", parts.port or 80
        self._token = parse_qs(parts.query)["token"][0]
        self._name, self._seen, self._cookie = name, seen, ""
        self._free: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
        self._classes: list[str] = []
        self._waiting: list[dict[str, Any]] = []
        self._known: set[str] = set()

    async def label(self, until: float, thinking: float) -> None:
        """Label until the clock of ``time.monotonic`` says so, with ``thinking`` seconds between an image and its answer."""
        await self._enter()
        polling = asyncio.create_task(self._poll())
        images = asyncio.Semaphore(IMAGES_AHEAD)
        asked: asyncio.Task[None] | None = None
        while time.monotonic() < until:
            if len(self._waiting) < AHEAD and (asked is None or asked.done()):
                asked = asyncio.create_task(self._refill(images))
            if not self._waiting:
                await (asked or asyncio.sleep(0))
                if not self._waiting:
                    await asyncio.sleep(RETRY)
                continue
            question = self._waiting.pop(0)
            await question["image"]
            await asyncio.sleep(thinking)
            await self._answer(question)
        for task in (polling, asked):
            if task is not None:
                task.cancel()
        for question in self._waiting:
            question["image"].cancel()
        for _, writer in self._free:
            writer.close()

    async def _enter(self) -> None:
        _, headers, _ = await self._request("GET", f"/?token={self._token}", timed_as=None)
        self._cookie = headers["set-cookie"].partition(";")[0]
        state = await self._json("GET", "/api/state", timed_as="GET /api/state")
        self._classes = [each["id"] for each in state["classes"]]

    async def _poll(self) -> None:
        while True:
            await asyncio.sleep(STATE_EVERY)
            await self._json("GET", "/api/state", timed_as="GET /api/state")

    async def _refill(self, images: asyncio.Semaphore) -> None:
        have = ",".join(question["key"] for question in self._waiting)
        reply = await self._json("GET", f"/api/next?have={have}", timed_as="GET /api/next")
        for item in reply.get("items", []):
            if item["key"] not in self._known:
                self._known.add(item["key"])
                self._seen.shown_to[item["id"]].add(self._name)
                item["image"] = asyncio.create_task(self._image(item["image"], images))
                self._waiting.append(item)

    async def _image(self, address: str, images: asyncio.Semaphore) -> None:
        async with images:
            await self._request("GET", address, timed_as="GET /api/images")

    async def _answer(self, question: Mapping[str, Any]) -> None:
        chosen = secrets.choice(self._classes)
        body = {"id": question["id"], "key": question["key"], "kind": "label", "label": chosen, "seconds": 0.5}
        status, _, content = await self._request("POST", "/api/answers", body, timed_as="POST /api/answers")
        if status == 200:
            self._seen.confirmed[question["key"]] = (question["id"], chosen, self._name)
        else:
            self._seen.refused[f"{status} {json.loads(content)['error']}"] += 1

    async def _json(self, method: str, address: str, *, timed_as: str | None) -> Any:
        status, _, content = await self._request(method, address, timed_as=timed_as)
        if status != 200:
            self._seen.refused[f"{status} {address.partition('?')[0]}"] += 1
            return {}
        return json.loads(content)

    async def _request(
        self, method: str, address: str, body: Mapping[str, Any] | None = None, *, timed_as: str | None
    ) -> tuple[int, dict[str, str], bytes]:
        """The same request until there is a reply, as the page does it; only one that came at once is timed."""
        text = b"" if body is None else json.dumps(body).encode()
        head = f"{method} {address} HTTP/1.1\r\nHost: {self._host}:{self._port}\r\nCookie: {self._cookie}\r\n"
        sent = f"{head}Content-Type: application/json\r\nContent-Length: {len(text)}\r\n\r\n".encode() + text
        while True:
            began = time.perf_counter()
            try:
                found = await self._exchange(sent)
            except (OSError, asyncio.IncompleteReadError, ValueError):
                self._seen.broken += 1
                for _, writer in self._free:
                    writer.close()
                self._free.clear()
                await asyncio.sleep(RETRY)
                continue
            if timed_as is not None:
                self._seen.seconds[timed_as].append(time.perf_counter() - began)
            if found[0] < 500:
                return found
            self._seen.refused[f"{found[0]} {address.partition('?')[0]}"] += 1
            await asyncio.sleep(RETRY)

    async def _exchange(self, sent: bytes) -> tuple[int, dict[str, str], bytes]:
        reader, writer = (
            self._free.pop() if self._free else await asyncio.open_connection(self._host, self._port, limit=2**20)
        )
        try:
            writer.write(sent)
            status = int((await reader.readuntil(b"\r\n")).split()[1])
            headers: dict[str, str] = {}
            while (line := await reader.readuntil(b"\r\n")) != b"\r\n":
                name, _, value = line.decode("latin-1").partition(":")
                headers[name.lower()] = value.strip()
            content = await reader.readexactly(int(headers.get("content-length", "0")))
        except BaseException:
            writer.close()
            raise
        if headers.get("connection") == "close":
            writer.close()
        else:
            self._free.append((reader, writer))
        return status, headers, content


async def label_together(links: Mapping[str, str], seconds: float, thinking: float, seen: Seen) -> None:
    """All annotators at once, each begun a little later than the one before, as people are."""
    until = time.monotonic() + seconds

    async def one(number: int, name: str, link: str) -> None:
        await asyncio.sleep(BEGINNING * number / len(links))
        await Client(name, link, seen).label(until, thinking)

    await asyncio.gather(*(one(number, *each) for number, each in enumerate(links.items())))


def compare(campaign: Path, seen: Seen) -> dict[str, int]:
    """The promises beside the database: confirmed answers that are missing or say something else, keys or items that count twice,
    images that were shown to two people."""
    with closing(sqlite3.connect(f"{(campaign / 'campaign.db').as_uri()}?mode=ro", uri=True)) as connection:
        rows = connection.execute("SELECT key, position, class_id, annotator FROM answer_events").fetchall()
        (sound,) = connection.execute("PRAGMA integrity_check").fetchone()
    stored = {row[0]: tuple(row[1:]) for row in rows}
    keys, places = Counter(row[0] for row in rows), Counter(row[1] for row in rows)
    return {
        "answers_confirmed": len(seen.confirmed),
        "answers_stored": len(rows),
        "confirmed_but_missing": sum(key not in stored for key in seen.confirmed),
        "confirmed_but_different": sum(stored.get(key, said) != said for key, said in seen.confirmed.items()),
        "keys_stored_twice": sum(count > 1 for count in keys.values()),
        "images_answered_twice": sum(count > 1 for count in places.values()),
        "images_shown_to_two": sum(len(names) > 1 for names in seen.shown_to.values()),
        "database_damaged": int(sound != "ok"),
    }


def fresh(campaign: Path) -> Path:
    """A place for a campaign that is not there yet."""
    with suppress(FileNotFoundError):
        shutil.rmtree(campaign)
    return campaign

"""A real Chromium for the tests of the labelling page, and a person who works with it by keyboard."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import pytest
from playwright.sync_api import Browser, Error, Page, Playwright, sync_playwright

INSTALLED = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
PATIENCE = 60_000  # ms; a machine that also learns is slow at times


def _found() -> str | None:
    return next((found for name in INSTALLED if (found := shutil.which(name))), None)


def _ran(*command: str) -> bool:
    try:
        return subprocess.run(command, capture_output=True, timeout=600, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def _debian() -> str | None:
    may = hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("apt-get")
    if not may or not _ran("apt-get", "install", "-y", "--no-install-recommends", "chromium"):
        return None
    return _found()


@contextmanager
def chromium() -> Iterator[Browser]:
    """An installed Chromium or Chrome, else Debian's package, else Playwright's own build; a loud skip without any, a failure in CI."""
    with sync_playwright() as playwright:
        browser = _launched(playwright, os.environ.get("ASKWELL_CHROMIUM") or _found())
        browser = browser or _launched(playwright, _debian()) or _own(playwright) or _no_browser()
        yield browser
        browser.close()


def _own(playwright: Playwright) -> Browser | None:
    path = playwright.chromium.executable_path
    if not Path(path).exists():
        _ran(sys.executable, "-m", "playwright", "install", "chromium")
    return _launched(playwright, path if Path(path).exists() else None)


def _launched(playwright: Playwright, path: str | None) -> Browser | None:
    if path is None:
        return None
    sandbox = [] if not hasattr(os, "geteuid") or os.geteuid() else ["--no-sandbox"]  # Chromium refuses its own as root
    try:
        return playwright.chromium.launch(executable_path=path, args=sandbox)
    except Error as error:  # a stand-in that wants to install something else, or one that is broken
        print(f"{path} cannot be started: {error}", file=sys.stderr)
        return None


def _no_browser() -> NoReturn:
    sentence = "expected Chromium or Chrome for the tests of the labelling page, found none and could install none."
    if os.environ.get("CI") or os.environ.get("ASKWELL_DATA"):
        pytest.fail(sentence)
    pytest.skip(f"THE LABELLING PAGE IS NOT TESTED: {sentence}")


class Answered(NamedTuple):
    """What one key press did: the image that was answered and the one that came."""

    image: int
    following: int


class Person:
    """Somebody at the page, who waits for an image to be painted before pressing a key."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.complaints: list[str] = []
        self.strangers: list[str] = []
        page.set_default_timeout(PATIENCE)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", lambda message: self._heard(message.type, message.text))
        page.on("request", lambda request: self._asked(request.url))

    def _heard(self, kind: str, text: str) -> None:
        if kind in ("error", "warning") and "Failed to load resource" not in text:
            self.complaints.append(text)

    def _asked(self, url: str) -> None:
        if not url.startswith(("http://127.0.0.1:", "data:", "blob:")):
            self.strangers.append(url)

    def opens(self, link: str) -> "Person":
        """Goes to the page and waits for the first image."""
        self.page.goto(link)
        self.sees()
        return self

    def sees(self, *, after: int | None = None) -> int:
        """The image that is painted now, once it is another one than ``after``."""
        self.page.wait_for_function(
            "before => document.body.dataset.painted !== undefined && document.body.dataset.painted !== before",
            arg=None if after is None else str(after),
        )
        return int(self.page.evaluate("() => document.body.dataset.painted"))

    def answers(self, key: str) -> Answered:
        """Presses one key and waits for the next image."""
        image = self.sees()
        self.page.keyboard.press(key)
        return Answered(image, self.sees(after=image))

    def asks(self, path: str) -> Any:
        """What the server says to this browser."""
        return self.page.request.get(path).json()

    def all_sent(self) -> None:
        """Waits until no answer is kept in the browser any more."""
        self.page.wait_for_function("() => !Object.keys(localStorage).some(name => name.startsWith('askwell:unsent:'))")

    def answer_of(self, image: int) -> tuple[str, str | None] | None:
        """(kind, class's id) of the image's current answer."""
        self.all_sent()
        answer = self.asks(f"/api/items/{image}")["answer"]
        return None if answer is None else (answer["kind"], answer["label"])

    def has_given(self) -> int:
        """How many images have an answer, not counting those that were skipped."""
        self.all_sent()
        return self.asks("/api/state")["answers"]

    def message(self) -> str:
        """The sentence under the image."""
        return self.page.locator("#message-text").inner_text()

    def waits_for(self, sentence: str) -> None:
        """Waits until the line under the image, or the place of the image, says that."""
        self.page.wait_for_function(
            "said => ['message-text', 'veil'].some(id => document.getElementById(id).textContent.includes(said))",
            arg=sentence,
        )

    def presses_until(self, key: str, sentence: str) -> None:
        """Presses a key that changes nothing, until the line under the image says that: a first press may come before there is anything."""
        for _ in range(300):
            self.page.keyboard.press(key)
            self.page.wait_for_timeout(200)
            if sentence in self.message():
                return
        raise AssertionError(f"not said: {sentence}")

    def presses_raw(self, key: str, code: str, *, repeat: bool = False, modifiers: int = 0) -> None:
        """A key press as another keyboard layout, or a key held down, sends it."""
        session = self.page.context.new_cdp_session(self.page)
        text = {"text": key} if len(key) == 1 else {}
        press = {"key": key, "code": code, "modifiers": modifiers}
        session.send("Input.dispatchKeyEvent", {"type": "keyDown", "autoRepeat": repeat, **press, **text})
        if not repeat:
            session.send("Input.dispatchKeyEvent", {"type": "keyUp", **press})
        session.detach()

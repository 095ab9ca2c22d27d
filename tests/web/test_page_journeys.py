"""Whole days of labelling in a real Chromium, by keyboard, against the real command on folders of real images."""

import csv
import io
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from browsing import Person
from web_server import DIGITS

COMMAND = [sys.executable, "-m", "askwell", "label"]
IMAGES = 160  # of the melanoma challenge
LONGEST = 1200.0  # seconds for two fits, where the machine has other work


class Labelled:
    """`askwell label` on a folder, which can be stopped and started again on the same port."""

    def __init__(self, folder: Path, classes: tuple[str, ...], environment: dict[str, str]) -> None:
        self.folder, self.classes, self.environment = folder, classes, {**os.environ, **environment}
        with socket.socket() as found:
            found.bind(("127.0.0.1", 0))
            self.port = found.getsockname()[1]
        self.process: subprocess.Popen[str] | None = None
        self.link = ""

    def start(self) -> "Labelled":
        options = ["--classes", ",".join(self.classes), "--port", str(self.port), "--no-browser"]
        command = [*COMMAND, str(self.folder), *options]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=self.environment
        )
        assert self.process.stdout is not None
        self.link = self.process.stdout.readline().strip()
        assert re.fullmatch(rf"http://127\.0\.0\.1:{self.port}/\?token=[\w-]{{43}}", self.link), (
            self.process.communicate()
        )
        return self

    def interrupt(self) -> str:
        """Ctrl-C; what the command said on its way out."""
        assert self.process is not None
        self.process.send_signal(signal.SIGINT)
        said = self.process.communicate(timeout=120)[1]
        assert self.process.returncode == 0, said
        self.process = None
        return said

    def truth(self, person: Person, image: int) -> str:
        """The class's key, from the file's name."""
        name = person.asks(f"/api/items/{image}")["name"].rsplit("/", 1)[-1]
        return str(self.classes.index(name.split("-")[0]) + 1)


@pytest.fixture
def label(tmp_path: Path) -> Iterator[Callable[..., Labelled]]:
    """Starts the command on a folder of the test's own; it ends with the test."""
    begun: list[Labelled] = []

    def begin(folder: Path, classes: tuple[str, ...], **environment: str) -> Labelled:
        own = shutil.copytree(folder, tmp_path / "photos")
        begun.append(Labelled(own, classes, {"ASKWELL_STATE": str(tmp_path / "state"), **environment}).start())
        return begun[-1]

    yield begin
    for each in begun:
        if each.process is not None:
            each.interrupt()


@pytest.fixture(scope="session")
def lesions(tmp_path_factory: pytest.TempPathFactory, askwell_data: Path) -> Path:
    """Dermoscopic images of the melanoma challenge of 2016; the class is in the name."""
    folder = tmp_path_factory.mktemp("lesions")
    with (askwell_data / "isic2016/ISBI2016_ISIC_Part3_Training_GroundTruth.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.reader(file) if (askwell_data / f"isic2016/train/{row[0]}.jpg").exists()]
    for name, truth in rows[:IMAGES]:
        shutil.copy(askwell_data / f"isic2016/train/{name}.jpg", folder / f"{truth}-{name}.jpg")
    return folder


def exported(person: Person) -> dict[str, str]:
    """File -> label of the CSV that the page gives."""
    person.page.keyboard.press("s")
    with person.page.expect_download() as download:
        person.page.get_by_role("link", name="CSV").click()
    person.page.keyboard.press("Escape")
    text = Path(download.value.path()).read_text(encoding="utf-8-sig")
    return {row["id"]: row["label"] for row in csv.DictReader(io.StringIO(text)) if row["label"]}


def test_a_morning_on_digits(label: Callable[..., Labelled], digits: Path, arrives: Callable[..., Person]):
    """Cold start, undo across a reload, an old answer edited, a class renamed, Ctrl-C, and on where it was."""
    labelled = label(digits, DIGITS, ASKWELL_WEIGHTS=str(digits))  # nothing there: the page asks before it fetches any
    person = arrives(labelled.link)
    page = person.page
    given: dict[int, str] = {}
    for _ in range(8):
        image = person.sees()
        given[image] = labelled.truth(person, image)
        person.answers(given[image])
    page.reload()
    last, at = list(given)[-1], person.sees()
    page.keyboard.press("Backspace")
    assert person.sees(after=at) == last
    person.answers(given[last])
    first = next(iter(given))
    person.all_sent()
    page.locator(f'#strip button[data-id="{first}"]').click()
    person.waits_for("Looking back")
    page.wait_for_function("id => document.body.dataset.painted === id", arg=str(first))
    given[first] = "2" if given[first] == "3" else "3"
    page.keyboard.press(given[first])
    person.waits_for("Changed from")
    page.keyboard.press("c")
    page.get_by_role("button", name="Rename “two”").click()
    page.get_by_label("Name", exact=True).fill("deux")
    page.keyboard.press("Enter")
    page.get_by_text("Renamed to “deux”").wait_for()
    page.keyboard.press("Escape")
    person.all_sent()
    page.context.close()
    assert "every answer is kept" in labelled.interrupt()
    person = arrives(labelled.start().link)
    person.page.locator("#strip button").nth(len(given) - 1).wait_for()
    kept = [int(button.get_attribute("data-id") or -1) for button in person.page.locator("#strip button").all()]
    assert sorted(kept) == sorted(given)
    assert person.sees() not in given
    names = {str(place): name for place, name in enumerate(("zero", "one", "deux"), 1)}
    asked = {person.asks(f"/api/items/{image}")["name"]: names[key] for image, key in given.items()}
    assert exported(person) == asked


@pytest.mark.parametrize("of", ["digits", pytest.param("lesions", marks=pytest.mark.slow)])
def test_a_day_through_the_cold_start_and_two_fits(of: str, request, label, arrives, imagenet_weights: Path):
    """All of it on MNIST and on dermoscopic images, with a model that learns from the answers."""
    classes = DIGITS if of == "digits" else ("benign", "malignant")
    labelled = label(request.getfixturevalue(of), classes, ASKWELL_WEIGHTS=str(imagenet_weights))
    person = arrives(labelled.link)
    page = person.page
    began = time.monotonic()
    given: dict[int, str] = {}

    def work(until: Callable[[], bool]) -> None:
        while not until():
            assert time.monotonic() < began + LONGEST, person.asks("/api/state")
            image = person.sees()
            given[image] = labelled.truth(person, image)
            person.answers(given[image])
            page.wait_for_timeout(700)

    work(lambda: len(given) == 6)
    state = person.asks("/api/state")
    assert state["round"] is None, "the cold start"
    page.reload()
    at = person.sees()
    page.keyboard.press("Backspace")
    undone = person.sees(after=at)
    assert undone == list(given)[-1]
    person.answers(given[undone])
    work(lambda: (person.asks("/api/state")["round"] or 0) >= 1)  # round 0 is the first fit, round 1 the second
    # the model's guess, on request only
    assert page.locator("#guess").is_hidden()
    page.keyboard.press("t")
    work(lambda: page.locator("#guess .bars li").count() == len(classes))
    assert page.get_by_text("Why this image").is_visible()
    assert len(page.locator("#guess .facts dd").all()) == 3, "total, aleatoric and epistemic"
    page.keyboard.press("t")
    # an old answer is changed, and changed back
    person.all_sent()
    old, now = list(given)[-3], person.sees()
    other = "2" if given[old] == "1" else "1"
    for key in (other, given[old]):
        page.locator(f'#strip button[data-id="{old}"]').click()
        person.sees(after=now)
        page.keyboard.press(key)
        assert person.sees(after=old) == now
        assert person.answer_of(old) == ("label", f"c{key}")
    # two tabs: what one answers is not asked in the other
    tab = Person(page.context.new_page()).opens(labelled.link)
    page.bring_to_front()
    image = person.sees()
    given[image] = labelled.truth(person, image)
    person.answers(given[image])
    person.all_sent()
    assert tab.sees(after=image) != image
    tab.page.close()
    # a class is renamed, then merged and brought back
    page.keyboard.press("c")
    page.get_by_role("button", name=f"Rename “{classes[1]}”").click()
    page.get_by_label("Name", exact=True).fill("renamed")
    page.keyboard.press("Enter")
    page.get_by_text("Renamed to “renamed”").wait_for()
    page.get_by_role("button", name="Merge “renamed”").click()
    page.locator(".form").get_by_role("button", name="Merge").click()
    page.locator(".said").get_by_text(f"{sum(key == '2' for key in given.values())} answer").wait_for()
    page.locator(".said").get_by_role("button", name="Undo").click()
    page.get_by_text("Taken back.").wait_for()
    page.keyboard.press("Escape")
    # the accuracy is measured, with the model named that it is of
    work(lambda: person.asks("/api/state")["estimate"] is not None)
    estimate = person.asks("/api/state")["estimate"]
    assert 0 <= estimate["low"] <= estimate["accuracy"] <= estimate["high"] <= 1
    person.all_sent()
    page.context.close()
    assert "every answer is kept" in labelled.interrupt()
    person = arrives(labelled.start().link)
    assert person.sees() not in given
    names = [name if name != classes[1] else "renamed" for name in classes]
    asked = {person.asks(f"/api/items/{image}")["name"]: names[int(key) - 1] for image, key in given.items()}
    assert exported(person) == asked
    print(f"{of}: {len(given)} answers in {time.monotonic() - began:.0f} s, {estimate}")

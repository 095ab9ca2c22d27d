"""Campaigns that are served for a test, a browser, and people who come to the page with it."""

import gzip
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from browsing import Person, chromium
from playwright.sync_api import Browser
from sklearn.datasets import load_digits
from web_server import DIGITS, Served

from askwell.store.classes import ClassChange
from askwell.store.labelling import LabellingStore
from askwell.store.labelling_records import NewItem
from askwell.web.sessions import STATE, issue_tokens


def served_campaign(
    folder: Path,
    state: Path,
    *,
    items: list[NewItem] | None,
    annotators: Sequence[str],
    classes: Sequence[str],
    clock: bool = False,
) -> Served:
    """A new campaign on a folder, with items as given or one for each file, and its server."""
    directory = folder.with_name(folder.name + "-askwell")
    directory.mkdir()
    found = [NewItem(path.name, path.name) for path in sorted(folder.iterdir())] if items is None else items
    with LabellingStore(directory / "campaign.db") as store:
        for name in classes:
            store.change_classes("ann", ClassChange("add", name=name), name)
        store.add_items(found, "seed")
        store.draw_sample(500, "seed")
        store.tell({"indexed": "yes", "doing": "cold_start"})
    served = Served(directory, folder, state, clock=clock)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(STATE, str(state))
        served.tokens = issue_tokens(directory, annotators)
    return served.start()


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Served]]:
    """Serves new campaigns until the test ends."""
    running: list[Served] = []

    def begin(
        folder: Path,
        items: list[NewItem] | None = None,
        annotators: Sequence[str] = ("ann", "bob"),
        classes: Sequence[str] = ("benign", "malignant"),
        clock: bool = False,
    ) -> Served:
        place = tmp_path / "state"
        served = served_campaign(folder, place, items=items, annotators=annotators, classes=classes, clock=clock)
        running.append(served)
        return served

    yield begin
    for served in running:
        if served.process is not None and served.process.poll() is None:
            served.kill()


@pytest.fixture
def own(serve: Callable[..., Served], digits: Path, tmp_path: Path) -> Served:
    """A campaign of the test's own."""
    folder = tmp_path / "digits"
    folder.symlink_to(digits)
    return serve(folder, classes=DIGITS)


@pytest.fixture(scope="module")
def shared(digits: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One campaign on digits for those tests of a module that leave its classes alone."""
    place = tmp_path_factory.mktemp("shared")
    folder = place / "digits"
    folder.symlink_to(digits)
    served = served_campaign(folder, place / "state", items=None, annotators=("ann",), classes=DIGITS)
    yield served
    served.kill()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One Chromium for all tests."""
    with chromium() as found:
        yield found


@pytest.fixture(scope="session")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of 240 real digits 0, 1 and 2 as PNGs, of MNIST or else those that scikit-learn carries; the class is in the name."""
    folder = tmp_path_factory.mktemp("digits")
    pixels, truth = _mnist() if os.environ.get("ASKWELL_DATA") else _embedded()
    for count, position in enumerate(np.flatnonzero(truth < len(DIGITS))[:240]):
        PIL.Image.fromarray(pixels[position]).save(folder / f"{DIGITS[truth[position]]}-{count:03}.png")
    return folder


def _mnist() -> tuple[np.ndarray, np.ndarray]:
    directory = Path(os.environ["ASKWELL_DATA"]) / "mnist"
    images = gzip.decompress((directory / "t10k-images-idx3-ubyte.gz").read_bytes())
    labels = gzip.decompress((directory / "t10k-labels-idx1-ubyte.gz").read_bytes())
    return np.frombuffer(images, np.uint8, offset=16).reshape(-1, 28, 28), np.frombuffer(labels, np.uint8, offset=8)


def _embedded() -> tuple[np.ndarray, np.ndarray]:
    found = load_digits()
    return (found.images * 15).astype(np.uint8), found.target


@pytest.fixture
def arrives(browser: Browser) -> Iterator[Callable[..., Person]]:
    """Somebody with a browser of their own; every complaint of the page and every foreign request fails the test."""
    people: list[Person] = []

    def arrive(link: str, **context: object) -> Person:
        size = {"width": 1280, "height": 800}
        page = browser.new_context(base_url=link.split("/?")[0], **{"viewport": size, **context}).new_page()  # type: ignore[arg-type]
        people.append(Person(page))
        return people[-1].opens(link)

    yield arrive
    for person in people:
        person.page.context.close()
    assert [complaint for person in people for complaint in person.complaints] == []
    assert [stranger for person in people for stranger in person.strangers] == []

"""The labelling page in a real Chromium, against the real command on folders of real images."""

import gzip
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from browsing import Person, chromium
from PIL import Image
from playwright.sync_api import Browser, Page
from sklearn.datasets import load_digits

COMMAND = [sys.executable, "-m", "askwell", "label"]
DIGITS = ("zero", "one", "two")

pytestmark = (
    pytest.mark.slow
)  # they drive a browser against a campaign that learns: minutes where the machine has other work


class Served:
    """`askwell label` on a folder, which can be stopped, killed and started again on the same port."""

    def __init__(self, folder: Path, classes: tuple[str, ...], campaign: Path) -> None:
        self.folder, self.classes, self.campaign = folder, classes, campaign
        self.port = _free_port()
        self.link = ""
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> "Served":
        options = ["--classes", ",".join(self.classes), "--campaign", str(self.campaign), "--port", str(self.port)]
        command = [*COMMAND, str(self.folder), *options, "--no-browser"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
        assert self.process.stdout is not None
        self.link = self.process.stdout.readline().strip()
        assert "/?token=" in self.link, self.link
        return self

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """Ends the command with all its processes."""
        if self.process is None:
            return
        os.killpg(self.process.pid, how)
        self.process.wait(timeout=30)
        assert self.process.stdout is not None
        self.process.stdout.close()
        self.process = None
        until = time.monotonic() + 30
        while _is_taken(self.port):  # its own processes end when they see that it did
            assert time.monotonic() < until
            time.sleep(0.05)


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def _is_taken(port: int) -> bool:
    with socket.socket() as asked:
        return asked.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One Chromium for all tests of this module."""
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of 240 real digits 0, 1 and 2 as PNGs, of MNIST or else those that scikit-learn carries; the class is in the name."""
    folder = tmp_path_factory.mktemp("digits")
    pixels, truth = _mnist() if os.environ.get("ASKWELL_DATA") else _embedded()
    for count, position in enumerate(np.flatnonzero(truth < len(DIGITS))[:240]):
        Image.fromarray(pixels[position]).save(folder / f"{DIGITS[truth[position]]}-{count:03}.png")
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
def serve(tmp_path: Path) -> Iterator[Callable[..., Served]]:
    """Starts the command on a folder; stopped when the test ends."""
    started: list[Served] = []

    def start(folder: Path, classes: tuple[str, ...] = DIGITS) -> Served:
        started.append(Served(folder, classes, tmp_path / "campaign").start())
        return started[-1]

    yield start
    for served in started:
        served.stop(signal.SIGKILL)


@pytest.fixture(scope="module")
def shared(digits: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One campaign for the tests that leave its classes alone; it goes on learning from their answers meanwhile."""
    served = Served(digits, DIGITS, tmp_path_factory.mktemp("shared") / "campaign").start()
    yield served
    served.stop(signal.SIGKILL)


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


def truth(person: Person, image: int) -> str:
    """The class's key, from the file's name."""
    name = person.asks(f"/api/items/{image}")["name"].rsplit("/", 1)[-1]
    return str(DIGITS.index(name.split("-")[0]) + 1)


def beside(person: Person, link: str) -> Person:
    """A second tab of the same browser."""
    return Person(person.page.context.new_page()).opens(link)


def test_one_key_answers_and_shows_the_next_image(shared: Served, arrives: Callable[..., Person]):
    person = arrives(shared.link)
    shown = [person.answers(key).image for key in ("1", "2", "3", "Numpad1")]
    assert len(set(shown)) == 4
    assert [person.answer_of(image) for image in shown] == [
        ("label", "c1"),
        ("label", "c2"),
        ("label", "c3"),
        ("label", "c1"),
    ]
    for key, kind in ((" ", "skip"), ("u", "unsure"), ("b", "bad")):
        assert person.answer_of(person.answers(key).image) == (kind, None)


def test_the_next_images_are_there_before_they_are_asked(shared: Served, arrives: Callable[..., Person]):
    person = arrives(shared.link)
    person.page.wait_for_load_state("networkidle")
    person.page.route("**/api/images/**", lambda route: route.abort())
    for _ in range(9):  # the server leases ten to one person, with the one that is shown
        person.answers("1")


def test_keys_that_repeat_or_come_too_early_are_not_counted(shared: Served, arrives: Callable[..., Person]):
    person = arrives(shared.link)
    before = person.has_given()
    person.answers("1")
    image = person.sees()
    person.presses_raw("2", "Digit2", repeat=True)
    person.page.wait_for_timeout(300)
    assert person.sees() == image
    assert person.has_given() == before + 1
    # two different keys in one task: nothing can have been painted between them
    person.page.evaluate(
        """() => { for (const digit of ["1", "3"])
             document.body.dispatchEvent(new KeyboardEvent("keydown", {key: digit, code: `Digit${digit}`, bubbles: true})); }"""
    )
    person.waits_for("before the image was shown")
    person.sees(after=image)
    assert person.has_given() == before + 2


@pytest.mark.parametrize(
    ("key", "code", "modifiers", "expected"),
    [
        ("&", "Digit1", 0, "c1"),  # AZERTY's number row without shift
        ("é", "Digit2", 0, "c2"),
        ("3", "Digit3", 8, "c3"),  # AZERTY with shift, Czech with shift
        ("End", "Numpad1", 0, "c1"),  # the number pad without num lock
        ("2", "Numpad2", 0, "c2"),
    ],
)
def test_digits_of_other_keyboards(
    shared: Served, arrives: Callable[..., Person], key: str, code: str, modifiers: int, expected: str
):
    person = arrives(shared.link)
    image = person.sees()
    person.presses_raw(key, code, modifiers=modifiers)
    person.sees(after=image)
    assert person.answer_of(image) == ("label", expected)


def test_undo_as_often_as_one_likes_also_after_a_reload(shared: Served, arrives: Callable[..., Person]):
    person = arrives(shared.link)
    images = [person.answers(key).image for key in ("1", "2", "3")]
    before = person.sees()
    person.page.keyboard.press("Backspace")
    assert person.sees(after=before) == images[2]
    assert "two" in person.message()
    person.page.reload()
    person.sees()
    last = person.sees()
    person.page.keyboard.press("Backspace")
    assert person.sees(after=last) == images[1]
    person.page.keyboard.press("Backspace")
    assert person.sees(after=images[1]) == images[0]
    assert person.answers("3").image == images[0]
    assert person.answer_of(images[0]) == ("label", "c3")
    assert person.answer_of(images[1]) is None


def test_looking_back_and_changing_an_old_answer(shared: Served, arrives: Callable[..., Person]):
    person = arrives(shared.link)
    images = [person.answers("1").image for _ in range(3)]
    current = person.sees()
    person.all_sent()
    person.page.keyboard.press("ArrowLeft")
    assert person.sees(after=current) == images[2]
    person.page.keyboard.press("ArrowLeft")
    assert person.sees(after=images[2]) == images[1]
    person.page.keyboard.press("2")
    assert person.sees(after=images[1]) == current
    assert person.answer_of(images[1]) == ("label", "c2")
    person.page.locator(f'#strip button[data-id="{images[0]}"]').click()
    assert person.sees(after=current) == images[0]
    person.page.keyboard.press("Escape")
    assert person.sees(after=images[0]) == current
    assert person.answer_of(images[0]) == ("label", "c1")


def test_a_stale_tab_does_not_overwrite(shared: Served, arrives: Callable[..., Person]):
    link = shared.link
    person = arrives(link)
    image = person.answers("1").image
    person.all_sent()
    cookies = person.page.context.cookies()
    other = arrives(link, storage_state={"cookies": cookies})  # another browser: no word passes between the tabs
    other.page.locator(f'#strip button[data-id="{image}"]').click()
    other.sees()
    person.page.locator(f'#strip button[data-id="{image}"]').click()
    person.waits_for("Looking back")
    person.page.wait_for_function("id => document.body.dataset.painted === id", arg=str(image))
    person.page.keyboard.press("2")
    person.waits_for("Changed from")
    other.page.wait_for_function("id => document.body.dataset.painted === id", arg=str(image))
    other.page.keyboard.press("3")
    other.waits_for("changed meanwhile")
    assert person.answer_of(image) == ("label", "c2")


def test_two_tabs_never_ask_for_an_answered_image(shared: Served, arrives: Callable[..., Person]):
    link = shared.link
    person = arrives(link)
    other = beside(person, link)
    person.page.bring_to_front()
    before = person.has_given()
    images = {person.answers("1").image for _ in range(5)}
    person.all_sent()
    other.page.bring_to_front()
    for _ in range(5):
        images.add(other.answers("2").image)
    other.all_sent()
    assert len(images) == 10
    assert person.has_given() == before + 10
    assert other.complaints == []


def test_unsent_answers_wait_in_sight_and_are_sent_once(
    serve: Callable[..., Served], digits: Path, arrives: Callable[..., Person]
):
    served = serve(digits)
    person = arrives(served.link)
    person.page.wait_for_load_state("networkidle")
    served.stop(signal.SIGKILL)
    images = [person.answers(key).image for key in ("1", "2", "3")]
    person.waits_for("The server does not answer")
    assert person.page.locator("#waiting").inner_text() == "3 answers waiting to be sent"
    served.start()
    person.all_sent()
    assert [person.answer_of(image) for image in images] == [("label", "c1"), ("label", "c2"), ("label", "c3")]
    assert person.has_given() == 3
    person.waits_for("The server is back")


def test_a_lost_reply_counts_once(shared: Served, arrives: Callable[..., Person]):
    person = arrives(shared.link)
    lost: list[int] = []

    def lose(route: object) -> None:
        if lost:
            route.continue_()  # type: ignore[attr-defined]
        else:
            lost.append(route.fetch().status)  # type: ignore[attr-defined]
            route.abort()  # type: ignore[attr-defined]

    person.page.route("**/api/answers", lose)
    before = person.has_given()
    image = person.answers("2").image
    person.answers("1")
    assert person.answer_of(image) == ("label", "c2")
    assert lost == [200]
    assert person.has_given() == before + 2


def test_classes_are_renamed_merged_and_brought_back(
    serve: Callable[..., Served], digits: Path, arrives: Callable[..., Person]
):
    person = arrives(serve(digits).link)
    images = [person.answers(key).image for key in ("1", "2", "2", "3")]
    person.all_sent()
    page = person.page
    page.keyboard.press("c")
    page.get_by_role("button", name="Rename “one”").click()
    page.get_by_label("Name", exact=True).fill("eins, <b>“uno”</b>")
    page.locator(".form").get_by_role("button", name="Rename").click()
    page.get_by_text("2 answers show it").wait_for()
    page.get_by_role("button", name="Merge “two”").click()
    page.get_by_text("1 answer of “two” will count as “zero”").wait_for()
    page.locator(".form").get_by_role("button", name="Merge").click()
    page.get_by_text("1 answer moved").wait_for()
    assert person.answer_of(images[3]) == ("label", "c1")
    page.locator(".said").get_by_role("button", name="Undo").click()
    page.get_by_text("Taken back.").wait_for()
    assert person.answer_of(images[3]) == ("label", "c3")
    page.get_by_label("Name", exact=True).fill("=cmd")
    page.get_by_role("button", name="Add", exact=True).click()
    page.get_by_text("A name starts with").wait_for()
    page.get_by_label("Name", exact=True).fill("none of these")
    page.get_by_label("Key", exact=True).fill("u")
    page.get_by_role("button", name="Add", exact=True).click()
    page.get_by_text("is a command of this page").wait_for()
    page.get_by_label("Key", exact=True).fill("n")
    page.get_by_role("button", name="Add", exact=True).click()
    page.get_by_role("button", name="review unsure").wait_for()
    page.keyboard.press("Escape")
    assert page.locator("#classes .name").all_inner_texts() == ["zero", "eins, <b>“uno”</b>", "two", "none of these"]
    assert person.answer_of(person.answers("n").image) == ("label", "c4")


def test_a_class_is_reviewed_in_a_grid(shared: Served, arrives: Callable[..., Person]):
    person = arrives(shared.link)
    images = [person.answers("1").image for _ in range(4)]
    person.all_sent()
    page = person.page
    page.keyboard.press("g")
    for image in images[:2]:
        page.locator(f'.tiles button[data-id="{image}"]').click()
    page.keyboard.press("3")
    page.get_by_text("2 images moved to two.").wait_for()
    assert page.locator(f'.tiles button[data-id="{images[0]}"]').count() == 0
    assert page.locator(f'.tiles button[data-id="{images[2]}"]').count() == 1
    page.keyboard.press("Escape")
    assert [person.answer_of(image) for image in images] == [("label", "c3")] * 2 + [("label", "c1")] * 2


def test_names_and_guesses_are_hidden_until_asked_for(shared: Served, arrives: Callable[..., Person]):
    person = arrives(shared.link)
    page = person.page
    assert ".png" not in page.content()
    page.keyboard.press("i")
    page.locator("#info dd").first.wait_for()
    assert page.locator("#info dd").first.inner_text().endswith(".png")
    person.answers("1")
    assert ".png" not in page.content()
    assert page.locator("#guess").is_hidden()
    page.keyboard.press("t")
    assert page.locator("#guess h2").inner_text() == "The model's guess"
    page.keyboard.press("t")
    assert page.locator("#side").is_hidden()


def test_the_end_is_said_calmly_and_undo_leads_back(
    serve: Callable[..., Served], digits: Path, arrives: Callable[..., Person], tmp_path: Path
):
    folder = shutil.copytree(digits, tmp_path / "few")
    for path in sorted(folder.iterdir())[12:]:
        path.unlink()
    person = arrives(serve(folder).link)
    for _ in range(11):
        person.answers("1")
    image = person.sees()
    person.page.keyboard.press("1")
    person.waits_for("Every image has an answer")
    assert person.answer_of(image) == ("label", "c1")
    person.page.keyboard.press("Backspace")
    assert person.sees() == image


def test_an_image_that_cannot_be_shown_takes_no_label(shared: Served, arrives: Callable[..., Person]):
    person = arrives(shared.link)
    person.page.wait_for_load_state("networkidle")
    gone = {"error": "The file is not there any more."}
    person.page.route("**/api/images/*?size=view", lambda route: route.fulfill(status=410, json=gone))
    before = person.has_given()
    for _ in range(9):
        person.answers("1")
    person.page.keyboard.press("1")
    person.waits_for("The file is not there any more. Press b")
    person.page.keyboard.press("1")
    person.waits_for("before the image was shown")
    assert person.has_given() == before + 10
    person.page.keyboard.press("b")
    person.all_sent()
    assert person.asks("/api/history?limit=1")["answers"][0]["kind"] == "bad"


def test_time_that_nobody_looked_is_left_out(shared: Served, arrives: Callable[..., Person]):
    person = arrives(shared.link)
    seconds = person.page.evaluate(
        """async () => {
          const { Attention } = await import("/static/attention.js");
          let now = 0;
          const attention = new Attention(() => now);
          attention.start();
          now = 5000;                                   // five seconds of looking
          dispatchEvent(new PointerEvent("pointermove"));
          now = 3605000;                                // an hour at lunch: a minute counts
          dispatchEvent(new PointerEvent("pointermove"));
          Object.defineProperty(document, "hidden", { value: true, configurable: true });
          document.dispatchEvent(new Event("visibilitychange"));
          now += 30000;                                 // half a minute in another tab: nothing counts
          Object.defineProperty(document, "hidden", { value: false, configurable: true });
          document.dispatchEvent(new Event("visibilitychange"));
          now += 2000;
          delete document.hidden;
          return attention.seconds();
        }"""
    )
    assert seconds == 5 + 60 + 2


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_view_passes_axe(shared: Served, arrives: Callable[..., Person], scheme: str):
    person = arrives(shared.link, color_scheme=scheme, reduced_motion="reduce", bypass_csp=True)
    for key in ("1", "2", "3", "1", "u"):
        person.answers(key)
    person.all_sent()
    found = {"page": _violations(person.page)}
    person.page.keyboard.press("t")
    person.page.keyboard.press("i")
    person.page.keyboard.press("v")
    person.page.wait_for_timeout(300)
    found["side"] = _violations(person.page)
    person.page.keyboard.press("Escape")
    person.page.keyboard.press("ArrowLeft")
    found["looking back"] = _violations(person.page)
    person.page.keyboard.press("Escape")
    for key in "?scg":
        person.page.keyboard.press(key)
        person.page.wait_for_timeout(300)
        found[key] = _violations(person.page)
        person.page.keyboard.press("Escape")
    assert found == {view: [] for view in found}


def _violations(page: Page) -> list[str]:
    tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
    results = Axe().run(page, options={"runOnly": {"type": "tag", "values": tags}})
    return [f"{each['id']}: {[node['html'] for node in each['nodes']]}" for each in results.response["violations"]]


def test_stopped_and_resumed_where_it_was(serve: Callable[..., Served], digits: Path, arrives: Callable[..., Person]):
    served = serve(digits)
    person = arrives(served.link)
    images = [person.answers(truth(person, person.sees())).image for _ in range(6)]
    person.all_sent()
    person.page.context.close()
    served.stop()
    again = arrives(served.start().link)
    again.page.locator("#strip button").nth(5).wait_for()
    assert [
        int(button.get_attribute("data-id") or -1) for button in again.page.locator("#strip button").all()
    ] == images
    assert again.sees() not in images


def test_the_answers_are_exported(shared: Served, arrives: Callable[..., Person]):
    person = arrives(shared.link)
    for key in ("1", "2"):
        person.answers(key)
    person.all_sent()
    person.page.keyboard.press("s")
    with person.page.expect_download() as download:
        person.page.get_by_role("link", name="CSV").click()
    text = Path(download.value.path()).read_text(encoding="utf-8")
    assert "zero" in text
    assert "one" in text


def test_labelled_through_the_cold_start_and_two_fits(
    serve: Callable[..., Served], digits: Path, arrives: Callable[..., Person]
):
    person = arrives(serve(digits).link)
    until = time.monotonic() + 600
    while (person.asks("/api/state")["round"] or 0) < 1:  # round 0 is the first fit, round 1 the second
        assert time.monotonic() < until
        person.answers(truth(person, person.sees()))
        person.page.wait_for_timeout(1000)
    person.page.keyboard.press("t")
    guessed = False
    while not guessed:
        assert time.monotonic() < until
        person.answers(truth(person, person.sees()))
        person.page.wait_for_timeout(500)
        guessed = person.page.locator("#guess .bars li").count() == len(DIGITS)
    assert person.page.get_by_text("Why this image").is_visible()

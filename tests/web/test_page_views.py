"""The views over the image in a real Chromium: classes that change, the grid, what is hidden until asked for, and axe on all of it."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

from axe_playwright_python.sync_playwright import Axe
from browsing import Person
from playwright.sync_api import Page
from web_server import DIGITS, Served, told, write_images

from askwell.store.labelling import LabellingStore
from askwell.store.labelling_records import Ranked

CURVE = [[10, 0.62, 0.41, 0.8], [20, 0.8, 0.6, 0.91], [40, 0.9, 0.74, 0.96]]
ESTIMATE = {"accuracy": 0.9, "low": 0.74, "high": 0.96, "n": 30, "model_round": 2, "skipped": 1, "unsure": 2}

PANELS = {
    "?": None,
    "s": ".release button",
    "c": '[aria-label^="Merge"]',
    "g": ".tiles button",
}  # key: what to click there


def test_classes_are_renamed_merged_and_brought_back(own: Served, arrives: Callable[..., Person]):
    person = arrives(own.link)
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
    page.keyboard.press("Escape")
    assert page.locator("#classes .name").all_inner_texts() == ["zero", "eins, <b>“uno”</b>", "two"]


def test_classes_are_split_and_retired_with_the_answers_that_they_touch(own: Served, arrives: Callable[..., Person]):
    person = arrives(own.link)
    images = [person.answers(key).image for key in ("1", "1", "2")]
    person.all_sent()
    page = person.page
    page.keyboard.press("c")
    page.get_by_role("button", name="Split “zero”").click()
    page.get_by_text("2 answers stay “zero” at first").wait_for()
    page.get_by_label("New class").fill("round zero")
    page.locator(".form").get_by_role("button", name="Split").click()
    page.get_by_text("Split off “round zero”; 2 answers to look through.").wait_for()
    page.get_by_role("button", name="review zero (2)").click()
    page.locator(f'.tiles button[data-id="{images[0]}"]').click()
    page.keyboard.press("4")
    page.get_by_text("1 image moved to round zero.").wait_for()
    page.keyboard.press("Escape")
    assert [person.answer_of(image) for image in images] == [("label", "c4"), ("label", "c1"), ("label", "c2")]
    page.keyboard.press("c")
    page.get_by_role("button", name="Retire “one”").click()
    page.get_by_text("Its 1 answer is kept but no longer learned from.").wait_for()
    page.locator(".form").get_by_role("button", name="Retire").click()
    page.get_by_text("Retired “one”; it has 1 answer.").wait_for()
    page.keyboard.press("Escape")
    assert page.locator("#classes .name").all_inner_texts() == ["zero", "two", "round zero"]
    person.page.keyboard.press("2")
    person.waits_for("No class has the key 2.")
    assert person.answer_of(images[2]) == ("label", "c2"), "kept"


def test_a_new_class_offers_earlier_answers_that_may_be_it(own: Served, arrives: Callable[..., Person]):
    person = arrives(own.link)
    page = person.page
    _adds(page, "none of these")
    page.keyboard.press("Escape")
    images = [person.answers(key).image for key in ("4", "u", "4", "1")]
    person.all_sent()
    person.page.wait_for_timeout(1500)  # until the page has heard of them
    _adds(page, "seven")
    page.get_by_text("Earlier answers may belong to it").wait_for()
    assert page.get_by_role("button", name="review unsure (1)").is_visible()
    page.get_by_role("button", name="review none of these (2)").click()
    page.locator(f'.tiles button[data-id="{images[0]}"]').click()
    page.keyboard.press("5")
    page.get_by_text("1 image moved to seven.").wait_for()
    page.keyboard.press("Escape")
    assert person.answer_of(images[0]) == ("label", "c5")
    assert person.answer_of(images[2]) == ("label", "c4")


def _adds(page: Page, name: str) -> None:
    page.keyboard.press("c")
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_role("button", name="Add", exact=True).click()
    page.get_by_text(f"Added “{name}”").wait_for()


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
    thought = {"class": "c1", "mean": 0.6, "low": 0.3, "high": 0.9}
    rest = [{"class": each, "mean": 0.2, "low": 0.1, "high": 0.4} for each in ("c2", "c3")]
    why = json.dumps({"probabilities": [thought, *rest], "total": 0.95, "aleatoric": 0.7, "epistemic": 0.25})
    with LabellingStore(shared.directory / "campaign.db") as store:
        store.commit_queue([Ranked(position, 1.0, why) for position in store.candidates()], "model", 0)
    person = arrives(shared.link)
    page = person.page
    assert ".png" not in page.content()
    page.keyboard.press("i")
    page.locator("#info dd").first.wait_for()
    assert page.locator("#info dd").first.inner_text().endswith(".png")
    person.answers("1")
    assert ".png" not in page.content()
    assert page.locator("#guess").is_hidden()
    assert "60" not in page.locator("#guess").inner_html()
    page.keyboard.press("t")
    page.locator("#guess .bars li").first.wait_for()
    assert page.locator("#guess h2").inner_text() == "The model's guess"
    assert page.locator("#guess .bars .name").all_inner_texts() == ["zero", "one", "two"]
    assert page.get_by_text("Why this image").is_visible()
    for _ in range(8):  # one of them measures the accuracy
        hidden = "measures the accuracy" in page.locator("#guess").inner_text()
        if hidden:
            break
        person.answers("1")
    assert hidden
    page.keyboard.press("t")
    assert page.locator("#side").is_hidden()


def test_one_view_right_after_another(shared: Served, arrives: Callable[..., Person]):
    """The browser says that a dialog was closed a moment after it was: by then the next one is open."""
    page = arrives(shared.link).page
    page.keyboard.press("c")
    page.evaluate(
        """() => { document.getElementById("panel").close();
                   document.body.dispatchEvent(new KeyboardEvent("keydown", {key: "g", code: "KeyG", bubbles: true})); }"""
    )
    page.wait_for_timeout(200)
    assert page.locator("#panel-title").inner_text() == "Review"
    assert page.locator("#grid-of").is_visible()


def test_the_sample_is_released_only_after_asking_twice(own: Served, arrives: Callable[..., Person]):
    person = arrives(own.link)
    page = person.page
    asked: list[str] = []
    page.on("request", lambda request: "/api/release" in request.url and asked.append(request.method))
    page.keyboard.press("s")
    page.get_by_text("48 images that measure the accuracy are kept out of learning").wait_for()
    page.get_by_role("button", name="Give them to the model").click()
    page.get_by_text("it cannot be undone").wait_for()
    assert page.evaluate("() => document.activeElement.textContent") == "Cancel", "a second Enter gives nothing away"
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Give them to the model").click()
    assert asked == []
    page.get_by_role("button", name="Yes, give them").click()
    page.get_by_role("group", name="Progress").get_by_text("now belong to the model's learning").wait_for()
    assert asked == ["POST"]
    assert person.asks("/api/state")["evaluation"] == {"size": 48, "released": True}


def test_the_end_is_said_calmly_and_undo_leads_back(
    serve, digits: Path, arrives: Callable[..., Person], tmp_path: Path
):
    folder = tmp_path / "few"
    folder.mkdir()
    for path in sorted(digits.iterdir())[:12]:
        shutil.copy(path, folder)
    person = arrives(serve(folder, classes=DIGITS).link, bypass_csp=True)
    for _ in range(11):
        person.answers("1")
    image = person.sees()
    person.page.keyboard.press("1")
    person.waits_for("Every image has an answer")
    assert _violations(person.page) == []
    assert person.answer_of(image) == ("label", "c1")
    person.page.keyboard.press("Backspace")
    assert person.sees() == image


def test_an_image_that_cannot_be_shown_takes_no_label(shared: Served, arrives: Callable[..., Person]):
    person = arrives(shared.link)
    image = person.sees()
    person.page.wait_for_load_state("networkidle")
    person.page.wait_for_timeout(300)
    gone = {"error": "The file is not there any more."}
    person.page.route("**/api/images/*?size=view", lambda route: route.fulfill(status=410, json=gone))
    person.page.reload()
    person.waits_for("The file is not there any more. Press b")
    person.page.keyboard.press("1")
    person.waits_for("There is no image to answer. Press b to set it aside, or space to skip it.")
    assert person.answer_of(image) is None
    person.page.keyboard.press("b")
    person.all_sent()
    assert person.answer_of(image) == ("bad", None)


def test_an_image_that_is_gone_is_told_once_and_stands_as_a_word(
    serve: Callable[..., Served], arrives: Callable[..., Person], tmp_path: Path
):
    write_images(tmp_path / "photos", 20)
    served = serve(tmp_path / "photos")
    person = arrives(served.link)
    page = person.page
    for path in sorted(served.folder.iterdir())[1:]:
        path.unlink()
    page.reload()
    person.waits_for("The file of this image is gone. Press b to set it aside, or space to skip it.")
    page.keyboard.press("b")
    person.all_sent()
    page.reload()
    page.locator("#strip .bare").wait_for()
    assert page.locator("#strip img").count() == 0
    assert page.locator("#strip .bare").inner_text() == "Bad image"
    page.keyboard.press("ArrowLeft")
    person.waits_for("Looking back")
    person.waits_for("The file of this image is gone.")
    person.presses_until("1", "This image cannot be shown, so its answer stays as it is.")
    page.keyboard.press("g")
    page.locator("#grid-of").select_option("bad")
    page.get_by_role("group", name="Review").get_by_text("This image cannot be shown.").wait_for()


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


def test_every_view_passes_axe(shared: Served, arrives: Callable[..., Person]):
    """In light all rules, in dark and on a telephone those that colours and sizes can break."""
    auc = {"value": 0.91, "low": 0.8, "high": 0.97}
    question = {"id": "w1", "sentence": "May 5 MB of weights be fetched?", "yes": "Fetch them", "no": "Go on without"}
    told(shared, estimate={**ESTIMATE, "auc": auc}, curve=CURVE, question=question)
    told(shared, doing="fitting", progress="0.4", left_s="90", message="The worker was started again.")
    person = arrives(shared.link, viewport={"width": 1600, "height": 900}, reduced_motion="reduce", bypass_csp=True)
    page = person.page
    for key in ("1", "2", "3", "1", "u"):
        person.answers(key)
    person.all_sent()
    page.locator("#question button").first.wait_for()
    assert page.get_by_text("0.91 AUC (0.80–0.97)").is_visible()
    found = {"page": _violations(page)}
    for key in "tiv":
        page.keyboard.press(key)
    found["side and sliders"] = _violations(page)
    page.keyboard.press("Escape")
    assert page.locator("#sliders").is_hidden()
    page.keyboard.press("ArrowLeft")
    person.waits_for("Looking back")
    found["looking back"] = _violations(page)
    page.keyboard.press("Escape")
    for key, further in PANELS.items():
        page.keyboard.press(key)
        if further:
            page.locator(further).first.click()
        found[key] = _violations(page)
        page.keyboard.press("Escape")
    page.set_viewport_size({"width": 390, "height": 780})
    found["telephone"] = _violations(page)
    assert found == {view: [] for view in found}


def _violations(page: Page) -> list[str]:
    found = []
    tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
    for scheme, only in (
        ("light", {"type": "tag", "values": tags}),
        ("dark", {"type": "rule", "values": ["color-contrast"]}),
    ):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        page.wait_for_timeout(200)
        failures = Axe().run(page, options={"runOnly": only}).response["violations"]
        found += [f"{scheme}, {each['id']}: {[node['html'] for node in each['nodes']]}" for each in failures]
    return found

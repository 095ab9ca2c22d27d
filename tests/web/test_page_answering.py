"""Answering by key in a real Chromium: at once, exactly once, and never for an image that nobody saw."""

from collections.abc import Callable
from pathlib import Path

import pytest
from browsing import Person
from playwright.sync_api import Route
from web_server import DIGITS, Served

from askwell.store.asking import AHEAD
from askwell.store.names import COMMANDS


def beside(person: Person, link: str) -> Person:
    """A second tab of the same browser."""
    return Person(person.page.context.new_page()).opens(link)


def test_one_key_answers_and_shows_the_next_image(shared: Served, arrives: Callable[..., Person]):
    person = arrives(shared.link)
    shown = [person.answers(key).image for key in ("1", "2", "3", "Numpad1")]
    assert len(set(shown)) == 4
    expected = [("label", "c1"), ("label", "c2"), ("label", "c3"), ("label", "c1")]
    assert [person.answer_of(image) for image in shown] == expected
    for key, kind in ((" ", "skip"), ("u", "unsure"), ("b", "bad")):
        assert person.answer_of(person.answers(key).image) == (kind, None)


def test_the_next_ten_images_are_there_before_they_are_asked(shared: Served, arrives: Callable[..., Person]):
    person = arrives(shared.link)
    for _ in range(3):  # in the middle of the work too, not only after the page was opened
        person.answers("1")
    person.all_sent()
    person.page.wait_for_load_state("networkidle")
    person.page.wait_for_timeout(500)
    person.page.route("**/api/images/**", lambda route: route.abort())
    person.page.route("**/api/next**", lambda route: route.abort())
    assert len({person.answers("1").image for _ in range(AHEAD - 1)}) == 10


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


def test_no_key_counts_while_the_image_is_on_its_way(shared: Served, arrives: Callable[..., Person]):
    person = arrives(shared.link)
    before = person.has_given()
    held: list[Route] = []
    waiting = True

    def hold(route: Route) -> None:
        if waiting:
            held.append(route)
        else:
            route.continue_()

    person.page.route("**/api/images/*?size=view", hold)
    person.page.reload()
    person.waits_for("Loading the next image")
    person.presses_until("1", "before the image was shown")
    assert person.has_given() == before
    waiting = False
    for route in held:
        route.continue_()
    person.answers("1")
    assert person.has_given() == before + 1


def test_digits_of_other_keyboards(shared: Served, arrives: Callable[..., Person]):
    person = arrives(shared.link)
    for key, code, modifiers, expected in (
        ("&", "Digit1", 0, "c1"),  # AZERTY's number row without shift
        ("é", "Digit2", 0, "c2"),
        ("3", "Digit3", 8, "c3"),  # AZERTY with shift, Czech with shift
        ("End", "Numpad1", 0, "c1"),  # the number pad without num lock
        ("2", "Numpad2", 0, "c2"),
    ):
        image = person.sees()
        person.presses_raw(key, code, modifiers=modifiers)
        person.sees(after=image)
        assert person.answer_of(image) == ("label", expected), (key, code)


def test_more_classes_than_digits(serve: Callable[..., Served], digits: Path, arrives, tmp_path: Path):
    folder = tmp_path / "digits"
    folder.symlink_to(digits)
    person = arrives(serve(folder, classes=[f"kind {number}" for number in range(1, 13)]).link)
    page = person.page
    reserved = page.evaluate("async () => [...(await import('/static/keys.js')).RESERVED]")
    assert sorted(reserved) == sorted(set(COMMANDS) - {"?"}), "the page and the store keep the same keys for commands"
    assert person.answer_of(person.answers("0").image) == ("label", "c10")
    assert person.answer_of(person.answers("q").image) == ("label", "c11")
    page.keyboard.press("c")
    for wanted, refusal in (
        ("u", "is a command of this page"),
        ("q", "belongs to “kind 11”"),
        ("é", "one digit or one letter"),
    ):
        page.get_by_role("button", name="Rename “kind 12”").click()
        page.get_by_label("Key", exact=True).fill(wanted)
        page.locator(".form").get_by_role("button", name="Rename").click()
        page.get_by_text(refusal).wait_for()
    page.get_by_label("Key", exact=True).fill("s")  # opens the progress unless a class has it
    page.locator(".form").get_by_role("button", name="Rename").click()
    page.get_by_text("Changed the key of “kind 12”.").wait_for()
    page.keyboard.press("Escape")
    assert person.answer_of(person.answers("s").image) == ("label", "c12")
    assert page.locator("#panel").is_hidden()
    page.keyboard.press("c")
    page.get_by_role("button", name="Rename “kind 12”").click()
    page.get_by_label("Key", exact=True).fill("")
    page.locator(".form").get_by_role("button", name="Rename").click()
    page.get_by_text("Changed the key of “kind 12”.").wait_for()
    page.keyboard.press("Escape")
    page.keyboard.press("s")
    assert page.locator("#panel-title").inner_text() == "Progress", "the class has no key any more"


def test_undo_as_often_as_one_likes_also_after_a_reload(shared: Served, arrives: Callable[..., Person]):
    person = arrives(shared.link)
    images = [person.answers(key).image for key in ("1", "2", "3")]
    before = person.sees()
    person.page.keyboard.press("Backspace")
    assert person.sees(after=before) == images[2]
    assert "two" in person.message()
    person.page.reload()
    last = person.sees()
    person.page.keyboard.press("Backspace")
    assert person.sees(after=last) == images[1]
    person.page.keyboard.press("Backspace")
    assert person.sees(after=images[1]) == images[0]
    assert person.answers("3").image == images[0]
    assert person.answer_of(images[0]) == ("label", "c3")
    assert person.answer_of(images[1]) is None


def test_an_edit_that_is_taken_back_leaves_the_former_answer_in_force(own: Served, arrives: Callable[..., Person]):
    person = arrives(own.link)
    image = person.answers("1").image
    current = person.answers("1").following
    person.all_sent()
    person.page.locator(f'#strip button[data-id="{image}"]').click()
    assert person.sees(after=current) == image
    person.page.keyboard.press("2")
    person.waits_for("Changed from zero to one.")
    person.sees(after=image)
    person.page.keyboard.press("Backspace")
    person.waits_for("Taken back: one. It counts as zero again.")
    assert person.sees() == image
    assert person.answer_of(image) == ("label", "c1")
    assert person.page.locator(f'#strip button[data-id="{image}"]').get_attribute("title") == "zero"
    counts = ["2", "0", "0"]
    assert person.page.locator("#classes .count").all_inner_texts() == counts
    assert person.answers("1").image == image
    assert person.page.locator("#classes .count").all_inner_texts() == counts, "it is counted once"
    assert person.has_given() == 2


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


def test_an_answer_that_is_looked_at_is_shown_as_another_tab_changes_it(shared: Served, arrives: Callable[..., Person]):
    person = arrives(shared.link)
    image = person.answers("1").image
    person.all_sent()
    other = beside(person, shared.link)
    other.page.keyboard.press("ArrowLeft")
    other.waits_for("Looking back, 1 image ago: zero.")
    other.page.wait_for_function("id => document.body.dataset.painted === id", arg=str(image))
    person.page.bring_to_front()
    person.page.keyboard.press("ArrowLeft")
    person.page.wait_for_function("id => document.body.dataset.painted === id", arg=str(image))
    person.page.keyboard.press("2")
    person.waits_for("Changed from zero to one.")
    other.waits_for("Looking back, 1 image ago: one.")
    assert other.page.locator("#classes [aria-current]").get_attribute("data-class") == "c2"
    person.page.keyboard.press("Backspace")
    other.waits_for("Looking back, 1 image ago: zero.")
    person.page.keyboard.press("Backspace")
    other.waits_for("The answer you looked at was taken back in another tab.")
    assert "mode" not in other.page.evaluate("() => ({...document.body.dataset})")
    assert other.complaints == []


def test_an_answer_given_while_the_last_ones_are_asked_for_stays_among_them(
    shared: Served, arrives: Callable[..., Person]
):
    person = arrives(shared.link)
    asked: list[Route] = []
    person.page.route("**/api/history**", lambda route: asked.append(route), times=1)
    person.page.reload()
    person.sees()
    while not asked:
        person.page.wait_for_timeout(20)
    old = asked[0].fetch()
    image = person.answers("1").image
    person.all_sent()
    with person.page.expect_response("**/api/history**"):  # the reply that does not know of the answer yet
        asked[0].fulfill(response=old)
    person.page.wait_for_timeout(300)
    assert person.page.locator(f'#strip button[data-id="{image}"]').is_visible()


def test_the_same_question_in_two_browsers_is_answered_once(shared: Served, arrives: Callable[..., Person]):
    person, other = arrives(shared.link), arrives(shared.link)
    image = person.sees()
    assert other.sees() == image, "both hold the annotator's questions"
    person.answers("1")
    person.all_sent()
    before = person.has_given()
    other.page.keyboard.press("2")
    other.waits_for("One answer was not taken")
    assert person.answer_of(image) == ("label", "c1")
    assert person.has_given() == before
    assert other.page.locator("#message-close").is_visible(), "it stays in sight until somebody dismisses it"


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


def test_unsent_answers_wait_in_sight_also_in_a_new_tab_and_are_sent_once(
    serve: Callable[..., Served], digits: Path, arrives: Callable[..., Person], tmp_path: Path
):
    folder = tmp_path / "digits"
    folder.symlink_to(digits)
    served = serve(folder, classes=DIGITS)
    person = arrives(served.link)
    person.page.wait_for_load_state("networkidle")
    served.kill()
    images = [person.answers(key).image for key in ("1", "2", "3")]
    person.waits_for("The server does not answer")
    assert person.page.locator("#waiting").inner_text() == "3 answers waiting to be sent"
    stored = person.page.evaluate("() => Object.keys(localStorage).filter(name => name.startsWith('askwell:unsent:'))")
    assert len(stored) == 3
    served.start()
    person.all_sent()
    assert [person.answer_of(image) for image in images] == [("label", "c1"), ("label", "c2"), ("label", "c3")]
    assert person.has_given() == 3
    person.waits_for("The server is back")


def test_a_lost_reply_counts_once(shared: Served, arrives: Callable[..., Person]):
    person = arrives(shared.link)
    sent: list[str] = []
    lost: list[int] = []

    def lose(route: Route) -> None:
        sent.append(route.request.post_data_json["key"])
        if lost:
            route.continue_()
        else:
            lost.append(route.fetch().status)  # the server has written it
            route.abort()

    person.page.route("**/api/answers", lose)
    before = person.has_given()
    image = person.answers("2").image
    person.answers("1")
    assert person.answer_of(image) == ("label", "c2")
    assert lost == [200]
    assert sent[0] == sent[1], "the same idempotency key again"
    assert len(sent) == 3
    assert person.has_given() == before + 2


def test_the_back_button_shows_nothing_old(shared: Served, arrives: Callable[..., Person]):
    person = arrives(shared.link)
    images = [person.answers("1").image for _ in range(2)]
    person.all_sent()
    person.page.goto(f"{shared.address}/static/icon.svg")
    person.page.go_back()
    assert person.answers("2").image not in images
    assert [person.answer_of(image) for image in images] == [("label", "c1")] * 2


def test_time_that_nobody_looked_is_left_out(shared: Served, arrives: Callable[..., Person]):
    """The page's clock is ours here: an hour of sleep counts for a minute at most, half an hour in another tab for nothing."""
    person = arrives(shared.link)
    page = person.page
    told: list[float] = []
    page.on("request", lambda request: "/api/answers" in request.url and told.append(request.post_data_json["seconds"]))
    page.clock.install()
    page.reload()
    person.sees()
    page.clock.fast_forward(5_000)
    page.mouse.move(300, 300)
    page.clock.fast_forward(3_600_000)
    page.mouse.move(310, 300)
    person.answers("1")
    hide = """hidden => { Object.defineProperty(document, 'hidden', { value: hidden, configurable: true });
                          document.dispatchEvent(new Event('visibilitychange')); }"""
    page.evaluate(hide, True)
    page.clock.fast_forward(1_800_000)
    page.evaluate(hide, False)
    page.clock.fast_forward(2_000)
    person.answers("1")
    person.all_sent()
    assert told[0] == pytest.approx(65, abs=20), "the clock runs on between the steps, slowly on a slow machine"
    assert told[1] == pytest.approx(2, abs=20)


def test_by_touch(shared: Served, arrives: Callable[..., Person]):
    person = arrives(shared.link, viewport={"width": 390, "height": 780}, has_touch=True, is_mobile=True)
    page = person.page
    image = person.sees()
    page.locator('#classes [data-class="c2"]').tap()
    person.sees(after=image)
    assert person.answer_of(image) == ("label", "c2")
    for selector in ("#classes .class", "#commands .command", ".tools button"):
        assert all(button.bounding_box()["height"] >= 44 for button in page.locator(selector).all()), selector
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth && scrollY === 0")
    box = page.locator("#canvas").bounding_box()
    middle = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    session = page.context.new_cdp_session(page)
    for kind, apart in (("touchStart", 30), ("touchMove", 60), ("touchMove", 90), ("touchEnd", None)):
        points = (
            []
            if apart is None
            else [{"x": middle[0] + side * apart, "y": middle[1], "id": side + 1} for side in (-1, 1)]
        )
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    page.wait_for_function("() => document.querySelector('#canvas.zoomed img')?.style.transform.includes('scale')")
    assert page.evaluate("() => visualViewport.scale") == 1, "the image is zoomed, not the page"
    image = person.sees()
    page.locator('[data-command="undo"]').tap()
    person.sees(after=image)

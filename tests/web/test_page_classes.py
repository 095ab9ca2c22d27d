"""Changes of the classes that are taken back later, in a real Chromium, and what the page says while there is nothing to learn."""

from collections.abc import Callable

from browsing import Person
from playwright.sync_api import Page
from web_server import Served, told


def opens(page: Page) -> None:
    """Opens the classes; they have come with their changes."""
    page.keyboard.press("c")
    page.get_by_text("Latest changes").wait_for()


def confirms(page: Page, action: str) -> None:
    page.locator(".form").get_by_role("button", name=action).click()


def changes(page: Page) -> list[str]:
    return page.locator(".changes-list li > span:first-child").all_inner_texts()


def test_changes_of_the_classes_are_taken_back_after_a_reload(own: Served, arrives: Callable[..., Person]):
    person = arrives(own.link)
    page = person.page
    opens(page)
    page.get_by_role("button", name="Rename “one”").click()
    page.get_by_label("Name", exact=True).fill("eins")
    confirms(page, "Rename")
    page.get_by_text("“one” renamed to “eins”").wait_for()
    page.get_by_role("button", name="Merge “two”").click()
    page.get_by_label("Into", exact=True).select_option("zero")
    confirms(page, "Merge")
    page.get_by_text("Merged “two” into “zero”; 0 answers moved.").wait_for()
    page.get_by_text("“two” merged into “zero”").wait_for()
    page.reload()
    person.sees()
    opens(page)
    assert changes(page)[:2] == ["“two” merged into “zero”", "“one” renamed to “eins”"]
    page.get_by_role("button", name="Undo: “one” renamed to “eins”").click()
    page.get_by_text("Taken back.").wait_for()
    page.wait_for_function("() => document.querySelectorAll('.changes-list li').length === 4")
    page.get_by_role("button", name="Undo: “two” merged").click()
    page.wait_for_function("() => document.querySelectorAll('.changes-list li').length === 3")
    page.keyboard.press("Escape")
    assert page.locator("#classes .name").all_inner_texts() == ["zero", "one", "two"]


def test_a_retired_class_is_brought_back_and_a_class_with_answers_stays(own: Served, arrives: Callable[..., Person]):
    person = arrives(own.link)
    page = person.page
    person.answers("2")
    person.all_sent()
    opens(page)
    assert page.get_by_role("button", name="Undo: “zero” added").is_visible()
    assert page.get_by_role("button", name="Undo: “one” added").count() == 0, "an image was answered with it"
    page.get_by_role("button", name="Retire “one”").click()
    confirms(page, "Retire")
    page.get_by_text("Retired “one”").wait_for()
    page.reload()
    person.sees()
    opens(page)
    page.get_by_role("button", name="Bring back “one”").click()
    page.get_by_text("Taken back.").wait_for()
    page.keyboard.press("Escape")
    assert page.locator("#classes .name").all_inner_texts() == ["zero", "one", "two"]


def test_with_one_class_left_the_page_says_that_nothing_is_learned(own: Served, arrives: Callable[..., Person]):
    told(own, doing="waiting")
    person = arrives(own.link)
    page = person.page
    machine = page.locator("#machine-doing")
    page.get_by_text("Model up to date").wait_for()
    for name in ("one", "two"):
        opens(page)
        page.get_by_role("button", name=f"Retire “{name}”").click()
        confirms(page, "Retire")
        page.get_by_text(f"Retired “{name}”").wait_for()
        page.keyboard.press("Escape")
    person.waits_for("The model learns again once two classes are in use.")
    assert machine.inner_text() == "Waiting for two classes"
    opens(page)
    page.get_by_role("button", name="Bring back “one”").click()
    page.get_by_text("Taken back.").wait_for()
    page.keyboard.press("Escape")
    page.get_by_text("Model up to date").wait_for()
    assert person.message() == ""


def test_only_whole_words_name_a_class_of_the_rest(shared: Served, arrives: Callable[..., Person]):
    page = arrives(shared.link).page
    names = ["forest", "mother", "Restaurant", "none of these", "Other", "other_birds", "unknown", "the rest"]
    script = """async names => { const { words } = await import("/static/words.js");
                              return names.filter(name => words.none_of_these.test(name)); }"""
    found = page.evaluate(script, names)
    assert found == names[3:]

"""The page at the sizes of screens that people have, in a real Chromium: what counts is in sight, and nothing lies over anything else."""

from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from browsing import Person
from playwright.sync_api import Page
from web_server import Served, told, write_images

ESTIMATE = {"accuracy": 0.9, "low": 0.74, "high": 0.96, "n": 30, "model_round": 2, "skipped": 1, "unsure": 2}
AUC = {"value": 0.91, "low": 0.8, "high": 0.97}
CURVE = [[10, 0.62, 0.41, 0.8], [20, 0.8, 0.6, 0.91], [40, 0.9, 0.74, 0.96]]
NAMES = ("benign", "malignant", "seborrhoeic keratosis, irritated")
TELEPHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 800}, "has_touch": True, "is_mobile": True}
SIZES = [(1440, 900), (1280, 720), (1024, 700), (800, 390), (390, 800)]


@pytest.fixture
def measured(tmp_path: Path, serve: Callable[..., Served]) -> Served:
    """A campaign whose model is measured and at work."""
    write_images(tmp_path / "photos", 40)
    served = serve(tmp_path / "photos", classes=NAMES)
    told(served, estimate={**ESTIMATE, "auc": AUC}, curve=CURVE, doing="features", progress="0.4", left_s="700")
    return served


def box(page: Page, selector: str) -> tuple[float, float, float, float]:
    found = page.locator(selector).bounding_box()
    assert found is not None, selector
    return found["x"], found["y"], found["x"] + found["width"], found["y"] + found["height"]


def inside(page: Page, inner: str, outer: str) -> bool:
    (x, y, right, bottom), (left, top, far, low) = box(page, inner), box(page, outer)
    return left <= x + 1 and right <= far + 1 and top <= y + 1 and bottom <= low + 1


def apart(page: Page, one: str, other: str) -> bool:
    (x, y, right, bottom), (left, top, far, low) = box(page, one), box(page, other)
    return right <= left + 1 or far <= x + 1 or bottom <= top + 1 or low <= y + 1


def runs_over(page: Page, selector: str) -> list[str]:
    """The elements whose words do not fit into them."""
    script = """found => found.filter(each => each.scrollWidth > each.clientWidth + 1 || each.scrollHeight > each.clientHeight + 1)
                              .map(each => each.textContent)"""
    return page.locator(selector).evaluate_all(script)


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_what_the_machine_does_and_the_accuracy_are_in_sight(
    measured: Served, arrives: Callable[..., Person], width: int, height: int
):
    page = arrives(measured.link, viewport={"width": width, "height": height}).page
    page.get_by_text("12 min left").wait_for()
    assert runs_over(page, "#machine-doing") == []
    assert page.locator("#machine-doing").bounding_box()["width"] > 90
    assert inside(page, "#figure-estimate", "#figures")
    assert inside(page, "#figure-auc", "#figures")
    parts = ("#figures", "#machine", ".tools")
    assert all(inside(page, each, ".status") for each in parts)
    assert [pair for pair in combinations(parts, 2) if not apart(page, *pair)] == []
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")


def test_long_names_are_read_on_a_telephone(measured: Served, arrives: Callable[..., Person]):
    person = arrives(measured.link, **TELEPHONE)
    page = person.page
    page.locator("#classes .class").nth(2).wait_for()
    assert runs_over(page, "#classes .name") == []
    assert not apart(page, "#classes .class:nth-child(3)", "#classes")
    for place in (1, 2, 3):
        assert apart(page, f"#classes .class:nth-child({place}) .name", f"#classes .class:nth-child({place}) kbd")
    page.locator('[data-panel="classes"]').tap()
    page.get_by_text("Latest changes").wait_for()
    assert runs_over(page, ".class-table button, .changes-list button") == []
    assert page.evaluate(
        "() => { const body = document.getElementById('panel-body'); return body.scrollWidth <= body.clientWidth; }"
    )


def test_names_and_keys_stand_beside_each_other_on_a_desk(measured: Served, arrives: Callable[..., Person]):
    person = arrives(measured.link, viewport={"width": 900, "height": 700})
    page = person.page
    for key in ("2", "3"):
        person.answers(key)
    for place in (1, 2, 3):
        assert apart(page, f"#classes .class:nth-child({place}) .name", f"#classes .class:nth-child({place}) kbd")
    assert runs_over(page, "#strip li:first-child .label span") == [], "malignant, whole"
    assert page.locator("#strip button").nth(1).get_attribute("title") == NAMES[2]


def test_on_its_side_a_telephone_shows_mostly_the_image(measured: Served, arrives: Callable[..., Person]):
    person = arrives(measured.link, **{**TELEPHONE, "viewport": {"width": 800, "height": 390}})
    page = person.page
    for _ in range(7):
        person.answers("1")
    assert page.locator("#stage").bounding_box()["height"] > 230
    shown = [each for each in page.locator("#strip li").all() if each.is_visible()]
    assert len(shown) == 4
    assert all(each.bounding_box()["height"] > 40 for each in shown)


def test_the_curve_is_read_on_a_telephone(measured: Served, arrives: Callable[..., Person]):
    page = arrives(measured.link, **TELEPHONE).page
    page.locator("#figures").tap()
    page.locator(".chart").wait_for()
    scale = page.locator(".chart").evaluate("chart => chart.getScreenCTM().a")
    assert scale * 12 >= 11, "letters of 12 pixels are drawn as such"


def test_an_auc_says_which_class_is_put_above_which(tmp_path: Path, serve, arrives: Callable[..., Person]):
    write_images(tmp_path / "photos", 12)
    served = serve(tmp_path / "photos")
    told(served, estimate={**ESTIMATE, "auc": AUC})
    page = arrives(served.link).page
    page.get_by_text("0.91 AUC").wait_for()
    page.keyboard.press("s")
    assert page.get_by_text("how often an image of “malignant” is put above one of “benign”.").is_visible()

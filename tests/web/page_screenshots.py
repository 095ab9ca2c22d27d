"""Pictures of the labelling page, light and dark: python tests/web/page_screenshots.py FOLDER CLASSES DIRECTORY [--answers 80].

FOLDER holds images called CLASS-anything, which are answered by their names until the model has learned from so many answers.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx2 as httpx
from browsing import Person, chromium
from playwright.sync_api import Page

WINDOW = {"width": 1440, "height": 900}
TELEPHONE = {"width": 390, "height": 800}
PANELS = {"help": "?", "progress": "s", "classes": "c", "grid": "g"}


def answer(link: str, classes: list[str], wanted: int) -> None:
    """Answers by the page's own API, as the names say, and waits until a model has learned from most of it."""
    with httpx.Client(base_url=link.split("/?")[0], timeout=60) as client:
        client.get("/", params={"token": link.split("token=")[1]})
        given = 0
        while True:
            state = client.get("/api/state").json()
            if given >= wanted and state["estimate"] and len(state["curve"]) > 1:
                return
            question = client.get("/api/next").json()
            name = client.get(f"/api/items/{question['id']}").json()["name"].split("-")[0]
            body = {
                "id": question["id"],
                "key": question["key"],
                "kind": "label",
                "label": f"c{1 + classes.index(name)}",
            }
            assert client.post("/api/answers", json={**body, "seconds": 1.4}).status_code == 200
            given += 1
            time.sleep(0.7)


def take(person: Person, directory: Path, prefix: str) -> None:
    """Every view of one window."""
    page = person.page

    def shoot(name: str) -> None:
        page.wait_for_timeout(700)
        page.screenshot(path=directory / f"{prefix}-{name}.png")

    shoot("page")
    page.keyboard.press("t")
    page.keyboard.press("i")
    for _ in range(9):  # the guess on an image that measures the accuracy is hidden
        page.wait_for_timeout(500)
        if page.locator("#guess .bars li").count():
            break
        person.answers("u")
    shoot("guess")
    page.keyboard.press("t")
    page.keyboard.press("v")
    shoot("light")
    page.keyboard.press("Escape")
    page.keyboard.press("ArrowLeft")
    shoot("back")
    page.keyboard.press("Escape")
    for name, key in PANELS.items():
        page.keyboard.press(key)
        shoot(name)
        page.locator("#panel-body").evaluate("body => body.scrollTo(0, body.scrollHeight)")
        shoot(f"{name}-below")
        page.keyboard.press("Escape")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("classes")
    parser.add_argument("directory", type=Path)
    parser.add_argument("--answers", type=int, default=80)
    options = parser.parse_args()
    classes = options.classes.split(",")
    options.directory.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as state:
        command = [sys.executable, "-m", "askwell", "label", str(options.folder), "--classes", options.classes]
        command += ["--campaign", f"{state}/campaign", "--annotators", "ann", "--no-browser"]
        environment = {**os.environ, "ASKWELL_STATE": state}
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
        try:
            assert process.stdout is not None
            link = process.stdout.readline().strip()
            answer(link, classes, options.answers)
            with chromium() as browser:
                for scheme in ("light", "dark"):
                    for window, size in (("window", WINDOW), ("telephone", TELEPHONE)):
                        page: Page = browser.new_context(
                            color_scheme=scheme, viewport=size, has_touch=window == "telephone"
                        ).new_page()  # type: ignore[arg-type]
                        take(Person(page).opens(link), options.directory, f"{scheme}-{window}")
                        page.context.close()
        finally:
            process.terminate()
            process.wait(timeout=60)


if __name__ == "__main__":
    main()

"""Claim: `askwell label` on a folder of 50,000 files has the first image painted in the browser within 3 s of the command.

A Chromium that is open already goes to the link when the command has printed it; the time ends when the page says that the image was
painted. Each repeat begins a new campaign; the command is run again on the last one too, which is how most days begin. Needs
ASKWELL_DATA and a Chromium; five minutes, most of it the images being written.

    python benchmarks/first_image.py [--small] [--images FOLDER] [--repeats N] [--out FILE]
"""

import shutil
import statistics
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from labelling_clients import Command, write_mnist
from measuring import argument_parser, conditions, parse, publish

ASKED = 3.0
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def first_image(command: Command, page: Page) -> dict[str, float]:
    """Seconds until the link was there and until the first image was painted; the command is stopped again."""
    began = time.perf_counter()
    command.start()
    link = time.perf_counter() - began
    page.goto(command.links["ann"])
    page.wait_for_function("() => document.body.dataset.painted", timeout=60_000)
    painted = time.perf_counter() - began
    page.goto("about:blank")
    command.stop()
    return {"link": link, "painted": painted}


def main() -> None:
    """New campaigns, then one that is there."""
    parser = argument_parser(__doc__, repeats=5)
    parser.add_argument("--images", type=Path, help="where the images are kept; a temporary folder unless given")
    arguments = parse(parser)
    before = conditions(arguments.threads)
    count = 1_000 if arguments.small else 50_000
    with tempfile.TemporaryDirectory() as temporary, sync_playwright() as playwright:
        folder = (arguments.images or Path(temporary) / "mnist").absolute()
        write_mnist(folder, count)
        installed = next((found for name in BROWSERS if (found := shutil.which(name))), None)
        browser = playwright.chromium.launch(executable_path=installed, args=["--no-sandbox"])
        page = browser.new_page()
        new, again = [], []
        for repeat in range(arguments.repeats):
            command = Command(folder, Path(temporary) / f"campaign-{repeat}", ["ann"])
            new.append(first_image(command, page))
            again.append(first_image(command, page))
            print(
                f"  repeat {repeat + 1}: new {new[-1]['painted']:.2f} s, again {again[-1]['painted']:.2f} s", flush=True
            )
        browser.close()
    report = {
        name: {key: [each[key] for each in found] for key in ("link", "painted")}
        for name, found in (("new_campaign", new), ("same_again", again))
    }
    median = statistics.median(report["new_campaign"]["painted"])
    print(
        f"{count:,} files: {median:.2f} s in the median, at most {max(report['new_campaign']['painted']):.2f} s (asked: {ASKED} s)"
    )
    publish({**before, "files": count, "asked_s": ASKED, **report}, arguments.out)


if __name__ == "__main__":
    main()

"""The page: nothing fetched, nothing injected, and honest words. Its numbers are recomputed in test_report_recomputed."""

import dataclasses
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from report_pages import Page

from askwell.errors import SettingsError, UsageError
from askwell.report.curves import CurvePoint, QueryRow
from askwell.report.evaluations import CalibrationBin, RoundEvaluation, RunEvaluation
from askwell.report.labels import DEFAULT_TARGETS
from askwell.report.page import write_report
from askwell.report.pictures import Picture
from askwell.report.set_aside import SetAside

Points = Callable[..., list[CurvePoint]]
SETTINGS = {"dataset": "mnist", "posterior samples": "100"}
QUERIES = [QueryRow("bald", 0, 1, rank, f"image {rank}", "7", 0.5) for rank in range(12)]
PICTURES = {f"image {rank}": Picture(np.full((8, 8), 20 * rank, dtype=np.uint8)) for rank in range(11)}
MEASURED = [
    RunEvaluation(
        strategy="bald",
        seed=0,
        classes=("cat", "dog"),
        rounds=(
            RoundEvaluation(
                round=0,
                items=4,
                groups=4,
                accuracy_se=0.25,
                confusion=((0, 0, 3), (1, 0, 1)),
                calibration=(CalibrationBin(4, 0.8, 0.75),),
            ),
        ),
    )
]


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty picture instead of the figure, for the tests that read only words and numbers."""

    def draw(name: str, directory: Path) -> tuple[Path, Path]:
        for path in (paths := (directory / f"{name}.png", directory / f"{name}.svg")):
            path.write_text("<?xml?><svg></svg>")
        return paths

    def learning(points: object, directory: Path, *, targets: object) -> tuple[Path, Path]:
        return draw("learning_curves", directory)

    def calibration(points: object, reliable: object, directory: Path) -> tuple[Path, Path]:
        return draw("calibration", directory)

    monkeypatch.setattr("askwell.report.plots.draw_learning_curves", learning)
    monkeypatch.setattr("askwell.report.plots.draw_calibration", calibration)


WORDS_ONLY = pytest.mark.usefixtures("undrawn")


def report(points: Sequence[CurvePoint], directory: Path, queries: Sequence[QueryRow] | None = None, **options) -> Page:
    arguments = {"title": "Five strategies", "targets": (0.8, 0.9, 0.95), "settings": SETTINGS} | options
    path = write_report(points, queries, directory, **arguments)
    assert path == directory / "report.html"
    return Page(path.read_text(encoding="utf-8"))


@WORDS_ONLY
def test_the_weights_that_the_network_began_with_are_stated_at_the_top(points_of: Points, tmp_path: Path) -> None:
    points = points_of(["bald"], 1)
    own = {f"recipe.backbone.{name}": value for name, value in {"name": "vgg16", "fit": "whole"}.items()}
    file = {"recipe.backbone.weights": "/somewhere/vgg16-397923af.pth", "recipe.backbone.sha256": 64 * "3"}
    for settings, sentence in (
        ({"recipe.model": "bcnn"}, "The network, bcnn, began with random weights."),
        (
            own | file,
            "vgg16, began with the weights of vgg16-397923af.pth (sha256 333333333333...); all of it was trained.",
        ),
        (own | {"recipe.backbone.weights": "none"}, "vgg16, began with random weights; all of it was trained."),
    ):
        page = report(points, tmp_path, settings={"recipe.model": "backbone"} | settings)
        assert sentence in page.text.split("Is active learning helping?")[0]
    assert "random weights" not in report(points, tmp_path, settings={"recipe.model": "mine:network"}).text


@WORDS_ONLY
def test_time_and_settings_are_shown(points_of: Points, tmp_path: Path) -> None:
    page = report([*points_of(["bald"], 3, 4), CurvePoint("untimed", 0, 0, 20, 0.5)], tmp_path)
    assert page.tables["Seconds per round"] == [
        ["strategy", "fitting", "scoring", "all rounds and seeds"],
        ["bald", "2.50", "0.25", "41.2"],  # 15 rounds of 1.5, 2.5 and 3.5 s, and 0.25 s each
    ]
    assert page.tables["Settings"] == [["setting", "value"], *([name, value] for name, value in SETTINGS.items())]


@WORDS_ONLY
def test_what_was_asked_is_counted(points_of: Points, tmp_path: Path) -> None:
    asked = {"bald": ["10", "2", "2", "2"], "random": ["2", "10"]}
    queries = [QueryRow(name, 0, 1, i, f"{i}", x, None) for name, labels in asked.items() for i, x in enumerate(labels)]
    queries += [QueryRow("bald", 0, 0, i, f"start {i}", "7", None) for i in range(5)]  # the initial ones are not asked
    assert report(points_of(["bald", "random"], 1), tmp_path, queries).tables["What was asked, by label"] == [
        ["label", "bald", "random"],
        ["2", "75.0 %", "50.0 %"],
        ["10", "25.0 %", "50.0 %"],
        ["images asked", "4", "2"],
    ]


@WORDS_ONLY
def test_without_random_there_are_areas_but_no_comparison(tmp_path: Path) -> None:
    page = report(curve("bald", [0.5, 0.9]) + curve("margin", [0.4, 0.8, 0.9], [0]), tmp_path)
    assert page.tables["Is active learning helping?"] == [
        ["strategy", "seeds", "area under curve"],
        ["bald", "3", "70.00 %"],
        ["margin", "1", "60.00 %"],
    ]
    assert "mean accuracy over 10 to 20 labels, the range common to all runs" in page.text
    assert "Labels saved against random" not in page.text
    page = report(curve("bald", [0.5]), tmp_path)
    assert "Is active learning helping?" not in page.tables, "a single point has no area"


@WORDS_ONLY
def test_what_is_not_there_is_left_out(points_of: Points, tmp_path: Path) -> None:
    points = [dataclasses.replace(point, ece=None) for point in points_of(["bald", "random"], 2)]
    page = report(points, tmp_path, QUERIES)
    for words in ("Calibration", "SE of test sample", "Which classes are confused", "in pictures", "The test sample"):
        assert words not in page.text
    page = report(points_of(["bald", "random"], 2), tmp_path, QUERIES, pictures={})
    assert "Calibration" in page.text, "the calibration error alone is drawn"
    assert "Calibration" not in page.tables
    assert page.text.count("asked first: round 1 of seed 0") == 1
    assert sum(attributes.get("class") == "none" for _, attributes in page.tags) == 10


@WORDS_ONLY
def test_a_strategy_without_a_measurement_has_a_dash(points_of: Points, tmp_path: Path) -> None:
    page = report(points_of(["bald", "random"], 2, 0), tmp_path, evaluations=MEASURED)
    header, *rows = page.tables["Accuracy at the end"]
    assert [dict(zip(header, row, strict=True))["SE of test sample"] for row in rows] == ["25.00", "–"]
    assert page.tables["Calibration"][1:] == [["bald", "80.00 %", "75.00 %", "+5.00"]]
    assert page.tables["Which classes are confused"][1:] == [
        ["bald, round 0"],
        ["dog taken for cat", "100.0 %"],
    ]
    assert "The test sample has 4 images." in page.text


def measured(rounds: int, strategy: str) -> RunEvaluation:
    parts = tuple(MEASURED[0].rounds[0].model_copy(update={"round": number}) for number in range(rounds))
    return MEASURED[0].model_copy(update={"rounds": parts, "strategy": strategy})


@WORDS_ONLY
@pytest.mark.parametrize(
    ("rounds", "columns", "headings"),
    [
        ((1,), ["last"], ["bald, round 0"]),
        ((2,), ["first", "last"], ["bald, rounds 0 and 1"]),
        ((3,), ["first", "middle", "last"], ["bald, rounds 0, 1 and 2"]),
        ((1, 2), ["first", "last"], ["bald, round 0", "random, rounds 0 and 1"]),
        ((2, 5), ["first", "middle", "last"], ["bald, rounds 0 and 1", "random, rounds 0, 2 and 4"]),
    ],
)
def test_confusion_has_the_columns_that_exist(
    points_of: Points, tmp_path: Path, rounds: tuple[int, ...], columns: list[str], headings: list[str]
) -> None:
    names = ["bald", "random"]
    evaluations = [measured(count, name) for count, name in zip(rounds, names, strict=False)]
    header, *rows = report(points_of(names, 1, 4), tmp_path, evaluations=evaluations).tables[
        "Which classes are confused"
    ]
    assert header[1:] == columns
    assert [row[0] for row in rows if len(row) == 1] == headings
    cells = [dict(zip(columns, row[1:], strict=True)) for row in rows if len(row) > 1]
    for count, own in zip(rounds, cells, strict=True):
        there = {1: {"last"}, 2: {"first", "last"}}.get(count, {"first", "middle", "last"})
        assert own == {name: "100.0 %" if name in there else "–" for name in columns}


@WORDS_ONLY
def test_targets_not_reached_are_said(points_of: Points, tmp_path: Path) -> None:
    both = curve("bald", [0.5, 0.85]) + curve("random", [0.5, 0.82])
    page = report(both, tmp_path, targets=DEFAULT_TARGETS)
    assert "90 %, 95 %, 98 % and 99 % were not reached by any run (>20 labels)." in page.text
    assert len(page.tables["Labels needed for a target accuracy"]) == 1 + 2 * 3, "two targets with two strategies each"
    page = report([*both, CurvePoint("bald", 1, 2, 30, 0.96)], tmp_path)
    assert "95 % was reached by 1 of 6 runs, but by no strategy’s mean or median." in page.text
    assert "not reached by any run" not in page.text
    page = report([*both, CurvePoint("bald", 1, 2, 30, 0.92)], tmp_path)
    assert "95 % was not reached by any run (the runs ended with 20 to 30 labels)." in page.text


@WORDS_ONLY
def test_curves_of_different_ends_are_not_compared_in_silence(tmp_path: Path) -> None:
    points = [
        *curve("long", [0.5, 0.6, 0.85, 0.92]),
        *curve("random", [0.5, 0.6, 0.85]),
        *curve("short", [0.5, 0.6]),
    ]
    text = report(points, tmp_path).text
    for sentence in (
        "long 80 % accuracy took 30 labels, random took 30: as many. To stay above it: 30 against 30, up to where each curve ends "
        "(40 and 30 labels). 90 % took 40 labels; random did not reach it with 30, where its curve ends (this one ends at 40).",
        "short 80 % was not reached with 20 labels, where this curve ends (random’s ends at 30); random took 30.",
    ):
        assert sentence in text


@WORDS_ONLY
def test_images_set_aside_are_listed(tmp_path: Path) -> None:
    pool = [SetAside("pool", f"{i}.png", "the file is cut short") for i in range(5)]
    test = SetAside("test", "<b>.png", "it is no image")
    page = report(curve("bald", [0.5, 0.9]), tmp_path, set_aside=[[*pool, test], [pool[0]], []])
    assert page.tables["Images set aside"] == [
        ["split", "reason", "images", "first ids"],
        ["pool", "the file is cut short", "5", "0.png, 1.png, 2.png, …"],
        ["test", "it is no image", "1", "<b>.png"],
    ]
    assert (
        "6 images were set aside: 5 of the pool images and 1 of the test images. Not all campaigns set aside the same ones."
        in page.text
    )
    page = report(curve("bald", [0.5, 0.9]), tmp_path, set_aside=[[test], [test]])
    assert "1 image was set aside: 1 of the test images." in page.text
    assert "Not all campaigns" not in page.text
    assert "Images set aside" not in report(curve("bald", [0.5, 0.9]), tmp_path, set_aside=[[], []]).tables


@WORDS_ONLY
def test_rare_reasons_share_a_row(tmp_path: Path) -> None:
    lost = [SetAside("pool", f"{i}.png", f"reason {i:02d}") for i in range(15)]
    rows = report(curve("bald", [0.5, 0.9]), tmp_path, set_aside=[lost]).tables["Images set aside"]
    assert len(rows) == 1 + 12 + 1
    assert rows[-1] == ["pool", "3 other reasons", "3", "12.png, 13.png, 14.png"]


@WORDS_ONLY
def test_rare_labels_share_a_row(points_of: Points, tmp_path: Path) -> None:
    labels = [f"class {i:02d}" for i in range(30) for _ in range(2 if i < 19 else 1)]
    queries = [QueryRow("bald", 0, 1, i, f"{i}", label, 0.5) for i, label in enumerate(labels)]
    rows = report(points_of(["bald"], 1), tmp_path, queries).tables["What was asked, by label"]
    assert len(rows) == 1 + 20 + 2
    assert rows[-2:] == [["10 others", f"{100 * 10 / 49:.1f} %"], ["images asked", "49"]]


def curve(strategy: str, accuracies: Sequence[float], seeds: Sequence[int] = (0, 1, 2)) -> list[CurvePoint]:
    return [CurvePoint(strategy, s, i, 10 + 10 * i, a) for s in seeds for i, a in enumerate(accuracies)]


@WORDS_ONLY
def test_labels_saved_in_words(tmp_path: Path) -> None:
    points = [
        *curve("quick", [0.5, 0.85, 0.92, 0.89, 0.92, 0.96]),
        *curve("random", [0.5, 0.6, 0.7, 0.85, 0.90, 0.91]),
        *curve("same", [0.5, 0.6, 0.7, 0.85, 0.90, 0.91]),
        *curve("slow", [0.5, 0.6, 0.7, 0.7, 0.82, 0.84]),
        *curve("never", [0.5, 0.6, 0.7, 0.7, 0.7, 0.7]),
    ]
    text = report(points, tmp_path).text
    assert "With 3 seeds no test can reach 5 % (the smallest possible p is .25); this is an observation." in text
    for sentence in (
        "quick 90 % accuracy took 30 labels, random took 50: 20 fewer (40 %). To stay above it: 50 against 50. "
        "95 % took 60 labels; random did not reach it with 60.",
        "same 90 % accuracy took 50 labels, random took 50: as many. To stay above it: 50 against 50.",
        "slow 80 % accuracy took 50 labels, random took 40: 10 more (25 %). To stay above it: 50 against 40. "
        "90 % was not reached with 60 labels; random took 50.",
        "never 90 % was not reached with 60 labels; random took 50.",
    ):
        assert sentence in text


@WORDS_ONLY
@pytest.mark.parametrize(
    ("points", "words"),
    [
        (
            curve("bald", [0.5, 0.9]),
            "There is no arm that asks at random, so nothing can be said about active learning",
        ),
        (curve("random", [0.5, 0.9]), "Only random was run"),
        (curve("bald", [0.5, 0.6]) + curve("random", [0.5, 0.6]), "No target was reached by it or by random"),
        (
            curve("bald", [0.97, 0.99]) + curve("random", [0.96, 0.99]),
            "Every curve began above every target (80 %, 90 %, 95 %)",
        ),
        (curve("bald", [0.5, 0.9], [0]) + curve("random", [0.5, 0.9], [0]), "With 1 seed this is a single observation"),
        (curve("bald", [0.5, 0.9], [0, 1]) + curve("random", [0.5, 0.9], [5, 6]), "not compared like with like"),
        (
            curve("bald", [0.5, 0.9], range(8)) + curve("random", [0.5, 0.9], range(8)),
            "above random’s in 0 of 8 seeds and equal in 8; mean difference 0.00 points (95 % interval 0.00 to 0.00), "
            "exact paired test p = 1 (Holm 1): no difference was shown; that is not evidence of none.",
        ),
    ],
)
def test_words_are_careful(tmp_path: Path, points: list[CurvePoint], words: str) -> None:
    assert words in report(points, tmp_path).text


@WORDS_ONLY
def test_seeds_without_a_common_range_are_said(tmp_path: Path) -> None:
    points = [dataclasses.replace(p, labels=p.labels + 50 * p.seed) for p in curve("bald", [0.5, 0.99])]
    page = report([*points, *curve("random", [0.5, 0.9])], tmp_path)
    assert "The seeds share no range of labels, so there is no mean curve to compare." in page.text
    assert ["bald", "3", "–", "–", "70", "70", "–"] in page.tables["Labels needed for a target accuracy"]


@WORDS_ONLY
def test_what_was_run_is_said(tmp_path: Path) -> None:
    text = report(curve("bald", [0.5, 0.9]) + curve("random", [0.5, 0.9]), tmp_path).text
    assert "2 strategies (bald, random), 3 seeds each (seeds 0 to 2)." in text
    assert "The runs began with 10 labels and ended with 20, after 1 round of asking." in text
    text = report(curve("bald", [0.5, 0.9], [0]) + curve("margin", [0.5], [4, 7]), tmp_path).text
    assert "2 strategies: bald, seed 0; margin, seeds 4, 7." in text
    assert "ended with 10 to 20, after 0 to 1 rounds" in text


def test_without_accuracy_there_is_still_a_page(tmp_path: Path) -> None:
    page = report([CurvePoint("bald", 0, 0, 20, seconds_fit=2.0)], tmp_path)
    assert "No round has a measured accuracy" in page.text
    assert list(page.tables) == ["Seconds per round", "Settings"]
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
    page = report([CurvePoint("bald", 0, 0, 20), *curve("random", [0.5, 0.9])], tmp_path)
    assert "bald has no measured accuracy." in page.text


@WORDS_ONLY
def test_intervals_are_only_said_from_eight_seeds_on(points_of: Points, tmp_path: Path) -> None:
    for seeds in (7, 8):
        report(points_of(["bald", "random"], seeds), tmp_path)
        assert ("interval" in (tmp_path / "report.html").read_text(encoding="utf-8")) == (seeds == 8)


def test_the_page_needs_nothing_but_itself(points_of: Points, tmp_path: Path) -> None:
    page = report(points_of(["bald", "random"], 3), tmp_path, QUERIES, evaluations=MEASURED, pictures=PICTURES)
    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "http://" not in html
    assert "https://" not in html
    assert "@import" not in html
    assert not re.search(r"url\((?!#)", html)
    tags = {tag for tag, _ in page.tags}
    assert "svg" in tags
    assert not tags & {"script", "link", "iframe", "object", "embed", "base"}
    names = {path.name for path in tmp_path.iterdir()}
    figures = {f"{name}.{kind}" for name in ("learning_curves", "calibration") for kind in ("png", "svg")}
    assert names == {"report.html", *figures}
    for tag, attributes in page.tags:
        assert not any(name.startswith("on") or name in ("srcset", "action") for name in attributes), tag
        assert (attributes.get("src") or "data:image/png;base64,").startswith("data:image/png;base64,")
        address = attributes.get("href") or attributes.get("xlink:href") or "#"
        assert address.startswith("#") or (tag == "a" and address in names)
    assert {address for _, found in page.tags if (address := found.get("href")) in names} == names - {"report.html"}
    assert "default-src 'none'; style-src 'unsafe-inline'; img-src data:" in html
    ids = re.findall(r'\bid="([^"]*)"', html)
    assert len(ids) == len(set(ids)) > 0, "two figures in one page share no id"
    assert {
        address for address in re.findall(r'href="#([^"]*)"|url\(#([^)]*)\)', html) for address in address if address
    } <= set(ids)
    assert "@media print" in html
    assert "prefers-color-scheme: dark" in html


def test_names_are_escaped(tmp_path: Path) -> None:
    evil = "<script>alert(1)</script>\"'--> &"
    points = curve(evil, [0.5, 0.9]) + curve("random", [0.5, 0.9])
    queries = [QueryRow(evil, 0, 1, 0, evil, evil, None)]
    page = report(points, tmp_path, queries, title=evil, settings={evil: evil})
    assert not any(tag == "script" for tag, _ in page.tags)
    assert page.text.count(evil) >= 8
    (svg,) = (attributes for tag, attributes in page.tags if tag == "svg")
    assert evil in (svg["aria-label"] or "")
    assert svg["role"] == "img"


def test_the_same_points_give_the_same_page(points_of: Points, tmp_path: Path) -> None:
    for name in ("one", "two"):
        report(points_of(["bald", "random"], 3), tmp_path / "made" / name)
    one, two = ((tmp_path / "made" / name / "report.html").read_bytes() for name in ("one", "two"))
    assert one == two


def test_bad_requests_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="found none"):
        report([], tmp_path)
    with pytest.raises(SettingsError, match="found 95"):
        report(curve("bald", [0.5]), tmp_path, targets=(95.0,))
    with pytest.raises(UsageError, match="twice"):
        report(curve("bald", [0.5]) * 2, tmp_path)
    assert list(tmp_path.iterdir()) == []

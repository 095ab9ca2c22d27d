"""The page: every number recomputed here by other means, nothing fetched, nothing injected, and honest words."""

import dataclasses
import math
import re
import statistics
from collections import defaultdict
from collections.abc import Callable, Sequence
from html.parser import HTMLParser
from pathlib import Path

import pytest

from askwell.errors import SettingsError, UsageError
from askwell.report.curves import CurvePoint, QueryRow, labels_table
from askwell.report.page import text_table, write_report

Points = Callable[..., list[CurvePoint]]
SETTINGS = {"dataset": "mnist", "posterior samples": "100"}
TARGETS = (0.8, 0.9, 0.95, 0.99)
VOID = {"meta", "br", "use", "path", "image"}


class Page(HTMLParser):
    """The page as tables of cells by heading, its words, its tags, and every address in it."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tables: dict[str, list[list[str]]] = {}
        self.words: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self._inside: list[str] = []
        self._heading = ""
        self.feed(html)
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self._inside.append(tag)
        if tag == "table":
            self.tables[self._heading] = []
        if tag == "tr":
            self.tables[self._heading].append([])
        if tag in ("td", "th"):
            self.tables[self._heading][-1].append("")

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self._inside.pop() == tag, f"</{tag}> closes another element"

    def handle_data(self, data: str) -> None:
        if "style" in self._inside or "svg" in self._inside:
            return
        self.words.append(data)
        if self._inside and self._inside[-1] == "h2":
            self._heading = data
        if self._inside and self._inside[-1] in ("td", "th"):
            self.tables[self._heading][-1][-1] += data


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty picture instead of the figure, for the tests that read only words and numbers."""

    def draw(points: object, directory: Path, *, targets: object) -> tuple[Path, Path]:
        for path in (paths := (directory / "learning_curves.png", directory / "learning_curves.svg")):
            path.write_text("<?xml?><svg></svg>")
        return paths

    monkeypatch.setattr("askwell.report.plots.draw_learning_curves", draw)


WORDS_ONLY = pytest.mark.usefixtures("undrawn")


def report(points: Sequence[CurvePoint], directory: Path, queries: Sequence[QueryRow] | None = None, **options) -> Page:
    arguments = {"title": "Five strategies", "targets": (0.8, 0.9, 0.95), "settings": SETTINGS} | options
    path = write_report(points, queries, directory, **arguments)
    assert path == directory / "report.html"
    return Page(path.read_text(encoding="utf-8"))


def by_run(points: Sequence[CurvePoint]) -> dict[str, dict[int, list[CurvePoint]]]:
    runs: dict[str, dict[int, list[CurvePoint]]] = defaultdict(lambda: defaultdict(list))
    for point in points:
        runs[point.strategy][point.seed].append(point)
    return runs


def crossings(curve: Sequence[tuple[int, float]], target: float) -> tuple[float, float]:
    """First and sustained crossing by walking the curve forwards and backwards; infinity if there is none."""
    first = next((n for n, accuracy in curve if accuracy >= target), math.inf)
    sustained = math.inf
    for n, accuracy in reversed(curve):
        if accuracy < target:
            break
        sustained = n
    return first, sustained


def written(labels: float, limit: int) -> str:
    if math.isinf(labels):
        return f">{limit}"
    return str(int(labels)) if labels == int(labels) else f"{labels:.1f}"


def expected_labels(points: Sequence[CurvePoint], targets: Sequence[float]) -> list[list[str]]:
    rows: list[list[str]] = []
    for target in targets:
        rows.append([f"{target:.0%} accuracy".replace("%", " %")])
        mean_of: dict[str, tuple[float, float]] = {}
        for name, seeds in by_run(points).items():
            at = defaultdict(list)
            for run in seeds.values():
                for point in run:
                    at[point.labels].append(point.accuracy)
            mean = [(n, round(statistics.fmean(values), 9)) for n, values in sorted(at.items())]
            mean_of[name] = crossings(mean, target)
            singles = [crossings([(p.labels, p.accuracy or 0.0) for p in run], target) for run in seeds.values()]
            medians = [statistics.median(pair[i] for pair in singles) for i in (0, 1)]
            cells = [written(value, mean[-1][0]) for value in (*mean_of[name], *medians)]
            rows.append([name, str(len(seeds)), *cells])
        for row in rows[-len(mean_of) :]:
            own, other = mean_of[row[0]][0], mean_of.get("random", (math.inf,))[0]
            known = row[0] != "random" and own < math.inf and other < math.inf
            saved = f"{(1 - own / other) * 100:.0f} % fewer" if known and own < other else "–"
            row.append(f"{(own / other - 1) * 100:.0f} % more" if known and own > other else saved)
    return rows


@WORDS_ONLY
@pytest.mark.parametrize("seeds", [1, 3, 10])
def test_labels_table_is_recomputed(points_of: Points, tmp_path: Path, seeds: int) -> None:
    points = points_of(["bald", "margin", "random", "worse"], seeds, 24)
    # one curve falls back below 80 % once
    points = [dataclasses.replace(p, accuracy=0.7) if (p.strategy, p.round) == ("bald", 20) else p for p in points]
    page = report(points, tmp_path, targets=TARGETS)
    header, *rows = page.tables["Labels needed for a target accuracy"]
    assert header == [
        *("strategy", "seeds", "mean reaches", "mean stays", "median reaches", "median stays", "against random"),
    ]
    assert rows == expected_labels(points, TARGETS)
    assert any(cell.startswith(">") for row in rows for cell in row)
    assert any(cell.endswith("more") for row in rows for cell in row)
    flat = [[f"{row.target:.0%}".replace("%", " %")] for row in labels_table(points, TARGETS)]
    plain = [cells for cells in rows if len(cells) > 1]
    assert [list(line) for line in text_table(labels_table(points, TARGETS))] == [
        ["target", *header],
        *(target + cells for target, cells in zip(flat, plain, strict=True)),
    ]


@WORDS_ONLY
@pytest.mark.parametrize("seeds", [3, 10])
def test_the_end_is_recomputed(points_of: Points, tmp_path: Path, seeds: int) -> None:
    points = points_of(["bald", "random"], seeds)
    header, *rows = report(points, tmp_path).tables["Accuracy at the end"]
    assert ("95 % interval" in header) == (seeds == 10)
    for (name, runs), row in zip(by_run(points).items(), rows, strict=True):
        cells = dict(zip(header, row, strict=True))
        last = [100 * (run[-1].accuracy or 0.0) for run in runs.values()]
        mean = statistics.fmean(last)
        area = statistics.fmean(
            (sum(p.accuracy or 0.0 for p in run) - ((run[0].accuracy or 0.0) + (run[-1].accuracy or 0.0)) / 2)
            / (len(run) - 1)  # equal steps
            for run in runs.values()
        )
        assert cells["strategy"] == name
        assert cells["labels"] == "140"
        assert cells["accuracy, mean"] == f"{mean:.2f} %"
        assert cells["seed by seed, %"].split() == [f"{value:.2f}" for value in last]
        assert cells["area under curve"] == f"{area:.4f}"
        assert cells["NLL, nats"] == f"{statistics.fmean(run[-1].nll or 0.0 for run in runs.values()):.3f}"
        assert cells["ECE"] == f"{statistics.fmean(run[-1].ece or 0.0 for run in runs.values()):.3f}"
        assert cells["AUC"] == "0.900"
        if seeds == 10:
            half = 2.2621571628540993 * statistics.stdev(last) / math.sqrt(10)  # t(9, 0.975) from a printed table
            assert cells["95 % interval"] == f"{mean - half:.2f} to {mean + half:.2f} %"


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
    assert report(points_of(["bald", "random"], 1), tmp_path, queries).tables["What was asked"] == [
        ["label", "bald", "random"],
        ["2", "75.0 %", "50.0 %"],
        ["10", "25.0 %", "50.0 %"],
        ["images asked", "4", "2"],
    ]


@WORDS_ONLY
def test_rare_labels_share_a_row(points_of: Points, tmp_path: Path) -> None:
    labels = [f"class {i:02d}" for i in range(30) for _ in range(2 if i < 19 else 1)]
    queries = [QueryRow("bald", 0, 1, i, f"{i}", label, 0.5) for i, label in enumerate(labels)]
    rows = report(points_of(["bald"], 1), tmp_path, queries).tables["What was asked"]
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
    assert "With 3 seeds this is an observation, not a test." in text
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
        (curve("bald", [0.5, 0.9]), "There is no arm that asks at random, so nothing can be said about labels saved."),
        (curve("random", [0.5, 0.9]), "Only random was run"),
        (curve("bald", [0.5, 0.6]) + curve("random", [0.5, 0.6]), "No target was reached by it or by random"),
        (
            curve("bald", [0.97, 0.99]) + curve("random", [0.96, 0.99]),
            "Every curve began above every target (80 %, 90 %, 95 %)",
        ),
        (curve("bald", [0.5, 0.9], [0]) + curve("random", [0.5, 0.9], [0]), "With 1 seed this is a single observation"),
        (curve("bald", [0.5, 0.9], [0, 1]) + curve("random", [0.5, 0.9], [5, 6]), "not compared like with like"),
        (curve("bald", [0.5, 0.9], range(8)) + curve("random", [0.5, 0.9], range(8)), "no test was made here"),
    ],
)
def test_words_are_careful(tmp_path: Path, points: list[CurvePoint], words: str) -> None:
    assert words in report(points, tmp_path).text


@WORDS_ONLY
def test_seeds_without_common_labels_are_said(tmp_path: Path) -> None:
    points = [dataclasses.replace(p, labels=p.labels + p.seed) for p in curve("bald", [0.5, 0.99])]
    page = report([*points, *curve("random", [0.5, 0.9])], tmp_path)
    assert "The seeds share no labels count, so there is no mean curve to compare." in page.text
    assert ["bald", "3", "–", "–", "21", "21", "–"] in page.tables["Labels needed for a target accuracy"]


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


def test_intervals_are_only_said_from_eight_seeds_on(points_of: Points, tmp_path: Path) -> None:
    for seeds in (7, 8):
        report(points_of(["bald", "random"], seeds), tmp_path)
        assert ("interval" in (tmp_path / "report.html").read_text(encoding="utf-8")) == (seeds == 8)


def test_the_page_needs_nothing_but_itself(points_of: Points, tmp_path: Path) -> None:
    page = report(points_of(["bald", "random"], 3), tmp_path)
    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "http://" not in html
    assert "https://" not in html
    assert "@import" not in html
    assert not re.search(r"url\((?!#)", html)
    tags = {tag for tag, _ in page.tags}
    assert "svg" in tags
    assert not tags & {"script", "link", "iframe", "img", "object", "embed", "base"}
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"report.html", "learning_curves.png", "learning_curves.svg"}
    for tag, attributes in page.tags:
        assert not any(name.startswith("on") or name in ("src", "srcset", "action") for name in attributes), tag
        address = attributes.get("href") or attributes.get("xlink:href") or "#"
        assert address.startswith("#") or (tag == "a" and address in names)
    assert {address for _, found in page.tags if (address := found.get("href")) in names} == names - {"report.html"}
    assert "default-src 'none'" in html
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

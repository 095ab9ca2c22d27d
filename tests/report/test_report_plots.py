"""The pictures: there, of plausible size, the same each time, and nothing global is changed."""

import dataclasses
import re
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from xml.etree import ElementTree

import matplotlib as mpl
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.image import imread
from matplotlib.text import Text

from askwell.errors import UsageError
from askwell.report import plots
from askwell.report.calibration import Reliability
from askwell.report.curves import CurvePoint
from askwell.report.evaluations import CalibrationBin
from askwell.report.plots import draw_calibration, draw_learning_curves

Points = Callable[..., list[CurvePoint]]
NASTY_NAMES = [*("random", "bald", "variation_ratios_votes", "$x_1$", "<script>alert(1)</script>", "epig 🐛"), "x" * 80]


@pytest.mark.parametrize(
    ("strategies", "seeds", "rounds"),
    [(["bald", "random", "margin"], 3, 12), (["bald", "random"], 10, 12), (["bald"], 1, 5), (["bald"], 1, 0)],
)
def test_pictures_are_plausible(
    points_of: Points, tmp_path: Path, strategies: list[str], seeds: int, rounds: int
) -> None:
    png, svg = draw_learning_curves(points_of(strategies, seeds, rounds), tmp_path, targets=(0.8, 0.9, 1.0))
    assert (png.name, svg.name) == ("learning_curves.png", "learning_curves.svg")
    assert sorted(path.name for path in tmp_path.iterdir()) == [png.name, svg.name]
    picture = imread(png)
    assert picture.shape[:2] == (1000, 1680)
    ink = (picture[..., :3].min(axis=-1) < 0.8).mean()
    assert 0.005 < ink < 0.3
    root = ElementTree.fromstring(svg.read_text(encoding="utf-8"))
    assert root.get("viewBox") == "0 0 604.8 360"


def test_the_same_points_give_the_same_bytes(points_of: Points, tmp_path: Path) -> None:
    points = points_of(["bald", "random"], 8)
    first = [path.read_bytes() for path in draw_learning_curves(points, tmp_path, targets=(0.9,))]
    with mpl.rc_context({"font.size": 30.0, "lines.linewidth": 9.0, "text.parse_math": True}):  # a user's own settings
        second = [path.read_bytes() for path in draw_learning_curves(points, tmp_path, targets=(0.9,))]
    assert first == second
    assert b"20" + b"25-" not in first[1]
    assert b"<dc:date>" not in first[1]


def test_global_settings_stay(points_of: Points, tmp_path: Path) -> None:
    before = dict(mpl.rcParams)
    draw_learning_curves(points_of(["bald"], 1), tmp_path)
    assert dict(mpl.rcParams) == before


def test_nothing_to_draw_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="found none"):
        draw_learning_curves([CurvePoint("bald", 0, 0, 20)], tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The figures that are drawn, caught before they are saved."""
    caught: list[Figure] = []
    blank = plots._blank

    def catch(height: float) -> Figure:
        caught.append(blank(height))
        return caught[-1]

    monkeypatch.setattr(plots, "_blank", catch)
    return caught


@pytest.mark.filterwarnings("ignore:Glyph .* missing")  # measuring warns as drawing would
@pytest.mark.parametrize("seeds", [1, 3, 10])
def test_no_words_overlap(points_of: Points, tmp_path: Path, figures: list[Figure], seeds: int) -> None:
    points = points_of(NASTY_NAMES, seeds)
    same = [dataclasses.replace(p, accuracy=0.9) if p.round == 12 else p for p in points]  # all ends at one height
    draw_learning_curves(same, tmp_path, targets=(0.8, 0.9, 0.95, 0.99))
    keep_apart(figures[0])


def words_of(figure: Figure) -> list[str]:
    return [item.get_text() for item in figure.findobj(Text) if isinstance(item, Text)]


@pytest.mark.filterwarnings("ignore:Glyph .* missing")
def test_a_curve_that_ends_early_is_labelled_at_its_own_end(
    points_of: Points, tmp_path: Path, figures: list[Figure]
) -> None:
    points = [p for p in points_of(NASTY_NAMES, 2) if p.strategy == "bald" or p.round < 9]
    draw_learning_curves(points, tmp_path, targets=(0.8, 0.9))
    draw_calibration(points, [], tmp_path)
    for figure in figures:
        keep_apart(figure)
        ends = [words for words in words_of(figure) if "  at 100 labels: " in words]
        assert len(ends) == len(NASTY_NAMES) - 1
        assert not any(words.startswith("bald") for words in ends)
    assert any(words.endswith("right: error where each curve ends") for words in words_of(figures[0]))
    assert "mean over seeds; right: where each curve ends" in words_of(figures[1])


@pytest.mark.filterwarnings("ignore:Glyph .* missing")
@pytest.mark.parametrize("strategies", [NASTY_NAMES, NASTY_NAMES[:2]], ids=["many", "two"])
def test_no_words_overlap_in_the_calibration(
    points_of: Points, tmp_path: Path, figures: list[Figure], strategies: list[str]
) -> None:
    draw_calibration(points_of(strategies, 2), reliabilities_of(strategies), tmp_path)
    keep_apart(figures[0])


def keep_apart(figure: Figure) -> None:
    """No words of the figure overlap or leave it, and none is taken for a formula."""
    words = [item for item in figure.findobj(Text) if isinstance(item, Text) and item.get_text() and item.get_visible()]
    assert not any(item.get_parse_math() for item in words)  # "$x_1$" is a name, not a formula
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    boxes = {f"{i} {item.get_text()}": item.get_window_extent(canvas.get_renderer()) for i, item in enumerate(words)}
    assert len(boxes) > 15
    width, height = figure.bbox.width, figure.bbox.height
    for name, box in boxes.items():
        assert 0 <= box.x0 < box.x1 <= width, name
        assert 0 <= box.y0 < box.y1 <= height, name
    for (one, a), (other, b) in combinations(boxes.items(), 2):
        assert not (a.x0 < b.x1 and b.x0 < a.x1 and a.y0 < b.y1 and b.y0 < a.y1), f"{one} lies on {other}"


def test_strategies_differ_without_colour(points_of: Points, tmp_path: Path, figures: list[Figure]) -> None:
    names = [f"strategy {i}" for i in range(9)]
    draw_learning_curves([*points_of(names, 1), *points_of(["random"], 1)], tmp_path)
    lines = [line for line in figures[0].axes[0].get_lines() if line.get_linewidth() > 1.5]
    assert len(lines) == 10
    assert len({(str(line._dash_pattern), line.get_marker()) for line in lines}) == 10  # pyright: ignore
    random = lines[-1]
    assert random.get_zorder() < min(line.get_zorder() for line in lines[:-1])
    assert re.fullmatch(r"#(..)\1\1", str(random.get_color()))  # grey


@pytest.mark.parametrize(("seeds", "thin", "bands"), [(1, 0, 0), (7, 7, 0), (8, 0, 1)])
def test_seeds_are_lines_until_there_are_eight(
    points_of: Points, tmp_path: Path, figures: list[Figure], seeds: int, thin: int, bands: int
) -> None:
    draw_learning_curves(points_of(["bald"], seeds), tmp_path)
    axes = figures[0].axes[0]
    assert sum(line.get_linewidth() < 1.0 for line in axes.get_lines()) == thin
    assert len(axes.collections) == bands


def test_an_error_of_zero_is_on_the_edge_and_said(points_of: Points, tmp_path: Path, figures: list[Figure]) -> None:
    points = [*points_of(["bald"], 1, 3), CurvePoint("bald", 0, 4, 60, 1.0)]
    draw_learning_curves(points, tmp_path)
    axes = figures[0].axes[0]
    (line,) = axes.get_lines()
    assert line.get_ydata()[-1] == axes.get_ylim()[0]  # pyright: ignore
    assert "an error of 0 lies on this edge" in axes.get_xlabel()


def reliabilities_of(names: list[str]) -> list[Reliability]:
    bins = (CalibrationBin(10, 0.4, 0.2), CalibrationBin(90, 0.9, 0.95))
    return [Reliability(name, bins, 0.85, 0.875) for name in names]


def test_reliability_shows_every_bin_about_the_line(points_of: Points, tmp_path: Path, figures: list[Figure]) -> None:
    names = ["bald", "random"]
    paths = draw_calibration(points_of(names, 3), reliabilities_of(names), tmp_path)
    assert paths == (tmp_path / "calibration.png", tmp_path / "calibration.svg")
    *squares, below = figures[0].axes
    assert [axes.get_title("left") for axes in squares] == names
    for axes in squares:
        gaps, dots = axes.collections
        assert dots.get_offsets().tolist() == [[0.4, 0.2], [0.9, 0.95]]  # pyright: ignore
        assert len(gaps.get_paths()) == 2
        few, many = dots.get_sizes()  # pyright: ignore
        assert few < many
    assert len({colour for axes in squares for colour in map(str, axes.collections[1].get_facecolor())}) == 2
    assert len(below.get_lines()) == 2
    low, high = below.get_ylim()
    assert low == 0.0
    assert all(0.0 <= value <= high for line in below.get_lines() for value in line.get_ydata())  # pyright: ignore


def test_a_strategy_looks_the_same_in_both_figures(points_of: Points, tmp_path: Path, figures: list[Figure]) -> None:
    points = points_of(["bald", "margin", "random"], 1)
    without = [dataclasses.replace(p, ece=None) if p.strategy == "bald" else p for p in points]
    draw_learning_curves(points, tmp_path)
    draw_calibration(without, reliabilities_of(["margin"]), tmp_path)
    _, margin, _ = (line.get_color() for line in figures[0].axes[0].get_lines())
    assert figures[1].axes[1].get_lines()[0].get_color() == margin


def test_what_was_not_measured_is_not_drawn(points_of: Points, tmp_path: Path, figures: list[Figure]) -> None:
    points = points_of(["bald"], 1)
    without = [dataclasses.replace(point, ece=None) for point in points]
    assert draw_calibration(without, [], tmp_path) is None
    assert list(tmp_path.iterdir()) == []
    draw_calibration(without, reliabilities_of(["bald"]), tmp_path)
    draw_calibration(points, [], tmp_path)
    assert [len(figure.axes) for figure in figures] == [1, 1]


def test_seeds_without_a_common_range_are_drawn(points_of: Points, tmp_path: Path, figures: list[Figure]) -> None:
    points = [dataclasses.replace(p, labels=p.labels + 500 * p.seed) for p in points_of(["bald"], 2)]
    draw_learning_curves(points, tmp_path)
    assert sum(len(line.get_xdata()) > 0 for line in figures[0].axes[0].get_lines()) == 2  # pyright: ignore

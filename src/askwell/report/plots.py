"""Learning curves and calibration as pictures: the only module that imports matplotlib.

Figures are built from objects, without pyplot, so nothing global is touched outside one context. The same points give the same
bytes. Longer than a page, because it is the one door to matplotlib.
"""

import io
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke
from matplotlib.text import Text
from matplotlib.ticker import FixedLocator, FormatStrFormatter, FuncFormatter, MaxNLocator, NullLocator
from numpy.typing import NDArray

from askwell.errors import UsageError
from askwell.report.arms import (
    ZERO,
    Arm,
    arms_of,
    drawn_errors,
    end_text,
    error_range,
    errors_of,
    last_labels,
    marked,
    percent,
    subtitle,
)
from askwell.report.calibration import Reliability, ece_curves
from askwell.report.curves import BASELINE, Curve, CurvePoint, accuracies_at, mean_curve
from askwell.report.layout import free_place, log_ticks, panels, spread
from askwell.report.looks import QUIET, RULE, STYLE, Look, looks_of, shortened
from askwell.store.files import replace_file

_WIDTH, _DPI = 8.4, 200  # inches, pixels per inch
_LEFT, _TOP, _BOTTOM, _EDGE = 0.78, 0.84, 0.62, 0.12  # inches around the axes
_LEADER, _SAMPLE, _SPACE = 0.22, 0.36, 0.08  # inches: from a curve's end to its line's sample, the sample, to its name
_LINE = 0.21  # inches from one name to the next
_HEAD, _FOOT = 0.78, 0.08  # inches for a title, and below a figure's axes
_SHORTEST_NAME = 8  # characters, however narrow its square
_ERROR_HEIGHT = 2.2  # inches of the calibration error's axes
_PANEL_HEIGHT, _PANEL_GAP = 3.4, 0.34  # inches of a panel's axes, and between two
_PANEL_LEFT, _PANEL_EDGE = 0.92, 0.24  # inches left of the first panel and right of the last
_MEASURED_HEIGHT = 2.5  # inches of the axes of a measured panel
_LEGEND_COLUMNS = 4


@dataclass(frozen=True)
class Panel:
    """Axes of accuracy against labels: strategy -> seed -> curve, and other people's curves of some of them behind."""

    title: str
    curves: Mapping[str, Mapping[int, Curve]]
    behind: Mapping[str, Curve] = field(default_factory=dict)


@dataclass(frozen=True)
class MeasuredPanel:
    """Axes of anything measured against labels: strategy -> seed -> curve of its values, the means with standard errors.

    levels are horizontal lines: what they are -> their height and its standard error. digits: decimals of the values at the axis.
    """

    title: str
    measured: str
    curves: Mapping[str, Mapping[int, Curve]]
    levels: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    digits: int = 0


def draw_measured_panels(
    rows: Sequence[Sequence[MeasuredPanel]], path: Path, *, title: str, below: str, along: str
) -> tuple[Path, Path]:
    """Draw a table of panels with one legend into path.png and path.svg; returns both paths.

    Raises UsageError if no panel has a curve.
    """
    if not any(panel.curves for row in rows for panel in row):
        raise UsageError("expected at least one curve to draw, found none; run the experiment first.")
    return _save(lambda: _measured_figure(rows, title, below, along), path)


def draw_pictures(
    pictures: Mapping[str, NDArray[np.uint8]], path: Path, *, title: str, below: str
) -> tuple[Path, Path]:
    """Draw images [H, W, 3] side by side, each over its words, into path.png and path.svg; returns both paths."""
    return _save(lambda: _pictures_figure(pictures, title, below), path)


def draw_learning_curves(
    points: Iterable[CurvePoint], directory: Path, *, targets: Sequence[float] = ()
) -> tuple[Path, Path]:
    """Draw test error against labels seen into learning_curves.png and learning_curves.svg; returns both paths.

    Up to 7 seeds each is a thin line; from 8 on there is a band, the 95 % t-interval for the mean. The mean is bold. Targets are
    accuracies (fractions). Raises UsageError if no point has an accuracy.
    """
    arms = arms_of(points)
    if not arms:
        raise UsageError(
            "expected at least one round with an accuracy to draw, found none; evaluate on labelled items."
        )
    shown = [target for target in targets if 1.0 - target > ZERO]
    return _save(lambda: _figure(arms, shown), directory / "learning_curves")


def draw_calibration(
    points: Iterable[CurvePoint], reliable: Sequence[Reliability], directory: Path
) -> tuple[Path, Path] | None:
    """Draw accuracy against confidence at the end, and the calibration error against labels, into calibration.png and .svg.

    Returns both paths, or None where neither was measured. What was not measured is left out.
    """
    points = list(points)
    curves = ece_curves(points)
    if not curves and not reliable:
        return None
    looks = looks_of(dict.fromkeys(point.strategy for point in points if point.accuracy is not None))
    looks = looks_of(
        [*looks, *(name for name in (*curves, *(part.strategy for part in reliable)) if name not in looks)]
    )
    return _save(lambda: _calibration_figure(curves, reliable, looks), directory / "calibration")


def draw_accuracy_panels(
    panels: Sequence[Panel], path: Path, *, title: str, below: str, along: str, lowest: float
) -> tuple[Path, Path]:
    """Draw panels side by side with one legend into path.png and path.svg; returns both paths.

    ``along`` says which labels are counted, ``below`` stands under the title. Accuracies are shown from ``lowest`` (a fraction) up:
    a mean over seeds in bold over the seeds' range, the curves behind pale.

    Raises UsageError if no panel has a curve.
    """
    if not any(panel.curves for panel in panels):
        raise UsageError("expected at least one curve to draw, found none; run the experiment first.")
    return _save(lambda: _panels_figure(panels, title, below, along, lowest), path)


def draw_estimates(curve: Sequence[Sequence[int | float]], path: Path, *, title: str, below: str) -> tuple[Path, Path]:
    """Draw accuracies with their intervals against labels, rows of labels, accuracy, low and high, into path.png and path.svg.

    Returns both paths; raises UsageError without rows.
    """
    if not curve:
        raise UsageError("expected at least one measured round to draw, found none; label more images.")
    return _save(lambda: _estimates_figure(curve, title, below), path)


def _save(draw: Callable[[], Figure], path: Path) -> tuple[Path, Path]:
    """Draw in askwell's style, whatever the user's is, and write the figure as PNG and as SVG."""
    data: dict[str, bytes] = {}
    with style.context(["default", STYLE]), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")  # a box is drawn for it
        figure = draw()
        for kind, nothing in (("png", ["Software"]), ("svg", ["Date", "Creator", "Format", "Type"])):
            stream = io.BytesIO()
            figure.savefig(stream, format=kind, dpi=_DPI, metadata=dict.fromkeys(nothing))
            data[kind] = stream.getvalue()
    png, svg = (path.with_suffix(f".{kind}") for kind in data)
    for target, content in zip((png, svg), data.values(), strict=True):
        replace_file(target, lambda temporary, content=content: temporary.write_bytes(content))
    return png, svg


def _blank(height: float) -> Figure:
    figure = Figure(figsize=(_WIDTH, height), dpi=_DPI, facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def _axes(figure: Figure, left: float, bottom: float, width: float, height: float) -> Axes:
    """Axes at a place in inches."""
    across, up = (float(size) for size in figure.get_size_inches())
    return figure.add_axes((left / across, bottom / up, width / across, height / up))


def _figure(arms: Sequence[Arm], targets: Sequence[float]) -> Figure:
    height = max(5.0, _TOP + _BOTTOM + _LINE * len(arms))
    figure = _blank(height)
    last = last_labels(arms)
    names = [_words(figure, end_text(arm.name, arm.leading, last, 1.0 - arm.leading.accuracy[-1])) for arm in arms]
    axes = _axes(figure, _LEFT, _BOTTOM, _WIDTH - _LEFT - _column(names), height - _BOTTOM - _TOP)
    lowest = _scale(axes, arms, targets)
    for shift, arm in enumerate(arms):
        _draw_arm(axes, arm, lowest, shift)
    _draw_targets(axes, arms, targets, lowest)
    _draw_title(figure, height, "Test error as labels are added", subtitle(arms))
    ends = [(arm.leading.labels[-1], errors_of(arm.leading, lowest)[-1]) for arm in arms]
    _place_names(axes, ends, [arm.look for arm in arms], names)
    return figure


def _scale(axes: Axes, arms: Sequence[Arm], targets: Sequence[float]) -> float:
    """Axes, ticks and grid; returns the lower end of the error axis, where errors below it are drawn."""
    low, high = error_range(arms, targets)
    axes.set(yscale="log", ylim=(low, high))
    axes.yaxis.set_major_locator(FixedLocator(log_ticks(low, high)))
    axes.yaxis.set_minor_locator(NullLocator())
    _dress_axes(axes, last_labels(arms), "test error (log scale)")
    if min(drawn_errors(arms)) <= ZERO:
        axes.set_xlabel("labels seen by the learner (an error of 0 lies on this edge)", labelpad=7)
    return low


def _dress_axes(axes: Axes, last: int, measured: str) -> None:
    """Labels from 0 to the last along, a fraction as per cent up, and a quiet grid."""
    axes.set_xlim(0, max(1, last))
    axes.set_xlabel("labels seen by the learner", labelpad=7)
    axes.set_ylabel(measured, labelpad=7)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: percent(value)))
    axes.xaxis.set_major_locator(MaxNLocator(nbins=7, integer=True, steps=[1, 2, 2.5, 5, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0f}"))
    axes.grid(color=RULE, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(length=0, pad=6)


def _draw_arm(axes: Axes, arm: Arm, lowest: float, shift: int) -> None:
    """Band or thin lines, and the bold mean; random lies under the others, and the arms' markers are shifted apart."""
    order = 2.0 if arm.name == BASELINE else 3.0
    if arm.band:
        labels, low, high = (np.array(column, dtype=float) for column in zip(*arm.band, strict=True))
        low, high = np.maximum(low, lowest), np.maximum(high, lowest)
        axes.fill_between(labels, low, high, color=arm.look.colour, alpha=0.15, linewidth=0, zorder=order - 1.0)
    for curve in arm.singles:
        (line,) = axes.plot(curve.labels, errors_of(curve, lowest), color=arm.look.colour, linewidth=0.8, alpha=0.4)
        line.set(zorder=order - 0.5, marker=arm.look.marker if len(curve.labels) == 1 else "", markersize=3.0)
    _draw_line(axes, arm.mean.labels, errors_of(arm.mean, lowest), arm.look, shift, order)


def _draw_line(
    axes: Axes, labels: Sequence[int], values: Sequence[float], look: Look, shift: int, order: float
) -> None:
    (line,) = axes.plot(labels, values, zorder=order, clip_on=False)
    line.set_markevery(marked(len(labels), shift))
    _dress(line, look)


def _dress(line: Line2D, look: Look) -> None:
    line.set(color=look.colour, linestyle=look.dash, linewidth=1.9, solid_capstyle="round")
    line.set(marker=look.marker, markersize=6.0, markeredgecolor="white", markeredgewidth=0.8)


def _draw_targets(axes: Axes, arms: Sequence[Arm], targets: Sequence[float], lowest: float) -> None:
    """A thin dotted line per target, its accuracy written where no curve passes."""
    curves = [curve for arm in arms for curve in (arm.leading, *arm.singles)]
    lines = [_pixels(axes, list(zip(curve.labels, errors_of(curve, lowest), strict=True))) for curve in curves]
    box = axes.get_window_extent()
    for target in targets:
        axes.axhline(1.0 - target, color=QUIET, linewidth=0.9, linestyle=(0, (1, 2.4)), zorder=1.5)
        words = f"{percent(target)} accuracy"
        note = axes.annotate(words, (0, 1.0 - target), xytext=(0, 2), textcoords="offset points", zorder=5)
        note.set(color=QUIET, fontsize=8, va="bottom", path_effects=[withStroke(linewidth=2.5, foreground="white")])
        width, height = _size(note)
        level = float(axes.transData.transform((0.0, 1.0 - target))[1])
        places = [float(left) for left in np.linspace(box.x0 + 6.0, box.x1 - width - 6.0, 40)]
        left = free_place(places, width, (level, level + height + 6.0), lines, enough=10.0)
        note.xy = (float(axes.transData.inverted().transform((left, level))[0]), 1.0 - target)


def _panels_figure(panels: Sequence[Panel], title: str, below: str, along: str, lowest: float) -> Figure:
    looks = looks_of(dict.fromkeys(name for panel in panels for name in panel.curves))
    rows = -(-len(looks) // _LEGEND_COLUMNS)
    foot = _BOTTOM + _LINE * rows + 0.1
    height = _TOP + 0.14 + _PANEL_HEIGHT + foot
    figure = _blank(height)
    _draw_title(figure, height, title, below)
    width = (_WIDTH - _PANEL_LEFT - _PANEL_EDGE - _PANEL_GAP * (len(panels) - 1)) / len(panels)
    for position, panel in enumerate(panels):
        left = _PANEL_LEFT + position * (width + _PANEL_GAP)
        axes = _axes(figure, left, foot, width, _PANEL_HEIGHT)
        axes.set(ylim=(lowest, 1.0))
        last = max((curve.labels[-1] for seeds in panel.curves.values() for curve in seeds.values()), default=1)
        _dress_axes(axes, last, "test accuracy" if position == 0 else "")
        axes.xaxis.set_major_locator(MaxNLocator(nbins=6 if len(panels) == 1 else 4, integer=True))
        axes.set_xlabel(along, labelpad=7)
        axes.tick_params(labelleft=position == 0)
        axes.set_title(panel.title, fontsize=9.5, loc="left", pad=4)
        _draw_panel(axes, panel, looks)
    samples = [Line2D([0], [0]) for _ in looks]
    for sample, look in zip(samples, looks.values(), strict=True):
        _dress(sample, look)
    words = [shortened(name) for name in looks]
    figure.legend(
        samples, words, loc="lower center", ncols=_LEGEND_COLUMNS, frameon=False, handlelength=2.6, fontsize=8.5
    )
    return figure


def _estimates_figure(curve: Sequence[Sequence[int | float]], title: str, below: str) -> Figure:
    height = _TOP + _PANEL_HEIGHT + _BOTTOM
    figure = _blank(height)
    _draw_title(figure, height, title, below)
    axes = _axes(figure, _LEFT, _BOTTOM, _WIDTH - _LEFT - _PANEL_EDGE, _PANEL_HEIGHT)
    labels, accuracy, low, high = (np.array([row[place] for row in curve], dtype=float) for place in range(4))
    _dress_axes(axes, round(float(labels.max()) * 1.03) + 1, "estimated accuracy")
    axes.set_ylim(max(0.0, float(np.floor(low.min() * 10) / 10) - 0.05), 1.0)
    (look,) = looks_of(["accuracy"]).values()
    bars = axes.errorbar(
        labels, accuracy, (accuracy - low, high - accuracy), fmt="none", ecolor=look.colour, elinewidth=0.9
    )
    bars.lines[2][0].set(alpha=0.5, zorder=2.5)
    _draw_line(axes, [round(each) for each in labels], list(accuracy), look, 0, 3.0)
    return figure


def _draw_panel(axes: Axes, panel: Panel, looks: Mapping[str, Look]) -> None:
    """Other people's curves, the seeds' ranges, and the means, which the axes cut off below."""
    for name, curve in panel.behind.items():
        axes.plot(curve.labels, curve.accuracy, color=looks[name].colour, linewidth=0.9, alpha=0.45, zorder=1.5)
    for shift, (name, seeds) in enumerate(panel.curves.items()):
        mean = mean_curve(seeds)
        if len(seeds) > 1 and mean.labels:
            ends = [accuracies_at(seeds, n) for n in mean.labels]
            low, high = [min(values) for values in ends], [max(values) for values in ends]
            axes.fill_between(mean.labels, low, high, color=looks[name].colour, alpha=0.13, linewidth=0, zorder=1.0)
        order = 2.0 if name == BASELINE else 3.0
        _draw_line(axes, mean.labels, mean.accuracy, looks[name], shift, order)
        axes.lines[-1].set(clip_on=True, linewidth=1.5, markersize=4.5)


def _measured_figure(rows: Sequence[Sequence[MeasuredPanel]], title: str, below: str, along: str) -> Figure:
    looks = looks_of(dict.fromkeys(name for row in rows for panel in row for name in panel.curves))
    foot = _BOTTOM + _LINE * -(-len(looks) // _LEGEND_COLUMNS) + 0.1
    tall, gap, columns = _MEASURED_HEIGHT, _HEAD, max(map(len, rows))
    height = _TOP + 0.14 + len(rows) * tall + (len(rows) - 1) * gap + foot
    figure = _blank(height)
    _draw_title(figure, height, title, below)
    width = (_WIDTH - columns * _PANEL_LEFT - _PANEL_EDGE) / columns
    for down, row in enumerate(rows):
        for across, panel in enumerate(row):
            left = _PANEL_LEFT + across * (width + _PANEL_LEFT)
            axes = _axes(figure, left, height - _TOP - 0.14 - tall - down * (tall + gap), width, tall)
            last = max((curve.labels[-1] for seeds in panel.curves.values() for curve in seeds.values()), default=1)
            _dress_axes(axes, last, panel.measured)
            axes.xaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
            axes.set_xlabel(along if down == len(rows) - 1 else "", labelpad=7)
            axes.yaxis.set_major_locator(MaxNLocator(nbins=7, steps=[1, 2, 5, 10]))
            axes.yaxis.set_major_formatter(FormatStrFormatter(f"%.{panel.digits}f"))
            axes.set_title(panel.title, fontsize=9.5, loc="left", pad=4)
            _draw_measured(axes, panel, looks)
    samples = [Line2D([0], [0]) for _ in looks]
    for sample, look in zip(samples, looks.values(), strict=True):
        _dress(sample, look)
    words = [shortened(name) for name in looks]
    figure.legend(
        samples, words, loc="lower center", ncols=_LEGEND_COLUMNS, frameon=False, handlelength=2.6, fontsize=8.5
    )
    return figure


def _draw_measured(axes: Axes, panel: MeasuredPanel, looks: Mapping[str, Look]) -> None:
    """Levels, and means over seeds with a bar of one standard error each way, the strategies' bars shifted apart."""
    for words, (level, error) in panel.levels.items():
        axes.axhspan(level - error, level + error, color=QUIET, alpha=0.12, linewidth=0, zorder=0.5)
        axes.axhline(level, color=QUIET, linewidth=0.9, linestyle=(0, (1, 2.4)), zorder=1.0)
        note = axes.annotate(words, (0.01, level), xycoords=("axes fraction", "data"), fontsize=7.5, color=QUIET)
        note.set(va="bottom", path_effects=[withStroke(linewidth=2.5, foreground="white")])
    for shift, (name, seeds) in enumerate(panel.curves.items()):
        mean = mean_curve(seeds)
        values = [accuracies_at(seeds, n) for n in mean.labels]
        errors = [float(np.std(each, ddof=1)) / len(each) ** 0.5 if len(each) > 1 else 0.0 for each in values]
        order = 2.0 if name == BASELINE else 3.0
        bars = axes.errorbar(mean.labels, mean.accuracy, errors, fmt="none", ecolor=looks[name].colour, elinewidth=0.9)
        bars.lines[2][0].set(alpha=0.5, zorder=order - 0.5)
        _draw_line(axes, mean.labels, mean.accuracy, looks[name], shift, order)
        axes.lines[-1].set(clip_on=True, linewidth=1.5, markersize=4.5)


def _pictures_figure(pictures: Mapping[str, NDArray[np.uint8]], title: str, below: str) -> Figure:
    side = (_WIDTH - 0.48 - 0.12 * (len(pictures) - 1)) / len(pictures)
    height = _HEAD + side + 0.42
    figure = _blank(height)
    _draw_title(figure, height, title, below)
    for place, (words, pixels) in enumerate(pictures.items()):
        axes = _axes(figure, 0.24 + place * (side + 0.12), 0.36, side, side)
        axes.imshow(pixels, interpolation="lanczos")
        axes.set_axis_off()
        axes.set_title(words, fontsize=8.5, loc="left", y=-0.14)
    return figure


def _calibration_figure(
    curves: Mapping[str, Curve], reliable: Sequence[Reliability], looks: Mapping[str, Look]
) -> Figure:
    """A small square for each strategy's reliability, and below them the calibration error; either may be missing."""
    squares, tall = panels(len(reliable), _LEFT, _WIDTH - _EDGE)
    above = _HEAD + tall + _FOOT if reliable else 0.0
    height = above + (_HEAD + _ERROR_HEIGHT + _BOTTOM if curves else 0.0)
    figure = _blank(height)
    if reliable:
        below = "Each point: test images of similar confidence (its area: how many). Above the line too unsure, below it too sure."
        _draw_title(figure, height, "Accuracy against confidence, at the end", below)
        for part, (left, down, side) in zip(reliable, squares, strict=True):
            axes = _axes(figure, left, height - _HEAD - down - side, side, side)
            _draw_reliability(axes, part, looks[part.strategy], outer=left == squares[0][0])
    if curves:
        last = max(curve.labels[-1] for curve in curves.values())
        early = any(curve.labels[-1] < last for curve in curves.values())
        below = f"mean over seeds; right: {'where each curve ends' if early else 'at the end'}"
        _draw_title(figure, height - above, "Calibration error as labels are added", below)
        names = [_words(figure, end_text(name, curve, last, curve.accuracy[-1])) for name, curve in curves.items()]
        axes = _axes(figure, _LEFT, _BOTTOM, _WIDTH - _LEFT - _column(names), _ERROR_HEIGHT)
        for shift, (name, curve) in enumerate(curves.items()):
            _draw_line(axes, curve.labels, curve.accuracy, looks[name], shift, 2.0 if name == BASELINE else 3.0)
        top = 1.06 * max(0.01, *(max(curve.accuracy) for curve in curves.values()))
        ticks = MaxNLocator(nbins=5, steps=[1, 2, 2.5, 5, 10]).tick_values(0.0, top)
        axes.set(ylim=(0.0, top), yticks=[tick for tick in ticks if tick <= top])
        _dress_axes(axes, last, "calibration error (ECE)")
        ends = [(curve.labels[-1], curve.accuracy[-1]) for curve in curves.values()]
        _place_names(axes, ends, [looks[name] for name in curves], names)
    return figure


def _draw_reliability(axes: Axes, part: Reliability, look: Look, *, outer: bool) -> None:
    """One strategy's points about the line on which confidence is accuracy; the outer square has the axis of accuracy."""
    sure, right, items = (np.array([each[i] for each in part.bins], dtype=float) for i in (1, 2, 0))
    axes.plot([0, 1], [0, 1], color=QUIET, linewidth=0.9, linestyle=(0, (1, 2.4)), zorder=1)
    share = items / items.sum()
    axes.vlines(sure, sure, right, color=look.colour, linewidth=0.9, alpha=np.clip(8.0 * share, 0.1, 0.6), zorder=2)
    axes.scatter(
        sure,
        right,
        s=4.0 + 110.0 * share,
        color=look.colour,
        marker=look.marker,
        linewidth=0.5,
        edgecolor="white",
        zorder=3,
    )
    for set_ticks in (axes.set_xticks, axes.set_yticks):
        set_ticks([0.0, 0.5, 1.0], ["0", "50", "100 %"])
    for tick, side in zip(axes.get_xticklabels(), ("left", "center", "right"), strict=True):
        tick.set_horizontalalignment(side)  # inwards, so that two squares' ends keep apart
    axes.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.03))
    axes.grid(color=RULE, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0, pad=4, labelsize=7, labelleft=outer)
    title, longest = axes.set_title(shortened(part.strategy), fontsize=8.5, loc="left", pad=4), len(part.strategy)
    while _size(title)[0] > axes.get_window_extent().width and longest > _SHORTEST_NAME:
        longest -= 1
        title.set_text(shortened(part.strategy, longest))
    axes.set_xlabel("confidence", fontsize=8, labelpad=3)
    if outer:
        axes.set_ylabel("accuracy", fontsize=8, labelpad=3)


def _pixels(axes: Axes, points: Sequence[tuple[int, float]]) -> NDArray[np.float64]:
    return np.asarray(axes.transData.transform(points), dtype=float)


def _draw_title(figure: Figure, top: float, title: str, below: str) -> None:
    """What is drawn, left-aligned, from a height in inches downwards."""
    height = float(figure.get_size_inches()[1])
    left = 0.24 / _WIDTH
    figure.text(left, (top - 0.36) / height, title, fontsize=13, fontweight="bold")
    figure.text(left, (top - 0.60) / height, below, fontsize=9, color=QUIET)


def _words(figure: Figure, words: str) -> Text:
    """Words at a curve's end, to be placed when the axes are known."""
    return figure.text(0.0, 0.0, words, va="center_baseline")


def _column(names: Sequence[Text]) -> float:
    """Inches to the right of the axes that the names take."""
    return _LEADER + _SAMPLE + _SPACE + max(_size(name)[0] for name in names) / _DPI + _EDGE


def _place_names(axes: Axes, ends: Sequence[tuple[int, float]], looks: Sequence[Look], names: Sequence[Text]) -> None:
    """Each name at the height of its curve's end, moved apart where two are near, with a sample of its line; all in inches."""
    figure = axes.get_figure(root=True)
    assert figure is not None
    inches = figure.dpi_scale_trans
    box = axes.get_window_extent().transformed(inches.inverted())
    places = _pixels(axes, ends) / figure.dpi
    heights = spread([float(place[1]) for place in places], _LINE, box.y0, box.y1)
    start = box.x1 + _LEADER
    for look, name, place, height in zip(looks, names, places, heights, strict=True):
        leader = Line2D([place[0], box.x1 + 0.04, start - 0.03], [place[1], place[1], height], transform=inches)
        leader.set(color=look.colour, linewidth=0.7, alpha=0.55, zorder=0)
        sample = Line2D([start, start + _SAMPLE / 2, start + _SAMPLE], [height] * 3, transform=inches)
        sample.set_markevery([1])
        _dress(sample, look)
        figure.add_artist(leader)
        figure.add_artist(sample)
        name.set(transform=inches, position=(start + _SAMPLE + _SPACE, height))


def _size(words: Text) -> tuple[float, float]:
    """Width and height in pixels."""
    box = words.get_window_extent()
    return box.width, box.height

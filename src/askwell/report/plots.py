"""Learning curves as pictures: the only module that imports matplotlib.

Figures are built from objects, without pyplot, so nothing global is touched outside one context. The same points give the same
bytes. A strategy is told by colour, dash and marker together, never by colour alone.
"""

import io
import math
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke
from matplotlib.text import Text
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator
from numpy.typing import NDArray

from askwell.errors import UsageError
from askwell.report.curves import (
    BASELINE,
    Curve,
    CurvePoint,
    accuracies_at,
    common_labels,
    curves_by_strategy,
    mean_curve,
)
from askwell.report.intervals import MIN_SEEDS, mean_interval
from askwell.report.layout import free_place, log_ticks, spread
from askwell.store.files import replace_file

PNG_NAME = "learning_curves.png"
SVG_NAME = "learning_curves.svg"

# Okabe and Ito (2008), darkest first; their yellow is left out (too pale for a line on white) and black is random's.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
_DASHES = ("-", (0, (6, 1.6)), (0, (6, 1.6, 1.2, 1.6)), (0, (3, 1.2)), (0, (6, 1.6, 1.2, 1.6, 1.2, 1.6)))
_MARKERS = ("o", "s", "^", "D", "v", "P", "X")
_INK, _QUIET, _RULE = "#1F2328", "#59636E", "#E4E8EC"
_STYLE: dict[str, Any] = {
    "font.family": ["DejaVu Sans"],
    "font.size": 9.5,
    "text.parse_math": False,
    "text.color": _INK,
    "axes.labelcolor": _INK,
    "axes.edgecolor": _QUIET,
    "axes.linewidth": 0.8,
    "xtick.color": _QUIET,
    "ytick.color": _QUIET,
    "xtick.labelcolor": _INK,
    "ytick.labelcolor": _INK,
    "svg.hashsalt": "askwell",
    "svg.fonttype": "path",
}
_WIDTH, _DPI = 8.4, 200  # inches, pixels per inch
_LEFT, _TOP, _BOTTOM, _EDGE = 0.78, 0.84, 0.62, 0.12  # inches around the axes
_LEADER, _SAMPLE, _SPACE = (
    0.22,
    0.36,
    0.08,
)  # inches from a curve's end to its name: the way, the line's sample, a space
_LINE = 0.21  # inches from one name to the next
_LONGEST_NAME = 30
_ZERO = 1e-9  # an error below this is 0, which has no place on a log axis


@dataclass(frozen=True)
class _Look:
    colour: str
    dash: Any
    marker: str


@dataclass(frozen=True)
class _Arm:
    """What is drawn of one strategy: the mean curve, thin single curves, and a band of (labels, low error, high error)."""

    name: str
    look: _Look
    seeds: int
    mean: Curve
    singles: tuple[Curve, ...]
    band: tuple[tuple[int, float, float], ...]

    @property
    def leading(self) -> Curve:
        """The curve whose end carries the name: the mean, or the first seed where the seeds share no labels count."""
        return self.mean if self.mean.labels else self.singles[0]


def draw_learning_curves(
    points: Iterable[CurvePoint], directory: Path, *, targets: Sequence[float] = ()
) -> tuple[Path, Path]:
    """Draw test error against labels seen into learning_curves.png and learning_curves.svg; returns both paths.

    Up to 7 seeds each is a thin line; from 8 on there is a band, the 95 % t-interval for the mean. The mean is bold. Targets are
    accuracies (fractions). Raises UsageError if no point has an accuracy.
    """
    curves = curves_by_strategy(points)
    if not curves:
        raise UsageError(
            "expected at least one round with an accuracy to draw, found none; evaluate on labelled items."
        )
    arms = [_arm(name, look, curves[name]) for name, look in _looks(curves).items()]
    png, svg = io.BytesIO(), io.BytesIO()
    with style.context(["default", _STYLE]), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")  # a box is drawn for it
        figure = _figure(arms, [target for target in targets if 1.0 - target > _ZERO])
        figure.savefig(png, format="png", dpi=_DPI, metadata={"Software": None})
        figure.savefig(svg, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    for name, picture in ((PNG_NAME, png), (SVG_NAME, svg)):
        data = picture.getvalue()
        replace_file(directory / name, lambda temporary, data=data: temporary.write_bytes(data))
    return directory / PNG_NAME, directory / SVG_NAME


def _looks(names: Iterable[str]) -> dict[str, _Look]:
    """Colour, dash and marker by order of appearance; the three cycles differ in length, so 210 strategies differ."""
    looks: dict[str, _Look] = {}
    others = 0
    for name in names:
        if name == BASELINE:
            looks[name] = _Look("#3A3A3A", (0, (1.6, 1.6)), "X")
            continue
        looks[name] = _Look(
            _COLOURS[others % len(_COLOURS)], _DASHES[others % len(_DASHES)], _MARKERS[others % len(_MARKERS)]
        )
        others += 1
    return looks


def _arm(name: str, look: _Look, seeds: Mapping[int, Curve]) -> _Arm:
    mean = mean_curve(seeds)
    ends = [(n, mean_interval(accuracies_at(seeds, n))) for n in common_labels(seeds)]
    band = tuple((n, 1.0 - interval[1], min(1.0, 1.0 - interval[0])) for n, interval in ends if interval)
    single = not mean.labels or 1 < len(seeds) < MIN_SEEDS
    return _Arm(name, look, len(seeds), mean, tuple(seeds.values()) if single else (), band)


def _figure(arms: Sequence[_Arm], targets: Sequence[float]) -> Figure:
    height = max(5.0, _TOP + _BOTTOM + _LINE * len(arms))
    figure = Figure(figsize=(_WIDTH, height), dpi=_DPI, facecolor="white")
    FigureCanvasAgg(figure)
    names = [_name(figure, arm) for arm in arms]
    column = _LEADER + _SAMPLE + _SPACE + max(_size(name)[0] for name in names) / _DPI + _EDGE
    axes = figure.add_axes(
        (_LEFT / _WIDTH, _BOTTOM / height, 1.0 - (_LEFT + column) / _WIDTH, 1.0 - (_BOTTOM + _TOP) / height)
    )
    lowest = _scale(axes, arms, targets)
    for shift, arm in enumerate(arms):
        _draw_arm(axes, arm, lowest, shift)
    _draw_targets(axes, arms, targets, lowest)
    _draw_title(figure, axes, arms)
    _place_names(figure, axes, arms, names)
    return figure


def _scale(axes: Axes, arms: Sequence[_Arm], targets: Sequence[float]) -> float:
    """Axes, ticks and grid; returns the lower end of the error axis, where errors below it are drawn."""
    low, high = _error_range(arms, targets)
    last = max(curve.labels[-1] for arm in arms for curve in (arm.leading, *arm.singles))
    axes.set(yscale="log", ylim=(low, high), xlim=(0, max(1, last)))
    axes.set_xlabel("labels seen by the learner", labelpad=7)
    axes.set_ylabel("test error (log scale)", labelpad=7)
    axes.yaxis.set_major_locator(FixedLocator(log_ticks(low, high)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: _percent(value)))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_locator(MaxNLocator(nbins=7, integer=True, steps=[1, 2, 2.5, 5, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0f}"))
    axes.grid(color=_RULE, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(length=0, pad=6)
    if min(_drawn_errors(arms)) <= _ZERO:
        axes.set_xlabel("labels seen by the learner (an error of 0 lies on this edge)", labelpad=7)
    return low


def _error_range(arms: Sequence[_Arm], targets: Sequence[float]) -> tuple[float, float]:
    """The ends of the error axis, fractions above 0, with room to breathe."""
    errors = _drawn_errors(arms) + [1.0 - target for target in targets]
    positive = [error for error in errors if error > _ZERO] or [0.01]
    low, high = min(positive), max(positive)
    room = max(1.12, math.sqrt(1.5 * low / high))
    return low / room, min(1.0, high * room)


def _drawn_errors(arms: Sequence[_Arm]) -> list[float]:
    errors = [1.0 - accuracy for arm in arms for curve in (arm.mean, *arm.singles) for accuracy in curve.accuracy]
    return errors + [high for arm in arms for _, _, high in arm.band]


def _errors(curve: Curve, lowest: float) -> list[float]:
    return [max(lowest, 1.0 - accuracy) for accuracy in curve.accuracy]


def _draw_arm(axes: Axes, arm: _Arm, lowest: float, shift: int) -> None:
    """Band or thin lines, and the bold mean; random lies under the others, and the arms' markers are shifted apart."""
    order = 2.0 if arm.name == BASELINE else 3.0
    if arm.band:
        labels, low, high = (np.array(column, dtype=float) for column in zip(*arm.band, strict=True))
        low, high = np.maximum(low, lowest), np.maximum(high, lowest)
        axes.fill_between(labels, low, high, color=arm.look.colour, alpha=0.15, linewidth=0, zorder=order - 1.0)
    for curve in arm.singles:
        (line,) = axes.plot(curve.labels, _errors(curve, lowest), color=arm.look.colour, linewidth=0.8, alpha=0.4)
        line.set(zorder=order - 0.5, marker=arm.look.marker if len(curve.labels) == 1 else "", markersize=3.0)
    (line,) = axes.plot(arm.mean.labels, _errors(arm.mean, lowest), zorder=order, clip_on=False)
    line.set_markevery(_marked(len(arm.mean.labels), shift))
    _dress(line, arm.look)


def _marked(points: int, shift: int) -> list[int]:
    """About eight of the points, another choice for each shift, and the last one."""
    step = max(1, points // 8)
    return list(range(shift * 2 % step, points - 1 - step // 2, step)) + [points - 1] * (points > 0)


def _dress(line: Line2D, look: _Look) -> None:
    line.set(color=look.colour, linestyle=look.dash, linewidth=1.9, solid_capstyle="round")
    line.set(marker=look.marker, markersize=6.0, markeredgecolor="white", markeredgewidth=0.8)


def _draw_targets(axes: Axes, arms: Sequence[_Arm], targets: Sequence[float], lowest: float) -> None:
    """A thin dotted line per target, its accuracy written where no curve passes."""
    curves = [curve for arm in arms for curve in (arm.leading, *arm.singles)]
    lines = [_pixels(axes, curve, lowest) for curve in curves]
    box = axes.get_window_extent()
    for target in targets:
        axes.axhline(1.0 - target, color=_QUIET, linewidth=0.9, linestyle=(0, (1, 2.4)), zorder=1.5)
        words = f"{_percent(target)} accuracy"
        note = axes.annotate(words, (0, 1.0 - target), xytext=(0, 2), textcoords="offset points", zorder=5)
        note.set(color=_QUIET, fontsize=8, va="bottom", path_effects=[withStroke(linewidth=2.5, foreground="white")])
        width, height = _size(note)
        level = float(axes.transData.transform((0.0, 1.0 - target))[1])
        places = [float(left) for left in np.linspace(box.x0 + 6.0, box.x1 - width - 6.0, 40)]
        left = free_place(places, width, (level, level + height + 6.0), lines, enough=10.0)
        note.xy = (float(axes.transData.inverted().transform((left, level))[0]), 1.0 - target)


def _pixels(axes: Axes, curve: Curve, lowest: float) -> NDArray[np.float64]:
    return np.asarray(axes.transData.transform(np.column_stack([curve.labels, _errors(curve, lowest)])), dtype=float)


def _draw_title(figure: Figure, axes: Axes, arms: Sequence[_Arm]) -> None:
    """What is drawn, left-aligned above the axes."""
    height = figure.get_size_inches()[1]
    left = 0.24 / _WIDTH
    figure.text(left, 1.0 - 0.36 / height, "Test error as labels are added", fontsize=13, fontweight="bold")
    figure.text(left, 1.0 - 0.60 / height, _subtitle(arms), fontsize=9, color=_QUIET)


def _subtitle(arms: Sequence[_Arm]) -> str:
    """How many seeds there are and what stands for them."""
    fewest, most = min(arm.seeds for arm in arms), max(arm.seeds for arm in arms)
    seeds = f"{fewest} to {most} seeds" if fewest < most else "1 seed" if most == 1 else f"{most} seeds"
    if len(arms) > 1:
        seeds += " per strategy"
    parts = ["bold: mean"] if most > 1 else []
    parts += ["thin: each seed"] if any(arm.singles for arm in arms) else []
    parts += ["band: 95 % t-interval"] if any(arm.band for arm in arms) else []
    return "  ·  ".join([seeds, *parts, "right: error at the end"])


def _name(figure: Figure, arm: _Arm) -> Text:
    """The strategy's name and its error at the end, to be placed when the axes are known."""
    name = " ".join(arm.name.split()) or "(no name)"
    if len(name) > _LONGEST_NAME:
        name = f"{name[: _LONGEST_NAME - 12]}…{name[-11:]}"
    return figure.text(0.0, 0.0, f"{name}  {_percent(1.0 - arm.leading.accuracy[-1])}", va="center_baseline")


def _place_names(figure: Figure, axes: Axes, arms: Sequence[_Arm], names: Sequence[Text]) -> None:
    """Each name at the height of its curve's end, moved apart where two are near, with a sample of its line; all in inches."""
    inches = figure.dpi_scale_trans
    box = axes.get_window_extent().transformed(inches.inverted())
    ends = [_pixels(axes, arm.leading, axes.get_ylim()[0])[-1] / figure.dpi for arm in arms]
    heights = spread([float(end[1]) for end in ends], _LINE, box.y0, box.y1)
    start = box.x1 + _LEADER
    for arm, name, end, height in zip(arms, names, ends, heights, strict=True):
        leader = Line2D([end[0], box.x1 + 0.04, start - 0.03], [end[1], end[1], height], transform=inches)
        leader.set(color=arm.look.colour, linewidth=0.7, alpha=0.55, zorder=0)
        sample = Line2D([start, start + _SAMPLE / 2, start + _SAMPLE], [height] * 3, transform=inches)
        sample.set_markevery([1])
        _dress(sample, arm.look)
        figure.add_artist(leader)
        figure.add_artist(sample)
        name.set(transform=inches, position=(start + _SAMPLE + _SPACE, height))


def _size(words: Text) -> tuple[float, float]:
    """Width and height in pixels."""
    box = words.get_window_extent()
    return box.width, box.height


def _percent(value: float) -> str:
    """A fraction in per cent with three digits at most: 0.0512 is "5.12 %"."""
    return f"{100.0 * value:.3g} %"

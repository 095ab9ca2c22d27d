"""Draw docs/figures/growth_*.svg from the JSON that growth.py wrote.

python benchmarks/plots.py [benchmarks/results/growth.json] [docs/figures]
"""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullLocator

from askwell.report.looks import QUIET, RULE, STYLE

ROOT = Path(__file__).resolve().parents[1]
COLOURS = {"fp32": "#0072B2", "bf16": "#D55E00"}
MARKERS = {"fp32": "o", "bf16": "s"}
AXES: Mapping[str, str] = {
    "items": "images in the pool, N",
    "samples": "posterior samples, T",
    "classes": "classes, C",
    "labels": "labelled images",
}
WIDTH, HEIGHT = 6.4, 4.2
FEW_DECADES = 50  # between the largest and the least, below which powers of ten are too few marks


def title_of(axis: str, points: Sequence[Mapping[str, Any]], report: Mapping[str, Any]) -> str:
    """What was done, and what was held fixed."""
    first = points[0]
    if axis == "labels":
        return f"Training for {report['epochs']} epochs in batches of 128"
    fixed = {
        "items": f"N = {first['items']:,}",
        "samples": f"T = {first['samples']}",
        "classes": f"C = {first['classes']}",
    }
    return "Scoring by BALD, " + ", ".join(text for name, text in fixed.items() if name != axis)


def figure_of(axis: str, report: Mapping[str, Any]) -> Figure:
    """Measured medians as dots, every repeat as a small one, the FLOP model as a line; both scales logarithmic."""
    figure = Figure(figsize=(WIDTH, HEIGHT), facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0.11, 0.13, 0.84, 0.76))
    points = [point for point in report["points"] if point["axis"] == axis]
    for precision, colour in COLOURS.items():
        chosen = [point for point in points if point["precision"] == precision]
        places = [point[axis] for point in chosen]
        axes.plot(places, [point["model_seconds"] for point in chosen], color=colour, linewidth=1.2, zorder=2)
        for point in chosen:
            repeats = point["seconds"]
            axes.plot([point[axis]] * len(repeats), repeats, MARKERS[precision], color=colour, alpha=0.35, markersize=3)
        medians = [point["median"] for point in chosen]
        axes.plot(places, medians, MARKERS[precision], color=colour, markersize=6, zorder=3)
    _scales(axes, axis, points)
    axes.set_title(title_of(axis, points, report), loc="left", fontsize=11, pad=10)
    _legend(axes, [precision for precision in COLOURS if any(point["precision"] == precision for point in points)])
    return figure


def _scales(axes: Axes, axis: str, points: Sequence[Mapping[str, Any]]) -> None:
    places = sorted({point[axis] for point in points})
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.xaxis.set_major_locator(FixedLocator(places))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_locator(NullLocator())
    heights = [value for point in points for value in (*point["seconds"], point["model_seconds"])]
    if max(heights) < FEW_DECADES * min(heights):
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.set_ylim(min(heights) / 1.6, max(heights) * 6)  # the legend's room
    axes.set_xlim(places[0] / 1.25, places[-1] * 1.25)
    axes.set_xlabel(AXES[axis])
    axes.set_ylabel("seconds")
    axes.grid(color=RULE, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def _legend(axes: Axes, precisions: Sequence[str]) -> None:
    dots = [
        Line2D([], [], linestyle="", marker=MARKERS[name], color=COLOURS[name], label=f"{name}, measured")
        for name in precisions
    ]
    lines = [Line2D([], [], linewidth=1.2, color=COLOURS[name], label=f"{name}, FLOP model") for name in precisions]
    axes.legend(handles=[*dots, *lines], loc="upper left", ncols=2, frameon=False, labelcolor=QUIET)


def draw(report: Mapping[str, Any], directory: Path) -> list[Path]:
    """One SVG for each axis; the same report gives the same bytes."""
    directory.mkdir(parents=True, exist_ok=True)
    paths: list[Path] = []
    with style.context(["default", STYLE]):
        for axis in AXES:
            paths.append(directory / f"growth_{axis}.svg")
            figure_of(axis, report).savefig(paths[-1], metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    return paths


if __name__ == "__main__":
    source = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "benchmarks" / "results" / "growth.json"
    target = Path(sys.argv[2]) if len(sys.argv) > 2 else ROOT / "docs" / "figures"
    print(*draw(json.loads(source.read_text(encoding="utf-8")), target), sep="\n")

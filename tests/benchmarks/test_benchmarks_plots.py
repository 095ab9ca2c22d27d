"""Figures are redrawn from the report, byte for byte."""

from pathlib import Path
from typing import Any

from flop_model import Limits
from growth import Point, report_of
from plots import AXES, draw, figure_of


def report() -> dict[str, Any]:
    """Two precisions, two places on each axis."""
    points = [
        Point(axis, precision, items=1000 * place, samples=place, classes=10 * place, labels=100 * place)
        for axis in AXES
        for precision in ("fp32", "bf16")
        for place in (1, 2)
    ]
    limits = Limits(2e11, 4e-5)
    return {"epochs": 10, "points": [report_of(point, [1.0, 3.0, 2.0], limits) for point in points]}


def test_every_axis_has_its_figure_and_the_same_bytes_again(tmp_path: Path):
    first, second = draw(report(), tmp_path / "a"), draw(report(), tmp_path / "b")
    assert [path.name for path in first] == [f"growth_{axis}.svg" for axis in AXES]
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_dots_are_medians_and_lines_the_model():
    (axes,) = figure_of("samples", report()).axes
    ours = [line for line in axes.get_lines() if line.get_markersize() == 6 and line.get_linestyle() == "None"]
    lines = [line for line in axes.get_lines() if line.get_linestyle() == "-" and line.get_marker() == "None"]
    expected = [point for point in report()["points"] if point["axis"] == "samples" and point["precision"] == "fp32"]
    assert any(list(line.get_ydata()) == [2.0, 2.0] for line in ours)
    assert list(lines[0].get_ydata()) == [point["model_seconds"] for point in expected]
    assert axes.get_title(loc="left") == "Scoring by BALD, N = 1,000, C = 10"

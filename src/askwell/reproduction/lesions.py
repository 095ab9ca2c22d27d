"""Figure 5's results: the curves of one or several test sets in one file, with the positive images that each round had seen."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from askwell.report.csv_files import count, read_rows, text, write_rows
from askwell.report.curves import CURVE_COLUMNS, CURVE_PARSERS, Curve, CurvePoint, QueryRow

_PARSERS = {**CURVE_PARSERS, "split": text, "positives": count}


class LesionPoint(NamedTuple):
    """A round on the test set of a split: how many of its labels are of the positive class, and its point of the curve."""

    split: str
    positives: int
    point: CurvePoint


def lesion_points(
    split: str, points: Iterable[CurvePoint], queries: Iterable[QueryRow], positive: str
) -> list[LesionPoint]:
    """The points with the positives that were labelled up to each of them; queries are of the same campaigns."""
    found = Counter((row.strategy, row.seed, row.round) for row in queries if row.label == positive)
    return [
        LesionPoint(split, sum(found[point.strategy, point.seed, number] for number in range(point.round + 1)), point)
        for point in points
    ]


def write_lesions(file: Path, rows: Sequence[LesionPoint]) -> None:
    """Replace the table atomically: the columns of curve.csv, then split and positives."""
    cells = ([*(getattr(row.point, name) for name in CURVE_COLUMNS), row.split, row.positives] for row in rows)
    write_rows(file, _PARSERS, cells)


def read_lesions(file: Path) -> list[LesionPoint]:
    """The rows of the table; CampaignStateError when it is not there or not as it was written."""
    return [LesionPoint(row.pop("split"), row.pop("positives"), CurvePoint(**row)) for row in read_rows(file, _PARSERS)]


Seeds = dict[int, Curve]


def auc_curves(rows: Iterable[LesionPoint], split: str) -> dict[str, Seeds]:
    """Strategy -> seed -> AUC on the split's test images, against labels."""
    return _curves(
        (row.point.strategy, row.point.seed, row.point.labels, row.point.auc) for row in rows if row.split == split
    )


def positive_curves(rows: Iterable[LesionPoint], split: str, initial: int) -> dict[str, Seeds]:
    """Strategy -> seed -> positive images acquired after the initial ones, against labels."""
    own = [row for row in rows if row.split == split]
    first = {(row.point.strategy, row.point.seed): row.positives for row in own if row.point.labels == initial}
    return _curves(
        (
            row.point.strategy,
            row.point.seed,
            row.point.labels,
            row.positives - first[row.point.strategy, row.point.seed],
        )
        for row in own
        if (row.point.strategy, row.point.seed) in first
    )


def splits_of(rows: Iterable[LesionPoint]) -> list[str]:
    """The splits, in the order in which they appear."""
    return list(dict.fromkeys(row.split for row in rows))


def _curves(values: Iterable[tuple[str, int, int, float | None]]) -> dict[str, Seeds]:
    found: dict[str, dict[int, dict[int, float]]] = {}
    for strategy, seed, labels, value in values:
        if value is not None:
            found.setdefault(strategy, {}).setdefault(seed, {})[labels] = float(value)
    return {name: {seed: _curve(own[seed]) for seed in sorted(own)} for name, own in found.items()}


def _curve(values: Mapping[int, float]) -> Curve:
    labels = sorted(values)
    return Curve(tuple(labels), tuple(values[n] for n in labels))

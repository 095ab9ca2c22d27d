"""Learning curves as numbers: their files, crossings, areas, means over seeds, and the accuracy at the end."""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from askwell.errors import CampaignStateError, NonFiniteError, ShapeError, UsageError
from askwell.report.csv_files import count, fraction, number, read_rows, text, write_rows

BASELINE = "random"

CURVE_PARSERS = {
    "strategy": text,
    "seed": count,
    "round": count,
    "labels": count,
    "accuracy": fraction,
    "nll": number,
    "ece": fraction,
    "auc": fraction,
    "seconds_fit": number,
    "seconds_score": number,
}
_QUERY_PARSERS = {
    "strategy": text,
    "seed": count,
    "round": count,
    "rank": count,
    "id": text,
    "label": text,
    "score": number,
}
CURVE_COLUMNS = tuple(CURVE_PARSERS)
QUERY_COLUMNS = tuple(_QUERY_PARSERS)


@dataclass(frozen=True)
class CurvePoint:
    """One round of one run: labels the learner saw, errors as fractions, nll in nats, times in seconds; None where undefined."""

    strategy: str
    seed: int
    round: int
    labels: int
    accuracy: float | None = None
    nll: float | None = None
    ece: float | None = None
    auc: float | None = None
    seconds_fit: float | None = None
    seconds_score: float | None = None

    def __post_init__(self) -> None:
        for name in CURVE_COLUMNS[4:]:
            value = getattr(self, name)
            if value is not None and math.isnan(value):
                raise NonFiniteError(
                    f"{name} of round {self.round}: expected a number, or None where undefined, found NaN."
                )


@dataclass(frozen=True)
class QueryRow:
    """One image that was asked: its rank within the round (0 first), the answer, and its score or None where the strategy has none."""

    strategy: str
    seed: int
    round: int
    rank: int
    id: str
    label: str
    score: float | None = None


@dataclass(frozen=True)
class Curve:
    """Accuracy against labels, of one seed or the mean over seeds; labels ascend without repeats, accuracy is a fraction."""

    labels: tuple[int, ...]
    accuracy: tuple[float, ...]


@dataclass(frozen=True)
class FinalAccuracy:
    """Accuracy (a fraction) at each seed's last measured round, the labels there, and the mean over seeds."""

    mean: float
    per_seed: Mapping[int, float]
    labels: Mapping[int, int]


def write_curve(path: Path, points: Iterable[CurvePoint]) -> None:
    """Replace curve.csv atomically; NonFiniteError for NaN, UsageError for a value its column does not take."""
    write_rows(path, CURVE_PARSERS, ([getattr(point, name) for name in CURVE_COLUMNS] for point in points))


def read_curve(path: Path) -> list[CurvePoint]:
    """The points of curve.csv, exactly as written; CampaignStateError names file, line, expected and found."""
    points = [CurvePoint(**row) for row in read_rows(path, CURVE_PARSERS)]
    if repeat := _repeated(points):
        raise CampaignStateError(
            f"{path}: expected each round once, found twice {repeat}; put back a copy of the file."
        )
    return points


def write_queries(path: Path, rows: Iterable[QueryRow]) -> None:
    """Replace queries.csv atomically; NonFiniteError for NaN, UsageError for a value its column does not take."""
    write_rows(path, _QUERY_PARSERS, ([getattr(row, name) for name in QUERY_COLUMNS] for row in rows))


def read_queries(path: Path) -> list[QueryRow]:
    """The rows of queries.csv, exactly as written; CampaignStateError names file, line, expected and found."""
    return [QueryRow(**row) for row in read_rows(path, _QUERY_PARSERS)]


def first_crossing(labels: Sequence[int], accuracy: Sequence[float], target: float) -> int | None:
    """The smallest labels count at which accuracy >= target; None = not reached. ShapeError for lists of unequal length."""
    _check_lengths(labels, accuracy)
    return min((n for n, value in zip(labels, accuracy, strict=True) if value >= target), default=None)


def sustained_crossing(labels: Sequence[int], accuracy: Sequence[float], target: float) -> int | None:
    """The smallest labels count from which on accuracy never falls below target again; None = the curve ends below it.

    Raises ShapeError for lists of unequal length.
    """
    _check_lengths(labels, accuracy)
    below = max((n for n, value in zip(labels, accuracy, strict=True) if value < target), default=-1)
    return min((n for n in labels if n > below), default=None)


def area_under_curve(labels: Sequence[int], accuracy: Sequence[float]) -> float | None:
    """Mean accuracy over the labels range: the trapezoid's area divided by the range; None for fewer than two labels counts.

        A = 1 / (n_K - n_0)  sum_k (n_k - n_(k-1)) (a_k + a_(k-1)) / 2

    Areas compare only over the same range. Raises ShapeError for lists of unequal length.
    """
    _check_lengths(labels, accuracy)
    order = np.argsort(labels, kind="stable")
    x, y = np.asarray(labels, dtype=float)[order], np.asarray(accuracy, dtype=float)[order]
    if len(x) == 0 or x[-1] == x[0]:
        return None
    return float(np.trapezoid(y, x) / (x[-1] - x[0]))


def curves_by_strategy(points: Iterable[CurvePoint]) -> dict[str, dict[int, Curve]]:
    """Strategy -> seed -> curve, of the points whose accuracy is defined; strategies in order of appearance, seeds ascending.

    Where several rounds have the same labels count, the last one speaks. Raises UsageError if a round occurs twice.
    """
    points = list(points)
    if repeat := _repeated(points):
        raise UsageError(f"expected each round of a run once, found twice {repeat}; give each campaign once.")
    values: dict[str, dict[int, dict[int, float]]] = {}
    for point in sorted(points, key=lambda point: point.round):
        if point.accuracy is not None:
            values.setdefault(point.strategy, {}).setdefault(point.seed, {})[point.labels] = point.accuracy
    return {
        name: {seed: _curve(values[name][seed]) for seed in sorted(values[name])}
        for name in dict.fromkeys(point.strategy for point in points)
        if name in values
    }


def common_labels(curves: Mapping[int, Curve]) -> list[int]:
    """The labels counts that every seed's curve has, ascending."""
    return sorted(set.intersection(*(set(curve.labels) for curve in curves.values()))) if curves else []


def mean_labels(curves: Mapping[int, Curve]) -> list[int]:
    """The labels counts of any seed that lie inside every seed's range, ascending: where a mean over seeds is taken."""
    if not curves:
        return []
    low, high = _overlap(curves.values())
    return sorted({n for curve in curves.values() for n in curve.labels if low <= n <= high})


def accuracies_at(curves: Mapping[int, Curve], labels: int) -> list[float]:
    """Every seed's accuracy at a labels count inside its range, in the order of the seeds; straight lines join a seed's points."""
    return [float(np.interp(labels, curve.labels, curve.accuracy)) for curve in curves.values()]


def mean_curve(curves: Mapping[int, Curve]) -> Curve:
    """The mean over seeds at their ``mean_labels``; rounded to 12 digits, so that a mean of exactly 0.95 reaches 0.95."""
    labels = mean_labels(curves)
    return Curve(tuple(labels), tuple(_mean(accuracies_at(curves, n)) for n in labels))


def interpolated(curves: Mapping[int, Curve]) -> bool:
    """Whether the mean over seeds is taken at labels counts that not every seed has."""
    return mean_labels(curves) != common_labels(curves)


def common_range(curves: Iterable[Curve]) -> tuple[int, int] | None:
    """The labels counts from which and up to which every curve goes; None where there is no such range."""
    curves = list(curves)
    if not curves:
        return None
    low, high = _overlap(curves)
    return (low, high) if low < high else None


def area_between(curve: Curve, low: int, high: int) -> float:
    """``area_under_curve`` from low to high labels, both within the curve's own; straight lines join its points."""
    inside = [n for n in curve.labels if low < n < high]
    labels = [low, *inside, high]
    accuracy = np.interp(labels, curve.labels, curve.accuracy)
    area = area_under_curve(labels, accuracy.tolist())
    assert area is not None, "low lies below high"
    return area


def final_accuracies(points: Iterable[CurvePoint]) -> dict[str, FinalAccuracy]:
    """Strategy -> accuracy at the end, per seed and mean."""
    final: dict[str, FinalAccuracy] = {}
    for name, seeds in curves_by_strategy(points).items():
        per_seed = {seed: curve.accuracy[-1] for seed, curve in seeds.items()}
        labels = {seed: curve.labels[-1] for seed, curve in seeds.items()}
        final[name] = FinalAccuracy(_mean(list(per_seed.values())), per_seed, labels)
    return final


def _overlap(curves: Collection[Curve]) -> tuple[int, int]:
    """The last beginning and the first end; the second is less where the curves share no labels count."""
    return max(curve.labels[0] for curve in curves), min(curve.labels[-1] for curve in curves)


def _curve(accuracy: Mapping[int, float]) -> Curve:
    labels = sorted(accuracy)
    return Curve(tuple(labels), tuple(accuracy[n] for n in labels))


def _mean(values: Sequence[float]) -> float:
    return round(math.fsum(values) / len(values), 12)


def _repeated(points: Iterable[CurvePoint]) -> str:
    """The first round that occurs a second time, in words, or nothing."""
    seen: set[tuple[str, int, int]] = set()
    for point in points:
        key = (point.strategy, point.seed, point.round)
        if key in seen:
            return f"strategy {point.strategy!r}, seed {point.seed}, round {point.round}"
        seen.add(key)
    return ""


def _check_lengths(labels: Sequence[int], accuracy: Sequence[float]) -> None:
    if len(labels) != len(accuracy):
        raise ShapeError(f"expected one accuracy per labels count, found {len(accuracy)} for {len(labels)} counts.")

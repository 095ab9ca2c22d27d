"""May the probabilities be believed? Confidence against accuracy at the end, and the calibration error over labels."""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from askwell.report.curves import Curve, CurvePoint, accuracies_at, mean_labels
from askwell.report.evaluations import CalibrationBin, RunEvaluation


class Reliability(NamedTuple):
    """One strategy's bins at the last round, the test images of all seeds together; confidence and accuracy over all of them."""

    strategy: str
    bins: tuple[CalibrationBin, ...]
    confidence: float
    accuracy: float


def reliabilities(evaluations: Iterable[RunEvaluation]) -> list[Reliability]:
    """One for each strategy, in order of appearance, at each seed's last round; bins without images are left out."""
    last: dict[str, list[Sequence[CalibrationBin]]] = {}
    for run in evaluations:
        if run.rounds:
            last.setdefault(run.strategy, []).append(max(run.rounds, key=lambda part: part.round).calibration)
    return [_reliability(strategy, runs) for strategy, runs in last.items()]


def _reliability(strategy: str, runs: Sequence[Sequence[CalibrationBin]]) -> Reliability:
    width = max(map(len, runs))
    merged = [_merged([bins[place] for bins in runs if place < len(bins)]) for place in range(width)]
    full = tuple(part for part in merged if part.items)
    total = _merged(full)
    assert total.confidence is not None
    assert total.accuracy is not None
    return Reliability(strategy, full, total.confidence, total.accuracy)


def _merged(bins: Sequence[CalibrationBin]) -> CalibrationBin:
    """Several bins as one: counts added, means weighted by them."""
    items = sum(part.items for part in bins)
    if items == 0:
        return CalibrationBin(0, None, None)
    confidence = math.fsum(part.items * part.confidence for part in bins if part.confidence is not None)
    accuracy = math.fsum(part.items * part.accuracy for part in bins if part.accuracy is not None)
    return CalibrationBin(items, confidence / items, accuracy / items)


def ece_curves(points: Iterable[CurvePoint]) -> dict[str, Curve]:
    """Strategy -> mean calibration error over seeds, at labels counts inside every seed's range; strategies without are left out."""
    values: dict[str, dict[int, dict[int, float]]] = {}
    for point in sorted(points, key=lambda point: point.round):
        if point.ece is not None:
            values.setdefault(point.strategy, {}).setdefault(point.seed, {})[point.labels] = point.ece
    curves: dict[str, Curve] = {}
    for strategy, seeds in values.items():
        own = {seed: Curve(tuple(sorted(at)), tuple(at[n] for n in sorted(at))) for seed, at in seeds.items()}
        if labels := mean_labels(own):
            curves[strategy] = Curve(tuple(labels), tuple(math.fsum(accuracies_at(own, n)) / len(own) for n in labels))
    return curves

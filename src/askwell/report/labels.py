"""How many labels a target accuracy needed: first and for good, by the mean curve and in the median over seeds, against random.

A target that was not reached is censored (">1000" in print), never dropped: in a median it counts as infinite.
"""

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from askwell.errors import SettingsError
from askwell.report.curves import (
    BASELINE,
    Curve,
    CurvePoint,
    curves_by_strategy,
    first_crossing,
    mean_curve,
    sustained_crossing,
)

DEFAULT_TARGETS = (0.80, 0.90, 0.95, 0.98, 0.99)


class Bounds(NamedTuple):
    """Where a median over seeds lies, as far as the runs tell: low = high where it is known, high infinite where too few seeds
    reached the target; above: it is more than low.
    """

    low: float
    high: float
    above: bool = False


@dataclass(frozen=True)
class LabelsRow:
    """How many labels one strategy needed for one target; None = not reached (censored), or no random arm to compare with.

    ``mean_*`` are crossings of the mean curve over seeds, followed up to ``mean_max_labels`` (None where the seeds share no range
    of labels); ``median_*`` are medians over the seeds' own crossings. ``*_ratio`` is this strategy's mean crossing over random's: 0.4
    means 40 % of random's labels.
    """

    strategy: str
    target: float
    seeds: int
    mean_max_labels: int | None
    mean_first: int | None
    mean_sustained: int | None
    median_first: Bounds
    median_sustained: Bounds
    first_ratio: float | None
    sustained_ratio: float | None


@dataclass(frozen=True)
class Missed:
    """Targets that were not reached.

    never   no run reached them
    seldom  target -> how many runs reached it, of the targets that have no row for want of a mean or median that reached them
    runs    how many runs there are; they ended with ``ends[0]`` to ``ends[1]`` labels
    """

    never: tuple[float, ...]
    seldom: Mapping[float, int]
    runs: int
    ends: tuple[int, int]


def labels_table(points: Iterable[CurvePoint], targets: Sequence[float] = DEFAULT_TARGETS) -> list[LabelsRow]:
    """Labels needed, target by target and within it strategy by strategy; SettingsError for a target outside (0, 1]."""
    _check_targets(targets)
    curves = curves_by_strategy(points)
    means = {name: mean_curve(seeds) for name, seeds in curves.items()}
    return [_labels_row(name, target, curves[name], means) for target in targets for name in curves]


def shown_targets(points: Iterable[CurvePoint], targets: Sequence[float] = DEFAULT_TARGETS) -> tuple[float, ...]:
    """The targets worth a row, ascending: some curve starts below them, and at most one of them is reached by no strategy.

    Raises SettingsError for a target outside (0, 1].
    """
    _check_targets(targets)
    points = list(points)
    starts = [curve.accuracy[0] for seeds in curves_by_strategy(points).values() for curve in seeds.values()]
    above = sorted({target for target in targets if any(start < target for start in starts)})
    rows = labels_table(points, above)
    reached = {row.target for row in rows if row.mean_first is not None or math.isfinite(row.median_first.high)}
    return tuple(above[: sum(target in reached for target in above) + 1])


def missed_targets(points: Iterable[CurvePoint], targets: Sequence[float] = DEFAULT_TARGETS) -> Missed | None:
    """What was not reached, ascending, whether it is worth a row or not; None without a measured accuracy.

    Raises SettingsError for a target outside (0, 1].
    """
    points = list(points)
    shown = shown_targets(points, targets)
    runs = [curve for seeds in curves_by_strategy(points).values() for curve in seeds.values()]
    if not runs:
        return None
    ends = [curve.labels[-1] for curve in runs]
    reached = {target: sum(max(curve.accuracy) >= target for curve in runs) for target in sorted(set(targets))}
    never = tuple(target for target, count in reached.items() if count == 0)
    started = min(curve.accuracy[0] for curve in runs)
    seldom = {target: n for target, n in reached.items() if n and target > started and target not in shown}
    return Missed(never, seldom, len(runs), (min(ends), max(ends)))


def _labels_row(strategy: str, target: float, curves: Mapping[int, Curve], means: Mapping[str, Curve]) -> LabelsRow:
    mean, first, sustained = means[strategy], *_crossings(means[strategy], target)
    random = _crossings(means[BASELINE], target) if BASELINE in means and strategy != BASELINE else (None, None)
    own = [_crossings(curve, target) for curve in curves.values()]
    ends = [curve.labels[-1] for curve in curves.values()]
    return LabelsRow(
        strategy=strategy,
        target=target,
        seeds=len(curves),
        mean_max_labels=mean.labels[-1] if mean.labels else None,
        mean_first=first,
        mean_sustained=sustained,
        median_first=_censored_median([pair[0] for pair in own], ends),
        median_sustained=_censored_median([pair[1] for pair in own], ends),
        first_ratio=_ratio(first, random[0]),
        sustained_ratio=_ratio(sustained, random[1]),
    )


def _crossings(curve: Curve, target: float) -> tuple[int | None, int | None]:
    return (
        first_crossing(curve.labels, curve.accuracy, target),
        sustained_crossing(curve.labels, curve.accuracy, target),
    )


def _censored_median(crossings: Sequence[int | None], ends: Sequence[int]) -> Bounds:
    """The median with "not reached" as a little more than the run's end, which is the least it can be, and as infinity."""
    least = sorted((end, True) if value is None else (value, False) for value, end in zip(crossings, ends, strict=True))
    middle = least[(len(least) - 1) // 2 : len(least) // 2 + 1]
    high = statistics.median(math.inf if value is None else value for value in crossings)
    return Bounds(statistics.fmean(value for value, _ in middle), float(high), any(censored for _, censored in middle))


def _ratio(labels: int | None, baseline: int | None) -> float | None:
    return labels / baseline if labels is not None and baseline else None


def _check_targets(targets: Sequence[float]) -> None:
    for target in targets:
        if not 0.0 < target <= 1.0:
            raise SettingsError(
                f"expected targets as fractions above 0 and up to 1, found {target}; write 0.95 for 95 %."
            )

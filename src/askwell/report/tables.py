"""The page's tables as text, cell by cell."""

import math
import statistics
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from askwell.report import wording
from askwell.report.calibration import Reliability
from askwell.report.confusion import Confusion
from askwell.report.curves import (
    BASELINE,
    CurvePoint,
    QueryRow,
    area_between,
    common_range,
    curves_by_strategy,
    final_accuracies,
)
from askwell.report.evaluations import RoundEvaluation, RunEvaluation
from askwell.report.intervals import mean_interval
from askwell.report.paired import PairedTest
from askwell.report.set_aside import SetAside, by_reason, union
from askwell.report.verdicts import p_text

_MOST_LABELS = 20  # classes that get a row of their own in the table of what was asked
_MOST_REASONS, _FIRST_IDS = 12, 3  # of the images set aside: rows, and ids named in each
_METRICS = {"nll": "NLL, nats", "ece": "ECE", "auc": "AUC"}
_SHOWN_ROUNDS = {1: ("last",), 2: ("first", "last"), 3: ("first", "middle", "last")}


@dataclass(frozen=True)
class Table:
    """Cells as text; the first column names the row, the others are aligned as numbers."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def areas_table(points: Sequence[CurvePoint]) -> tuple[Table, tuple[int, int] | None]:
    """Strategy by strategy the mean area under the curve, and the labels it goes from and to: the range common to all runs."""
    curves = curves_by_strategy(points)
    labels = common_range(curve for seeds in curves.values() for curve in seeds.values())
    if labels is None:
        return Table((), ()), None
    rows = [
        (name, str(len(seeds)), _mean_percent([area_between(curve, *labels) for curve in seeds.values()]))
        for name, seeds in curves.items()
    ]
    return Table(("strategy", "seeds", "area under curve"), tuple(rows)), labels


def comparison_table(test: PairedTest) -> Table:
    """Every strategy against random: areas over the pairs, the difference, seed by seed, its interval from 8 seeds on, and p."""
    interval = any(row.interval for row in test.rows)
    header = ["strategy", "pairs", "area", f"{BASELINE}’s area", "difference, points"]
    header += [*(["95 % interval"] if interval else []), "seed by seed, points", "p", "p, Holm"]
    rows: list[tuple[str, ...]] = []
    for row in test.rows:
        cells = [row.strategy, str(len(row.seeds)), _mean_percent(row.areas), _mean_percent(row.baseline)]
        cells.append(wording.points_text(row.mean, signed=True))
        if interval:
            ends = row.interval and map(wording.points_text, row.interval)
            cells.append(" to ".join(ends) if ends else wording.NOTHING)
        cells.append(" ".join(wording.points_text(value, signed=True) for value in row.differences))
        rows.append((*cells, p_text(row.p), p_text(row.holm)))
    return Table(tuple(header), tuple(rows))


def end_table(points: Sequence[CurvePoint], evaluations: Sequence[RunEvaluation] = ()) -> Table:
    """Accuracy at the end and how far it may be off: over seeds (an interval from 8 on) and by the test sample; the other errors."""
    final, samples = final_accuracies(points), test_samples(points, evaluations)
    intervals = {name: mean_interval(list(end.per_seed.values())) for name, end in final.items()}
    errors = {name: [part.accuracy_se for part in parts if part.accuracy_se] for name, parts in samples.items()}
    columns: dict[str, Callable[[str], str]] = {
        "strategy": lambda name: name,
        "labels": lambda name: _range_text(list(final[name].labels.values())),
        "accuracy, mean": lambda name: wording.percent(final[name].mean),
    }
    if any(intervals.values()):
        columns["95 % interval"] = lambda name: _interval_text(intervals[name])
    columns["seed by seed, %"] = lambda name: " ".join(f"{100 * value:.2f}" for value in final[name].per_seed.values())
    if any(len(end.per_seed) > 1 for end in final.values()):
        columns["SD over seeds"] = lambda name: _deviation_text(list(final[name].per_seed.values()))
    if any(errors.values()):
        columns["SE of test sample"] = lambda name: _points(_mean(errors.get(name, [])))
    for metric, heading in _METRICS.items():
        if any(_last(points, name, metric) for name in final):
            columns[heading] = lambda name, metric=metric: _mean_text(_last(points, name, metric), 3)
    return Table(tuple(columns), tuple(tuple(cell(name) for cell in columns.values()) for name in final))


def test_samples(
    points: Sequence[CurvePoint], evaluations: Sequence[RunEvaluation]
) -> dict[str, list[RoundEvaluation]]:
    """Strategy -> its runs' measurements at their last measured round, where there are any."""
    runs = {(run.strategy, run.seed): run for run in evaluations}
    samples: dict[str, list[RoundEvaluation]] = {}
    for point in _last_points(points):
        run = runs.get((point.strategy, point.seed))
        if run is not None and (part := run.at(point.round)) is not None:
            samples.setdefault(point.strategy, []).append(part)
    return samples


def sample_text(samples: Mapping[str, Sequence[RoundEvaluation]]) -> str:
    """A sentence on the test images and, where there are fewer, their groups; nothing without measurements."""
    parts = [part for own in samples.values() for part in own]
    if not parts:
        return ""
    items = _range_text([part.items for part in parts])
    if all(part.groups == part.items for part in parts):
        return f"The test sample has {items} images."
    groups = _range_text([part.groups for part in parts])
    return (
        f"The test sample has {items} images in {groups} groups; as images of one group may resemble one another, its standard error "
        "is clustered by group."
    )


def calibration_table(reliable: Sequence[Reliability]) -> Table:
    """Mean confidence against accuracy at the end, the test images of all seeds together."""
    rows = [
        (
            part.strategy,
            wording.percent(part.confidence),
            wording.percent(part.accuracy),
            wording.points_text(part.confidence - part.accuracy, signed=True),
        )
        for part in reliable
    ]
    return Table(("strategy", "mean confidence", "accuracy", "too sure by, points"), tuple(rows))


def confusion_columns(found: Sequence[Confusion]) -> tuple[str, ...]:
    """The header over the confused pairs: as many of first, middle and last as some strategy has rounds to show."""
    return (
        "true class, and what it was taken for",
        *_SHOWN_ROUNDS[max((len(each.rounds) for each in found), default=1)],
    )


def confusion_groups(found: Sequence[Confusion]) -> list[tuple[str, list[tuple[str, ...]]]]:
    """For each strategy a heading and its pairs: "8 taken for 1", and the share of the true class in the columns' rounds."""
    columns = confusion_columns(found)[1:]
    groups: list[tuple[str, list[tuple[str, ...]]]] = []
    for each in found:
        rounds = " and ".join(filter(None, [", ".join(map(str, each.rounds[:-1])), str(each.rounds[-1])]))
        heading = f"{each.strategy}, {'round' if len(each.rounds) == 1 else 'rounds'} {rounds}"
        own = _SHOWN_ROUNDS[len(each.rounds)]
        rows: list[tuple[str, ...]] = []
        for pair in each.pairs:
            shares = {name: wording.percent(share, 1) for name, share in zip(own, pair.shares, strict=True)}
            cells = (shares.get(name, wording.NOTHING) for name in columns)
            rows.append((f"{pair.truth} taken for {pair.predicted}", *cells))
        groups.append((heading, rows or [("no image was taken for another class", *[wording.NOTHING] * len(columns))]))
    return groups


def set_aside_table(campaigns: Sequence[Sequence[SetAside]]) -> Table:
    """The images set aside by split and reason: how many, and the first ids; rare reasons share a row."""
    reasons = by_reason(union(campaigns))
    rows = [(each.split, each.reason, str(len(each.ids)), _first(each.ids)) for each in reasons[:_MOST_REASONS]]
    if others := reasons[_MOST_REASONS:]:
        ids = [name for each in others for name in each.ids]
        splits = ", ".join(dict.fromkeys(each.split for each in others))
        rows.append((splits, wording.counted(len(others), "other reason", "other reasons"), str(len(ids)), _first(ids)))
    return Table(("split", "reason", "images", "first ids"), tuple(rows))


def time_table(points: Sequence[CurvePoint]) -> Table:
    """Mean seconds per round over all rounds and seeds where they were measured; no rows if none were."""
    rows: list[tuple[str, ...]] = []
    for name in dict.fromkeys(point.strategy for point in points):
        fit = [p.seconds_fit for p in points if p.strategy == name and p.seconds_fit is not None]
        score = [p.seconds_score for p in points if p.strategy == name and p.seconds_score is not None]
        if fit or score:
            rows.append(
                (name, *map(wording.seconds, (_mean(fit), _mean(score))), wording.seconds(sum(fit) + sum(score)))
            )
    return Table(("strategy", "fitting", "scoring", "all rounds and seeds"), tuple(rows))


def asked_table(queries: Sequence[QueryRow]) -> Table:
    """The share of each label among the images asked after the initial ones (round 0); rare labels share a row."""
    queries = [row for row in queries if row.round > 0]
    names = list(dict.fromkeys(row.strategy for row in queries))
    counts = {name: Counter(row.label for row in queries if row.strategy == name) for name in names}
    total = Counter(row.label for row in queries)
    frequent = [label for label, _ in sorted(total.items(), key=lambda item: (-item[1], item[0]))[:_MOST_LABELS]]
    shown = sorted(frequent, key=lambda label: (not label.isdecimal(), label.zfill(20) if label.isdecimal() else label))
    rows = [(label or "(no label)", *(_share(counts[name][label], counts[name]) for name in names)) for label in shown]
    if len(total) > len(shown):
        others = {name: sum(n for label, n in counts[name].items() if label not in shown) for name in names}
        rows.append((f"{len(total) - len(shown)} others", *(_share(others[name], counts[name]) for name in names)))
    rows.append(("images asked", *(str(counts[name].total()) for name in names)))
    return Table(("label", *names), tuple(rows) if queries else ())


def _last_points(points: Sequence[CurvePoint]) -> list[CurvePoint]:
    """Each run's last round with an accuracy."""
    last: dict[tuple[str, int], CurvePoint] = {}
    for point in sorted(points, key=lambda point: (point.labels, point.round)):
        if point.accuracy is not None:
            last[point.strategy, point.seed] = point
    return list(last.values())


def _last(points: Sequence[CurvePoint], strategy: str, metric: str) -> list[float]:
    """The metric at each seed's last measured round, of the seeds where it is defined there."""
    last = [getattr(point, metric) for point in _last_points(points) if point.strategy == strategy]
    return [value for value in last if value is not None]


def _mean(values: Sequence[float]) -> float | None:
    return math.fsum(values) / len(values) if values else None


def _mean_text(values: Sequence[float], digits: int) -> str:
    mean = _mean(values)
    return wording.NOTHING if mean is None else f"{mean:.{digits}f}"


def _mean_percent(values: Sequence[float]) -> str:
    mean = _mean(values)
    return wording.NOTHING if mean is None else wording.percent(mean)


def _points(value: float | None) -> str:
    return wording.NOTHING if value is None else wording.points_text(value)


def _deviation_text(values: Sequence[float]) -> str:
    return _points(statistics.stdev(values) if len(values) > 1 else None)


def _range_text(values: Sequence[int]) -> str:
    low, high = min(values), max(values)
    return str(low) if low == high else f"{low} to {high}"


def _interval_text(interval: tuple[float, float] | None) -> str:
    if interval is None:
        return wording.NOTHING
    return f"{100.0 * max(0.0, interval[0]):.2f} to {wording.percent(min(1.0, interval[1]))}"


def _first(ids: Sequence[str]) -> str:
    return ", ".join([*ids[:_FIRST_IDS], *(["…"] if len(ids) > _FIRST_IDS else [])])


def _share(count: int, counts: Counter[str]) -> str:
    return wording.percent(count / counts.total(), 1)

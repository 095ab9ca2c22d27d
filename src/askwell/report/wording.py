"""The report's numbers in plain words: what was run, labels needed and labels saved."""

import math
from collections.abc import Mapping, Sequence

from askwell.report.curves import BASELINE, CurvePoint
from askwell.report.labels import Bounds, LabelsRow

LABELS_HEADER = (
    "target",
    "strategy",
    "seeds",
    "mean reaches",
    "mean stays",
    "median reaches",
    "median stays",
    f"against {BASELINE}",
)
NOTHING = "–"


def percent(value: float, digits: int = 2) -> str:
    """A fraction in per cent: 0.98125 is "98.12 %"."""
    return f"{100.0 * value:.{digits}f} %"


def target_text(target: float) -> str:
    """A target as its user wrote it: 0.95 is "95 %", 0.995 is "99.5 %"."""
    return f"{100.0 * target:.10g} %"


def seconds(value: float | None) -> str:
    """Seconds with a digit or two after the point; a dash where nothing was measured."""
    if value is None:
        return NOTHING
    return f"{value:.2f}" if value < 10.0 else f"{value:.1f}"


def labels_text(labels: int | float | None, limit: int | None) -> str:
    """A labels count; ">limit" where the target was not reached up to there; a dash where there is no curve to say it."""
    if labels is not None:
        return f"{labels:.0f}" if float(labels).is_integer() else f"{labels:.1f}"
    return NOTHING if limit is None else f">{limit}"


def _bounds_text(median: Bounds) -> str:
    """The median where it is known, else ">low" (or "≥low", if it may be low itself) or the two ends between which it lies."""
    if math.isinf(median.high):
        return f"{'>' if median.above else '≥'}{labels_text(median.low, None)}"
    ends = [labels_text(value, None) for value in dict.fromkeys(median[:2])]
    return " to ".join(ends)


def labels_cells(row: LabelsRow) -> tuple[str, ...]:
    """One row of the labels table as text, in the order of LABELS_HEADER."""
    return (
        target_text(row.target),
        row.strategy,
        str(row.seeds),
        labels_text(row.mean_first, row.mean_max_labels),
        labels_text(row.mean_sustained, row.mean_max_labels),
        _bounds_text(row.median_first),
        _bounds_text(row.median_sustained),
        _against_text(row.first_ratio),
    )


def _against_text(ratio: float | None) -> str:
    if ratio is None:
        return NOTHING
    if ratio == 1.0:
        return "as many"
    change = round(100.0 * abs(ratio - 1.0))
    return f"{change or '<1'} % {'more' if ratio > 1.0 else 'fewer'}"


def seeds_text(seeds: Sequence[int]) -> str:
    """Seeds in words: "seed 0", "seeds 0, 2, 5", "seeds 0 to 9"."""
    if len(seeds) == 1:
        return f"seed {seeds[0]}"
    if len(seeds) > 2 and list(seeds) == list(range(seeds[0], seeds[-1] + 1)):
        return f"seeds {seeds[0]} to {seeds[-1]}"
    return f"seeds {', '.join(map(str, seeds))}"


def what_was_run(points: Sequence[CurvePoint]) -> list[str]:
    """Sentences: the strategies, their seeds, the labels they began and ended with, the rounds."""
    runs: dict[str, dict[int, list[CurvePoint]]] = {}
    for point in points:
        runs.setdefault(point.strategy, {}).setdefault(point.seed, []).append(point)
    seeds = {name: sorted(by_seed) for name, by_seed in runs.items()}
    every = [run for by_seed in runs.values() for run in by_seed.values()]
    first = _span([min(point.labels for point in run) for run in every])
    last = _span([max(point.labels for point in run) for run in every])
    rounds = _span([max(point.round for point in run) for run in every])
    strategies = counted(len(runs), "strategy", "strategies")
    if len({tuple(found) for found in seeds.values()}) == 1:
        shared = next(iter(seeds.values()))
        each = " each" if len(runs) > 1 else ""
        each_seed = f"{counted(len(shared), 'seed', 'seeds')}{each} ({seeds_text(shared)})"
        sentence = f"{strategies} ({', '.join(runs)}), {each_seed}."
    else:
        sentence = f"{strategies}: {'; '.join(f'{name}, {seeds_text(found)}' for name, found in seeds.items())}."
    runs_text = "The run" if len(every) == 1 else "The runs"
    asked = "round" if rounds == "1" else "rounds"
    measured = {point.strategy for point in points if point.accuracy is not None}
    unmeasured = [f"{name} has no measured accuracy." for name in runs if measured and name not in measured]
    began = f"{runs_text} began with {first} labels and ended with {last}, after {rounds} {asked} of asking."
    note = "A labels count includes every label the learner saw: the initial ones, those asked for, and any kept for validation."
    return [sentence, f"{began} {note}", *unmeasured]


def points_text(value: float, *, signed: bool = False) -> str:
    """A fraction in percentage points: 0.0124 is "1.24", signed "+1.24"; what rounds to 0 has no sign."""
    text = f"{100.0 * value:{'+' if signed else ''}.2f}"
    return "0.00" if float(text) == 0.0 else text.replace("-", "−")


def counted(n: int, one: str, many: str) -> str:
    """A number and its noun: "1 seed", "3 seeds"."""
    return f"{n} {one if n == 1 else many}"


def _span(values: Sequence[int]) -> str:
    low, high = min(values), max(values)
    return str(low) if low == high else f"{low} to {high}"


def labels_saved(rows: Sequence[LabelsRow]) -> list[tuple[str, str]]:
    """(strategy, what it saved against random) at the highest target both reached, and beyond; nothing without a random arm."""
    random = {row.target: row for row in rows if row.strategy == BASELINE}
    names = dict.fromkeys(row.strategy for row in rows if row.strategy != BASELINE)
    if not random:
        return []
    return [
        (name, _saved(sorted((r for r in rows if r.strategy == name), key=lambda r: r.target), random))
        for name in names
    ]


def _saved(rows: Sequence[LabelsRow], random: Mapping[float, LabelsRow]) -> str:
    """What one strategy saved; rows ascend by target."""
    if any(row.mean_max_labels is None or random[row.target].mean_max_labels is None for row in rows):
        return "The seeds share no labels count, so there is no mean curve to compare."
    both = [row for row in rows if row.mean_first is not None and random[row.target].mean_first is not None]
    ahead = [row for row in rows if row.mean_first is not None and random[row.target].mean_first is None]
    behind = [row for row in rows if row.mean_first is None and random[row.target].mean_first is not None]
    sentences = [_both_reached(both[-1], random[both[-1].target])] if both else []
    if ahead:
        limit = labels_text(random[ahead[-1].target].mean_max_labels, None)
        sentences.append(
            f"{target_text(ahead[-1].target)} took {ahead[-1].mean_first} labels; {BASELINE} did not reach it with {limit}."
        )
    if behind:
        reached = random[behind[-1].target].mean_first
        limit = labels_text(behind[-1].mean_max_labels, None)
        sentences.append(
            f"{target_text(behind[-1].target)} was not reached with {limit} labels; {BASELINE} took {reached}."
        )
    return " ".join(sentences) or f"No target was reached by it or by {BASELINE}, so nothing can be said."


def _both_reached(row: LabelsRow, random: LabelsRow) -> str:
    """The comparison at a target that both mean curves reached, first and for good."""
    own, other = row.mean_first, random.mean_first
    assert own is not None
    assert other is not None
    difference = other - own
    share = f" ({_against_text(row.first_ratio).rsplit(' ', 1)[0]})" if row.first_ratio is not None else ""
    verdict = f"{abs(difference)} {'fewer' if difference > 0 else 'more'}{share}"
    stays = f"{labels_text(row.mean_sustained, row.mean_max_labels)} against {labels_text(random.mean_sustained, random.mean_max_labels)}"
    return (
        f"{target_text(row.target)} accuracy took {own} labels, {BASELINE} took {other}: "
        f"{verdict if difference else 'as many'}. To stay above it: {stays}."
    )

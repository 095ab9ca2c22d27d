"""The report's numbers in plain words: what was run, labels needed and labels saved."""

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence

from askwell.report.curves import BASELINE, CurvePoint, curves_by_strategy, interpolated
from askwell.report.labels import Bounds, LabelsRow, missed_targets
from askwell.report.set_aside import SetAside, union

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
UNMEASURED = (
    "No round has a measured accuracy, so there is no curve to draw and nothing can be said about labels needed or saved. Keep some "
    "labelled images for evaluation to have them."
)


def percent(value: float, digits: int = 2) -> str:
    """A fraction in per cent: 0.98125 is "98.12 %"."""
    return f"{100.0 * value:.{digits}f} %"


def network_said(settings: Mapping[str, str]) -> list[str]:
    """A sentence on the network and the weights it began with, from the report's settings; none on a user's own function."""
    model, name = settings.get("recipe.model"), settings.get("recipe.backbone.name")
    if not model or ":" in model:
        return []
    if not name:
        return [f"The network, {model}, began with random weights."]
    weights, sha256 = settings.get("recipe.backbone.weights", ""), settings.get("recipe.backbone.sha256", "")
    fits = {
        "whole": "all of it was trained",
        "last_blocks": "its last blocks were trained",
        "frozen": "its trunk was kept frozen",
    }
    trained = fits.get(settings.get("recipe.backbone.fit", ""), "what was trained differs")
    begun = "with random weights" if weights == "none" else f"with the weights of {_file_name(weights)}"
    known = f" (sha256 {sha256[:12]}...)" if sha256 and weights != "none" else ""
    return [f"The network, {name}, began {begun}{known}; {trained}."]


def _file_name(weights: str) -> str:
    return "files that differ" if weights == "differs" else re.split(r"[/\\]", weights)[-1]


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
        return "The seeds share no range of labels, so there is no mean curve to compare."
    both = [row for row in rows if row.mean_first is not None and random[row.target].mean_first is not None]
    ahead = [row for row in rows if row.mean_first is not None and random[row.target].mean_first is None]
    behind = [row for row in rows if row.mean_first is None and random[row.target].mean_first is not None]
    sentences = [_both_reached(both[-1], random[both[-1].target])] if both else []
    if ahead:
        own, other = _ends(ahead[-1], random[ahead[-1].target])
        end = f", where its curve ends (this one ends at {own})" if own != other else ""
        sentences.append(
            f"{target_text(ahead[-1].target)} took {ahead[-1].mean_first} labels; {BASELINE} did not reach it with {other}{end}."
        )
    if behind:
        reached = random[behind[-1].target].mean_first
        own, other = _ends(behind[-1], random[behind[-1].target])
        end = f", where this curve ends ({BASELINE}’s ends at {other})" if own != other else ""
        sentences.append(
            f"{target_text(behind[-1].target)} was not reached with {own} labels{end}; {BASELINE} took {reached}."
        )
    return " ".join(sentences) or f"No target was reached by it or by {BASELINE}, so nothing can be said."


def _ends(row: LabelsRow, random: LabelsRow) -> tuple[str, str]:
    """The labels counts at which the two mean curves end."""
    return labels_text(row.mean_max_labels, None), labels_text(random.mean_max_labels, None)


def _both_reached(row: LabelsRow, random: LabelsRow) -> str:
    """The comparison at a target that both mean curves reached, first and for good."""
    own, other = row.mean_first, random.mean_first
    assert own is not None
    assert other is not None
    difference = other - own
    share = f" ({_against_text(row.first_ratio).rsplit(' ', 1)[0]})" if row.first_ratio is not None else ""
    verdict = f"{abs(difference)} {'fewer' if difference > 0 else 'more'}{share}"
    stays = f"{labels_text(row.mean_sustained, row.mean_max_labels)} against {labels_text(random.mean_sustained, random.mean_max_labels)}"
    ends = _ends(row, random)
    end = f", up to where each curve ends ({ends[0]} and {ends[1]} labels)" if ends[0] != ends[1] else ""
    return (
        f"{target_text(row.target)} accuracy took {own} labels, {BASELINE} took {other}: "
        f"{verdict if difference else 'as many'}. To stay above it: {stays}{end}."
    )


def labels_said(points: Sequence[CurvePoint], targets: Sequence[float], rows: Sequence[LabelsRow]) -> list[str]:
    """Sentences beside the labels table of these rows: what was not reached, or why there is no table."""
    missed = missed_targets(points, targets)
    if missed is None:
        return [UNMEASURED]
    if not rows:
        every = ", ".join(map(target_text, sorted(targets)))
        return [f"Every curve began above every target ({every}), so no labels count can be given."]
    said: list[str] = []
    if missed.never:
        low, high = missed.ends
        limit = f">{high} labels" if low == high else f"the runs ended with {low} to {high} labels"
        was = "was" if len(missed.never) == 1 else "were"
        said.append(f"{_listed(list(map(target_text, missed.never)))} {was} not reached by any run ({limit}).")
    for target, count in missed.seldom.items():
        said.append(
            f"{target_text(target)} was reached by {count} of {missed.runs} runs, but by no strategy’s mean or median."
        )
    return said


def interpolated_text(points: Sequence[CurvePoint]) -> str:
    """A sentence on the means that are taken between some seeds' points; nothing where all seeds share their labels counts."""
    names = [name for name, seeds in curves_by_strategy(points).items() if interpolated(seeds)]
    if not names:
        return ""
    return (
        f"The seeds of {_listed(names)} have different labels counts, so their mean is taken at every count of any seed within the range "
        "that all of them cover, on straight lines between each seed’s points."
    )


def set_aside_text(campaigns: Sequence[Sequence[SetAside]]) -> str:
    """How many images the campaigns set aside, of which split, and whether all the same; nothing where there are none."""
    rows = union(campaigns)
    if not rows:
        return ""
    splits = _listed([f"{n} of the {split} images" for split, n in Counter(row.split for row in rows).items()])
    were = "image was" if len(rows) == 1 else "images were"
    differ = len({frozenset(row[:2] for row in own) for own in campaigns}) > 1
    return f"{len(rows)} {were} set aside: {splits}." + (
        " Not all campaigns set aside the same ones." if differ else ""
    )


def _listed(words: Sequence[str]) -> str:
    """Words as a list: "a", "a and b", "a, b and c"."""
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))

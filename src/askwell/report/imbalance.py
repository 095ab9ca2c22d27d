"""Two classes of which one is rare: what accuracy hides, which fits took all images for one class, and how many positives were found."""

from collections.abc import Iterable, Sequence
from statistics import fmean

from askwell.report import wording
from askwell.report.curves import CurvePoint, QueryRow
from askwell.report.evaluations import RoundEvaluation, RunEvaluation
from askwell.report.tables import Table, test_samples

_DIGITS = 3
_MOST_ROUNDS = 8  # that have a column each


def imbalance_table(points: Sequence[CurvePoint], evaluations: Sequence[RunEvaluation]) -> Table:
    """At each run's last round, the means over seeds; no rows unless every measured run has two classes."""
    samples = test_samples(points, evaluations)
    if not samples or any(part.two_classes is None for parts in samples.values() for part in parts):
        return Table((), ())
    aucs = {(point.strategy, point.seed, point.round): point.auc for point in points}
    last = {
        name: [
            auc
            for run in evaluations
            if run.strategy == name
            and (auc := aucs.get((name, run.seed, max(part.round for part in run.rounds)))) is not None
        ]
        for name in samples
    }
    header = (
        "strategy",
        "AUC",
        "average precision",
        "of a constant",
        "sensitivity at 95 % specificity",
        "balanced accuracy",
    )
    return Table(header, tuple((name, *_cells(parts, last[name])) for name, parts in samples.items()))


def found_table(queries: Sequence[QueryRow], positive: str) -> Table:
    """How many images of the positive class a strategy has asked for by each round, or by 8 of them, as means over seeds."""
    asked = [row for row in queries if row.round > 0]
    last = max((row.round for row in asked), default=0)
    rounds = sorted({1 + (last - 1) * place // (_MOST_ROUNDS - 1) for place in range(_MOST_ROUNDS)}) if last else []
    rows = []
    for name in dict.fromkeys(row.strategy for row in asked):
        own = [row for row in asked if row.strategy == name]
        rows.append((name, *(_found_by(own, positive, number) for number in rounds)))
    return Table(("strategy", *(f"by round {number}" for number in rounds)), tuple(rows))


def positive_class(evaluations: Iterable[RunEvaluation]) -> str | None:
    """The name of the second class, where all runs have the same two."""
    classes = {run.classes for run in evaluations}
    (only,) = classes if len(classes) == 1 else ((),)
    return only[1] if len(only) == 2 else None


def collapsed(evaluations: Sequence[RunEvaluation]) -> list[str]:
    """A sentence for each strategy with rounds in which every test image was taken for one class."""
    sentences = []
    for name in dict.fromkeys(run.strategy for run in evaluations):
        runs = [run for run in evaluations if run.strategy == name]
        found = {
            (run.seed, part.round, taken) for run in runs for part in run.rounds if (taken := _taken_for(run, part))
        }
        if found:
            total = sum(len(run.rounds) for run in runs)
            classes = " or ".join(sorted({taken for *_, taken in found}))
            seeds = sorted({seed for seed, *_ in found})
            where = "; ".join(
                f"seed {seed}: {', '.join(str(number) for own, number, _ in sorted(found) if own == seed)}"
                for seed in seeds
            )
            sentences.append(
                f"{name}: in {len(found)} of {total} fits every test image was taken for {classes} ({where}). The accuracy of such a fit "
                "is the share of that class and says nothing about the network; look at the AUC, and try class_weights or more training."
            )
    return sentences


def _taken_for(run: RunEvaluation, part: RoundEvaluation) -> str | None:
    """The class that all images were taken for, told by the confusion, which older campaigns have too."""
    predicted = {place for _, place, count in part.confusion if count}
    true = {place for place, _, count in part.confusion if count}
    return run.classes[predicted.pop()] if len(predicted) == 1 and len(true) > 1 else None


def _cells(parts: Sequence[RoundEvaluation], aucs: Sequence[float]) -> tuple[str, ...]:
    both = [part.two_classes for part in parts if part.two_classes is not None]
    balanced = [part.balanced_accuracy for part in parts if part.balanced_accuracy is not None]
    columns = (
        list(aucs),
        [each.average_precision for each in both],
        [each.prevalence for each in both],
        [each.sensitivity for each in both],
        balanced,
    )
    return tuple(f"{fmean(values):.{_DIGITS}f}" if values else wording.NOTHING for values in columns)


def _found_by(rows: Sequence[QueryRow], positive: str, number: int) -> str:
    """Of all that were asked for up to a round: "12.3 of 100"."""
    upto = [row for row in rows if row.round <= number]
    seeds = {row.seed for row in rows}
    hits, asked = (sum(1 for row in upto if row.label == positive) / len(seeds), len(upto) / len(seeds))
    return f"{hits:.1f} of {asked:.0f}" if len(seeds) > 1 else f"{hits:.0f} of {asked:.0f}"

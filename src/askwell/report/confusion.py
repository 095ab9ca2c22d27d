"""Which classes are taken for which, at the first, the middle and the last round."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from askwell.report.evaluations import RoundEvaluation, RunEvaluation

FEW_CLASSES = 20
_MOST_EACH = 3  # pairs taken from each of the three rounds where classes are few
_MOST = 10  # pairs in all where they are many


class ConfusedPair(NamedTuple):
    """Images of one class taken for another: their share of that class (a fraction) at each shown round."""

    truth: str
    predicted: str
    shares: tuple[float, ...]


class Confusion(NamedTuple):
    """One strategy's most confused pairs, the worst at the end first; the rounds shown are at most three, seeds are added up."""

    strategy: str
    rounds: tuple[int, ...]
    pairs: tuple[ConfusedPair, ...]


def confusions(evaluations: Iterable[RunEvaluation]) -> list[Confusion]:
    """One for each strategy, in order of appearance, at rounds that all its seeds have; strategies without such a round are left out.

    With up to 20 classes: the three pairs confused most at each shown round. With more: the ten confused most at these rounds together.
    """
    runs: dict[str, list[RunEvaluation]] = {}
    for run in evaluations:
        runs.setdefault(run.strategy, []).append(run)
    return [_confusion(strategy, own, rounds) for strategy, own in runs.items() if (rounds := _shown_rounds(own))]


def _shown_rounds(runs: Sequence[RunEvaluation]) -> tuple[int, ...]:
    """The first, the middle and the last round that all runs have."""
    rounds = sorted(set.intersection(*({part.round for part in run.rounds} for run in runs)))
    if not rounds:
        return ()
    middle = min(rounds, key=lambda number: abs(2 * number - rounds[0] - rounds[-1]))
    return tuple(sorted({rounds[0], middle, rounds[-1]}))


def _confusion(strategy: str, runs: Sequence[RunEvaluation], rounds: Sequence[int]) -> Confusion:
    counts = [_counts([(run.classes, part) for run in runs if (part := run.at(number))]) for number in rounds]
    errors = [Counter({pair: n for pair, n in at.items() if pair[0] != pair[1] and n}) for at in counts]
    if len({name for run in runs for name in run.classes}) <= FEW_CLASSES:
        chosen = {pair for at in errors for pair in sorted(at, key=lambda pair: (-at[pair], pair))[:_MOST_EACH]}
    else:
        total = sum(errors, Counter())
        chosen = set(sorted(total, key=lambda pair: (-total[pair], pair))[:_MOST])
    order = sorted(chosen, key=lambda pair: ([-at[pair] for at in reversed(errors)], pair))
    sizes = [_sizes(at) for at in counts]
    pairs = (
        ConfusedPair(*pair, tuple(at[pair] / max(1, size[pair[0]]) for at, size in zip(errors, sizes, strict=True)))
        for pair in order
    )
    return Confusion(strategy, tuple(rounds), tuple(pairs))


def _counts(parts: Iterable[tuple[Sequence[str], RoundEvaluation]]) -> Counter[tuple[str, str]]:
    """(true class, predicted class) -> images, over the runs."""
    counts: Counter[tuple[str, str]] = Counter()
    for classes, part in parts:
        for truth, predicted, count in part.confusion:
            counts[classes[truth], classes[predicted]] += count
    return counts


def _sizes(counts: Counter[tuple[str, str]]) -> Counter[str]:
    """True class -> images."""
    sizes: Counter[str] = Counter()
    for (truth, _), count in counts.items():
        sizes[truth] += count
    return sizes

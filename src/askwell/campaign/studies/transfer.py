"""What acquired labels are worth to another recipe: four accuracies for each number of labels, and what the differences allow one to say.

    advantage(recipe) = accuracy(recipe on the acquired set) - accuracy(recipe on a random set of the same size)

averaged over the labels range as the area under the curve is. Whether an acquired set transfers is the difference of two advantages.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from askwell.report.curves import Curve, CurvePoint, accuracies_at, area_under_curve, common_labels, curves_by_strategy
from askwell.report.intervals import MIN_SEEDS, mean_interval
from askwell.report.paired import sign_flip_p
from askwell.report.verdicts import p_text
from askwell.report.wording import percent

RANDOM = "random"
NEW = " (new recipe)"
HEADER = ("labels", "own, acquired", "own, random", "advantage", "new, acquired", "new, random", "advantage")


class Arm(NamedTuple):
    """One of the four curves: whose recipe ("own" or "new") on which labels ("acquired" or "random")."""

    recipe: str
    labels: str

    def name(self, strategy: str) -> str:
        """What curve.csv calls it: "bald", "random", "bald (new recipe)" or "random (new recipe)"."""
        return (strategy if self.labels == "acquired" else RANDOM) + (NEW if self.recipe == "new" else "")


ARMS = tuple(Arm(recipe, labels) for recipe in ("own", "new") for labels in ("acquired", "random"))


class TransferRow(NamedTuple):
    """Mean accuracies (fractions) at one number of labels, in the order of ``ARMS``."""

    labels: int
    own_acquired: float
    own_random: float
    new_acquired: float
    new_random: float


@dataclass(frozen=True)
class Transfer:
    """The four curves at every labels count that all repeats share, and each repeat's two advantages over that whole range.

    own, new   mean accuracy on the acquired set minus that on a random one, a fraction, one per repeat, by the same repeats
    """

    strategy: str
    rows: tuple[TransferRow, ...]
    own: tuple[float, ...]
    new: tuple[float, ...]

    @property
    def change(self) -> tuple[float, ...]:
        """The difference of the differences, repeat by repeat: below 0 where the new recipe profits less."""
        return tuple(new - own for own, new in zip(self.own, self.new, strict=True))

    @property
    def share_left(self) -> float | None:
        """How much of the own recipe's advantage the new one has; None unless there clearly is one, in every repeat."""
        return _mean(self.new) / _mean(self.own) if min(self.own) > 0 else None

    def table(self) -> list[tuple[str, ...]]:
        """The rows as text, in the order of HEADER."""
        return [
            (
                str(row.labels),
                percent(row.own_acquired),
                percent(row.own_random),
                points(row.own_acquired - row.own_random),
                percent(row.new_acquired),
                percent(row.new_random),
                points(row.new_acquired - row.new_random),
            )
            for row in self.rows
        ]


def transfer(measured: Sequence[CurvePoint], strategy: str) -> Transfer:
    """The transfer of the strategy's acquired labels, from points of all four arms; a seed of the points is a repeat."""
    curves = curves_by_strategy(measured)
    arms = [curves[arm.name(strategy)] for arm in ARMS]
    shared = sorted(set.intersection(*(set(common_labels(arm)) for arm in arms)))
    rows = tuple(TransferRow(count, *(_mean(accuracies_at(arm, count)) for arm in arms)) for count in shared)
    areas = [_areas(arm, shared) for arm in arms]
    own, new = (
        tuple(acquired[seed] - random[seed] for seed in acquired)
        for acquired, random in ((areas[0], areas[1]), (areas[2], areas[3]))
    )
    return Transfer(strategy, rows, own, new)


def sentences(found: Transfer, *, campaigns: int, fits: int) -> list[str]:
    """What it says in plain words, for so many campaigns with so many fits each."""
    return [_worth(found), _left(found), _spread(found, campaigns), _caution(campaigns, fits)]


def points(difference: float) -> str:
    """A difference of accuracies in percentage points, with its sign."""
    return f"{100.0 * difference:+.2f}"


def _worth(found: Transfer) -> str:
    first, last = found.rows[0].labels, found.rows[-1].labels
    span = f"With {first} labels" if first == last else f"On average from {first} to {last} labels"
    return (
        f"{span}, the set that {found.strategy} acquired was worth {points(_mean(found.own))} points of accuracy against a random one "
        f"of the same size under the campaign's own recipe, and {points(_mean(found.new))} under the new one."
    )


def _left(found: Transfer) -> str:
    share = found.share_left
    if share is None:
        return "The advantage under the own recipe is not clear, so no share of it is stated."
    if share <= 0:
        return "Nothing of the advantage is left: for the new recipe a random set would have been as good or better."
    if share >= 1:
        return "All of the advantage is left."
    return f"{100.0 * share:.0f} % of the advantage is left."


def _spread(found: Transfer, campaigns: int) -> str:
    change = found.change
    interval = mean_interval(change) if campaigns >= MIN_SEEDS else None
    certainty = ""
    if interval is not None:
        test = f"paired sign-flip test p = {p_text(sign_flip_p(change))}".replace("= <", "< ")
        certainty = f", 95 % interval {points(interval[0])} to {points(interval[1])}, {test}"
    repeats = "campaign by campaign" if campaigns > 1 else "fit by fit"
    each = f" ({repeats} {', '.join(map(points, change))})" if len(change) > 1 else ""
    return f"The new recipe's advantage less the own one's is {points(_mean(change))} points{certainty}{each}."


def _caution(campaigns: int, fits: int) -> str:
    each = f"{fits} fits and {fits} random sets" if fits > 1 else "1 fit and 1 random set"
    if campaigns == 1:
        return f"One campaign ({each}) is one acquired set: an observation, not a test; another seed may say otherwise."
    if campaigns < MIN_SEEDS:
        return f"With {campaigns} campaigns ({each} for each) this is an observation, not a test."
    return f"Interval and test are over {campaigns} campaigns ({each} for each)."


def _areas(curves: Mapping[int, Curve], shared: Sequence[int]) -> dict[int, float]:
    """Seed -> mean accuracy over the shared labels counts."""
    areas: dict[int, float] = {}
    for seed, curve in curves.items():
        accuracy = [curve.accuracy[curve.labels.index(count)] for count in shared]
        area = area_under_curve(shared, accuracy)
        areas[seed] = accuracy[0] if area is None else area
    return areas


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)

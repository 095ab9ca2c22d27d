"""How good are the predictions? Numbers from predictive log-probabilities and the true labels."""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from sklearn.metrics import roc_auc_score
from torch import Tensor

from askwell.errors import ShapeError
from askwell.scoring.imbalance import TwoClasses, balanced_accuracy, collapsed_class, two_classes

CALIBRATION_BINS = 15


class Evaluation(NamedTuple):
    """Measured on held-out items; fractions between 0 and 1, nll in nats, auc None unless there are two classes, both present."""

    accuracy: float
    nll: float
    ece: float
    auc: float | None


class CalibrationBin(NamedTuple):
    """The items whose confidence falls into one bin: how many, their mean confidence and accuracy (None where there are none)."""

    items: int
    confidence: float | None
    accuracy: float | None


@dataclass(frozen=True)
class EvaluationDetails:
    """What stands behind an accuracy: the items and their groups, its standard error, who is taken for whom, and the calibration.

    confusion     (true class, predicted class, how many) for every pair that occurs, the right answers included
    accuracy_se   see ``accuracy_standard_error``
    calibration   15 bins of equal width, from confidence 0 to 1
    two_classes   see ``TwoClasses``; None unless there are two
    collapsed     the one class that every image is taken for, if there is one
    """

    items: int
    groups: int
    accuracy_se: float | None
    confusion: tuple[tuple[int, int, int], ...]
    calibration: tuple[CalibrationBin, ...]
    balanced_accuracy: float | None = None
    two_classes: TwoClasses | None = None
    collapsed: int | None = None

    def as_json(self) -> dict[str, Any]:
        """The fields as they stand in evaluation.json: tuples as lists."""
        lists = {"confusion": list(map(list, self.confusion)), "calibration": list(map(list, self.calibration))}
        return asdict(self) | lists


def evaluate(predictive: Float[Tensor, "N C"], labels: Int[Tensor, " N"]) -> Evaluation:
    """Accuracy, mean negative log-likelihood, expected calibration error and (for two classes) area under the ROC curve.

    predictive holds log p(y | x, D) in float64. A true class of probability 0 makes the nll infinite, as it should.
    """
    return Evaluation(
        accuracy=float((predictive.argmax(dim=-1) == labels).double().mean()),
        nll=float(-predictive.gather(1, labels[:, None]).mean()),
        ece=expected_calibration_error(predictive, labels),
        auc=_two_class_auc(predictive, labels),
    )


def details(
    predictive: Float[Tensor, "N C"], labels: Int[Tensor, " N"], groups: Sequence[str] | None = None
) -> EvaluationDetails:
    """Confusion, calibration and the standard error of the accuracy, clustered by group where groups (one name per item) are given.

    Raises ShapeError without items, or for another number of labels or groups than of items.
    """
    N, C = predictive.shape
    if N == 0 or len(labels) != N or (groups is not None and len(groups) != N):
        found = f"{N} predictions, {len(labels)} labels" + (f", {len(groups)} groups" if groups is not None else "")
        raise ShapeError(
            f"expected one label (and one group, if any) for each of 1 or more predictions, found {found}."
        )
    predicted = predictive.argmax(dim=-1)
    pairs, counts = torch.unique(labels * C + predicted, return_counts=True)
    return EvaluationDetails(
        items=N,
        groups=N if groups is None else len(set(groups)),
        accuracy_se=accuracy_standard_error(predicted == labels, groups),
        confusion=tuple(
            (pair // C, pair % C, count) for pair, count in zip(pairs.tolist(), counts.tolist(), strict=True)
        ),
        calibration=_calibration(predictive, labels),
        balanced_accuracy=balanced_accuracy(predicted, labels),
        two_classes=two_classes(predictive, labels),
        collapsed=collapsed_class(predicted, labels),
    )


def accuracy_standard_error(correct: Bool[Tensor, " N"], groups: Sequence[str] | None = None) -> float | None:
    """How far the accuracy may be off because these items, or these groups of items, were drawn and not others.

        SE^2 = G / (G - 1)  (N - 1) / N  1 / N^2  sum_g ( sum_(i in g) (c_i - a) )^2

    for N items in G groups, c_i 1 where item i is right and 0 elsewhere, a their mean: items of one group may resemble one another in
    any way, the groups are independent (Liang and Zeger 1986). The first factors correct for few groups (Cameron and Miller 2015) and
    cancel when every group is one item, where this is the binomial sqrt(a (1 - a) / N). None where the formula would say 0 and mean
    nothing: one group only, or every item right, or every item wrong.
    """
    hits, N = correct.tolist(), len(correct)
    right = sum(hits)
    sums: defaultdict[object, list[int]] = defaultdict(lambda: [0, 0])
    for group, hit in zip(range(N) if groups is None else groups, hits, strict=True):
        sums[group][0] += hit
        sums[group][1] += 1
    G = len(sums)
    if G < 2 or right in (0, N):
        return None
    squares = sum((N * own - right * size) ** 2 for own, size in sums.values())  # N^2 times the sum, in whole numbers
    return math.sqrt(G * (N - 1) * squares / ((G - 1) * N)) / N**2


def expected_calibration_error(predictive: Float[Tensor, "N C"], labels: Int[Tensor, " N"]) -> float:
    """sum_b (n_b / N) |accuracy_b - confidence_b| over 15 equal-width bins of the confidence (Guo et al. 2017)."""
    confidence, correct, bins = _binned(predictive, labels)
    return float(_sums(correct - confidence, bins).abs().sum()) / len(labels)


def _calibration(predictive: Float[Tensor, "N C"], labels: Int[Tensor, " N"]) -> tuple[CalibrationBin, ...]:
    confidence, correct, bins = _binned(predictive, labels)
    totals = (_sums(values, bins).tolist() for values in (torch.ones_like(confidence), confidence, correct))
    return tuple(
        CalibrationBin(int(n), sure / n, right / n) if n else CalibrationBin(0, None, None)
        for n, sure, right in zip(*totals, strict=True)
    )


def _binned(
    predictive: Float[Tensor, "N C"], labels: Int[Tensor, " N"]
) -> tuple[Float[Tensor, " N"], Float[Tensor, " N"], Int[Tensor, " N"]]:
    """Per item: the confidence, 1 if it is right and 0 if not, and the bin of the confidence."""
    confidence, predicted = predictive.exp().max(dim=-1)
    bins = (confidence * CALIBRATION_BINS).long().clamp(max=CALIBRATION_BINS - 1)
    return confidence.double(), (predicted == labels).double(), bins


def _sums(values: Float[Tensor, " N"], bins: Int[Tensor, " N"]) -> Float[Tensor, " B"]:
    return torch.zeros(CALIBRATION_BINS, dtype=torch.float64).index_add_(0, bins, values)


def _two_class_auc(predictive: Float[Tensor, "N C"], labels: Int[Tensor, " N"]) -> float | None:
    if predictive.shape[1] != 2 or len(labels.unique()) < 2:
        return None
    return float(roc_auc_score(labels.numpy(), predictive[:, 1].exp().numpy()))

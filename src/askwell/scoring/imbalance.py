"""Numbers for two classes of which one is rare: what accuracy hides. The second class is the positive one."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from sklearn.metrics import average_precision_score, roc_curve
from torch import Tensor

SPECIFICITY = 0.95  # at which the sensitivity is given
_ROUNDING = 1e-12


@dataclass(frozen=True)
class TwoClasses:
    """Of the positive class: its share, the average precision, and the sensitivity at 95 % specificity; all fractions."""

    prevalence: float
    average_precision: float
    sensitivity: float


def two_classes(predictive: Float[Tensor, "N C"], labels: Int[Tensor, " N"]) -> TwoClasses | None:
    """The numbers from predictive log-probabilities; None unless there are two classes, and images of both."""
    if predictive.shape[1] != 2 or len(labels.unique()) < 2:
        return None
    positive, truth = predictive[:, 1].exp().tolist(), labels.tolist()
    return TwoClasses(
        prevalence=sum(truth) / len(truth),
        average_precision=average_precision(positive, truth),
        sensitivity=sensitivity_at(positive, truth, SPECIFICITY),
    )


def average_precision(scores: Sequence[float], truth: Sequence[int]) -> float:
    """sum_k (R_k - R_(k-1)) P_k over the distinct scores, highest first: precision is held until the recall rises.

    A predictor that says the same of everyone scores the prevalence, as it should; see ``trapezoid_precision``.
    """
    return float(average_precision_score(truth, scores))


def trapezoid_precision(scores: Sequence[float], truth: Sequence[int]) -> float:
    """The area under straight lines between the points of precision and recall, from precision 1 at recall 0: not for use.

    A constant predictor has the points (0, 1) and (1, prevalence), so (1 + prevalence) / 2: .75 on a balanced test set, which is how
    calling everything benign beat the challenge's winner in section 5.5. Davis and Goadrich (2006).
    """
    order = np.argsort(-np.asarray(scores), kind="stable")
    ranked, hits = np.asarray(scores)[order], np.cumsum(np.asarray(truth)[order])
    last = np.append(np.flatnonzero(np.diff(ranked)), len(ranked) - 1)  # of each distinct score
    recall = np.concatenate([[0.0], hits[last] / hits[-1]])
    precision = np.concatenate([[1.0], hits[last] / (last + 1)])
    return float(np.trapezoid(precision, recall))


def sensitivity_at(scores: Sequence[float], truth: Sequence[int], specificity: float) -> float:
    """The largest share of positives found at a threshold that clears at least this share of the negatives."""
    false_positives, found, _ = roc_curve(truth, scores, drop_intermediate=False)
    return float(found[false_positives <= 1 - specificity + _ROUNDING].max())


def balanced_accuracy(predicted: Int[Tensor, " N"], labels: Int[Tensor, " N"]) -> float:
    """The mean over the classes that occur of the share of their images that are right."""
    right = (predicted == labels).double()
    return float(torch.stack([right[labels == each].mean() for each in labels.unique()]).mean())


def collapsed_class(predicted: Int[Tensor, " N"], labels: Int[Tensor, " N"]) -> int | None:
    """The one class that every image is taken for, though there are several; None where there is no such class."""
    found = predicted.unique()
    return int(found[0]) if len(found) == 1 and len(labels.unique()) > 1 else None

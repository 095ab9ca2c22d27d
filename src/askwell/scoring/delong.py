"""How sure is an area under the ROC curve, and do two of them on the same images differ? DeLong, DeLong and Clarke-Pearson (1988)."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy.special import ndtr, ndtri
from scipy.stats import rankdata

from askwell.errors import ShapeError, UsageError

LEVEL = 0.95

Array = np.ndarray[Any, np.dtype[np.float64]]


class AucInterval(NamedTuple):
    """An AUC, its standard error, and the ends of its 95 % interval (on the logit scale, so that they lie within 0..1)."""

    auc: float
    standard_error: float
    low: float
    high: float


class AucComparison(NamedTuple):
    """Difference of two AUCs on the same images (first - second), its standard error, and the two-sided p of no difference."""

    difference: float
    standard_error: float
    p: float


def auc_interval(scores: Sequence[float], truth: Sequence[int]) -> AucInterval:
    """The AUC of scores (higher = more likely positive) against truth (0 or 1), with DeLong's standard error.

    An AUC of exactly 0 or 1 has standard error 0 and an interval of no width, which says nothing. Raises ShapeError for lists of
    unequal length, UsageError without at least two images of each class.
    """
    placed = _placements(scores, truth)
    (auc,), ((variance,),) = _areas_and_covariance([placed])
    error = math.sqrt(variance)
    if not 0 < auc < 1:
        return AucInterval(auc, error, auc, auc)
    logit, wide = math.log(auc / (1 - auc)), float(ndtri((1 + LEVEL) / 2)) * error / (auc * (1 - auc))
    low, high = (1 / (1 + math.exp(-end)) for end in (logit - wide, logit + wide))
    return AucInterval(auc, error, low, high)


def compare_aucs(first: Sequence[float], second: Sequence[float], truth: Sequence[int]) -> AucComparison:
    """Whether two scores of the same images have the same AUC, by DeLong's covariance.

    p is 1 where the difference has no variance, as for scores in the same order. Raises what ``auc_interval`` raises.
    """
    areas, covariance = _areas_and_covariance([_placements(scores, truth) for scores in (first, second)])
    difference = areas[0] - areas[1]
    error = math.sqrt(max(0.0, covariance[0][0] + covariance[1][1] - 2 * covariance[0][1]))
    if error == 0:
        return AucComparison(difference, error, 1.0 if difference == 0 else 0.0)
    return AucComparison(difference, error, 2 * float(ndtr(-abs(difference) / error)))


class _Placements(NamedTuple):
    """For each positive the share of negatives below it, for each negative the share of positives above it; ties count half."""

    positive: Array
    negative: Array


def _placements(scores: Sequence[float], truth: Sequence[int]) -> _Placements:
    values, labels = np.asarray(scores, dtype=np.float64), np.asarray(truth)
    if values.shape != labels.shape or values.ndim != 1:
        raise ShapeError(f"expected one score for each label, found {list(values.shape)} and {list(labels.shape)}.")
    if not set(labels.tolist()) <= {0, 1} or min(np.sum(labels == 0), np.sum(labels == 1)) < 2:
        raise UsageError("expected labels 0 and 1, at least two of each, to have an AUC with a standard error.")
    if not np.isfinite(values).all():
        raise UsageError("expected finite scores, found NaN or an infinity.")
    positive = labels == 1
    ranks, m, n = rankdata(values), int(positive.sum()), int((~positive).sum())
    return _Placements(
        (ranks[positive] - rankdata(values[positive])) / n,
        1 - (ranks[~positive] - rankdata(values[~positive])) / m,
    )


def _areas_and_covariance(placed: Sequence[_Placements]) -> tuple[list[float], list[list[float]]]:
    """AUC_i = mean of the placements; S = cov(positive) / m + cov(negative) / n."""
    areas = [float(each.positive.mean()) for each in placed]
    parts = [np.stack(column) for column in zip(*placed, strict=True)]
    covariance = sum(np.atleast_2d(np.cov(part)) / part.shape[1] for part in parts)
    return areas, np.asarray(covariance).tolist()

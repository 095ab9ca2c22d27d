"""How well two orders agree, how sure that is, and how well measurements agree with themselves."""

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

RESAMPLES = 2000
SPLITS = 100
MIN_ITEMS = 8  # as many as an interval over seeds needs


class Correlation(NamedTuple):
    """A rank correlation with its 95 % bootstrap interval over the items; None where an order is constant or there are too few items."""

    value: float | None
    low: float | None
    high: float | None


class Noise(NamedTuple):
    """How repeated measurements agree with themselves; None with fewer than two of them.

    halves       rank correlation of the means of two halves of the repeats, on average over random halvings
    reliability  what that is for all repeats together (Spearman 1910, Brown 1910): the share of true differences in the means
    ceiling      about what a score would correlate that knew the true values: the root of the reliability
    """

    halves: float | None
    reliability: float | None
    ceiling: float | None


def rank_correlation(
    first: Float[np.ndarray, "*rows n"], second: Float[np.ndarray, "*rows n"]
) -> Float[np.ndarray, "*rows"]:
    """Spearman's correlation along the last axis: Pearson's of the ranks, equal values sharing their mean rank; NaN for a constant."""
    from scipy.stats import rankdata

    ranks = [rankdata(values, axis=-1) for values in (first, second)]
    x, y = (rank - rank.mean(axis=-1, keepdims=True) for rank in ranks)
    scale = np.sqrt((x * x).sum(axis=-1) * (y * y).sum(axis=-1))
    product = (x * y).sum(axis=-1)
    return np.divide(product, scale, out=np.full_like(product, np.nan), where=scale > 0)


def bootstrapped(
    first: Float[np.ndarray, " n"], second: Float[np.ndarray, " n"], *, generator: np.random.Generator
) -> Correlation:
    """The rank correlation of two scores of n items, and its percentile interval over resampled items."""
    value = _or_none(float(rank_correlation(first, second)))
    if value is None or len(first) < MIN_ITEMS:
        return Correlation(value, None, None)
    drawn = generator.integers(len(first), size=(RESAMPLES, len(first)))
    values = rank_correlation(first[drawn], second[drawn])
    low, high = np.quantile(values[np.isfinite(values)], [0.025, 0.975])
    return Correlation(value, float(low), float(high))


def noise_of(repeats: Float[np.ndarray, "R n"], *, generator: np.random.Generator) -> Noise:
    """How well R measurements of the same n items agree.

    reliability = k rho / (1 + (k - 1) rho),    k = R / (size of a half),    0 where rho < 0
    """
    R = len(repeats)
    half = R // 2
    if half == 0:
        return Noise(None, None, None)
    orders = generator.permuted(np.tile(np.arange(R), (SPLITS, 1)), axis=1)
    halves = [repeats[orders[:, part]].mean(axis=1) for part in (slice(0, half), slice(half, 2 * half))]
    values = rank_correlation(*halves)
    values = values[np.isfinite(values)]
    if len(values) == 0:
        return Noise(None, None, None)
    rho, times = float(values.mean()), R / half
    reliability = times * rho / (1.0 + (times - 1.0) * rho) if rho > 0 else 0.0
    return Noise(rho, reliability, math.sqrt(reliability))


def overlap(first: NDArray[np.int64], second: NDArray[np.int64]) -> float:
    """The share of the first pick that is in the second."""
    return len(np.intersect1d(first, second)) / len(first)


def _or_none(value: float) -> float | None:
    return None if math.isnan(value) else value

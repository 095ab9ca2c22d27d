"""An honest accuracy without a test set: what the first n answers of a random permutation say of a pool of N items.

Which items a model gets right is a fixed property of the model and the pool; what is random is the permutation, which was drawn before
anything was labelled. So n answers are drawn without replacement from N, the right ones among them are hypergeometric in number, and
nothing is assumed of how images resemble each other.
"""

import math
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from scipy.special import betaln, gammaln, ndtri

from askwell.errors import ShapeError, UsageError

CONFIDENCE = 0.95
MIN_PER_CLASS = 10  # evaluation answers of either class before there is an AUC
RESAMPLES = 2000
PRIOR = (
    1.0,
    1.0,
)  # of the share of right answers, for the time-uniform interval: it decides its width, never its coverage

Answer = Literal["label", "skip", "unsure", "bad"]
Numbers = np.ndarray[Any, np.dtype[Any]]


class Interval(NamedTuple):
    """From low to high, both included."""

    low: float
    high: float


class Estimate(NamedTuple):
    """The share of a pool's images that a model gets right, from the first items of the permutation.

    accuracy     of the n answers with a class; None where there are none, and then the intervals are 0 to 1
    fixed        the 95 % interval for somebody who looks once, at an n that does not depend on the answers
    any_time     the wider one that holds at all n together, so also where somebody stops because of what it shows
    population   N: the pool's items but for those found to be no images of any class ("bad")
    skipped, unsure   items that were asked and have no class: they are missing from the estimate
    all_wrong, all_right   the accuracy if the model were wrong, or right, on every missing one
    """

    accuracy: float | None
    fixed: Interval
    any_time: Interval
    n: int
    population: int
    skipped: int
    unsure: int
    bad: int
    all_wrong: float | None
    all_right: float | None


class AucEstimate(NamedTuple):
    """The area under the ROC curve on the evaluation answers, and its percentile interval over stratified bootstrap resamples."""

    auc: float
    interval: Interval
    negatives: int
    positives: int


def estimate_accuracy(
    kinds: Sequence[Answer], correct: Sequence[bool | None], population: int, *, confidence: float = CONFIDENCE
) -> Estimate:
    """What a prefix of the permutation says: the kind of each answer, in order, and whether the model is right where it is a label.

    population counts the pool's items. Raises UsageError where these do not fit together.
    """
    if len(kinds) != len(correct) or len(kinds) > population:
        raise UsageError(
            f"expected one outcome for each of at most {population} answers, found {len(kinds)} answers and {len(correct)} outcomes."
        )
    outcomes = [outcome for kind, outcome in zip(kinds, correct, strict=True) if kind == "label"]
    if None in outcomes:
        raise UsageError("expected true or false for every answer with a class, found none; predict the item first.")
    n, right = len(outcomes), sum(map(bool, outcomes))
    skipped, unsure, bad = (kinds.count(kind) for kind in ("skip", "unsure", "bad"))
    missing, N = skipped + unsure, population - bad
    return Estimate(
        accuracy=right / n if n else None,
        fixed=wilson(right, n, N, confidence),
        any_time=time_uniform(right, n, N, confidence),
        n=n,
        population=N,
        skipped=skipped,
        unsure=unsure,
        bad=bad,
        all_wrong=right / (n + missing) if n + missing else None,
        all_right=(right + missing) / (n + missing) if n + missing else None,
    )


def wilson(right: int, n: int, population: int, confidence: float = CONFIDENCE) -> Interval:
    """Wilson's score interval for the share of right ones among N, of which n were drawn without replacement.

        { p : |right / n - p| <= z sqrt(p (1 - p) / n*) },     n* = n (N - 1) / (N - n)

    n* is n with the finite-population correction: the variance of a mean of n out of N is that of n* independent ones, so nothing is left
    to guess at n = N. Wilson (1927); Cochran (1977), sections 2.6 and 3.6. Raises UsageError unless 0 <= right <= n <= N.
    """
    _check_counts(right, n, population)
    if n == 0:
        return Interval(0.0, 1.0)
    share = right / n
    if n == population:
        return Interval(share, share)
    squared = float(ndtri((1 + confidence) / 2)) ** 2
    effective = n * (population - 1) / (population - n)
    centre = (share + squared / (2 * effective)) / (1 + squared / effective)
    half = math.sqrt(squared * (share * (1 - share) + squared / (4 * effective)) / effective) / (
        1 + squared / effective
    )
    return Interval(0.0 if right == 0 else max(0.0, centre - half), 1.0 if right == n else min(1.0, centre + half))


def time_uniform(
    right: int, n: int, population: int, confidence: float = CONFIDENCE, *, prior: tuple[float, float] = PRIOR
) -> Interval:
    """An interval for the same share that holds at every n at once, so whenever somebody stops and for whatever reason.

        { K / N : prior(K) / posterior(K) < 1 / alpha }

    Under the true K the ratio of prior to posterior is a martingale of mean 1, so by Ville's inequality it ever reaches 1 / alpha with
    probability alpha at most. The prior is beta-binomial(a, b), so posterior / prior = likelihood / evidence, with the likelihood of an
    ordered sample (K)_right (N - K)_wrong / (N)_n and the evidence B(a + right, b + wrong) / B(a, b). At n = N it is the truth alone.

    Waudby-Smith and Ramdas (2020), Confidence sequences for sampling without replacement, theorem 2.1. It holds for one model; a model
    that was trained again is another one, with an interval of its own. Raises UsageError unless 0 <= right <= n <= N.
    """
    _check_counts(right, n, population)
    if n == 0:
        return Interval(0.0, 1.0)
    K = np.arange(right, population - (n - right) + 1)  # all others are impossible by now
    likelihood = _falling(K, right) + _falling(population - K, n - right)
    likelihood -= gammaln(population + 1) - gammaln(population - n + 1)
    evidence = betaln(prior[0] + right, prior[1] + n - right) - betaln(*prior)
    kept = K[evidence - likelihood < -math.log1p(-confidence)]
    return Interval(float(kept[0]) / population, float(kept[-1]) / population)


def estimate_auc(
    scores: Sequence[float] | Numbers,
    positive: Sequence[bool] | Numbers,
    *,
    seed: int,
    resamples: int = RESAMPLES,
    confidence: float = CONFIDENCE,
) -> AucEstimate | None:
    """How often a positive image scores higher than a negative one (ties count half), of the evaluation answers.

    The interval is between percentiles of as many AUCs of images drawn anew, with replacement, within each class. None below ten answers
    of either class, where it would claim too much. Raises ShapeError unless there is one finite score for each answer.
    """
    values, labels = np.asarray(scores, np.float64), np.asarray(positive, bool)
    if values.shape != labels.shape or values.ndim != 1 or not np.isfinite(values).all():
        raise ShapeError(f"expected one finite score for each answer, found {values.shape} and {labels.shape}.")
    above, below = values[labels], values[~labels]
    if min(len(above), len(below)) < MIN_PER_CLASS:
        return None
    wins = (above[:, None] > below) + 0.5 * (above[:, None] == below)
    generator = np.random.default_rng(seed)
    drawn = [
        generator.multinomial(size, np.full(size, 1 / size), resamples) / size for size in (len(above), len(below))
    ]
    resampled = ((drawn[0] @ wins) * drawn[1]).sum(axis=1)
    low, high = np.quantile(resampled, [(1 - confidence) / 2, (1 + confidence) / 2])
    return AucEstimate(float(wins.mean()), Interval(float(low), float(high)), len(below), len(above))


def _falling(count: Numbers, factors: int) -> Numbers:
    """log of count (count - 1) ... with so many factors."""
    return gammaln(count + 1) - gammaln(count - factors + 1)


def _check_counts(right: int, n: int, population: int) -> None:
    if not 0 <= right <= n <= population:
        raise UsageError(f"expected 0 <= right <= n <= N, found {right}, {n} and {population}.")

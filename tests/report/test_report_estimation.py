"""The intervals against exact enumeration of what sampling without replacement can give, in plain Python."""

import math
from fractions import Fraction
from functools import cache
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import betabinom, binomtest, hypergeom, norm
from sklearn.metrics import roc_auc_score

from askwell.errors import ShapeError, UsageError
from askwell.report.estimation import Interval, estimate_accuracy, estimate_auc, time_uniform, wilson

counts = st.integers(2, 60).flatmap(
    lambda N: st.integers(1, N - 1).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n), st.just(N)))
)


def variance_by_enumeration(K: int, n: int, N: int) -> Fraction:
    """Of the mean of n out of N items, K of them 1: over every sample."""
    items = [1] * K + [0] * (N - K)
    means = [Fraction(sum(sample), n) for sample in combinations(items, n)]
    centre = sum(means) / len(means)
    return sum((mean - centre) ** 2 for mean in means) / len(means)


@given(st.integers(2, 8).flatmap(lambda N: st.tuples(st.just(N), st.integers(1, N - 1), st.integers(0, N))))
def test_the_finite_population_correction_is_the_variance_of_every_sample(case: tuple[int, int, int]):
    N, n, K = case
    effective = Fraction(n * (N - 1), N - n)
    share = Fraction(K, N)
    assert variance_by_enumeration(K, n, N) == share * (1 - share) / effective


@given(counts)
def test_the_ends_of_wilson_solve_its_equation(case: tuple[int, int, int]):
    right, n, N = case
    found, share, z = wilson(right, n, N), right / n, norm.ppf(0.975)
    effective = n * (N - 1) / (N - n)

    low, high = sorted(np.roots([1 + z**2 / effective, -2 * share - z**2 / effective, share**2]).real)
    assert found == pytest.approx((low, high), abs=1e-9)


@pytest.mark.parametrize(("n", "N"), [(12, 850), (25, 850), (50, 850), (50, 1797), (170, 850), (359, 1797)])
def test_wilson_covers_what_it_should_on_average_over_accuracies(n: int, N: int):
    """Exactly, from the hypergeometric distribution; 95 % on average over accuracies of 60 to 98 %, and nowhere far below."""
    covered, rights = [], np.arange(n + 1)
    low, high = np.array([wilson(int(right), n, N) for right in rights]).T
    for K in range(int(0.6 * N), int(0.98 * N), 3):
        inside = (low <= K / N) & (high >= K / N)
        covered.append(float(hypergeom.pmf(rights, N, K, n)[inside].sum()))
    assert 0.945 < np.mean(covered) < 0.965
    assert min(covered) > 0.83


def test_wilson_at_the_ends():
    assert wilson(0, 0, 10) == Interval(0.0, 1.0)
    assert wilson(7, 10, 10) == Interval(0.7, 0.7)
    assert wilson(10, 10, 1000).high == 1.0
    assert wilson(0, 10, 1000).low == 0.0
    without_correction = binomtest(40, 50).proportion_ci(method="wilson")
    assert wilson(40, 50, 10**9) == pytest.approx(tuple(without_correction), abs=1e-6)
    with pytest.raises(UsageError, match="0 <= right <= n <= N, found 5, 4 and 10"):
        wilson(5, 4, 10)


@given(counts)
def test_the_time_uniform_interval_is_the_ratio_of_scipys_prior_and_posterior(case: tuple[int, int, int]):
    right, n, N = case
    K = np.arange(N + 1)
    prior, posterior = betabinom.pmf(K, N, 1, 1), betabinom.pmf(K - right, N - n, 1 + right, 1 + n - right)
    kept = K[prior < 20 * posterior] / N
    assert time_uniform(right, n, N) == pytest.approx((kept.min(), kept.max()))


cached_interval = cache(time_uniform)
cached_wilson = cache(wilson)


def chance_of_ever_missing(K: int, N: int, confidence: float) -> float:
    """The chance that the interval misses K / N at any of n = 1..N: over every order, by dynamic programming."""

    @cache
    def survives(right: int, n: int) -> float:
        low, high = cached_interval(right, n, N, confidence)
        if not low <= K / N <= high:
            return 0.0
        if n == N:
            return 1.0
        hit = (K - right) / (N - n)
        return (hit * survives(right + 1, n + 1) if hit > 0 else 0.0) + (
            (1 - hit) * survives(right, n + 1) if hit < 1 else 0.0
        )

    return 1 - survives(0, 0)


@pytest.mark.parametrize("confidence", [0.8, 0.95])
@pytest.mark.parametrize("N", [5, 20, 40])
def test_it_holds_at_all_times_together(N: int, confidence: float):
    missing = [chance_of_ever_missing(K, N, confidence) for K in range(N + 1)]
    assert max(missing) <= 1 - confidence + 1e-12
    if N == 40:
        assert max(missing) > (1 - confidence) / 3, "and it is not so wide that it never misses"


def test_wilson_does_not_hold_at_all_times_together():
    """Why there are two: whoever looks after every answer and stops when it suits him is misled far more often than 1 time in 20."""
    generator = np.random.default_rng(0)
    pool = np.arange(850) < 765
    missed = 0
    for _ in range(300):
        right = np.cumsum(generator.permutation(pool)[:170])
        missed += any(not cached_wilson(int(k), n, 850).low <= 0.9 for n, k in enumerate(right, start=1) if n >= 10)
    assert missed / 300 > 0.05


@given(counts)
def test_the_time_uniform_interval_is_the_wider_one(case: tuple[int, int, int]):
    right, n, N = case
    wide = time_uniform(right, n, N)
    assert 0 <= wide.low <= right / n <= wide.high <= 1 or math.isclose(right / n, wide.low) or n > N / 2
    assert wide.low <= (right + N - n) / N
    assert wide.high >= right / N


def test_at_the_end_only_the_truth_is_left():
    assert time_uniform(7, 10, 10) == Interval(0.7, 0.7)
    assert time_uniform(0, 0, 10) == Interval(0.0, 1.0)


def test_skips_and_unsures_are_missing_and_bad_images_are_no_images():
    kinds = ["label"] * 8 + ["skip", "unsure", "unsure", "bad"]
    found = estimate_accuracy(kinds, [True] * 6 + [False] * 2 + [None] * 4, 100)
    assert (found.accuracy, found.n, found.population) == (0.75, 8, 99)
    assert (found.skipped, found.unsure, found.bad) == (1, 2, 1)
    assert (found.all_wrong, found.all_right) == (6 / 11, 9 / 11)
    assert found.fixed == wilson(6, 8, 99)
    assert found.any_time == time_uniform(6, 8, 99)
    nothing = estimate_accuracy(["skip"], [None], 10)
    assert (nothing.accuracy, nothing.fixed, nothing.all_wrong) == (None, (0, 1), 0)
    assert estimate_accuracy([], [], 10).all_right is None
    with pytest.raises(UsageError, match="expected true or false for every answer with a class"):
        estimate_accuracy(["label"], [None], 10)
    with pytest.raises(UsageError, match="found 1 answers and 2 outcomes"):
        estimate_accuracy(["label"], [True, False], 10)


def test_there_is_no_auc_below_ten_of_either_class():
    assert estimate_auc(np.arange(29), [True] * 9 + [False] * 20, seed=0) is None
    assert estimate_auc(np.arange(29), [True] * 20 + [False] * 9, seed=0) is None
    assert estimate_auc(np.arange(20), [True] * 10 + [False] * 10, seed=0) is not None
    with pytest.raises(ShapeError, match="one finite score for each answer"):
        estimate_auc([math.nan] * 20, [True] * 10 + [False] * 10, seed=0)


@given(st.lists(st.tuples(st.integers(0, 6), st.booleans()), min_size=30, max_size=60), st.integers(0, 9))
def test_the_auc_is_scikit_learns_with_ties(rows: list[tuple[int, bool]], seed: int):
    scores, positive = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
    found = estimate_auc(scores, positive, seed=seed)
    if min(positive.sum(), (~positive).sum()) < 10:
        assert found is None
    else:
        assert found is not None
        assert found.auc == pytest.approx(roc_auc_score(positive, scores))
        assert (found.negatives, found.positives) == ((~positive).sum(), positive.sum())
        assert found == estimate_auc(scores, positive, seed=seed)


def test_the_bootstrap_is_that_of_drawing_images_one_by_one():
    generator = np.random.default_rng(1)
    positive = np.arange(60) < 15
    scores = generator.normal(positive * 1.0, 1.0)
    found = estimate_auc(scores, positive, seed=2, resamples=4000)
    drawn = []
    for _ in range(1500):
        above, below = (generator.choice(scores[positive == kind], (positive == kind).sum()) for kind in (True, False))
        drawn.append(np.mean([np.mean(below < score) + np.mean(below == score) / 2 for score in above]))
    assert found is not None
    assert found.interval == pytest.approx(np.quantile(drawn, [0.025, 0.975]), abs=0.02)

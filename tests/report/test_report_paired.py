"""The paired test against scipy and by hand; and, where there is no difference, how often it finds one."""

import itertools
import math
from collections.abc import Callable, Sequence
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import permutation_test

from askwell.errors import UsageError
from askwell.report.curves import CurvePoint
from askwell.report.paired import holm, paired_test, seeds_needed, sign_flip_p, smallest_p


def curve(strategy: str, seed: int, values: dict[int, float]) -> list[CurvePoint]:
    return [CurvePoint(strategy, seed, i, n, value) for i, (n, value) in enumerate(values.items())]


def scipy_p(differences: Sequence[float]) -> float:
    result = permutation_test(
        (np.asarray(differences),),
        lambda d, axis: d.mean(axis=axis),
        permutation_type="samples",
        n_resamples=10**6,
        alternative="two-sided",
        vectorized=True,
    )
    return float(result.pvalue)


@pytest.mark.parametrize("seeds", [2, 3, 5, 8, 11])
@pytest.mark.parametrize("shift", [0.0, 0.7])
def test_p_is_scipys(seeds: int, shift: float) -> None:
    generator = np.random.default_rng(seeds)
    for differences in (
        shift + generator.normal(size=seeds),
        np.round(shift + generator.normal(size=seeds)),  # ties among the sums, and zeros
        0.01 * (shift + generator.standard_cauchy(size=seeds)),
    ):
        assert sign_flip_p(differences.tolist()) == pytest.approx(scipy_p(differences.tolist()), abs=1e-12)


@given(st.lists(st.integers(-6, 6), min_size=1, max_size=9))
def test_p_is_the_share_of_all_sign_patterns(tenths: list[int]) -> None:
    """Tenths have no exact binary form, so their sums differ by rounding; in whole numbers they are equal."""
    hits = [
        abs(sum(sign * value for sign, value in zip(signs, tenths, strict=True))) >= abs(sum(tenths))
        for signs in itertools.product((1, -1), repeat=len(tenths))
    ]
    p = sign_flip_p([value / 10 for value in tenths])
    assert p == float(Fraction(sum(hits), len(hits)))
    assert p == sign_flip_p([-value / 10 for value in reversed(tenths)])
    assert smallest_p(len(tenths)) <= p <= 1.0


@pytest.mark.parametrize(
    ("differences", "p"),
    [
        ([0.3], 1.0),
        ([0.3, 0.1], 0.5),
        ([0.1, 0.2, 0.3], 0.25),
        ([0.1, 0.2, -0.3], 1.0),
        ([0.0, 0.0, 0.0], 1.0),
        ([0.0, 0.1, 0.2], 0.5),  # a seed without a difference tells nothing
        ([0.1] * 10, 2 / 1024),
        ([0.1] * 20, 2 / 2**20),
        ([], 1.0),
    ],
)
def test_p_by_hand(differences: list[float], p: float) -> None:
    assert sign_flip_p(differences) == p


def test_beyond_twenty_seeds_patterns_are_drawn() -> None:
    generator = np.random.default_rng(3)
    differences = (0.4 + generator.normal(size=21)).tolist()
    first = np.array([differences[0]])
    sums = first
    for value in differences[1:]:
        sums = np.concatenate([sums + value, sums - value])
    exact = float((np.abs(sums) >= abs(sum(differences)) - 1e-12).mean())
    drawn = sign_flip_p(differences)
    assert 0.01 < exact < 0.5
    assert drawn == pytest.approx(exact, abs=4 * math.sqrt(exact / 1e5))
    assert drawn == sign_flip_p(differences)
    assert drawn != sign_flip_p(differences, seed=1)
    assert sign_flip_p([1.0] * 40, draws=999) == 1 / 1000  # never 0


@pytest.mark.parametrize(("seeds", "p"), [(1, 1.0), (3, 0.25), (5, 0.0625), (6, 0.03125), (20, 2 / 2**20), (21, 1e-5)])
def test_smallest_p(seeds: int, p: float) -> None:
    assert smallest_p(seeds) == pytest.approx(p, rel=1e-4)
    assert sign_flip_p([1.0 + i for i in range(seeds)]) >= smallest_p(seeds)


@pytest.mark.parametrize(("strategies", "seeds"), [(1, 6), (2, 7), (4, 8), (13, 10)])
def test_seeds_needed(strategies: int, seeds: int) -> None:
    assert seeds_needed(strategies) == seeds
    assert max(holm([smallest_p(seeds)] * strategies)) <= 0.05 < max(holm([smallest_p(seeds - 1)] * strategies))


@pytest.mark.parametrize(
    ("raw", "corrected"),
    [
        ([0.04], [0.04]),
        ([0.01, 0.04, 0.03, 0.005], [0.03, 0.06, 0.06, 0.02]),  # Wikipedia's example of Holm's method
        ([0.5, 0.6], [1.0, 1.0]),
        ([0.02, 0.02], [0.04, 0.04]),
        ([], []),
    ],
)
def test_holm_by_hand(raw: list[float], corrected: list[float]) -> None:
    assert holm(raw) == pytest.approx(corrected)


@given(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=6))
def test_holm_rejects_what_the_step_down_procedure_rejects(raw: list[float]) -> None:
    corrected = holm(raw)
    assert all(own <= other <= 1.0 for own, other in zip(raw, corrected, strict=True))
    for level in (0.01, 0.05, 0.3):
        left = sorted(raw)
        while left and left[0] * len(left) <= level:
            left.pop(0)
        assert sum(p <= level for p in corrected) == len(raw) - len(left)


def test_areas_are_over_the_range_common_to_all_compared_runs() -> None:
    points = [
        *curve("bald", 0, {10: 0.5, 20: 0.7, 30: 0.8, 50: 1.0}),
        *curve("random", 0, {20: 0.5, 40: 0.7}),
        *curve("bald", 7, {10: 0.9}),  # in no pair, so it does not narrow the range
        *curve("margin", 0, {10: 0.5, 45: 0.85}),
    ]
    test = paired_test(points)
    assert test.labels == (20, 40)
    assert test.paired == ("bald", "margin")
    assert dict(test.left_out) == {"bald": (7,)}
    bald, margin = test.rows
    # bald: 10 labels of (.7 + .8) / 2, then 10 of (.8 + .9) / 2, .9 read off the line from 30 to 50
    assert bald.areas == pytest.approx((0.8,))
    assert bald.baseline == pytest.approx((0.6,))
    assert (bald.seeds, bald.mean, bald.p, bald.interval) == ((0,), pytest.approx(0.2), 1.0, None)
    assert margin.areas == pytest.approx((0.7,))  # a straight line from .6 to .8


def test_only_shared_seeds_are_paired() -> None:
    def flat(strategy: str, seed: int, value: float) -> list[CurvePoint]:
        return curve(strategy, seed, {10: 0.5, 20: value})

    points = [
        *(point for seed in (0, 1, 2, 3) for point in flat("bald", seed, 0.7 + 0.01 * seed)),
        *(point for seed in (5, 3, 1) for point in flat("random", seed, 0.7)),
    ]
    test = paired_test(points)
    (row,) = test.rows
    assert row.seeds == (1, 3)
    assert row.differences == pytest.approx((0.005, 0.015))
    assert dict(test.left_out) == {"bald": (0, 2), "random": (5,)}


@pytest.mark.parametrize(
    ("points", "paired", "left_out"),
    [
        (curve("bald", 0, {10: 0.5, 20: 0.6}), (), {}),
        (curve("random", 0, {10: 0.5, 20: 0.6}), (), {}),
        (
            curve("bald", 0, {10: 0.5, 20: 0.6}) + curve("random", 1, {10: 0.5, 20: 0.6}),
            (),
            {"bald": (0,), "random": (1,)},
        ),
        (curve("bald", 0, {10: 0.5}) + curve("random", 0, {10: 0.5, 20: 0.6}), ("bald",), {}),
        ([], (), {}),
    ],
)
def test_nothing_to_compare(points: list[CurvePoint], paired: tuple[str, ...], left_out: dict) -> None:
    test = paired_test(points)
    assert (test.labels, test.rows, test.paired, dict(test.left_out)) == (None, (), paired, left_out)


def test_equal_curves_are_ties_whatever_the_rounding() -> None:
    thirds = {10: 0.1 + 0.2, 20: 1 / 3, 40: 0.7}
    points = [*curve("bald", 0, thirds), *curve("random", 0, {n: round(a, 15) for n, a in thirds.items()})]
    (row,) = paired_test(points).rows
    assert row.differences == (0.0,)


def test_a_round_twice_is_refused() -> None:
    with pytest.raises(UsageError, match="twice"):
        paired_test(curve("bald", 0, {10: 0.5}) * 2)


def binomial_error(level: float, trials: int) -> float:
    """Three standard errors of a share."""
    return 3.0 * math.sqrt(level * (1.0 - level) / trials)


NOISE: dict[str, Callable[[np.random.Generator], np.ndarray]] = {
    "normal": lambda generator: generator.normal(size=8),
    "heavy tails": lambda generator: generator.standard_cauchy(size=8),
    "ties": lambda generator: generator.integers(-2, 3, size=8) / 200,
    "unequal spread": lambda generator: generator.normal(size=8) * np.arange(1, 9),
}


@pytest.mark.parametrize("noise", NOISE)
def test_no_difference_is_found_in_five_per_cent_at_most(noise: str) -> None:
    generator = np.random.default_rng(17)
    trials = 2000
    found = sum(sign_flip_p(NOISE[noise](generator).tolist()) <= 0.05 for _ in range(trials)) / trials
    assert found <= 0.05 + binomial_error(0.05, trials)
    if noise != "ties":
        assert found == pytest.approx(6 / 128, abs=binomial_error(6 / 128, trials))  # the level that 8 seeds can have
    shifted = sum(sign_flip_p((1.5 + generator.normal(size=8)).tolist()) <= 0.05 for _ in range(300)) / 300
    assert shifted > 0.9, "a difference that is there is found"


def test_one_family_in_twenty_at_most_has_a_false_positive_after_holm() -> None:
    """Four strategies no better than random, all compared with the same random runs."""
    generator = np.random.default_rng(5)
    trials = 1500
    raw = corrected = 0
    for _ in range(trials):
        areas = generator.normal(size=(5, 8))
        p = [sign_flip_p((own - areas[0]).tolist()) for own in areas[1:]]
        raw += min(p) <= 0.05
        corrected += min(holm(p)) <= 0.05
    assert corrected / trials <= 0.05 + binomial_error(0.05, trials)
    assert corrected / trials > 0.01
    assert raw / trials > 0.08, "without the correction there are too many"


def test_whole_curves_without_a_difference_are_told_apart_in_five_per_cent_at_most() -> None:
    generator = np.random.default_rng(11)
    trials = 250
    found = 0
    for _ in range(trials):
        points: list[CurvePoint] = []
        for seed in range(8):
            hardness = generator.uniform(0.3, 0.6)  # what the two arms of a seed share
            for strategy in ("bald", "random"):
                errors = hardness * np.exp(-generator.uniform(0.2, 0.6) * np.arange(4))
                accuracy = np.round((1 - errors) * 200) / 200
                points += curve(strategy, seed, {20 + 10 * i: float(a) for i, a in enumerate(accuracy)})
        found += paired_test(points).rows[0].holm <= 0.05
    assert 0 < found / trials <= 0.05 + binomial_error(0.05, trials)

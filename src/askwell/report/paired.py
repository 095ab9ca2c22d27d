"""Is a strategy better than random? Areas under the learning curve, paired by seed, with an exact test.

The statistic was stated before any result was seen: the normalised area under the learning curve over the range of labels common to
all compared runs. All strategies of one seed share initial labels, weights and masks, so a seed's two areas are a pair.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from askwell.report.curves import BASELINE, CurvePoint, area_between, common_range, curves_by_strategy
from askwell.report.intervals import mean_interval

LEVEL = 0.05
EXACT_SEEDS = 20  # up to here all sign patterns are gone through, beyond it DRAWS of them
DRAWS = 100_000
_TIE = 1e-12  # differences and sums that differ by rounding only are equal


@dataclass(frozen=True)
class Comparison:
    """One strategy against random: the shared seeds, both areas (fractions) seed by seed, and the test's p, raw and after Holm."""

    strategy: str
    seeds: tuple[int, ...]
    areas: tuple[float, ...]
    baseline: tuple[float, ...]
    p: float
    holm: float

    @property
    def differences(self) -> tuple[float, ...]:
        """Area minus random's area, seed by seed; exactly 0 where they differ by rounding only."""
        return tuple(_differences(self.areas, self.baseline))

    @property
    def mean(self) -> float:
        """The mean difference."""
        return math.fsum(self.differences) / len(self.seeds)

    @property
    def interval(self) -> tuple[float, float] | None:
        """Student's 95 % interval of the mean difference; None below 8 seeds."""
        return mean_interval(self.differences)


@dataclass(frozen=True)
class PairedTest:
    """Every strategy against random over one range of labels.

    labels    from and up to how many labels the areas go; None where the compared runs share no range, and then there are no rows
    paired    the strategies that share seeds with random
    left_out  strategy -> its seeds that are in no pair (of random too)
    """

    labels: tuple[int, int] | None
    paired: tuple[str, ...]
    rows: tuple[Comparison, ...]
    left_out: Mapping[str, tuple[int, ...]]


def paired_test(points: Iterable[CurvePoint]) -> PairedTest:
    """Compare every strategy with random by the seeds they share; no rows without a random arm or another one.

    Raises UsageError if a round occurs twice.
    """
    curves = curves_by_strategy(points)
    random = curves.get(BASELINE, {})
    shared = {
        name: [seed for seed in runs if seed in random]
        for name, runs in curves.items()
        if name != BASELINE and random.keys() & runs.keys()
    }
    used = {BASELINE: {seed for seeds in shared.values() for seed in seeds}} | {k: set(v) for k, v in shared.items()}
    labels = common_range(curves[name][seed] for name, seeds in used.items() for seed in seeds)
    left = {name: tuple(seed for seed in runs if seed not in used.get(name, ())) for name, runs in curves.items()}
    left_out = {name: seeds for name, seeds in left.items() if seeds and len(curves) > 1 and random}
    if labels is None:
        return PairedTest(None, tuple(shared), (), left_out)

    def areas(name: str, seeds: Sequence[int]) -> tuple[float, ...]:
        return tuple(area_between(curves[name][seed], *labels) for seed in seeds)

    both = {name: (areas(name, seeds), areas(BASELINE, seeds)) for name, seeds in shared.items()}
    p = [sign_flip_p(_differences(*pair)) for pair in both.values()]
    rows = [
        Comparison(name, tuple(shared[name]), *both[name], raw, corrected)
        for name, raw, corrected in zip(both, p, holm(p), strict=True)
    ]
    return PairedTest(labels, tuple(shared), tuple(rows), left_out)


def sign_flip_p(differences: Sequence[float], *, draws: int = DRAWS, seed: int = 0) -> float:
    """Two-sided p of the paired sign-flip test: could the differences as well have had other signs?

        p = share of sign patterns s with |sum_i s_i d_i| >= |sum_i d_i|

    All 2^n patterns are gone through up to n = 20; beyond, ``draws`` random ones from the seed, with p = (1 + hits) / (1 + draws)
    (Phipson and Smyth 2010). Sums that differ by rounding only count as equal; 1 where all differences are 0.
    """
    d = np.asarray(differences, dtype=np.float64)
    total = float(np.abs(d).sum())
    least = abs(float(d.sum())) - _TIE * max(1.0, total)
    if len(d) > EXACT_SEEDS:
        generator = np.random.default_rng(seed)
        signs = (generator.integers(0, 2, size=(draws, len(d)), dtype=np.int8) * 2 - 1).astype(np.float64)
        return (1 + int((np.abs(signs @ d) >= least).sum())) / (1 + draws)
    sums = np.array(
        [abs(d[0]) if len(d) else 0.0]
    )  # a pattern and its mirror image have the same |sum|: half of them will do
    for value in d[1:]:
        sums = np.concatenate([sums + value, sums - value])
    return float((np.abs(sums) >= least).mean())


def smallest_p(seeds: int) -> float:
    """The smallest p that so many pairs can give, whatever the differences: 2 / 2^n, or 1 / (1 + draws) beyond 20."""
    return 2.0 ** (1 - seeds) if seeds <= EXACT_SEEDS else 1.0 / (1 + DRAWS)


def holm(p_values: Sequence[float]) -> list[float]:
    """p values corrected for their number (Holm 1979), in the order given; at most one false positive family in twenty at .05.

    The k-th smallest of m becomes the largest of (m - j + 1) p_(j) over j <= k, at most 1.
    """
    m = len(p_values)
    corrected = [0.0] * m
    largest = 0.0
    for rank, place in enumerate(sorted(range(m), key=lambda i: p_values[i])):
        largest = max(largest, min(1.0, (m - rank) * p_values[place]))
        corrected[place] = largest
    return corrected


def seeds_needed(strategies: int) -> int:
    """From how many seeds on a test of so many strategies against random can reach 5 % after Holm's correction."""
    return next(n for n in range(1, 64) if strategies * 2.0 ** (1 - n) <= LEVEL)


def _differences(areas: Sequence[float], baseline: Sequence[float]) -> list[float]:
    return [0.0 if abs(a - b) <= _TIE else a - b for a, b in zip(areas, baseline, strict=True)]

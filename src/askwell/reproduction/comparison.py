"""Do two sets of runs agree? The difference of their means against what their spread allows."""

import math
import statistics
from collections.abc import Sequence
from typing import NamedTuple

from askwell.errors import UsageError

STANDARD_ERRORS = 2.5


class Sample(NamedTuple):
    """Mean, sample standard deviation (n - 1) and number of runs."""

    mean: float
    sd: float
    n: int


class Comparison(NamedTuple):
    """Difference of means (first - second), the largest that is allowed either way, and whether it is kept to."""

    difference: float
    allowance: float
    within: bool


def sample(values: Sequence[float]) -> Sample:
    """Of at least two runs; UsageError for fewer, which have no spread."""
    if len(values) < 2:
        raise UsageError(f"expected at least 2 runs to have a spread, found {len(values)}; run more seeds.")
    return Sample(statistics.fmean(values), statistics.stdev(values), len(values))


def compare(first: Sample, second: Sample) -> Comparison:
    """Whether |m1 - m2| <= 2.5 sqrt(s1^2 / n1 + s2^2 / n2)."""
    difference = first.mean - second.mean
    allowance = STANDARD_ERRORS * math.sqrt(first.sd**2 / first.n + second.sd**2 / second.n)
    return Comparison(difference, allowance, abs(difference) <= allowance)

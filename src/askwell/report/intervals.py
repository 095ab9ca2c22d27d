"""How far a mean over seeds may be off; said only where there are enough seeds to say it."""

import math
import statistics
from collections.abc import Sequence

MIN_SEEDS = 8


def mean_interval(values: Sequence[float], confidence: float = 0.95) -> tuple[float, float] | None:
    """Student's t-interval for the mean of the values, in their unit; None below 8 values, where it would claim too much.

    mean +- t(n - 1, (1 + confidence) / 2) s / sqrt(n)
    """
    n = len(values)
    if n < MIN_SEEDS:
        return None
    from scipy.special import stdtrit  # here, because below 8 seeds nothing needs it

    mean = math.fsum(values) / n
    half = float(stdtrit(n - 1, (1.0 + confidence) / 2.0)) * statistics.stdev(values) / math.sqrt(n)
    return mean - half, mean + half

"""Curves with known shapes, made without randomness."""

from collections.abc import Callable, Sequence

import pytest

from askwell.report.curves import CurvePoint


def make_points(strategies: Sequence[str], seeds: int, rounds: int = 12, initial: int = 20) -> list[CurvePoint]:
    """Error halves faster the earlier a strategy is named; seeds differ a little; every fraction is k / 10000."""
    points: list[CurvePoint] = []
    for place, strategy in enumerate(strategies):
        for seed in range(seeds):
            for step in range(rounds + 1):
                labels = initial + 10 * step
                error = 0.6 * 2.0 ** (-step * (2.0 - 0.25 * place) / 5.0) * (1.0 + 0.02 * seed) + 0.002
                wrong = round(10000 * min(error, 0.9))
                points.append(
                    CurvePoint(
                        strategy, seed, step, labels, 1.0 - wrong / 10000, 2 * error, error / 3, 0.9, 1.5 + seed, 0.25
                    )
                )
    return points


@pytest.fixture
def points_of() -> Callable[..., list[CurvePoint]]:
    return make_points

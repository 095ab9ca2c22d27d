"""Labels keep apart and as near as they can; ticks are round; a note finds a free place."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from askwell.report.layout import free_place, log_ticks, panels, spread

HEIGHTS = st.lists(st.floats(0.0, 100.0), min_size=1, max_size=10)


@given(HEIGHTS, st.floats(0.1, 8.0))
def test_spread_keeps_gap_order_and_bounds(wanted: list[float], gap: float) -> None:
    placed = spread(wanted, gap, 0.0, 100.0)
    order = sorted(range(len(wanted)), key=lambda i: wanted[i])
    steps = [placed[b] - placed[a] for a, b in pairwise(order)]
    assert all(step >= gap - 1e-9 for step in steps)
    assert all(-1e-9 <= height <= 100.0 + 1e-9 for height in placed)


@pytest.mark.parametrize(
    ("wanted", "placed"),
    [
        ([10.0, 50.0, 90.0], [10.0, 50.0, 90.0]),  # far apart: nothing moves
        ([50.0, 50.0], [45.0, 55.0]),  # equal: half a gap each, in the order given
        ([50.0, 40.0, 45.0], [55.0, 35.0, 45.0]),
        ([0.0, 0.0], [0.0, 10.0]),  # the lower bound holds
        ([100.0, 99.0], [100.0, 90.0]),
        ([], []),
    ],
)
def test_spread_by_hand(wanted: list[float], placed: list[float]) -> None:
    assert spread(wanted, 10.0, 0.0, 100.0) == pytest.approx(placed)


def test_spread_shrinks_the_gap_when_there_is_no_room() -> None:
    assert spread([5.0] * 11, 40.0, 0.0, 100.0) == pytest.approx([10.0 * i for i in range(11)])


@given(st.floats(1e-5, 0.9), st.floats(1.12, 1e4))
def test_log_ticks_are_few_round_and_inside(low: float, factor: float) -> None:
    high = low * factor
    ticks = log_ticks(low, high)
    assert ticks == sorted(ticks)
    assert all(low <= tick <= high for tick in ticks)
    assert 2 <= len(ticks) <= 13
    for tick in ticks:
        digits = tick / 10 ** math.floor(math.log10(tick) + 1e-9)
        assert digits == pytest.approx(round(digits, 1))  # two digits name it


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0.009, 0.55, [0.01, 0.02, 0.05, 0.1, 0.2, 0.5]),
        (0.3, 0.7, [0.3, 0.4, 0.5, 0.6, 0.7]),
        (1e-4, 1.0, [1e-4, 1e-3, 1e-2, 1e-1, 1.0]),
    ],
)
def test_log_ticks_by_hand(low: float, high: float, ticks: list[float]) -> None:
    assert log_ticks(low, high) == pytest.approx(ticks)


@given(st.integers(1, 23), st.floats(4.0, 12.0))
def test_panels_are_equal_apart_and_inside(count: int, right: float) -> None:
    squares, height = panels(count, 0.8, right)
    assert len(squares) == count
    assert len({side for _, _, side in squares}) == 1
    side = squares[0][2]
    assert 0.3 < side <= 1.9
    for left, down, _ in squares:
        assert left >= 0.8
        assert left + side <= right + 1e-9
        assert down > 0.0
        assert down + side < height
    for (a, up, _), (b, low, _) in pairwise(squares):
        assert b >= a + side + 0.1 or low >= up + side + 0.6  # in a row, or in the next one


def test_panels_have_five_in_a_row() -> None:
    squares, _ = panels(7, 1.0, 9.0)
    assert [left for left, _, _ in squares[:2]] == [left for left, _, _ in squares[5:]]
    assert len({down for _, down, _ in squares}) == 2
    assert panels(0, 1.0, 9.0)[0] == []


def test_a_note_goes_to_the_first_free_place_or_the_freest() -> None:
    falling = np.array([[0.0, 100.0], [100.0, 0.0]])
    places = [0.0, 20.0, 40.0, 60.0, 80.0]
    assert free_place(places, 10.0, (40.0, 50.0), [falling], 5.0) == 0.0
    assert free_place(places, 10.0, (80.0, 90.0), [falling], 5.0) == 40.0
    assert free_place(places, 10.0, (40.0, 50.0), [], 5.0) == 0.0
    assert free_place([40.0, 65.0, 50.0], 10.0, (40.0, 60.0), [falling], 30.0) == 65.0
    assert free_place([0.0, 50.0], 10.0, (0.0, 10.0), [np.array([[5.0, 5.0]])], 3.0) == 50.0  # a lone point

"""Where things go in a picture, as arithmetic: ticks for percentages, labels that keep apart, a free place for a note."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

# Tried from coarse to fine until at least four ticks fall on the axis; the last one still names 42 % and 44 % apart.
_MANTISSAS = (
    (1.0,),
    (1.0, 2.0, 5.0),
    (1.0, 1.5, 2.0, 3.0, 5.0, 7.0),
    tuple(float(digit) for digit in range(1, 10)),
    tuple(digit / 2 for digit in range(2, 20)),
    tuple(digit / 5 for digit in range(5, 50)),
    tuple(digit / 10 for digit in range(10, 100)),
)
_FEWEST_TICKS = 4
_IN_A_ROW, _WIDEST, _APART, _ABOVE, _BELOW = (
    5,
    1.9,
    0.18,
    0.24,
    0.42,
)  # panels: squares in a row, inches of and about one


def log_ticks(low: float, high: float) -> list[float]:
    """Round values from low to high (both > 0), evenly spread on a log axis: at least four unless the axis is very short."""
    decades = range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 1)
    ticks: list[float] = []
    for mantissas in _MANTISSAS:
        values = [round(m * 10.0**decade, 12) for decade in decades for m in mantissas]
        ticks = [value for value in values if low <= value <= high]
        if len(ticks) >= _FEWEST_TICKS:
            break
    return ticks


def spread(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Positions as near as possible to the wanted ones (least squares), at least gap apart, in the same order, from low to high.

    If they do not fit, the gap shrinks until they do. Equal wishes keep the order in which they are given.
    """
    if not wanted:
        return []
    gap = min(gap, (high - low) / max(1, len(wanted) - 1))
    order = sorted(range(len(wanted)), key=lambda i: wanted[i])
    shifted = _increasing([wanted[i] - rank * gap for rank, i in enumerate(order)])
    placed = [0.0] * len(wanted)
    for rank, i in enumerate(order):
        placed[i] = min(max(shifted[rank], low), high - (len(wanted) - 1) * gap) + rank * gap
    return placed


def _increasing(values: Sequence[float]) -> list[float]:
    """The non-decreasing sequence nearest to the values in least squares: pool adjacent violators."""
    blocks: list[tuple[float, int]] = []
    for value in values:
        total, size = value, 1
        while blocks and blocks[-1][0] / blocks[-1][1] > total / size:
            total, size = total + blocks[-1][0], size + blocks[-1][1]
            blocks.pop()
        blocks.append((total, size))
    return [total / size for total, size in blocks for _ in range(size)]


def panels(count: int, left: float, right: float) -> tuple[list[tuple[float, float, float]], float]:
    """Squares in rows between two edges: (left edge, distance of its top from the top of all, side) of each, and the height of all.

    At most five in a row, the rows of one width; in inches. A row has room for a title above and an axis below each square.
    """
    columns = min(max(1, count), _IN_A_ROW)
    side = min(_WIDEST, (right - left - (columns - 1) * _APART) / columns)
    squares = [
        (left + (i % columns) * (side + _APART), _ABOVE + (i // columns) * (_ABOVE + side + _BELOW), side)
        for i in range(count)
    ]
    return squares, -(-count // columns) * (_ABOVE + side + _BELOW)


def free_place(
    places: Sequence[float],
    width: float,
    band: tuple[float, float],
    lines: Sequence[NDArray[np.float64]],
    enough: float,
) -> float:
    """The first left edge at which a box of this width, between the band's heights, keeps enough distance from all lines [points, 2].

    If there is none, the one with the greatest distance. All in one unit (pixels); distance is measured vertically.
    """
    distances = [min((_distance(left, width, band, line) for line in lines), default=math.inf) for left in places]
    free = [left for left, distance in zip(places, distances, strict=True) if distance >= enough]
    return free[0] if free else places[int(np.argmax(distances))]


def _distance(left: float, width: float, band: tuple[float, float], line: NDArray[np.float64]) -> float:
    """Vertical distance between box and line; 0 where they meet, infinity where the line is not above or below the box."""
    x = np.linspace(left, left + width, 24)
    x = np.concatenate(
        [x[(x >= line[0, 0]) & (x <= line[-1, 0])], line[(line[:, 0] >= left) & (line[:, 0] <= x[-1]), 0]]
    )
    if len(x) == 0:
        return math.inf
    y = np.interp(x, line[:, 0], line[:, 1])
    return float(np.min(np.maximum(np.maximum(band[0] - y, y - band[1]), 0.0)))

"""Labels needed for a target: crossings of the mean, medians over seeds that count what was not reached, and which targets are shown."""

import math
import random
import statistics

import pytest

from askwell.errors import SettingsError
from askwell.report.curves import CurvePoint
from askwell.report.labels import DEFAULT_TARGETS, Missed, labels_table, missed_targets, shown_targets
from askwell.report.wording import labels_cells


def curve(strategy: str, seed: int, values: dict[int, float | None]) -> list[CurvePoint]:
    return [CurvePoint(strategy, seed, i, n, value) for i, (n, value) in enumerate(values.items())]


def test_mean_and_median_by_hand() -> None:
    points = curve("bald", 0, {10: 0.5, 20: 0.94, 30: 0.98}) + curve("bald", 1, {10: 0.6, 15: 0.1, 20: 0.96})
    (row,) = labels_table(points, [0.95])
    assert (row.mean_first, row.mean_sustained, row.mean_max_labels) == (20, 20, 20)
    assert row.median_first == row.median_sustained == (25.0, 25.0, False)  # 30 and 20


def test_seeds_without_a_common_range_have_no_mean_curve() -> None:
    (row,) = labels_table(curve("bald", 0, {10: 0.5, 30: 0.98}) + curve("bald", 1, {31: 0.6, 41: 0.96}), [0.95])
    assert (row.mean_first, row.mean_sustained, row.mean_max_labels) == (None, None, None)
    assert row.median_first == (35.5, 35.5, False)


def test_the_mean_may_cross_between_a_seeds_points() -> None:
    (row,) = labels_table(curve("bald", 0, {10: 0.5, 30: 0.9}) + curve("bald", 1, {11: 0.6, 21: 0.9, 31: 0.9}), [0.8])
    assert (row.mean_first, row.mean_sustained, row.mean_max_labels) == (21, 21, 30)  # (.72 + .9) / 2


def test_what_was_missed_is_counted_over_runs() -> None:
    points = [
        *curve("bald", 0, {10: 0.5, 20: 0.85, 30: 0.96}),
        *curve("bald", 1, {10: 0.6, 20: 0.85}),
        *curve("random", 0, {10: 0.5, 20: 0.82}),
    ]
    assert shown_targets(points) == (0.8, 0.9)
    assert missed_targets(points) == Missed((0.98, 0.99), {0.95: 1}, 3, (20, 30))
    assert missed_targets(points, (0.4, 0.9, 0.8)) == Missed((), {}, 3, (20, 30)), (
        "0.4 lies below the start, 0.9 has a row"
    )
    assert missed_targets(curve("bald", 0, {10: None})) is None
    with pytest.raises(SettingsError):
        missed_targets(points, (95.0,))


@pytest.mark.parametrize(
    ("ends", "median"),
    [
        ([0.9, 0.9, 0.5], (20, 20, False)),  # one of three censored: the median is a number
        ([0.9, 0.5, 0.5], (20, math.inf, True)),  # two of three: it is above the end
        ([0.9, 0.5], (20, math.inf, True)),  # the mean of 20 and infinity
        ([0.5], (20, math.inf, True)),
    ],
)
def test_median_counts_censored_seeds_as_infinite(ends: list[float], median: tuple[float, float, bool]) -> None:
    points = [p for seed, end in enumerate(ends) for p in curve("bald", seed, {10: 0.3, 20: end})]
    (row,) = labels_table(points, [0.8])
    assert row.median_first == median
    assert row.median_sustained == median
    assert row.seeds == len(ends)


def test_median_lies_between_two_numbers_where_a_run_ended_early() -> None:
    points = [
        *curve("bald", 0, {10: 0.3, 60: 0.5}),  # may have reached it with 61, or never
        *curve("bald", 1, {10: 0.3, 60: 0.5, 100: 0.9}),
        *curve("bald", 2, {10: 0.3, 60: 0.5, 150: 0.9}),
    ]
    (row,) = labels_table(points, [0.8])
    assert row.median_first == (100, 150, False)
    assert (row.mean_first, row.mean_max_labels) == (None, 60)
    assert labels_cells(row)[3:7] == (">60", ">60", "100 to 150", "100 to 150")


def test_median_may_be_its_lower_end() -> None:
    """One run reached it with 380 labels; of the others one ended before and one after: the median is 380 or more."""
    points = [
        *curve("bald", 0, {10: 0.3, 100: 0.5}),
        *curve("bald", 1, {10: 0.3, 380: 0.9}),
        *curve("bald", 2, {10: 0.3, 400: 0.5}),
    ]
    (row,) = labels_table(points, [0.8])
    assert row.median_first == (380, math.inf, False)
    assert labels_cells(row)[5:7] == ("≥380", "≥380")


@pytest.mark.parametrize("seeds", [1, 3, 4, 10])
@pytest.mark.parametrize("equal_ends", [True, False])
def test_censored_medians_by_simulation(seeds: int, equal_ends: bool) -> None:
    """Runs that are cut off anywhere: what is said of the median is true of the uncut runs, and a cut run is never dropped."""
    generator = random.Random(seeds)
    known = below = 0
    for _ in range(40):
        needed = [10 * generator.randint(2, 60) for _ in range(seeds)]  # labels that the uncut runs take
        ends = [10 * generator.randint(2, 60)] * seeds
        if not equal_ends:
            ends = [10 * generator.randint(20, 70) for _ in range(seeds)]
        points = [
            point
            for seed, (enough, end) in enumerate(zip(needed, ends, strict=True))
            for point in curve("bald", seed, {n: 0.95 if n >= enough else 0.5 for n in range(10, end + 1, 10)})
        ]
        (row,) = labels_table(points, [0.9])
        truth = statistics.median(needed)
        low, high, above = row.median_first
        equal = low == high
        assert low <= truth <= high
        assert low < truth or not above
        assert equal or any(n > end for n, end in zip(needed, ends, strict=True))
        assert row.median_sustained == row.median_first
        known += equal
        reached = [n for n, end in zip(needed, ends, strict=True) if n <= end]
        below += bool(reached) and statistics.median(reached) < truth  # what dropping would say
    assert 2 <= known <= 38
    assert seeds == 1 or below > 10, "dropping them understates"


def test_ratio_to_random() -> None:
    points = curve("bald", 0, {10: 0.5, 20: 0.9, 30: 0.85, 40: 0.92}) + curve(
        "random", 0, {10: 0.5, 20: 0.6, 30: 0.7, 40: 0.8, 50: 0.91}
    )
    rows = {(row.strategy, row.target): row for row in labels_table(points, [0.8, 0.9, 0.915])}
    assert rows["bald", 0.8].first_ratio == 20 / 40
    assert rows["bald", 0.8].sustained_ratio == 20 / 40
    assert rows["bald", 0.9].first_ratio == 20 / 50
    assert rows["bald", 0.9].sustained_ratio == 40 / 50
    assert rows["bald", 0.915].first_ratio is None  # random did not reach it
    assert rows["random", 0.9].first_ratio is None
    (alone,) = labels_table(points[:4], [0.8])
    assert alone.first_ratio is None


def test_table_goes_target_by_target_in_the_order_of_appearance() -> None:
    points = curve("zeta", 0, {10: 0.5}) + curve("alpha", 0, {10: 0.9}) + curve("none", 0, {10: None})
    assert [(row.target, row.strategy) for row in labels_table(points, [0.8, 0.4])] == [
        (0.8, "zeta"),
        (0.8, "alpha"),
        (0.4, "zeta"),
        (0.4, "alpha"),
    ]


@pytest.mark.parametrize("target", [0.0, -0.1, 1.01, 95.0, math.nan])
def test_targets_are_fractions(target: float) -> None:
    for function in (labels_table, shown_targets):
        with pytest.raises(SettingsError, match=r"0\.95 for 95 %"):
            function(curve("bald", 0, {10: 0.5}), [target])


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ({10: 0.3, 20: 0.85}, (0.80, 0.90)),  # those reached, and the next one
        ({10: 0.3, 20: 0.7}, (0.80,)),
        ({10: 0.85, 20: 0.96}, (0.90, 0.95, 0.98)),  # 80 % is below the start
        ({10: 0.3, 20: 1.0}, DEFAULT_TARGETS),
        ({10: 0.995, 20: 1.0}, ()),
        ({10: None}, ()),
    ],
)
def test_shown_targets(values: dict[int, float | None], shown: tuple[float, ...]) -> None:
    assert shown_targets(curve("bald", 0, values)) == shown


def test_one_low_start_is_enough_to_show_a_target() -> None:
    points = curve("bald", 0, {10: 0.85}) + curve("bald", 1, {10: 0.75})
    assert shown_targets(points, (0.9, 0.8)) == (0.8, 0.9)
    assert shown_targets(points, (0.8,)) == (0.8,)

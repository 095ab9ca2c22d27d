"""Crossings, areas and tables against values worked out by hand and against the definitions."""

import dataclasses
import math
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from askwell.errors import NonFiniteError, ShapeError, UsageError
from askwell.report.curves import (
    CURVE_COLUMNS,
    QUERY_COLUMNS,
    Curve,
    CurvePoint,
    QueryRow,
    area_between,
    area_under_curve,
    common_labels,
    common_range,
    curves_by_strategy,
    final_accuracies,
    first_crossing,
    interpolated,
    mean_curve,
    sustained_crossing,
)
from askwell.report.intervals import mean_interval


def curve(strategy: str, seed: int, values: dict[int, float | None]) -> list[CurvePoint]:
    return [CurvePoint(strategy, seed, i, n, value) for i, (n, value) in enumerate(values.items())]


@pytest.mark.parametrize(
    ("accuracy", "first", "sustained"),
    [
        ([0.5, 0.7, 0.9, 0.95], 30, 30),
        ([0.5, 0.9, 0.8, 0.95], 20, 40),  # falls back once
        ([0.5, 0.9, 0.95, 0.8], 20, None),  # falls back at the end
        ([0.5, 0.6, 0.7, 0.8999], None, None),
        ([0.9, 0.91, 0.92, 0.93], 10, 10),  # reached at the start
        ([0.95, 0.5, 0.6, 0.9], 10, 40),
    ],
)
def test_crossings_by_hand(accuracy: list[float], first: int | None, sustained: int | None) -> None:
    labels = [10, 20, 30, 40]
    assert first_crossing(labels, accuracy, 0.9) == first
    assert sustained_crossing(labels, accuracy, 0.9) == sustained
    # the order in which the points are given does not matter
    assert first_crossing(labels[::-1], accuracy[::-1], 0.9) == first
    assert sustained_crossing(labels[::-1], accuracy[::-1], 0.9) == sustained


def test_crossings_of_no_curve_and_of_unequal_lists() -> None:
    assert first_crossing([], [], 0.9) is None
    assert sustained_crossing([], [], 0.9) is None
    for function in (first_crossing, sustained_crossing):
        with pytest.raises(ShapeError, match="found 1 for 2"):
            function([10, 20], [0.5], 0.9)
    with pytest.raises(ShapeError):
        area_under_curve([10, 20], [0.5])


CURVES = st.lists(st.floats(0.0, 1.0), min_size=1, max_size=12)


@given(CURVES, st.floats(0.01, 1.0))
def test_crossings_obey_their_definitions(accuracy: list[float], target: float) -> None:
    labels = [10 * (i + 1) for i in range(len(accuracy))]
    first = first_crossing(labels, accuracy, target)
    sustained = sustained_crossing(labels, accuracy, target)
    assert (first or math.inf) <= (sustained or math.inf)
    at = dict(zip(labels, accuracy, strict=True))
    if first is None:
        assert max(accuracy) < target
    else:
        assert at[first] >= target
        assert all(at[n] < target for n in labels if n < first)
    if sustained is None:
        assert accuracy[-1] < target
    else:
        assert all(at[n] >= target for n in labels if n >= sustained)
        assert sustained == labels[0] or at[sustained - 10] < target


@given(CURVES.filter(lambda values: len(values) > 1))
def test_area_is_a_mean_accuracy(accuracy: list[float]) -> None:
    labels = [7 * i * i + 3 for i in range(len(accuracy))]
    area = area_under_curve(labels, accuracy)
    total = sum((labels[i + 1] - labels[i]) * (accuracy[i + 1] + accuracy[i]) / 2 for i in range(len(labels) - 1))
    assert area == pytest.approx(total / (labels[-1] - labels[0]))
    assert min(accuracy) - 1e-12 <= area <= max(accuracy) + 1e-12


def test_area_by_hand() -> None:
    # (10 * 0.6 + 20 * 0.8) / 30
    assert area_under_curve([10, 20, 40], [0.5, 0.7, 0.9]) == pytest.approx(22 / 30)
    assert area_under_curve([10], [0.5]) is None


def test_area_between_reads_the_ends_off_the_lines() -> None:
    curve = Curve((10, 20, 40), (0.5, 0.7, 0.9))
    assert area_between(curve, 10, 40) == pytest.approx(22 / 30)
    assert area_between(curve, 15, 30) == pytest.approx((5 * 0.65 + 10 * 0.75) / 15)
    assert area_between(curve, 22, 24) == pytest.approx(0.73)
    assert area_between(Curve((10, 20), (0.5, 0.5)), 12, 19) == 0.5


@pytest.mark.parametrize(
    ("labels", "common"),
    [
        ([(10, 20, 30)], (10, 30)),
        ([(10, 20, 30), (15, 60)], (15, 30)),
        ([(10, 20), (20, 30)], None),  # a single point is no range
        ([(10, 20), (30, 40)], None),
        ([(10,)], None),
        ([], None),
    ],
)
def test_common_range(labels: list[tuple[int, ...]], common: tuple[int, int] | None) -> None:
    assert common_range(Curve(n, (0.5,) * len(n)) for n in labels) == common


def test_mean_curve_goes_through_every_count_inside_all_seeds_ranges() -> None:
    points = curve("bald", 0, {10: 0.5, 20: 0.94, 30: 0.98}) + curve("bald", 1, {10: 0.6, 15: 0.1, 20: 0.96})
    own = curves_by_strategy(points)["bald"]
    assert mean_curve(own) == Curve((10, 15, 20), (0.55, 0.41, 0.95))  # seed 0 is at .72 with 15
    assert interpolated(own)
    assert common_labels(own) == [10, 20]


def test_a_lost_label_shortens_the_mean_by_one_label_only() -> None:
    whole = curve("bald", 0, {6: 0.5, 9: 0.6, 12: 0.7, 15: 0.8, 18: 0.9})
    points = whole + curve("bald", 1, {6: 0.5, 9: 0.6, 12: 0.7, 14: 0.9, 17: 0.9})
    found = mean_curve(curves_by_strategy(points)["bald"])
    assert found.labels == (6, 9, 12, 14, 15, 17)
    assert found.accuracy[3:] == pytest.approx(((23 / 30 + 0.9) / 2, 0.85, (13 / 15 + 0.9) / 2))
    same = curves_by_strategy(whole + [dataclasses.replace(point, seed=1) for point in whole])["bald"]
    assert mean_curve(same) == same[0]
    assert not interpolated(same)


def test_a_run_that_stops_early_needs_no_lines() -> None:
    points = curve("bald", 0, {10: 0.5, 20: 0.9}) + curve("bald", 1, {10: 0.5, 20: 0.7, 30: 0.8})
    own = curves_by_strategy(points)["bald"]
    assert mean_curve(own) == Curve((10, 20), (0.5, 0.8))
    assert not interpolated(own)
    assert mean_curve({0: Curve((10, 20), (0.5, 0.9)), 1: Curve((21,), (0.9,))}) == mean_curve({}) == Curve((), ())


def test_final_accuracy_is_at_each_seeds_last_measured_round() -> None:
    points = curve("bald", 0, {10: 0.5, 20: 0.9, 30: None}) + curve("bald", 1, {10: 0.5, 20: 0.6, 30: 0.7})
    final = final_accuracies(points)["bald"]
    assert (dict(final.per_seed), dict(final.labels), final.mean) == ({0: 0.9, 1: 0.7}, {0: 20, 1: 30}, 0.8)


def test_rounds_that_add_no_label_speak_last() -> None:
    points = [CurvePoint("bald", 0, 1, 10, 0.6), CurvePoint("bald", 0, 0, 10, 0.5)]
    assert curves_by_strategy(points) == {"bald": {0: Curve((10,), (0.6,))}}


def test_a_round_given_twice_is_refused() -> None:
    points = curve("bald", 3, {10: 0.5})
    with pytest.raises(UsageError, match="'bald', seed 3, round 0"):
        curves_by_strategy(points + points)


def test_not_a_number_is_refused_in_a_point() -> None:
    point = CurvePoint("bald", 0, 7, 10, 0.5)
    with pytest.raises(NonFiniteError, match="nll of round 7"):
        dataclasses.replace(point, nll=math.nan)


def test_columns_are_the_fields() -> None:
    assert ",".join(CURVE_COLUMNS) == "strategy,seed,round,labels,accuracy,nll,ece,auc,seconds_fit,seconds_score"
    assert tuple(field.name for field in dataclasses.fields(CurvePoint)) == CURVE_COLUMNS
    assert ",".join(QUERY_COLUMNS) == "strategy,seed,round,rank,id,label,score"
    assert tuple(field.name for field in dataclasses.fields(QueryRow)) == QUERY_COLUMNS


def test_interval_needs_eight_values_and_is_students() -> None:
    values = [0.90, 0.91, 0.93, 0.95, 0.90, 0.92, 0.94, 0.91]
    assert mean_interval(values[:7]) is None
    low, high = mean_interval(values) or (0.0, 0.0)
    half = 2.364624251592785 * statistics.stdev(values) / math.sqrt(8)  # t(7, 0.975) from a printed table
    assert (low, high) == pytest.approx((statistics.fmean(values) - half, statistics.fmean(values) + half))

"""The stored curves say what the paper prints, and the comparison with them is what was agreed."""

import math
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reproduction_small import SETTINGS

from askwell.campaign.strategies import STRATEGIES
from askwell.errors import UsageError
from askwell.report.curves import first_crossing
from askwell.reproduction.comparison import Sample, compare, sample
from askwell.reproduction.published import (
    AUTHORS_FILE,
    BALD_SPREAD,
    SET_A,
    TABLE_1,
    TABLE_1_RUN,
    TABLE_2,
    authors_curves,
    published_name,
)

FILE = SETTINGS / AUTHORS_FILE


def test_all_ten_numbers_of_table_1_are_first_crossings_of_the_stored_runs_less_the_100_initial_labels():
    curves = authors_curves(FILE, TABLE_1_RUN)
    for target, paper in TABLE_1.items():
        for name, acquired in paper.items():
            crossing = first_crossing(curves[name].labels, curves[name].accuracy, target)
            assert crossing is not None
            assert crossing - 100 == acquired


def test_table_2_is_the_end_of_set_a():
    curves = authors_curves(FILE, SET_A)
    for name, error in TABLE_2.items():
        assert curves[name].labels[-1] == 1000
        assert 1 - curves[name].accuracy[-1] == pytest.approx(error, abs=5e-5)


def test_the_deterministic_networks_curves_are_others():
    assert authors_curves(FILE, SET_A, "deterministic")["bald"] != authors_curves(FILE, SET_A)["bald"]
    assert authors_curves(FILE, "no such run") == {}


def test_every_strategy_of_set_a_has_its_published_name():
    names = (
        "bald",
        "variation_ratios",
        "variation_ratios_votes",
        "max_entropy",
        "mean_std",
        "mean_std_defective",
        "random",
    )
    assert {published_name(name) for name in names} == set(authors_curves(FILE, SET_A))
    assert set(names) <= set(STRATEGIES)
    assert published_name("mbr_authors") == "mbr" != published_name("mbr")


@pytest.mark.parametrize(("ours", "within"), [(0.7, False), (0.798, True), (0.81, True), (0.821, False)])
def test_the_comparison_at_100_labels_by_hand(ours, within):
    theirs, own = Sample(0.80, BALD_SPREAD[100], 3), Sample(ours, 0.0, 3)
    found = compare(own, theirs)
    assert found.difference == pytest.approx(ours - 0.80)
    assert found.allowance == pytest.approx(2.5 * 0.014 / math.sqrt(3))  # .0202
    assert found.within is within


@given(
    first=st.lists(st.floats(0, 1), min_size=2, max_size=6),
    second=st.lists(st.floats(0, 1), min_size=2, max_size=6),
)
def test_a_sample_is_its_mean_and_spread_and_a_comparison_has_no_side(first, second):
    a, b = sample(first), sample(second)
    assert a == (statistics.fmean(first), statistics.stdev(first), len(first))
    one, other = compare(a, b), compare(b, a)
    assert one.difference == -other.difference
    assert one.allowance == pytest.approx(other.allowance)
    assert one.allowance**2 == pytest.approx(6.25 * (a.sd**2 / a.n + b.sd**2 / b.n))


def test_one_run_has_no_spread():
    with pytest.raises(UsageError, match="at least 2 runs"):
        sample([0.9])

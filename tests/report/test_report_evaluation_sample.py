"""Each prefix of the permutation is a simple random sample, also of a pool that grew, and nothing reserved is given away."""

import subprocess
import sys
from collections import Counter
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from askwell.errors import UsageError
from askwell.report.evaluation_sample import owed, permutation, reserved

UNLIKELY = 1e-3  # of a chi-square test that a right permutation passes; the seeds are fixed


def test_every_order_is_equally_likely():
    found = Counter(tuple(permutation(4, seed).tolist()) for seed in range(4800))
    assert set(found) == set(permutations(range(4)))
    assert chisquare(list(found.values())).pvalue > UNLIKELY


@given(st.integers(0, 60), st.integers(0, 60), st.integers(0, 2**32))
def test_later_items_leave_the_order_of_the_others(count: int, added: int, seed: int):
    longer = permutation(count + added, seed)
    assert sorted(longer.tolist()) == list(range(count + added))
    assert longer[longer < count].tolist() == permutation(count, seed).tolist()


def test_a_later_item_comes_to_any_place_equally_often():
    places = Counter(permutation(6, seed).tolist().index(5) for seed in range(3000))
    assert chisquare([places[place] for place in range(6)]).pvalue > UNLIKELY


def test_the_order_is_this_one_on_every_machine():
    assert permutation(10, 7).tolist() == [6, 3, 4, 9, 0, 2, 8, 7, 5, 1]


def test_later_items_among_those_asked_are_owed():
    assert owed([4, 0, 5, 1, 2, 3], answered=[0, 1]) == (4, 5)
    assert owed([4, 0, 5, 1], answered=[]) == ()
    assert owed([0, 1, 4], answered=[0, 1]) == ()


@given(st.lists(st.integers(0, 12), min_size=1, max_size=80), st.integers(0, 1000), st.integers(1, 30))
def test_reserved_items_are_a_beginning_and_their_groups_are_held_back(groups: list[int], seed: int, most: int):
    order = permutation(len(groups), seed)
    asked, held_back = reserved(order, groups, most=most)
    assert list(asked) == order[: len(asked)].tolist()
    assert len(asked) <= most
    assert len(held_back) <= len(groups) / 5
    together = {position for position, group in enumerate(groups) if group in {groups[item] for item in asked}}
    assert set(held_back) == together
    following = [int(item) for item in order[: len(asked) + 1]]
    more = [position for position, group in enumerate(groups) if group in {groups[item] for item in following}]
    assert len(asked) == min(most, len(groups)) or len(more) > len(groups) // 5, "as many as may be"


def test_without_groups_a_fifth_or_500_are_reserved():
    assert len(reserved(permutation(850, 0)).asked) == 170
    assert len(reserved(permutation(10_000, 0)).held_back) == 500
    with pytest.raises(UsageError, match="expected a group for each of 3 items, found 2"):
        reserved(permutation(3, 0), ["a", "b"])


def test_a_prefix_is_a_simple_random_sample_whatever_the_groups():
    """Every pair of items is as likely as any other to be the first two asked, though the groups differ in size."""
    groups = [0, 0, 0, 1, 1, 2, *range(3, 27)]
    pairs = Counter[frozenset[int]]()
    for seed in range(6000):
        asked = reserved(permutation(30, seed), groups).asked
        pairs[frozenset(permutation(30, seed)[:2].tolist())] += 1
        assert len(asked) >= 2
    assert len(pairs) == 30 * 29 // 2
    assert chisquare(list(pairs.values())).pvalue > UNLIKELY


def test_it_loads_no_torch():
    code = "import askwell.report.evaluation_sample, askwell.report.estimation, sys; print('torch' in sys.modules)"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert answer.stdout.strip() == "False"
    assert np.__name__ in sys.modules

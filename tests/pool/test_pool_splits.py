"""Splits: the size asked for, no repeats, even over the classes, the same for the same generator."""

import pytest
import scipy.stats
import torch
from hypothesis import given
from hypothesis import strategies as st

from askwell.errors import UsageError
from askwell.pool.splits import balanced_split, counted_split, grouped_split, uniform_split


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@given(count=st.integers(0, 60), data=st.data())
def test_a_uniform_split_has_no_repeats_and_is_reproducible(count, data):
    k, seed = data.draw(st.integers(0, count)), data.draw(st.integers(0, 2**31))
    chosen = uniform_split(count, k, generator=seeded(seed))
    assert len(set(chosen.tolist())) == len(chosen) == k
    assert set(chosen.tolist()) <= set(range(count))
    assert torch.equal(chosen, uniform_split(count, k, generator=seeded(seed)))


def test_a_uniform_split_is_uniform():
    counts = torch.zeros(5)
    for seed in range(1000):
        counts[uniform_split(5, 2, generator=seeded(seed))[0]] += 1
    assert scipy.stats.chisquare(counts.numpy()).pvalue > 1e-3


@given(labels=st.lists(st.integers(0, 4), max_size=60), data=st.data())
def test_a_balanced_split_is_as_even_as_the_classes_allow(labels, data):
    k, seed = data.draw(st.integers(0, len(labels))), data.draw(st.integers(0, 2**31))
    chosen = balanced_split(torch.tensor(labels, dtype=torch.int64), k, classes=5, generator=seeded(seed)).tolist()
    assert len(set(chosen)) == len(chosen) == k
    taken = [sum(labels[position] == label for position in chosen) for label in range(5)]
    for label in range(5):
        if taken[label] < labels.count(label):  # a class that could have given more gave the most, or one less
            assert taken[label] >= max(taken) - 1


def test_a_small_class_gives_all_it_has_and_the_others_share_the_rest():
    labels = torch.tensor([0] * 50 + [1] * 2 + [2] * 50 + [4] * 9)
    chosen = balanced_split(labels, 40, classes=5, generator=seeded())
    assert labels[chosen].bincount(minlength=5).tolist()[1] == 2
    assert labels[chosen].bincount(minlength=5).tolist()[3:] == [0, 9]
    assert sorted(labels[chosen].bincount(minlength=5).tolist()) == [0, 2, 9, 14, 15]


def test_the_papers_initial_set_has_two_of_each_class():
    labels = torch.arange(1000) % 10
    chosen = balanced_split(labels, 20, classes=10, generator=seeded())
    assert labels[chosen].bincount().tolist() == [2] * 10


def test_the_remainder_goes_to_classes_drawn_at_random():
    labels, extra = torch.arange(40) % 4, torch.zeros(4)
    for seed in range(1000):
        counts = labels[balanced_split(labels, 9, classes=4, generator=seeded(seed))].bincount(minlength=4)
        assert sorted(counts.tolist()) == [2, 2, 2, 3]
        extra += counts == 3
    assert scipy.stats.chisquare(extra.numpy()).pvalue > 1e-3


def test_items_within_a_class_and_their_order_are_drawn_at_random():
    labels = torch.tensor([0] * 5 + [1] * 5)
    first, members = torch.zeros(10), torch.zeros(10)
    for seed in range(1000):
        chosen = balanced_split(labels, 4, classes=2, generator=seeded(seed))
        first[chosen[0]] += 1
        members[chosen] += 1
    assert scipy.stats.chisquare(first.numpy()).pvalue > 1e-3
    assert scipy.stats.chisquare(members.numpy()).pvalue > 1e-3


def test_the_same_generator_gives_the_same_split_and_other_seeds_another():
    labels = torch.arange(200) % 10
    splits = [balanced_split(labels, 20, classes=10, generator=seeded(seed)).tolist() for seed in (0, 0, 1)]
    assert splits[0] == splits[1]
    assert splits[0] != splits[2]


def test_an_unbalanced_pool_of_a_hundred_thousand_is_split():
    labels = (torch.arange(100_000) % 100).clamp(max=3)
    chosen = balanced_split(labels, 4000, classes=5, generator=seeded())
    assert labels[chosen].bincount(minlength=5).tolist() == [1000, 1000, 1000, 1000, 0]


@pytest.mark.parametrize("k", [-1, 4])
def test_more_items_than_there_are_is_refused(k):
    for split in (
        lambda: uniform_split(3, k, generator=seeded()),
        lambda: grouped_split(["a", "b", "b"], k, generator=seeded()),
        lambda: balanced_split(torch.tensor([0, 1, 1]), k, classes=2, generator=seeded()),
    ):
        with pytest.raises(UsageError, match=f"between 0 and all 3 items, found k = {k}"):
            split()


def test_labels_outside_the_classes_are_refused():
    with pytest.raises(UsageError, match="labels from 0 to 1 for 2 classes, found 0 to 2"):
        balanced_split(torch.tensor([0, 2]), 1, classes=2, generator=seeded())


def test_labels_that_are_not_one_axis_of_integers_are_refused(plain_error):
    setup = "import torch; from askwell.pool.splits import balanced_split; g = torch.Generator();"
    for labels, found in (("torch.zeros(3)", "torch.float32 [3]"), ("torch.zeros(3, 1).long()", "torch.int64 [3, 1]")):
        error = plain_error(f"{setup} balanced_split({labels}, 1, classes=2, generator=g)")
        assert error == f"ShapeError: expected integer labels [N] and classes >= 1, found {found} and 2."


@given(groups=st.lists(st.integers(0, 8).map(str), max_size=40), data=st.data())
def test_a_grouped_split_takes_whole_groups_until_there_are_enough(groups, data):
    k, seed = data.draw(st.integers(0, len(groups))), data.draw(st.integers(0, 2**31))
    chosen = grouped_split(groups, k, generator=seeded(seed)).tolist()
    assert len(set(chosen)) == len(chosen) >= k
    rest = set(range(len(groups))) - set(chosen)
    assert {groups[position] for position in chosen}.isdisjoint(groups[position] for position in rest)
    last = [position for position in chosen if groups[position] == groups[chosen[-1]]]
    assert len(chosen) - len(last) < k or not chosen  # without its last group it would be too small


@given(count=st.integers(0, 40), data=st.data())
def test_a_grouped_split_of_single_items_is_a_uniform_split(count, data):
    k, seed = data.draw(st.integers(0, count)), data.draw(st.integers(0, 2**31))
    groups = [f"item {position}" for position in range(count)]
    single = uniform_split(count, k, generator=seeded(seed))
    assert torch.equal(grouped_split(groups, k, generator=seeded(seed)), single)


def test_every_group_is_equally_likely_to_come_first():
    counts = torch.zeros(3)
    for seed in range(1000):
        counts["abc".index("aaaaabcc"[int(grouped_split("aaaaabcc", 1, generator=seeded(seed))[0])])] += 1
    assert scipy.stats.chisquare(counts.numpy()).pvalue > 1e-3


def test_a_counted_split_has_so_many_of_each_class_and_is_reproducible():
    labels = torch.tensor([0] * 30 + [1] * 10 + [2] * 5)[torch.randperm(45, generator=seeded())]
    chosen = counted_split(labels, [8, 2, 0], generator=seeded(1))
    assert labels[chosen].bincount(minlength=3).tolist() == [8, 2, 0]
    assert len(set(chosen.tolist())) == 10
    assert torch.equal(chosen, counted_split(labels, [8, 2, 0], generator=seeded(1)))
    assert not torch.equal(chosen, counted_split(labels, [8, 2, 0], generator=seeded(2)))


def test_more_of_a_class_than_there_are_is_refused():
    with pytest.raises(UsageError, match="between 0 and all 5 items of class 1, found 6"):
        counted_split(torch.tensor([0] * 9 + [1] * 5), [3, 6], generator=seeded())

"""The test share: whole groups, of every class its share, the same for the same seed."""

from collections import Counter

import pytest
from hypothesis import given, reject
from hypothesis import strategies as st

from askwell.errors import UsageError
from askwell.pool.held_out import held_out

ITEMS = st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 12)), min_size=2, max_size=60)
SHARE = st.floats(0.05, 0.95)


@given(items=ITEMS, share=SHARE, seed=st.integers(0, 99))
def test_a_group_is_on_one_side(items, share, seed):
    labels, groups = [label for label, _ in items], [str(group) for _, group in items]
    try:
        test = set(held_out(labels, groups, share, seed))
    except UsageError:  # groups too large for the share
        reject()
    assert test
    assert {labels[position] for position in set(range(len(labels))) - test} == set(labels)
    in_test = {groups[position] for position in test}
    assert in_test.isdisjoint(groups[position] for position in range(len(groups)) if position not in test)


@given(labels=st.lists(st.sampled_from("abc"), min_size=2, max_size=80), share=SHARE, seed=st.integers(0, 99))
def test_items_on_their_own_are_split_exactly_by_class(labels, share, seed):
    counts = Counter(labels)
    wanted = {label: min(max(round(share * count), 1), count - 1) for label, count in counts.items()}
    if not any(wanted.values()):
        with pytest.raises(UsageError):
            held_out(labels, list(map(str, range(len(labels)))), share, seed)
        return
    test = held_out(labels, [str(position) for position in range(len(labels))], share, seed)
    assert Counter(labels[position] for position in test) == Counter(wanted)
    assert test == sorted(set(test))


@given(seed=st.integers(0, 999))
def test_no_class_is_exceeded_by_more_than_half_a_group(seed):
    labels = ["a"] * 60 + ["b"] * 30
    test = held_out(labels, [str(position // 5) for position in range(90)], 0.2, seed)
    found = Counter(labels[position] for position in test)
    assert 10 <= found["a"] <= 14
    assert 4 <= found["b"] <= 8


def test_the_draw_depends_on_the_seed_and_every_item_can_be_drawn():
    names = [f"{number}.png" for number in range(20)]
    drawn = [tuple(held_out(["a", "b"] * 10, names, 0.2, seed)) for seed in range(60)]
    assert drawn[0] == held_out_again(names)
    assert len(set(drawn)) > 50
    assert {position for each in drawn for position in each} == set(range(20))


def held_out_again(names):
    """The items of seed 0, whatever the order of the items."""
    backwards = held_out(["b", "a"] * 10, names[::-1], 0.2, 0)
    return tuple(sorted(19 - position for position in backwards))


def test_another_image_changes_the_draw_by_one_at_most():
    names = [f"{number}.png" for number in range(51)]
    before = {names[place] for place in held_out(["a"] * 50, names[:50], 0.2, 0)}
    after = {names[place] for place in held_out(["a"] * 51, names, 0.2, 0)}
    assert len(before - after) <= 1


def test_groups_too_large_for_the_share_are_refused():
    sentence = "a share of 0.2 of 100 images for measuring, found 2 of up to 60 images; give a test folder"
    with pytest.raises(UsageError, match=sentence):
        held_out(["a", "b"] * 50, ["x"] * 60 + ["y"] * 40, 0.2, 0)

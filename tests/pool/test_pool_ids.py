"""Ids: lazily written or listed, looked up both ways, and refused when they name nothing or two things."""

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from askwell.errors import UsageError
from askwell.pool.ids import ListedIds, NumberedIds, as_ids, position_lookup


def test_made_up_ids_are_padded_to_the_width_of_the_count():
    assert list(as_ids(None, 3)) == ["item-0", "item-1", "item-2"]
    assert as_ids(None, 1_000_000)[42] == "item-0000042"


@given(length=st.integers(0, 300), width=st.integers(1, 6), prefix=st.sampled_from(["", "item-", "mnist/train/", "7"]))
def test_numbered_ids_are_the_listed_ids_they_stand_for(length, width, prefix):
    numbered = NumberedIds(prefix, length, width)
    listed = ListedIds(tuple(f"{prefix}{number:0{width}d}" for number in range(length)))
    assert list(numbered) == list(listed)
    assert [numbered[position] for position in range(length)] == list(listed)
    assert [numbered.position(name) for name in listed] == list(range(length)) == [listed.position(n) for n in listed]
    assert numbered[1:-1] == listed[1:-1]
    assert numbered[-3:] == listed[-3:]
    assert len(numbered) == len(listed) == length


@pytest.mark.parametrize("stranger", ["item-003", "item-3", "item-2", "item-0³", "item-", "item--1", "00", ""])
@pytest.mark.parametrize("ids", [NumberedIds("item-", 2, width=2), ListedIds(("item-01", "a", "b"))])
def test_an_id_that_is_not_there_is_named(ids, stranger):
    assert stranger not in ids
    with pytest.raises(UsageError, match=f"such as '{ids[0]}', found {stranger!r}"):
        position_lookup(ids)(stranger)


def test_no_text_is_too_long_to_be_looked_up():
    with pytest.raises(UsageError, match="one of the 3 items"):
        NumberedIds("item-", 3, width=1).position("item-" + "9" * 9999)
    assert 7 not in as_ids(None, 3)


def test_numbers_wider_than_the_width_are_found():
    ids = NumberedIds("", 120, width=2)
    assert ids[119] == "119"
    assert ids.position("119") == 119
    assert "119" in ids
    assert "007" not in ids


def test_positions_outside_are_refused():
    ids = NumberedIds("item-", 3, width=1)
    assert ids[-1] == "item-2"
    for outside in (3, -4):
        with pytest.raises(IndexError):
            _ = ids[outside]


def test_a_million_made_up_ids_take_no_memory():
    tracemalloc.start()
    ids = as_ids(None, 1_000_000)
    lookup = position_lookup(ids)
    assert lookup(ids[999_999]) == 999_999
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 100_000


@pytest.mark.parametrize(
    ("ids", "count", "sentence"),
    [
        (["a", "b"], 3, "one id for each of 3 items, found 2 ids"),
        (["a", "b", "a"], 3, "every id once, found 'a' twice"),
        (["a", ""], 2, "non-empty strings, found '' at position 1"),
        ("abc", 3, "one id for each of 3 items, found the string 'abc'"),
    ],
)
def test_ids_that_do_not_name_the_items_are_refused(ids, count, sentence):
    with pytest.raises(UsageError, match=sentence):
        as_ids(ids, count)


def test_ids_that_are_no_strings_are_refused(plain_error):
    assert plain_error("from askwell.pool.ids import as_ids; as_ids([0, 1], 2)") == (
        "UsageError: expected ids to be non-empty strings, found 0 at position 0."
    )

"""The oracle of a data set answers what the data set says, by id."""

import tracemalloc

import pytest
import torch

from askwell.errors import ShapeError, UsageError
from askwell.pool.images import as_labelled, as_pool
from askwell.pool.oracle import DatasetOracle, oracle


def test_answers_are_class_names_in_the_order_of_the_questions():
    known = DatasetOracle(("x", "y", "z"), torch.tensor([1, 0, 1]), ("no", "yes"))
    assert known.answer(["z", "y", "x", "z"]) == ["yes", "no", "yes", "yes"]
    assert known.answer([]) == []


@pytest.mark.parametrize("ids", [None, ["x", "y", "z"]])
def test_ids_are_those_of_the_pool_of_the_same_images(ids):
    pool = as_pool(torch.zeros(3, 2, 2), ids=ids)
    known = oracle([2, 0, 1], ids=ids)
    assert known.answer(pool.ids) == ["2", "0", "1"]
    assert known.classes == ("0", "1", "2")
    assert oracle([1, 0, 1], ids=ids, classes=["no", "yes"]).answer([pool.ids[0]]) == ["yes"]


def test_the_oracle_of_labelled_images():
    labelled = as_labelled((torch.zeros(3, 2, 2), [1, 0, 1]), ids=["x", "y", "z"], classes=["no", "yes"])
    assert oracle(labelled).answer(["y", "z"]) == ["no", "yes"]


def test_an_item_the_oracle_does_not_know_is_named():
    with pytest.raises(UsageError, match=r"the id of one of the 3 items, such as 'item-0', found 'item-7'"):
        oracle([0, 1, 0]).answer(["item-0", "item-7"])


@pytest.mark.parametrize(
    ("ids", "labels", "classes", "error", "sentence"),
    [
        (("x", "y"), [0], ("no", "yes"), ShapeError, r"one label for each of 2 ids, found \[1\]"),
        (("x", "x"), [0, 1], ("no", "yes"), UsageError, "every id once, found 'x' twice"),
        (("x", "y"), [0, 2], ("no", "yes"), UsageError, "labels from 0 to 1 for 2 classes, found 0 to 2"),
        (("x", "y"), [0, 0], ("no",), UsageError, "at least 2 distinct class names"),
    ],
)
def test_what_makes_no_oracle_is_refused(ids, labels, classes, error, sentence):
    with pytest.raises(error, match=sentence):
        DatasetOracle(ids, torch.tensor(labels), classes)


def test_a_million_labels_take_no_memory_but_their_own():
    labels = torch.arange(1_000_000) % 10
    tracemalloc.start()
    known = oracle(labels)
    assert known.answer(["item-0000042", "item-0999999"]) == ["2", "9"]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 100_000

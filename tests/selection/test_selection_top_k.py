"""The k best: right, without repeats, best first, ties broken evenly by the generator."""

import inspect

import pytest
import scipy.stats
import torch
from hypothesis import given
from hypothesis import strategies as st

from askwell import selection
from askwell.errors import NonFiniteError, ShapeError
from askwell.selection import SELECTIONS, top_k

DRAWS = 1500
UNLIKELY = 1e-3  # seeds are fixed, so a test that passes once passes always


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def even(counts):
    return scipy.stats.chisquare(counts.numpy()).pvalue > UNLIKELY


@given(
    scores=st.lists(st.sampled_from([-float("inf"), -1.0, -0.0, 0.0, 0.25, 3.0, float("inf")]), max_size=12),
    k=st.integers(0, 15),
    seed=st.integers(0, 2**31),
    dtype=st.sampled_from([torch.float64, torch.float32, torch.bfloat16]),
)
def test_the_best_come_first_without_repeats(scores, k, seed, dtype):
    chosen = top_k(torch.tensor(scores, dtype=dtype), k, generator=seeded(seed))
    assert chosen.dtype == torch.int64
    assert len(set(chosen.tolist())) == len(chosen) == min(k, len(scores))
    assert [scores[index] for index in chosen.tolist()] == sorted(scores, reverse=True)[:k]


@given(scores=st.lists(st.integers(0, 3), min_size=1, max_size=12), k=st.integers(1, 12), seed=st.integers(0, 2**31))
def test_the_same_generator_state_gives_the_same_items_and_the_scores_stay(scores, k, seed):
    values = torch.tensor(scores, dtype=torch.float64)
    chosen = top_k(values, k, generator=seeded(seed))
    assert torch.equal(chosen, top_k(values.clone(), k, generator=seeded(seed)))
    assert values.tolist() == scores


def test_fewer_items_do_not_change_which_come_first():
    scores = torch.tensor([1.0, 2.0, 2.0, 2.0, 0.0, 2.0])
    assert torch.equal(top_k(scores, 3, generator=seeded()), top_k(scores, 6, generator=seeded())[:3])


def test_ties_at_the_edge_are_broken_evenly():
    scores, chosen = torch.tensor([0.5, 0.5, 1.0, 0.5, 0.0, 0.5]), torch.zeros(6)
    for seed in range(DRAWS):
        first, second = top_k(scores, 2, generator=seeded(seed)).tolist()
        assert first == 2
        chosen[second] += 1
    assert chosen[[2, 4]].tolist() == [0, 0]
    assert even(chosen[[0, 1, 3, 5]])


@pytest.mark.parametrize("score", [0.0, -float("inf"), float("inf")])
def test_a_pool_of_equal_scores_is_drawn_in_any_order(score):
    orders = torch.zeros(6)
    number = {
        order: index for index, order in enumerate([(0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)])
    }
    for seed in range(DRAWS):
        orders[number[tuple(top_k(torch.full((3,), score), 3, generator=seeded(seed)).tolist())]] += 1
    assert even(orders)


def test_draws_go_on_with_the_generator_and_leave_the_global_one_alone():
    scores, generator, state = torch.zeros(1000), seeded(), torch.get_rng_state()
    first, second = top_k(scores, 10, generator=generator), top_k(scores, 10, generator=generator)
    assert first.tolist() != second.tolist()
    assert torch.equal(torch.get_rng_state(), state)


def test_nan_is_refused_and_counted():
    with pytest.raises(NonFiniteError, match="found NaN in 2 of 4"):
        top_k(torch.tensor([1.0, torch.nan, 0.0, torch.nan]), 1, generator=seeded())


def test_a_negative_count_is_refused():
    with pytest.raises(ShapeError, match=r"scores \[N\] and k >= 0, found \[3\] and k = -1"):
        top_k(torch.zeros(3), -1, generator=seeded())


@pytest.mark.parametrize("shape", ["()", "(2, 3)", "(3, 3)", "(3, 1)", "(1, 3)"])
@pytest.mark.parametrize("name", SELECTIONS)
def test_other_shapes_are_refused_in_plain_code(plain_error, name, shape):
    setup = "import torch, askwell.selection as s;"
    error = plain_error(f"{setup} s.{name}(torch.ones({shape}), 2, generator=torch.Generator())")
    assert error.startswith("ShapeError: expected scores [N]")


@pytest.mark.parametrize("name", SELECTIONS)
def test_every_selection_keeps_the_contract(name):
    function = SELECTIONS[name]
    assert function is getattr(selection, name)
    assert function.__name__ == name
    first, second, *others = inspect.signature(function).parameters.values()
    assert (first.name, second.name) == ("scores", "k")
    assert all(parameter.kind is inspect.Parameter.KEYWORD_ONLY for parameter in others)
    assert "generator" in {parameter.name for parameter in others}
    assert "(20" in (inspect.getdoc(function) or "")
    assert function(torch.empty(0), 3, generator=seeded()).tolist() == []
    assert function(torch.ones(3), 0, generator=seeded()).tolist() == []
    assert sorted(function(torch.ones(3), 9, generator=seeded()).tolist()) == [0, 1, 2]

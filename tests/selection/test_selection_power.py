"""Power sampling: the distribution it promises, its two limits, and what it refuses."""

import itertools

import pytest
import scipy.stats
import torch
from hypothesis import given
from hypothesis import strategies as st

from askwell.errors import NonFiniteError, ShapeError
from askwell.selection import power, top_k

DRAWS = 1500
UNLIKELY = 1e-3  # seeds are fixed, so a test that passes once passes always


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def first_picks(scores, beta):
    """How often each item comes first, over DRAWS draws from one generator."""
    generator, counts = seeded(), torch.zeros(len(scores), dtype=torch.float64)
    for _ in range(DRAWS):
        counts[power(scores, 1, generator=generator, beta=beta)] += 1
    return counts.numpy()


@given(
    scores=st.lists(st.sampled_from([0.0, 1e-300, 0.1, 1.0, 1e6]), max_size=12),
    k=st.integers(0, 15),
    beta=st.sampled_from([0.0, 0.5, 1.0, 8.0]),
    seed=st.integers(0, 2**31),
)
def test_no_repeats_and_zero_scores_last(scores, k, beta, seed):
    values = torch.tensor(scores, dtype=torch.float64)
    chosen = power(values, k, generator=seeded(seed), beta=beta).tolist()
    assert len(set(chosen)) == len(chosen) == min(k, len(scores))
    assert values.tolist() == scores
    if beta > 0:
        positive = [scores[index] > 0 for index in chosen]
        assert positive == sorted(positive, reverse=True)


@pytest.mark.parametrize("beta", [0.5, 1.0, 2.0])
def test_the_first_pick_is_proportional_to_the_score_to_the_power(beta):
    scores = torch.tensor([0.1, 0.7, 0.2, 1.5, 0.4], dtype=torch.float64)
    expected = scores**beta / (scores**beta).sum() * DRAWS
    assert scipy.stats.chisquare(first_picks(scores, beta), expected.numpy()).pvalue > UNLIKELY


def test_the_second_pick_is_proportional_among_those_that_are_left():
    scores, generator = [1.0, 2.0, 5.0], seeded()
    pairs = dict.fromkeys(itertools.permutations(range(3), 2), 0)
    for _ in range(DRAWS):
        pairs[tuple(power(torch.tensor(scores), 2, generator=generator).tolist())] += 1
    total = sum(scores)
    expected = [scores[i] / total * scores[j] / (total - scores[i]) * DRAWS for i, j in pairs]
    assert scipy.stats.chisquare(list(pairs.values()), expected).pvalue > UNLIKELY


@pytest.mark.parametrize(
    ("scores", "beta"), [([0.0, 0.1, 5.0, 100.0], 0.0), ([0.0, 0.0, 0.0, 0.0], 1.0), ([3.0, 3.0, 3.0, 3.0], 2.0)]
)
def test_beta_zero_no_scores_and_equal_scores_are_uniform(scores, beta):
    assert scipy.stats.chisquare(first_picks(torch.tensor(scores), beta)).pvalue > UNLIKELY


def test_zero_scores_come_last_in_random_order():
    scores, generator, counts = torch.tensor([0.0, 1e-30, 0.0, 0.0]), seeded(), torch.zeros(4)
    for _ in range(DRAWS):
        first, second = power(scores, 2, generator=generator).tolist()
        assert first == 1
        counts[second] += 1
    assert scipy.stats.chisquare(counts[[0, 2, 3]].numpy()).pvalue > UNLIKELY


@given(order=st.permutations(range(8)), k=st.integers(1, 8), seed=st.integers(0, 2**31))
def test_large_beta_is_top_k(order, k, seed):
    scores = torch.tensor([1.5**rank for rank in order], dtype=torch.float64)
    chosen = power(scores, k, generator=seeded(seed), beta=1e6)
    assert torch.equal(chosen, top_k(scores, k, generator=seeded(seed)))


@given(
    scores=st.lists(st.floats(1e-6, 1e3), min_size=1, max_size=10),
    scale=st.sampled_from([1e-30, 0.125, 3.0, 1e20]),
    beta=st.sampled_from([0.0, 1.0, 3.0]),
    seed=st.integers(0, 2**31),
)
def test_the_scale_of_the_scores_does_not_matter(scores, scale, beta, seed):
    values = torch.tensor(scores, dtype=torch.float64)
    chosen = power(values, 10, generator=seeded(seed), beta=beta)
    assert torch.equal(chosen, power(values * scale, 10, generator=seeded(seed), beta=beta))


def test_the_same_generator_state_gives_the_same_items_and_the_next_gives_others():
    scores, generator = torch.rand(100, generator=seeded(9)), seeded(1)
    first, second = power(scores, 10, generator=generator), power(scores, 10, generator=generator)
    assert torch.equal(first, power(scores, 10, generator=seeded(1)))
    assert not torch.equal(first, second)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_low_precision_scores_are_widened(dtype):
    scores = torch.tensor([0.25, 0.5, 2.0, 0.0], dtype=dtype)
    assert torch.equal(power(scores, 4, generator=seeded()), power(scores.double(), 4, generator=seeded()))


def test_negative_scores_are_refused():
    with pytest.raises(ShapeError, match=r"found a lowest score of -0\.5"):
        power(torch.tensor([0.1, -0.5]), 1, generator=seeded())


@pytest.mark.parametrize("scores", [[0.1, 0.5], []])
@pytest.mark.parametrize("beta", [-1.0, float("nan"), float("inf")])
def test_a_beta_that_is_negative_or_not_finite_is_refused(scores, beta):
    with pytest.raises(ShapeError, match="beta"):
        power(torch.tensor(scores), 1, generator=seeded(), beta=beta)


@pytest.mark.parametrize("beta", [0.0, 1.0])
def test_nan_is_refused(beta):
    with pytest.raises(NonFiniteError, match="NaN in 1 of 2"):
        power(torch.tensor([0.1, torch.nan]), 1, generator=seeded(), beta=beta)


def test_a_negative_count_is_refused():
    with pytest.raises(ShapeError, match="k = -1"):
        power(torch.ones(3), -1, generator=seeded())

"""Masks: a pure function of seed, sample, ordinal and shape, with the right keep rate, cached within a bound."""

import math

import numpy as np
import pytest
import scipy.stats
import torch
from hypothesis import given
from hypothesis import strategies as st

from askwell.errors import ShapeError
from askwell.posterior.masks import Masks, SampleMasks, uniform

CPU = torch.device("cpu")
UNLIKELY = 1e-3  # seeds are fixed, so a test that passes once passes always
WORD = 2**64
words = st.integers(0, WORD - 1)


def philox(counter, key):
    """Philox4x64-10 as in Salmon et al. (2011), section 3.3, in Python's integers."""
    (a, b, c, d), (low_key, high_key) = counter, key
    for _ in range(10):
        high, low = divmod(0xD2E7470EE14C6C93 * a, WORD)
        other_high, other_low = divmod(0xCA5A826395121157 * c, WORD)
        a, b, c, d = other_high ^ b ^ low_key, other_low, high ^ d ^ high_key, low
        low_key, high_key = (low_key + 0x9E3779B97F4A7C15) % WORD, (high_key + 0xBB67AE8584CAA73B) % WORD
    return a, b, c, d


def test_the_oracle_gives_the_authors_known_answer():
    known = (0x16554D9ECA36314C, 0xDB20FE9D672D0FDC, 0xD7E772CEE186176B, 0x7E68B68AEC7BA23B)  # Random123, kat_vectors
    assert philox((0, 0, 0, 0), (0, 0)) == known


@given(seed=words, sample=words, ordinal=words)
def test_numbers_are_philox_s_words_halved(seed, sample, ordinal):
    blocks = [word for block in (1, 2) for word in philox((block, 0, sample, ordinal), (seed, 0))]
    expected = [half / 2**32 for word in blocks for half in (word % 2**32, word >> 32)]
    assert uniform(seed, sample, ordinal, (3, 5)).ravel().tolist() == expected[:15]


def test_numbers_are_uniform_and_seeds_samples_and_ordinals_independent():
    numbers = [uniform(*key, (100, 100)).ravel() for key in ((0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1))]
    for one in numbers:
        assert scipy.stats.kstest(one, "uniform").pvalue > UNLIKELY
    correlations = np.corrcoef(numbers)[np.triu_indices(4, k=1)]
    assert np.abs(correlations).max() < 4 / math.sqrt(10_000)  # four standard errors


@pytest.mark.parametrize("keep", [0.1, 0.5, 0.75, 0.999])
def test_the_keep_rate_is_right(keep):
    mask = SampleMasks(Masks(3, CPU), 7, batch=2).keep(0, (2, 200, 500), keep)
    assert mask.dtype == torch.bool
    assert scipy.stats.binomtest(int(mask.sum()), mask.numel(), keep).pvalue > UNLIKELY


@pytest.mark.parametrize(
    ("shape", "shared", "broadcast"),
    [
        ((4, 3, 5), (1, 3, 5), (1, 3, 5)),
        ((12, 3, 5), (3, 3, 5), (12, 3, 5)),  # three windows per image, merged into the batch
        ((1, 3, 5), (1, 3, 5), (1, 3, 5)),  # broadcasts over the batch by itself
        ((4,), (1,), (1,)),
    ],
)
def test_a_mask_has_no_batch_axis(shape, shared, broadcast):
    masks = SampleMasks(Masks(0, CPU), 5, batch=4)
    mask = masks.keep(2, shape, 0.5)
    assert masks.drawn == [(2, shared, 0.5)]
    assert mask.shape == broadcast
    images = mask.expand(shape).unflatten(0, (-1, shared[0])) if shape[0] > 1 else mask[None]
    assert (images == torch.from_numpy(uniform(0, 5, 2, shared) < 0.5)).all()


@pytest.mark.parametrize("shape", [(6, 3), (3, 8), ()])
def test_another_first_axis_than_the_batch_is_refused(shape):
    with pytest.raises(ShapeError, match="first axis is the batch"):
        SampleMasks(Masks(0, CPU), 0, batch=4).keep(0, shape, 0.5)


def test_the_cache_stays_within_its_bound_and_changes_nothing():
    bounded, unbounded = Masks(1, CPU, limit=250), Masks(1, CPU)
    draws = [(ordinal, (1, 10, 10), 0.5) for ordinal in range(4)]
    for _ in range(2):
        for draw in draws:
            assert torch.equal(bounded.keep(0, draw), unbounded.keep(0, draw))
    assert [bounded.keep(0, draw) is bounded.keep(0, draw) for draw in draws] == [True, True, False, False]

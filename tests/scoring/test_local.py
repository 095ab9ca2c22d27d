"""Streaming a pool: the same scores in any chunking, NaN named, memory as stated."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from askwell.acquisition import bald, max_entropy
from askwell.errors import NonFiniteError
from askwell.pool.images import as_float, as_pool
from askwell.probability import LogProbs, Scores
from askwell.scoring.local import chunk_items, predict_log_probs, score_pool

CLASSES = 4
POOL = as_pool(torch.randint(0, 256, (23, 1, 3, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)))
POSITIONS = torch.tensor([5, 0, 22, 7, 7, 13, 1, 2, 3])


class LinearPosterior:
    """Five fixed linear networks; NaN for any image whose first pixel is the given value."""

    samples = 5

    def __init__(self, broken: int = -1) -> None:
        self.weight = torch.randn(5, 9, CLASSES, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
        self.broken = broken
        self.sizes: list[int] = []

    def log_probs(self, images: Tensor) -> LogProbs:
        self.sizes.append(len(images))
        result = torch.einsum("np,tpc->ntc", images.flatten(1).double(), self.weight).log_softmax(-1)
        result[(images[:, 0, 0, 0] * 255).round() == self.broken] = torch.nan
        return result


@pytest.mark.parametrize("acquisition", [bald, max_entropy])
def test_scores_do_not_depend_on_the_chunks(acquisition: Callable[[LogProbs], Scores]):
    everything = LinearPosterior().log_probs(as_float(POOL.images(POSITIONS)))
    for memory in (1, 3000, 10**9):
        posterior = LinearPosterior()
        heard: list[tuple[int, int]] = []
        scores = score_pool(
            posterior,
            POOL,
            POSITIONS,
            acquisition,
            classes=CLASSES,
            memory_bytes=memory,
            progress=lambda done, total, heard=heard: heard.append((done, total)),
        )
        torch.testing.assert_close(scores, acquisition(everything), rtol=0, atol=1e-12)
        size = chunk_items((1, 3, 3), samples=5, classes=CLASSES, memory_bytes=memory)
        assert max(posterior.sizes) <= size
        assert sum(posterior.sizes) == len(POSITIONS)
        assert heard[-1] == (9, 9)
        assert len(heard) == len(posterior.sizes)


def test_the_memory_bounds_the_chunk():
    assert chunk_items((1, 28, 28), samples=100, classes=10, memory_bytes=0) == 1
    items = chunk_items((1, 28, 28), samples=100, classes=10, memory_bytes=64 * 2**20)
    exact = 64 * 2**20 // (100 * 10 * 40 + 784 * 5)
    assert items == exact - exact % 64, "whole batches of the posterior"


def test_predictions_are_the_mean_of_softmaxes_not_the_softmax_of_the_mean():
    posterior = LinearPosterior()
    predictive = predict_log_probs(posterior, POOL, POSITIONS, classes=CLASSES, memory_bytes=1)
    mean = posterior.log_probs(as_float(POOL.images(POSITIONS))).double().exp().mean(dim=1)
    torch.testing.assert_close(predictive.exp(), mean, rtol=0, atol=1e-12)


def test_nan_is_named_by_item():
    pixel = int(POOL.images(torch.tensor([13]))[0, 0, 0, 0])
    with pytest.raises(NonFiniteError, match="found NaN for item 'item-13'"):
        score_pool(LinearPosterior(broken=pixel), POOL, POSITIONS, bald, classes=CLASSES)


def test_an_empty_pool_has_no_scores():
    nothing = torch.empty(0, dtype=torch.int64)
    assert score_pool(LinearPosterior(), POOL, nothing, bald, classes=CLASSES).shape == (0,)

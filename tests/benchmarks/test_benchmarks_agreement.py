"""Two ways of sampling that differ are told from two that do not."""

import pytest
import torch
from scipy.stats import spearmanr
from torch import nn

from agreement import Moments, agrees, compare, overlap, own_moments, own_spread
from askwell.acquisition import bald
from askwell.models.bcnn import bcnn
from askwell.pool.images import as_pool
from askwell.posterior.mc_dropout import MCDropout
from plain import PlainSetting, timed_scores
from subjects import SHAPE, generated


def test_overlap_counts_the_common_best():
    left, right = torch.tensor([9.0, 8, 7, 1, 0]), torch.tensor([8.0, 0, 9, 7, 1])
    assert overlap(left, right, 3) == pytest.approx(2 / 3)
    assert overlap(left, right, 1) == 0
    assert overlap(left, right, 5) is None


def test_moments_are_compared_figure_by_figure():
    generator = torch.Generator().manual_seed(0)
    left = Moments(torch.rand(40, 3, generator=generator), torch.rand(40, generator=generator).round(decimals=1))
    right = Moments(left.probabilities + 0.25, torch.rand(40, generator=generator))
    found = compare(left, right)
    assert found["probability_difference"] == pytest.approx(0.25)
    assert found["score_difference"] == pytest.approx(float((left.scores - right.scores).abs().mean()))
    expected, _ = spearmanr(left.scores.numpy(), right.scores.numpy())
    assert found["spearman"] == pytest.approx(expected)
    assert found["top_100"] is None


@pytest.fixture(scope="module")
def seeds() -> list[Moments]:
    """The same network and images with four seeds of masks."""
    torch.manual_seed(0)
    pool, network = as_pool(generated(128, 0).images), bcnn(SHAPE, 10)
    return [own_moments(MCDropout(network, samples=30, seed=seed), pool, classes=10) for seed in range(4)]


def test_own_moments_are_means_and_bald(seeds: list[Moments]):
    torch.manual_seed(0)
    network, images = bcnn(SHAPE, 10), generated(128, 0).images
    log_probs = MCDropout(network, samples=30, seed=1).log_probs(images.float() / 255)
    torch.testing.assert_close(seeds[1].probabilities, log_probs.double().exp().mean(dim=1), atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(seeds[1].scores, bald(log_probs), atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize("channels_last", [False, True])
def test_the_plain_loop_agrees_but_not_with_other_dropout(seeds: list[Moments], channels_last: bool):
    torch.manual_seed(0)
    network, images, setting = bcnn(SHAPE, 10), generated(128, 0).images, PlainSetting(48, channels_last)
    spread = own_spread(seeds)
    assert spread["score_difference"]["least"] < spread["score_difference"]["most"]
    _, same = timed_scores(network, images, 30, setting)
    assert agrees(compare(seeds[0], same), spread)
    for layer in network.modules():
        if isinstance(layer, nn.Dropout):
            layer.p = 0.1
    _, other = timed_scores(network, images, 30, setting)
    assert not agrees(compare(seeds[0], other), spread)

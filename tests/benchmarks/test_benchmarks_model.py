"""The FLOP model counts what the masks leave; the rest of the arithmetic of growth and of Baal's loop."""

from typing import Any

import pytest
import torch
from torch import nn

from active_loop import extrapolated
from askwell.models.bcnn import bcnn
from askwell.posterior.masks import uniform
from flop_model import INPUTS, PREFIX_FLOPS, Kept, Limits, fraction_of_rate, head_flops, kept_by_masks, seconds_at
from growth import slope
from subjects import CLASSES, SHAPE, GeneratedPool, generated, prefix_of, some_labels
from training import within_spread


def test_the_masks_are_those_of_the_posterior():
    kept = kept_by_masks(3, 4)
    for sample, counts in enumerate(kept):
        assert counts.inputs == int((uniform(3, sample, 0, (1, 32, 11, 11)) < 0.75).sum())
        assert counts.units == int((uniform(3, sample, 1, (1, 128)) < 0.5).sum())
    assert 0.7 < sum(each.inputs for each in kept) / (4 * INPUTS) < 0.8


def test_live_flops_are_rows_times_columns():
    kept = [Kept(3, 2), Kept(5, 4)]
    assert head_flops(kept, 10) == 2 * (3 * 2 + 5 * 4) + 2 * 10 * (2 + 4)
    assert head_flops(kept, 10, all_inputs=True) == 2 * (INPUTS + 10) * (2 + 4)


def test_the_prefix_is_two_convolutions():
    counted = 0
    network = prefix_of(bcnn(SHAPE, CLASSES))

    def count(layer: nn.Module, _: Any, output: torch.Tensor) -> None:
        nonlocal counted
        assert isinstance(layer, nn.Conv2d)
        counted += 2 * output[0].numel() * layer.weight[0].numel()

    for layer in network:
        if isinstance(layer, nn.Conv2d):
            layer.register_forward_hook(count)
    assert network(torch.zeros(1, *SHAPE)).shape == (1, 32, 11, 11)
    assert counted == PREFIX_FLOPS


def test_seconds_and_fraction_of_the_model():
    limits = Limits(rate=100.0, prefix_seconds=0.5)
    assert seconds_at(limits, 4, 50) == 4 * (0.5 + 0.5)
    assert fraction_of_rate(limits, 2.0, 4, 50) == pytest.approx(4 * (PREFIX_FLOPS + 50) / 2 / 100)


def test_slope_is_the_power():
    sizes = [10, 100, 1000]
    assert slope(sizes, [3 * size**1.5 for size in sizes]) == pytest.approx(1.5)


def test_generated_images_do_not_depend_on_how_they_are_asked_for():
    pool, positions = GeneratedPool.of(5000), torch.tensor([4999, 0, 997, 1996])
    images = pool.images(positions)
    assert images.dtype == torch.uint8
    assert images.shape == (4, *SHAPE)
    for place, position in enumerate(positions.tolist()):
        assert torch.equal(images[place], pool.images(torch.tensor([position]))[0])
    assert len({image.numpy().tobytes() for image in images}) == 4
    subject = generated(300, 50)
    assert torch.equal(subject.labels[some_labels(subject, 20)].bincount(), torch.full((10,), 2))


def test_only_predictions_are_extrapolated():
    subject = generated(1000, 200)

    def a_round(labels: int, scoring: float) -> dict[str, Any]:
        return {
            "labels": labels,
            "seconds_scoring": scoring,
            "seconds_rest_of_step": 0.5 if scoring else 0.0,
            "seconds_fit": 3.0,
            "seconds_testing": 2.0,
            "seconds_testing_also": 1.0,
        }

    found = extrapolated([a_round(20, 0), a_round(30, 4.0), a_round(40, 7.0), a_round(50, 70.0)], 100, 50, subject)
    wanted, fixed = 980 + 970 + 960 + 4 * 200, 4 * 3 + 3 * 0.5
    assert found["images_wanted"] == wanted
    assert found["milliseconds_per_image"] == pytest.approx(1e3 * (7 + 2) / 150)  # the median round's
    assert found["seconds_whole"] == pytest.approx(fixed + wanted * 9 / 150)
    assert found["seconds_whole_tuned"] == pytest.approx(fixed + wanted * 1 / 50)


def test_accuracies_are_equal_within_the_pooled_deviation():
    plain = [0.90, 0.92, 0.94]
    assert within_spread([0.91, 0.93, 0.95], plain)["within_the_seeds_spread"]
    far = within_spread([0.87, 0.89, 0.91], plain)
    assert not far["within_the_seeds_spread"]
    assert (far["difference_of_means"], far["pooled_deviation"]) == pytest.approx((-0.03, 0.02))
    assert within_spread([0.9], [0.9])["within_the_seeds_spread"] is None

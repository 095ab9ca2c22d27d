"""Point: the model in eval mode, one sample, and the model left alone."""

import pytest
import torch
import torch.nn.functional as F
from posterior_networks import Flat, Lambda, Paper, Residual, pictures, seeded
from torch import nn

from askwell.errors import ShapeError, UsageError
from askwell.posterior.point import Point


@pytest.mark.parametrize(
    "build", [Paper, Residual, lambda: Flat(nn.Identity())], ids=["paper", "residual", "no dropout"]
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_it_is_the_model_in_eval_mode(build, dtype):
    model, images = seeded(build).to(dtype), pictures(5, dtype=dtype)
    point = Point(model)
    with torch.no_grad():
        expected = model.eval()(images).log_softmax(-1)[:, None]
    found = point.log_probs(images)
    assert (found.dtype, point.samples) == (dtype, 1)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-6 if dtype == torch.float32 else 1e-12)


def test_outer_chunks_change_no_bit_and_the_model_is_left_in_training():
    model, images = seeded(Residual), pictures(45)
    model.train()
    point = Point(model, batch=16)
    expected = point.log_probs(images)
    for size in (1, 7, 16, 31):
        assert torch.equal(torch.cat([point.log_probs(part) for part in images.split(size)]), expected)
    assert all(module.training for module in model.modules())
    assert model.norm.num_batches_tracked == 0


def test_bf16_is_near_fp32():
    model, images = seeded(Paper), pictures(3)
    rough, exact = Point(model, precision="bf16").log_probs(images), Point(model).log_probs(images)
    assert rough.dtype == torch.float32
    assert 0 < (rough - exact).abs().max() < 0.05


@pytest.mark.parametrize(
    "layer",
    [
        nn.RReLU(),
        Lambda(lambda m, x: F.scaled_dot_product_attention(*[x[:, None, None]] * 3)[:, 0, 0]),
        nn.AlphaDropout(),
    ],
    ids=["rrelu", "attention", "dropout"],
)
def test_layers_that_could_draw_but_do_not_in_eval_mode_are_no_fault(layer):
    model = seeded(lambda: Flat(layer))
    found = Point(model).log_probs(pictures(3))[:, 0]
    with torch.no_grad():
        torch.testing.assert_close(found, model.eval()(pictures(3)).log_softmax(-1), rtol=0, atol=1e-6)


def test_a_network_that_is_always_random_is_refused():
    model = seeded(lambda: Flat(Lambda(lambda m, x: F.dropout(x, 0.5, training=True))))
    with pytest.raises(UsageError, match="MCDropout"):
        Point(model).log_probs(pictures(1))


def test_other_outputs_than_logits_are_refused():
    with pytest.raises(ShapeError, match="classification head"):
        Point(nn.Flatten(0)).log_probs(pictures(1))

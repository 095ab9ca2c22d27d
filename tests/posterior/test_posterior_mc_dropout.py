"""What MCDropout promises: shared masks, the same bits however the pool is cut, and a model that is left alone."""

import copy
import math
import pickle
from functools import partial

import numpy as np
import pytest
import torch
from posterior_networks import Flat, Lambda, Paper, Residual, Sequence, pictures, seeded
from torch import nn

from askwell.errors import SettingsError, ShapeError, UnknownNameError
from askwell.posterior.mc_dropout import MCDropout

NETWORKS = {
    "paper": Paper,
    "residual": Residual,
    "sequence": partial(Sequence, nn.Sequential(nn.Dropout(0.2), nn.Linear(8, 8))),
}


@pytest.fixture(scope="module")
def paper():
    return seeded(Paper)


@pytest.fixture(scope="module", params=NETWORKS)
def scored(request):
    """A posterior, 45 images and their log_probs in one call."""
    posterior, images = MCDropout(seeded(NETWORKS[request.param]), samples=3, batch=16), pictures(45)
    return posterior, images, posterior.log_probs(images)


def test_log_probs_are_log_probabilities_of_every_image_and_sample(paper):
    posterior = MCDropout(paper, samples=7)
    log_probs = posterior.log_probs(pictures(5))
    assert (log_probs.shape, log_probs.dtype, posterior.samples) == ((5, 7, 10), torch.float32, 7)
    torch.testing.assert_close(log_probs.logsumexp(-1), torch.zeros(5, 7), rtol=0, atol=1e-6)
    assert not log_probs.requires_grad
    assert not log_probs.is_inference()  # callers may use it in autograd


@pytest.mark.parametrize("size", [1, 2, 7, 13, 16, 17, 31, 44])
def test_outer_chunks_change_no_bit(scored, size):
    posterior, images, expected = scored
    assert torch.equal(torch.cat([posterior.log_probs(part) for part in images.split(size)]), expected)


@pytest.mark.parametrize("seed", range(4))
def test_order_changes_no_bit(scored, seed):
    posterior, images, expected = scored
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(seed))
    assert torch.equal(posterior.log_probs(images[order]), expected[order])


def test_layout_in_memory_changes_no_bit(paper):
    posterior, images = MCDropout(paper, samples=2), pictures(4)
    strided = images.permute(3, 2, 1, 0).contiguous().permute(3, 2, 1, 0)
    unaligned = torch.cat([torch.zeros(1), images.flatten()])[1:].view_as(images)
    expected = posterior.log_probs(images)
    assert torch.equal(posterior.log_probs(strided), expected)
    assert torch.equal(posterior.log_probs(unaligned), expected)


def test_default_batch_changes_no_bit(paper):
    posterior, images = MCDropout(paper, samples=2), pictures(131)
    expected = posterior.log_probs(images)
    for size in (1, 67, 130):
        assert torch.equal(torch.cat([posterior.log_probs(part) for part in images[:70].split(size)]), expected[:70])


@pytest.mark.parametrize("build", NETWORKS.values(), ids=NETWORKS)
def test_threads_agree(build):
    posterior, images = MCDropout(seeded(build), samples=3), pictures(70)
    one = posterior.log_probs(images)
    torch.set_num_threads(2)
    try:
        two = posterior.log_probs(images)
        assert torch.equal(torch.cat([posterior.log_probs(part) for part in images.split(29)]), two)
    finally:
        torch.set_num_threads(1)
    torch.testing.assert_close(one, two, rtol=0, atol=1e-6)


def test_the_first_samples_do_not_depend_on_how_many_there_are(paper):
    images = pictures(3)
    assert torch.equal(
        MCDropout(paper, samples=20).log_probs(images)[:, :10], MCDropout(paper, samples=10).log_probs(images)
    )


def test_masks_are_shared_by_all_images(paper):
    image = pictures(1)
    log_probs = MCDropout(paper, samples=8, batch=16).log_probs(image.expand(20, -1, -1, -1))
    assert (log_probs == log_probs[:1]).all()
    assert len(log_probs[0, :, 0].unique()) == 8


def test_seeds_decide_and_the_global_generator_does_not(paper):
    images = pictures(2)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        one = MCDropout(paper, samples=2, seed=4).log_probs(images)
        torch.manual_seed(2)
        assert torch.equal(MCDropout(paper, samples=2, seed=4).log_probs(images), one)
    for other in (0, 5, 2**64 - 1):
        assert not torch.equal(MCDropout(paper, samples=2, seed=other).log_probs(images), one)


@pytest.mark.parametrize("full", [False, True])
def test_moments_are_those_of_naive_dropout(full):
    """Mean and standard deviation of p over 1000 samples, within 5 standard errors of the difference of two such estimates."""
    model, samples = seeded(partial(Paper, full=full, width=32)), 1000
    for parameter in model.dense2.parameters():
        parameter.data.mul_(5)  # so that probabilities differ between samples
    images = pictures(2)
    shared = MCDropout(model, samples=samples, batch=2).log_probs(images).double().exp()
    naive_model = copy.deepcopy(model).train()
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        repeated = images.repeat_interleave(samples, 0).split(500)
        naive = torch.cat([naive_model(part) for part in repeated]).unflatten(0, (2, samples)).double().softmax(-1)
    assert naive.std(dim=1).max() > 0.03

    def moments(p):
        centred = p - p.mean(1, keepdim=True)
        std = centred.pow(2).mean(1).sqrt()
        error_of_std = ((centred.pow(4).mean(1) - std**4) / samples).sqrt() / (2 * std)  # delta method
        return p.mean(1), std / math.sqrt(samples), std, error_of_std

    (mean, mean_error, std, std_error), (naive_mean, naive_mean_error, naive_std, naive_std_error) = map(
        moments, (shared, naive)
    )
    assert ((mean - naive_mean).abs() < 5 * torch.hypot(mean_error, naive_mean_error)).all()
    assert ((std - naive_std).abs() < 5 * torch.hypot(std_error, naive_std_error)).all()


def snapshot(model):
    """All there is to see of a module: values, modes, hooks, attributes and their identities."""
    return {
        name: (
            module.training,
            {
                key: (id(p), p.requires_grad, p.grad, p._version, p.detach().clone())
                for key, p in module._parameters.items()
            },
            {key: None if b is None else (id(b), b._version, b.clone()) for key, b in module._buffers.items()},
            [dict(value) for key, value in vars(module).items() if key.endswith("_hooks")],
            sorted(vars(module)),
        )
        for name, module in model.named_modules()
    }


def assert_same(one, other):
    torch.utils._pytree.tree_map(
        lambda a, b: torch.testing.assert_close(a, b, rtol=0, atol=0) if isinstance(a, torch.Tensor) else None,
        one,
        other,
    )
    without = partial(torch.utils._pytree.tree_map, lambda value: None if isinstance(value, torch.Tensor) else value)
    assert without(one) == without(other)


@pytest.mark.parametrize("training", [False, True])
def test_the_model_and_the_generators_are_left_alone(training):
    model = seeded(Residual).train(training)
    model.norm.train(not training)
    model.stem.weight.requires_grad_(False)
    model.head.register_forward_hook(lambda *_: None)
    before, state, numpy_state = snapshot(model), torch.get_rng_state(), np.random.get_state()[1].copy()
    MCDropout(model, samples=3).log_probs(pictures(2))
    assert_same(snapshot(model), before)
    assert torch.equal(torch.get_rng_state(), state)
    assert (np.random.get_state()[1] == numpy_state).all()


def test_a_model_whose_weights_are_computed_by_hooks_can_be_copied():
    with pytest.warns(FutureWarning, match="weight_norm"):
        model = seeded(lambda: Flat(nn.Sequential(nn.Dropout(0.5), nn.utils.weight_norm(nn.Linear(12, 12)))))
    expected = model.layer[1].weight
    assert MCDropout(model, samples=2).log_probs(pictures(2)).isfinite().all()
    assert model.layer[1].weight is expected


def test_power_iterations_of_spectral_norm_do_not_go_on():
    model = seeded(
        lambda: Flat(nn.Sequential(nn.Dropout(0.5), nn.utils.parametrizations.spectral_norm(nn.Linear(12, 12))))
    )
    posterior = MCDropout(model, samples=2)
    assert torch.equal(posterior.log_probs(pictures(2)), posterior.log_probs(pictures(2)))


def test_training_on_is_seen_since_parameters_are_shared(paper):
    model = copy.deepcopy(paper)
    posterior, images = MCDropout(model, samples=2), pictures(2)
    before = posterior.log_probs(images)
    model.dense2.bias.data[3] += 1
    assert (posterior.log_probs(images)[..., 3] > before[..., 3]).all()


def test_bf16_is_near_fp32_and_its_log_softmax_is_exact(paper):
    images = pictures(4)
    exact = MCDropout(paper, samples=4).log_probs(images)
    rough = MCDropout(paper, samples=4, precision="bf16").log_probs(images)
    assert rough.dtype == torch.float32
    torch.testing.assert_close(rough.logsumexp(-1), torch.zeros(4, 4), rtol=0, atol=1e-6)
    assert 0 < (rough - exact).abs().max() < 0.05


def test_the_log_softmax_of_a_network_in_bf16_is_taken_in_fp32(paper):
    log_probs = MCDropout(copy.deepcopy(paper).bfloat16(), samples=4).log_probs(pictures(4))
    assert log_probs.dtype == torch.float32
    torch.testing.assert_close(log_probs.logsumexp(-1), torch.zeros(4, 4), rtol=0, atol=1e-6)


def test_the_last_chunk_is_filled_up_with_its_last_image():
    model, seen = seeded(Paper), []
    model.conv1.register_forward_pre_hook(lambda module, arguments: seen.append(arguments[0].clone()))
    images = pictures(11)
    MCDropout(model, samples=2, batch=8).log_probs(images)
    *_, first, last = seen
    assert torch.equal(first, images[:8])
    assert torch.equal(last, torch.cat([images[8:], images[10:].expand(5, -1, -1, -1)]))


def test_fp32_means_fp32_under_the_caller_s_autocast(paper):
    posterior, images = MCDropout(paper, samples=2), pictures(2)
    expected = posterior.log_probs(images)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(posterior.log_probs(images), expected)


def test_nan_flows_on():
    images = pictures(3)
    images[1, 0, 5, 5] = math.nan
    log_probs = MCDropout(seeded(Paper), samples=4, batch=4).log_probs(images)
    assert log_probs[1].isnan().all()
    assert log_probs[[0, 2]].isfinite().all()


def test_a_network_of_nan_is_still_split():
    model = seeded(Paper)
    model.dense2.bias.data[0] = math.nan
    assert MCDropout(model, samples=2).log_probs(pictures(1)).isnan().all()


def test_another_process_gets_the_same_results(paper):
    posterior, images = MCDropout(paper, samples=3, seed=9, batch=8), pictures(2)
    expected = posterior.log_probs(images)
    assert torch.equal(pickle.loads(pickle.dumps(posterior)).log_probs(images), expected)


@pytest.mark.parametrize("setting", [{"samples": 0}, {"seed": -1}, {"seed": 2**64}, {"batch": 0}])
def test_settings_out_of_range_are_refused(paper, setting):
    with pytest.raises(SettingsError, match=r"expected .*, found"):
        MCDropout(paper, **setting)


def test_a_misspelt_precision_offers_the_right_one(paper):
    with pytest.raises(UnknownNameError, match="bf16"):
        MCDropout(paper, precision="bfp16")


@pytest.mark.parametrize(
    "images",
    ["torch.zeros(0, 1, 28, 28)", "torch.zeros(5)", "torch.zeros(2, 1, 28, 28, dtype=torch.uint8)"],
    ids=["none", "no image axes", "integers"],
)
@pytest.mark.parametrize("estimator", ["mc_dropout.MCDropout", "point.Point"])
def test_other_things_than_images_are_refused(plain_error, images, estimator):
    statements = f"""
import torch
from askwell.posterior import mc_dropout, point
network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Dropout(0.5), torch.nn.Linear(784, 3))
{estimator}(network).log_probs({images})
"""
    assert plain_error(statements).startswith("ShapeError: expected at least one floating image")


@pytest.mark.parametrize(
    "head",
    [
        Lambda(lambda m, x: {"logits": x}),
        Lambda(lambda m, x: x[:, 0]),
        Lambda(lambda m, x: x[:, :1]),
        Lambda(lambda m, x: x[:, :, None]),
        Lambda(lambda m, x: x.argmax(1, keepdim=True).expand_as(x)),
    ],
    ids=["a dictionary", "one number", "one class", "a map", "integers"],
)
def test_other_outputs_than_logits_are_refused(head):
    model = nn.Sequential(seeded(lambda: Flat(nn.Dropout(0.5))), head)
    with pytest.raises(ShapeError, match=r"expected a network that returns .*logits \[N, C\]"):
        MCDropout(model, samples=2).log_probs(pictures(2))

"""Fitting: reproducible, from fresh weights, leaving no trace; the penalty is what the recipe says."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from askwell.errors import NonFiniteError, SettingsError
from askwell.learning.recipe import Recipe, WeightDecay
from askwell.learning.supervised import fit, step_count

IMAGES = torch.randint(0, 256, (12, 1, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
LABELS = torch.arange(12) % 3
QUICK = Recipe(steps=4, batch_size=8, device="cpu")


def weights(model: nn.Module) -> Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


def linear(image_shape: tuple[int, int, int], classes: int) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(64, classes))


def test_same_seed_same_weights_and_nothing_global_is_touched():
    torch.manual_seed(123)
    before = torch.get_rng_state()
    first = fit(QUICK, IMAGES, LABELS, classes=3, seed=7)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(456)
    assert torch.equal(weights(first), weights(fit(QUICK, IMAGES, LABELS, classes=3, seed=7)))
    assert not torch.equal(weights(first), weights(fit(QUICK, IMAGES, LABELS, classes=3, seed=8)))
    assert not first.training


def test_it_learns():
    images = torch.zeros(30, 1, 12, 12, dtype=torch.uint8)
    labels = torch.arange(30) % 3
    for index, label in enumerate(labels.tolist()):
        images[index, 0, 4 * label : 4 * label + 4] = 255
    model = fit(Recipe(steps=30, batch_size=16, device="cpu"), images, labels, classes=3, seed=0)
    assert torch.equal(model(images.float() / 255).argmax(-1), labels)


def test_the_length_of_training_and_the_batches():
    assert step_count(Recipe(epochs=50, batch_size=128), 100) == 50  # the paper's code: 50 steps while N <= 128
    assert step_count(Recipe(epochs=3, batch_size=5), 12) == 9
    assert step_count(Recipe(steps=7), 12) == 7
    heard: list[tuple[int, int]] = []
    recipe = Recipe(epochs=2, batch_size=5, device="cpu")
    fit(recipe, IMAGES, LABELS, classes=3, seed=0, progress=lambda done, total: heard.append((done, total)))
    assert heard == [(step, 6) for step in range(1, 7)]


@pytest.mark.parametrize("form", ["constant", "per_n", "length_scale"])
def test_one_sgd_step_descends_the_penalised_loss(form: str):
    """theta_1 = theta_0 - lr d/dtheta (mean cross-entropy + lambda sum W^2), the gradient taken by autograd from that formula."""
    decay = WeightDecay.model_validate({"form": form, "value": 0.6, "dropout": 0.25, "layers": ["1.weight"]})
    still = Recipe(
        model=linear,
        optimizer="sgd",
        momentum=0.0,
        schedule="constant",
        learning_rate=1e-30,
        epochs=1,
        batch_size=99,
        device="cpu",
    )
    moved = still.model_copy(update={"learning_rate": 0.1, "weight_decay": decay})
    start = fit(still, IMAGES, LABELS, classes=3, seed=5)  # a step of length 1e-30: the fresh weights themselves
    strength = {"constant": 0.6, "per_n": 0.6 / 12, "length_scale": 0.75 * 0.6 / 12}[form]
    loss = F.cross_entropy(start(IMAGES.float() / 255), LABELS) + strength * start[1].weight.square().sum()
    loss.backward()
    after = fit(moved, IMAGES, LABELS, classes=3, seed=5)
    for parameter, result in zip(start.parameters(), after.parameters(), strict=True):
        torch.testing.assert_close(result, parameter - 0.1 * parameter.grad, rtol=1e-5, atol=1e-6)


def test_layers_that_match_nothing_are_refused():
    recipe = Recipe(weight_decay=WeightDecay(value=1.0, layers=("dense3.weight",)), device="cpu")
    with pytest.raises(SettingsError, match=r"found \['dense3.weight'\]; the network has conv1.weight"):
        fit(recipe, IMAGES, LABELS, classes=3, seed=0)


def test_a_warm_start_begins_where_it_is_told():
    trained = fit(QUICK, IMAGES, LABELS, classes=3, seed=0)
    still = Recipe(steps=1, learning_rate=1e-30, optimizer="sgd", schedule="constant", device="cpu")
    again = fit(still, IMAGES, LABELS, classes=3, seed=9, start=trained.state_dict())
    torch.testing.assert_close(weights(again), weights(trained), rtol=0, atol=1e-20)


def test_divergence_is_an_error():
    recipe = Recipe(steps=20, learning_rate=1e30, optimizer="sgd", schedule="constant", device="cpu")
    with pytest.raises(NonFiniteError, match="diverged"):
        fit(recipe, IMAGES, LABELS, classes=3, seed=0)


def test_a_model_function_must_return_a_network():
    with pytest.raises(SettingsError, match="found one that returns NoneType"):
        fit(Recipe(model=lambda shape, classes: None, device="cpu"), IMAGES, LABELS, classes=3, seed=0)


def test_bf16_trains_about_the_same_network():
    reference = fit(QUICK, IMAGES, LABELS, classes=3, seed=3)
    half = fit(QUICK.model_copy(update={"precision": "bf16"}), IMAGES, LABELS, classes=3, seed=3)
    assert all(parameter.dtype == torch.float32 for parameter in half.parameters())
    assert not torch.equal(weights(half), weights(reference))
    assert float((weights(half) - weights(reference)).abs().max()) < 4 * QUICK.learning_rate

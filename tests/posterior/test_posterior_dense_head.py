"""The dense head is the split network, computed otherwise."""

import pytest
import torch
import torch.nn.functional as F
from posterior_networks import Paper, Residual, Sequence
from torch import nn

from askwell.models.catalogue import model_function
from askwell.posterior import dense_head as room
from askwell.posterior.copies import private_copy
from askwell.posterior.dense_head import DenseHead, dense_head
from askwell.posterior.masks import Masks
from askwell.posterior.mc_dropout import MCDropout
from askwell.posterior.split import Split, split
from askwell.posterior.unsplit import Unsplit


class Functional(nn.Module):
    """Everything as functions, as many users write it."""

    def __init__(self):
        super().__init__()
        self.conv, self.one, self.two = nn.Conv2d(1, 3, 5), nn.Linear(3 * 12 * 12, 20), nn.Linear(20, 4)

    def forward(self, images):
        x = F.dropout(F.max_pool2d(F.relu(self.conv(images)), 2), 0.2, training=self.training)
        return self.two(F.dropout(F.relu(self.one(torch.flatten(x, 1))), training=self.training))


def stack(*layers: nn.Module) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(1, 3, 5), nn.ReLU(), nn.MaxPool2d(2), *layers)


def cut(network: nn.Module) -> Split:
    return split(private_copy(network), stochastic_depth=False)


DENSE = {
    "paper": lambda: Paper(),
    "functional": Functional,
    "three layers": lambda: stack(
        nn.Dropout(0.3),
        nn.Flatten(),
        nn.Linear(432, 30),
        nn.GELU(),
        nn.Dropout(0.4),
        nn.Linear(30, 20),
        nn.Dropout(0.2),
        nn.Linear(20, 3),
    ),
    "flattened before": lambda: stack(nn.Flatten(), nn.Dropout(0.3), nn.Linear(432, 16), nn.Tanh(), nn.Linear(16, 3)),
    "two dropouts in a row": lambda: stack(
        nn.Dropout(0.3), nn.Flatten(), nn.Linear(432, 9), nn.Dropout(0.5), nn.Dropout(0.1), nn.Linear(9, 3)
    ),
    "one layer, no bias": lambda: stack(nn.Dropout(0.3), nn.Flatten(), nn.Linear(432, 7, bias=False)),
    "dropout on the logits": lambda: stack(nn.Dropout(0.3), nn.Flatten(), nn.Linear(432, 7), nn.Dropout(0.5)),
}
NOT_DENSE = {
    "dropout before a convolution": lambda: Paper(full=True),
    "residual": Residual,
    "tokens": lambda: Sequence(nn.Sequential(nn.Dropout(0.5), nn.Linear(8, 8))),
    "softmax between": lambda: stack(
        nn.Dropout(0.3), nn.Flatten(), nn.Linear(432, 9), nn.Softmax(dim=1), nn.Linear(9, 3)
    ),
    "whole channels": lambda: stack(nn.Dropout2d(0.3), nn.Flatten(), nn.Linear(432, 9)),
    "norm of the units": lambda: stack(nn.Dropout(0.3), nn.Flatten(), nn.Linear(432, 9), nn.LayerNorm(9)),
}


@pytest.mark.parametrize("name", DENSE)
def test_the_dense_head_equals_the_split(name: str):
    torch.manual_seed(0)
    network = DENSE[name]().double()
    slow = cut(network)
    fast = dense_head(slow, samples=6)
    assert isinstance(fast, DenseHead)
    images, masks = torch.rand(5, 1, 28, 28, dtype=torch.float64), Masks(3, torch.device("cpu"))
    with torch.no_grad():
        for found, wanted in zip(
            fast.passes(images, masks.samples(6, 5)), slow.passes(images, masks.samples(6, 5)), strict=True
        ):
            torch.testing.assert_close(found, wanted, rtol=0, atol=1e-12)
            assert float(wanted.std()) > 0


@pytest.mark.parametrize("name", NOT_DENSE)
def test_other_suffixes_are_left_as_they_are(name: str):
    slow = cut(NOT_DENSE[name]())
    assert dense_head(slow, samples=2) is slow


def test_a_first_layer_that_needs_too_much_memory_is_left(monkeypatch: pytest.MonkeyPatch):
    slow = cut(Paper())
    monkeypatch.setattr(room, "STACK_BYTES", 5 * 3872 * 128 * 4)
    assert isinstance(dense_head(slow, samples=10), DenseHead)
    assert dense_head(slow, samples=11) is slow


def test_a_hook_on_the_first_layer_is_kept_in_place():
    network = Paper()
    network.dense1.register_forward_hook(lambda module, inputs, output: 2 * output)
    slow = cut(network)
    assert dense_head(slow, samples=2) is slow


def test_a_linear_layer_on_the_last_of_several_axes_is_left_to_the_split():
    class Rows(nn.Module):
        def __init__(self):
            super().__init__()
            self.dropout, self.rows = nn.Dropout(0.5), nn.Linear(28, 1)

        def forward(self, images):
            return self.rows(self.dropout(images[:, 0])).squeeze(-1)

    network, images = Rows().double(), torch.rand(3, 1, 28, 28, dtype=torch.float64)
    slow = cut(network)
    with torch.no_grad():
        found = list(dense_head(slow, samples=2).passes(images, Masks(0, torch.device("cpu")).samples(2, 3)))
        wanted = list(slow.passes(images, Masks(0, torch.device("cpu")).samples(2, 3)))
    torch.testing.assert_close(found, wanted)


@pytest.mark.parametrize("name", ["dense1", "dense2"])
def test_the_masked_weights_follow_the_parameters(name: str):
    torch.manual_seed(0)
    network, images = Paper(), torch.rand(3, 1, 28, 28)
    posterior = MCDropout(network, samples=3)
    before = posterior.log_probs(images)
    with torch.no_grad():
        network.get_submodule(name).weight.mul_(2)
        network.get_submodule(name).bias.add_(torch.rand_like(network.get_submodule(name).bias))
    after = posterior.log_probs(images)
    assert not torch.equal(before, after)
    torch.testing.assert_close(after, MCDropout(network, samples=3).log_probs(images), rtol=0, atol=0)


def test_nan_in_a_weight_is_seen_even_where_its_unit_is_dropped():
    torch.manual_seed(0)
    network, images = Paper(), torch.rand(2, 1, 28, 28)
    with torch.no_grad():
        network.dense1.weight[0] = torch.nan
    assert bool(MCDropout(network, samples=5).log_probs(images).isnan().all())


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_however_many_images_the_heads_take_together_no_bit_changes(precision: str, monkeypatch: pytest.MonkeyPatch):
    torch.manual_seed(0)
    network, images = Paper(), torch.rand(1100, 1, 28, 28)
    whole = MCDropout(network, samples=3, precision=precision).log_probs(images)
    for size in (1, 70, 449, 1024):
        few = images[:140] if size == 1 else images
        parts = torch.cat(
            [MCDropout(network, samples=3, precision=precision).log_probs(p) for p in few.split(size)][:40]
        )
        assert torch.equal(parts, whole[: len(parts)]), size
    monkeypatch.setattr(room, "WORK_BYTES", 0)
    assert torch.equal(MCDropout(network, samples=3, precision=precision).log_probs(images), whole), (
        "one batch at a time"
    )


@pytest.mark.parametrize("name", ["bcnn", "bcnn_full"])
def test_the_papers_networks_of_the_catalogue(name: str):
    torch.manual_seed(0)
    network = model_function(name)((1, 28, 28), 10).double()
    posterior, images = MCDropout(network, samples=3, seed=1), torch.rand(3, 1, 28, 28, dtype=torch.float64)
    unsplit = Unsplit(private_copy(network), stochastic_depth=False)
    with torch.no_grad():
        outputs = unsplit.passes(images, Masks(1, torch.device("cpu")).samples(3, 3))
        wanted = torch.stack([output.log_softmax(-1) for output in outputs], dim=1)
    torch.testing.assert_close(posterior.log_probs(images), wanted, rtol=0, atol=1e-10)


def test_bf16_masks_the_same_units():
    torch.manual_seed(0)
    network, images = Paper(), torch.rand(70, 1, 28, 28)
    exact, rough = (MCDropout(network, samples=4, precision=name).log_probs(images) for name in ("fp32", "bf16"))
    assert 0 < float((exact - rough).abs().max()) < 0.05

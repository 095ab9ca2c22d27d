"""The dense head is the split network, computed otherwise."""

import pytest
import torch
import torch.nn.functional as F
from posterior_networks import Paper, Residual, Sequence
from torch import nn

from askwell.errors import SettingsError
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
    "most inputs dropped": lambda: stack(
        nn.Dropout(0.8), nn.Flatten(), nn.Linear(432, 16), nn.ReLU(), nn.Dropout(0.5), nn.Linear(16, 3)
    ),
    "half of all dropped, no bias": lambda: stack(
        nn.Dropout(0.5), nn.Flatten(), nn.Linear(432, 9, bias=False), nn.ReLU(), nn.Dropout(0.5), nn.Linear(9, 3)
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
    an_eighth = 0.25 * 0.5  # of a head's weights: dropped inputs, live units
    monkeypatch.setattr(room, "HEADS_BYTES", 10 * an_eighth * 3872 * 128 * 4)
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


def both(network: nn.Module, images: torch.Tensor, samples: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits [T, B, C] by the dense head and by the split."""
    slow, masks = cut(network), Masks(seed, torch.device("cpu"))
    fast = dense_head(slow, samples=samples)
    assert isinstance(fast, DenseHead)
    with torch.no_grad():
        found = torch.stack(list(fast.passes(images, masks.samples(samples, len(images)))))
        wanted = torch.stack(list(slow.passes(images, masks.samples(samples, len(images)))))
    return found, wanted


@pytest.mark.parametrize("layer", ["dense1", "dense2"])
def test_a_nan_weight_is_seen_wherever_the_split_sees_it(layer: str):
    torch.manual_seed(0)
    network = Paper()
    with torch.no_grad():
        getattr(network, layer).weight[:, 1] = torch.nan
    found, wanted = both(network, torch.rand(3, 1, 28, 28), samples=16)
    assert bool(wanted.isnan().any())
    assert torch.equal(found.isnan(), wanted.isnan())


def test_units_that_overflow_are_seen_as_soon_as_one_sample_keeps_them():
    torch.manual_seed(0)
    network = stack(nn.Dropout(0.3), nn.Flatten(), nn.Linear(432, 9), nn.ReLU(), nn.Dropout(0.5), nn.Linear(9, 3))
    with torch.no_grad():
        network[5].weight[4] = 3e38
    found, wanted = both(network, torch.rand(3, 1, 28, 28), samples=9, seed=1)
    assert bool(wanted.isnan().any())
    torch.testing.assert_close(found, wanted, equal_nan=True)


def test_a_sample_without_a_live_unit_says_the_last_bias():
    network = stack(nn.Flatten(), nn.Dropout(0.1), nn.Linear(432, 1), nn.ReLU(), nn.Dropout(0.9), nn.Linear(1, 2))
    for seed in range(8):
        found, wanted = both(network, torch.rand(3, 1, 28, 28), samples=1, seed=seed)
        torch.testing.assert_close(found, wanted)


def test_many_classes_are_not_multiplied_in_blocks_of_zeros():
    torch.manual_seed(0)
    network = stack(nn.Dropout(0.3), nn.Flatten(), nn.Linear(432, 9), nn.ReLU(), nn.Dropout(0.5), nn.Linear(9, 300))
    slow, masks = cut(network), Masks(0, torch.device("cpu"))
    fast = dense_head(slow, samples=10)
    assert isinstance(fast, DenseHead)
    with torch.no_grad():
        found = list(fast.passes(torch.rand(2, 1, 28, 28), masks.samples(10, 2)))
    assert fast._heads is not None
    assert [end.shape[0] for end in fast._heads.ends] == [300] * 10
    assert len(found) == 10


def test_a_hook_between_the_layers_sees_the_units_as_ever():
    torch.manual_seed(0)
    network = stack(nn.Dropout(0.3), nn.Flatten(), nn.Linear(432, 9), nn.GELU(), nn.Dropout(0.5), nn.Linear(9, 3))
    network[6].register_forward_hook(lambda module, inputs, output: output * torch.arange(9.0))
    found, wanted = both(network, torch.rand(3, 1, 28, 28), samples=4)
    torch.testing.assert_close(found, wanted)


def test_float64_stays_float64_in_bf16():
    network, images = Paper().double(), torch.rand(3, 1, 28, 28, dtype=torch.float64)
    exact = MCDropout(network, samples=3).log_probs(images)
    lower = MCDropout(network, samples=3, precision="bf16").log_probs(images)
    assert lower.dtype == torch.float64
    torch.testing.assert_close(lower, exact, rtol=0, atol=1e-12)


def test_the_first_draws_are_those_of_more():
    torch.manual_seed(0)
    posterior, images = MCDropout(Paper(), samples=6, seed=3), torch.rand(4, 1, 28, 28)
    assert posterior.first(2).samples == 2
    torch.testing.assert_close(
        posterior.first(2).log_probs(images), posterior.log_probs(images)[:, :2], rtol=0, atol=1e-6
    )
    assert posterior.first(2, precision="bf16").samples == 2
    with pytest.raises(SettingsError, match="at most the 6 samples there are, found 7"):
        posterior.first(7)

"""Fast dropout is dropout: the shares, the scale, the gradient, and nothing left behind."""

import copy

import pytest
import torch
from torch import nn

from askwell.learning.fast_dropout import FastDropout, fast_dropout


def seeded_mask(p: float, x: torch.Tensor, seed: int = 0) -> torch.Tensor:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return FastDropout(p)(x)


@pytest.mark.parametrize("p", [0.1, 0.25, 0.5, 0.9, 1 / 3, 1e-3])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_as_many_are_dropped_and_the_rest_scaled_as_dropout_does(p: float, dtype: torch.dtype):
    x = torch.ones(400, 1001, dtype=dtype)
    kept = seeded_mask(p, x)
    share = float((kept == 0).double().mean())
    assert abs(share - p) < 5 * (p * (1 - p) / x.numel()) ** 0.5 + 2**-16
    survivor = kept[kept != 0].unique()
    assert len(survivor) == 1
    torch.testing.assert_close(
        survivor, torch.tensor([1 / (1 - p)], dtype=dtype), rtol=1e-2 if dtype == torch.bfloat16 else 1e-4, atol=0
    )


def test_units_are_dropped_independently():
    x = torch.ones(20_000, 8)
    dropped = (seeded_mask(0.25, x) == 0).double()
    correlation = torch.corrcoef(dropped.t()) - torch.eye(8)
    assert float(correlation.abs().max()) < 5 / 20_000**0.5
    assert abs(float(dropped.mean(0).max()) - 0.25) < 0.02, "each of the four parts of a word drops its share"


@pytest.mark.parametrize("shape", [(3, 5, 7, 9), (6, 11), (1,), (2, 3, 4, 5, 6)])
def test_the_gradient_is_the_mask(shape: tuple[int, ...]):
    x = torch.rand(shape, dtype=torch.float64).add(1).requires_grad_()
    out = seeded_mask(0.5, x)
    out.sum().backward()
    assert x.grad is not None
    torch.testing.assert_close(out, x.grad * x, rtol=0, atol=0)


def test_other_layouts_stay_what_they_are():
    for x in (
        torch.rand(4, 6, 5, 3).contiguous(memory_format=torch.channels_last),
        torch.rand(6, 8)[:, ::2],
        torch.rand(5, 4).t(),
    ):
        out = seeded_mask(0.5, x)
        assert out.shape == x.shape
        assert set(torch.unique((out / x).round()).tolist()) <= {0.0, 2.0}
    image = torch.rand(4, 6, 5, 3).contiguous(memory_format=torch.channels_last)
    assert seeded_mask(0.5, image).is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("p", [0.0, 1.0])
def test_nothing_and_everything(p: float):
    assert torch.equal(seeded_mask(p, torch.ones(3, 4)), torch.full((3, 4), 1 - p))


def test_eval_mode_and_equal_seeds():
    x = torch.rand(5, 6)
    assert torch.equal(FastDropout(0.5).eval()(x), x)
    assert torch.equal(seeded_mask(0.5, x, 3), seeded_mask(0.5, x, 3))
    assert not torch.equal(seeded_mask(0.5, x, 3), seeded_mask(0.5, x, 4))


def test_the_network_is_what_it_was_afterwards_even_after_an_error():
    class Own(nn.Dropout):
        pass

    network = nn.Sequential(nn.Linear(3, 3), nn.Dropout(0.5), nn.Sequential(nn.Dropout2d(0.5), Own(0.5)))
    before = [type(module) for module in network.modules()]
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"), fast_dropout(network):
        network(_counted(network))
    assert [type(module) for module in network.modules()] == before


def _counted(network: nn.Module) -> torch.Tensor:
    """Images that do not fit, once the layers have been looked at."""
    assert [type(module) for module in network.modules()].count(FastDropout) == 1, "nobody's own layer"
    return torch.ones(2, 5)


def test_what_only_torchs_own_can_do_is_left_to_it():
    x = torch.ones(50, 50)
    FastDropout(0.5, inplace=True)(x)  # whose return value may be left unused
    assert set(x.unique().tolist()) == {0.0, 2.0}
    gradient = torch.func.grad(lambda value: FastDropout(0.5)(value).sum())(torch.ones(50))
    assert set(gradient.unique().tolist()) == {0.0, 2.0}


def test_copies_made_meanwhile_are_what_they_were_too():
    class Teacher(nn.Module):
        def __init__(self):
            super().__init__()
            self.student = nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.5))
            self.teacher: nn.Module | None = None

    network = Teacher()
    with fast_dropout(network):
        network.teacher = copy.deepcopy(network.student)
    assert not [module for module in network.modules() if isinstance(module, FastDropout)]

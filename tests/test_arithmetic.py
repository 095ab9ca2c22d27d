"""TF32 is a choice for a GPU, and only for as long as it is asked for. The switches themselves are torch's and can be set without one."""

import pytest
import torch

from askwell.arithmetic import products
from askwell.campaign.campaign import resolved
from askwell.errors import SettingsError
from askwell.learning.recipe import Recipe
from askwell.learning.supervised import fit
from askwell.posterior.point import Point


def switches() -> tuple[str, str]:
    return torch.backends.cuda.matmul.fp32_precision, torch.backends.cudnn.conv.fp32_precision


@pytest.mark.parametrize(("precision", "set_to"), [("tf32", "tf32"), ("fp32", "ieee"), ("bf16", "ieee")])
def test_the_switches_are_put_back(precision: str, set_to: str):
    before, inside = switches(), list[tuple[str, str]]()

    def diverge() -> None:
        with products(precision, torch.device("cuda")):
            inside.append(switches())
            raise KeyError

    with pytest.raises(KeyError):
        diverge()
    assert inside == [(set_to, set_to)]
    assert switches() == before
    with products("fp32", torch.device("cpu")):
        assert switches() == before


def test_tf32_is_refused_on_the_cpu():
    recipe = Recipe(precision="tf32", device="cpu", steps=1)
    sentence = 'expected precision "tf32" on a GPU, found the device cpu; use "fp32" or "bf16"'
    with pytest.raises(SettingsError, match=sentence):
        resolved(recipe)
    with pytest.raises(SettingsError, match=sentence):
        fit(recipe, torch.zeros(2, 1, 8, 8), torch.tensor([0, 1]), classes=2, seed=0)
    with pytest.raises(SettingsError, match=sentence):
        Point(torch.nn.Flatten(), precision="tf32").log_probs(torch.zeros(1, 2))

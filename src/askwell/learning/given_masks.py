"""Dropout with masks that are handed over, so that many networks can drop at once what each would have dropped alone.

A network's own layers draw its masks, each from a tensor of ones that lies in memory as the layer's input does: they are those that the
network would meet in training, from the same random numbers in the same order, on any device.
"""

import copy
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.func import functional_call

from askwell.learning.fast_dropout import FastDropout

DROPOUT = (
    nn.Dropout,
    nn.Dropout1d,
    nn.Dropout2d,
    nn.Dropout3d,
    FastDropout,
)  # what multiplies by a mask, of exactly these types
MULTIPLYING = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear)  # the layers that autocast rounds to bf16


class Site(NamedTuple):
    """A call of a dropout layer: the layer, and ones in the shape, type and layout of its input."""

    layer: nn.Module
    ones: Tensor


def dropout_sites(network: nn.Module, forward: Callable[[], object]) -> list[Site]:
    """The calls of dropout layers, in their order, while ``forward`` runs the network in train mode."""
    sites: list[Site] = []

    def note(layer: nn.Module, inputs: tuple[Tensor, ...], _: object) -> None:
        sites.append(Site(layer, torch.ones_like(inputs[0])))

    hooks = [module.register_forward_hook(note) for module in network.modules() if _is_dropout(module)]
    try:
        with torch.no_grad():
            forward()
    finally:
        for hook in hooks:
            hook.remove()
    return sites


def draw(sites: Iterable[Site]) -> list[Tensor]:
    """One mask for each site, what is kept scaled, from torch's global generator."""
    with torch.no_grad():
        return [site.layer(site.ones) for site in sites]


class Template:
    """A network's structure as a function of its parameters and its masks. The network itself stays as it is.

    With precision "bf16" convolutions and dense layers round weights and inputs to bf16, as autocast does, which torch.func.vmap passes by.
    """

    def __init__(self, network: nn.Module, precision: str) -> None:
        self._structure = copy.deepcopy(network)
        self._masks: list[Tensor] = []
        self._rounded: set[str] = set()
        for path, module in list(self._structure.named_modules()):
            for name, child in list(module._modules.items()):
                if child is not None and _is_dropout(child):
                    setattr(module, name, _Given(self._masks))
            if precision == "bf16" and isinstance(module, MULTIPLYING):
                module.register_forward_pre_hook(_round_inputs)
                self._rounded |= {f"{path}.{name}".lstrip(".") for name, _ in module.named_parameters(recurse=False)}

    def logits(self, parameters: Mapping[str, Tensor], batch: Tensor, masks: Sequence[Tensor]) -> Tensor:
        """The network's output for a batch with these parameters, by name, and a mask for each of its dropout sites."""
        self._masks[:] = masks
        rounded = {name: value.bfloat16() if name in self._rounded else value for name, value in parameters.items()}
        return functional_call(self._structure, rounded, (batch,))


def _round_inputs(_: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return tuple(value.bfloat16() for value in inputs)


class _Given(nn.Module):
    """Dropout with the next of the masks."""

    def __init__(self, masks: list[Tensor]) -> None:
        super().__init__()
        self._masks = masks

    def forward(self, input: Tensor) -> Tensor:
        return input * self._masks.pop(0)


def _is_dropout(module: nn.Module) -> bool:
    return type(module) in DROPOUT and not module.inplace

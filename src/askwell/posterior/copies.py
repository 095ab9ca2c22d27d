"""A private copy of the user's network, and the mode in which only its stochastic layers are in training.

The copy shares the parameters, which are only read, and has its own buffers, modes and attributes; so the user's network is never
patched, switched or otherwise changed.
"""

import copy
from itertools import chain

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from askwell.posterior.sites import holds_randomness, is_stochastic_depth

FEW_OUTPUTS = 16  # below this, matrix libraries switch to kernels for narrow products


class EvenLinear(nn.Linear):
    """A linear layer with few outputs that rounds every image alike, wherever in the batch it lies: see ``even_linear``."""

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(input) if input.ndim != 2 else even_linear(input, self.weight, self.bias)


def even_linear(input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """input [rows, in] times weight [out, in], plus bias, such that a row's numbers do not depend on its place among the others.

    Kernels for narrow products sum a row's last terms in an order that depends on the row's place, so that an image's logits would
    depend, in the last bit, on how the pool was cut. With the images along the other side of the product they do not.
    """
    if len(weight) >= FEW_OUTPUTS:
        return F.linear(input, weight, bias)
    product = (weight @ input.t()).t()
    return product if bias is None else product + bias


class ChannelsLastConv2d(nn.Conv2d):
    """A convolution that computes with the channels beside each other in memory, and hands them on so.

    On two cores with AVX-512 the paper's network takes two thirds of the time so. The weight is laid out anew in each call, which costs
    nothing beside the product and leaves the user's parameter alone.
    """

    def forward(self, input: Tensor) -> Tensor:
        if input.ndim != 4 or input.dtype == torch.float64:  # float64 has no such kernels
            return super().forward(input)
        return self._conv_forward(_channels_last(input), _channels_last(self.weight), self.bias)


def _channels_last(tensor: Tensor) -> Tensor:
    """[N, C, H, W] with the channels beside each other, and strides that say so when there is but one: torch goes by them."""
    _, channels, height, width = tensor.shape
    strides = (channels * height * width, 1, width * channels, channels)
    return tensor.contiguous(memory_format=torch.channels_last).as_strided(tensor.shape, strides)


def private_copy(model: nn.Module) -> nn.Module:
    """A deep copy in eval mode that shares the parameters. Hooks are kept, since some networks compute their weights in them."""
    attributes = chain.from_iterable(vars(module).values() for module in model.modules())
    computed = (value for value in attributes if isinstance(value, Tensor) and not value.is_leaf)  # cannot be copied
    shared = {id(tensor): tensor for tensor in chain(model.parameters(), computed)}
    network = copy.deepcopy(model, shared).eval()
    for module in network.modules():
        if type(module) is nn.Linear and module.out_features < FEW_OUTPUTS:
            module.__class__ = EvenLinear  # keeps hooks and parametrisations, which a new module would lose
        if type(module) is nn.Conv2d:
            module.__class__ = ChannelsLastConv2d
    return network


def is_torch_layer(module: nn.Module) -> bool:
    """Whether this is one of torch's own layers, not somebody's module."""
    return isinstance(module, EvenLinear | ChannelsLastConv2d) or type(module).__module__.startswith("torch.nn.")


def sampling_mode(network: nn.Module, *, stochastic_depth: bool) -> None:
    """Put into training mode what needs it to be stochastic, and nothing else.

    Layers that keep running statistics (batch norm) stay in eval; so do torch's own deterministic layers, whose hooks may look at the
    mode (spectral norm), and stochastic depth unless asked for. Somebody's own module is in training, because it may hand its mode to
    a functional dropout.
    """
    for module in network.modules():
        module.training = _needs_training(module, stochastic_depth)


def _needs_training(module: nn.Module, stochastic_depth: bool) -> bool:
    if is_stochastic_depth(module):
        return stochastic_depth
    if any(name.startswith("running_") for name, _ in module.named_buffers(recurse=False)):
        return False
    return holds_randomness(module) if is_torch_layer(module) else True

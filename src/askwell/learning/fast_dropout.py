"""Dropout whose masks cost little to draw on a processor, while a network is trained.

torch draws a floating number for each unit and divides all of them, one after the other: a quarter of a training step of the paper's
network in bf16 on two cores. Here 16 random bits decide about a unit, so that one 64-bit word is enough for four.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

LEVELS = 2**16


class FastDropout(nn.Dropout):
    """nn.Dropout with the probability to drop rounded to a multiple of 2**-16, and what is kept scaled accordingly."""

    def forward(self, input: Tensor) -> Tensor:
        dropped = round(self.p * LEVELS)
        plain = not self.training or self.inplace or input.device.type != "cpu" or not 0 < dropped < LEVELS
        if plain or torch._C._are_functorch_transforms_active():
            return super().forward(input)
        words = torch.empty(-(-input.numel() // 4), dtype=torch.int64).random_(-(2**63), None)
        bits = words.view(torch.int16)[: input.numel()]
        noise = (bits >= dropped - LEVELS // 2).to(input.dtype).mul_(LEVELS / (LEVELS - dropped))
        layout = input.stride() if _dense(input) else torch.empty(input.shape, device="meta").stride()
        return _Multiply.apply(input, noise.as_strided(input.shape, layout))


class _Multiply(torch.autograd.Function):
    """input times noise, whose gradient lies in memory as the noise does, however the gradient comes.

    After a flatten it comes with the channels apart, and what is before would compute with that: a pooling three times as slowly.
    """

    @staticmethod
    def forward(ctx: Any, input: Tensor, noise: Tensor) -> Tensor:
        ctx.save_for_backward(noise)
        return noise * input

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        (noise,) = ctx.saved_tensors
        return noise * grads[0], None  # the first factor decides about the layout


@contextmanager
def fast_dropout(model: nn.Module) -> Iterator[None]:
    """Within the context the model's dropout layers are FastDropout; the masks come from torch's global generator, as ever."""
    layers = [module for module in model.modules() if type(module) is nn.Dropout]
    for layer in layers:
        layer.__class__ = FastDropout
    try:
        yield
    finally:
        copies = (module for module in model.modules() if type(module) is FastDropout)  # made meanwhile, by the model
        for layer in {*layers, *copies}:
            layer.__class__ = nn.Dropout


def _dense(tensor: Tensor) -> bool:
    """Whether its numbers fill their memory without gaps, in whatever order the axes have there."""
    return tensor.is_contiguous() or (tensor.ndim == 4 and tensor.is_contiguous(memory_format=torch.channels_last))

"""How fast could it be? The multiplications that cannot be avoided, at the rate of products that this machine reaches.

    seconds = N * (seconds of the prefix per image) + N * (live FLOPs of T heads per image) / (rate)

A mask leaves in_t of the inputs and units_t of the units of the first dense layer, so its live FLOPs are 2 sum_t in_t units_t, and
those of the last layer 2 sum_t units_t C. askwell has a shorter way to the same numbers (askwell.posterior.first_layers: one product
that is shared and 2 sum_t (in - in_t) units_t), and pays for it with gathering. The count with dead inputs multiplied is given beside.
"""

import time
from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from askwell.models.bcnn import CONVOLUTION_DROPOUT, DENSE_DROPOUT, HIDDEN_UNITS
from askwell.posterior.masks import Masks
from subjects import SHAPE, prefix_of

MAPS = (32, 11, 11)  # what reaches the dense layers
INPUTS = 32 * 11 * 11
PREFIX_FLOPS = 2 * 32 * (16 * 25 * 25 + 32 * 16 * 22 * 22)  # of the two convolutions, per image
HEADS = 6400  # live units of 100 samples: the rows of the product
TOGETHER = {"fp32": 448, "bf16": 960}  # its columns: as many images as make it fast
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}
CHUNKS = (64, 128, 256)
TRIES = 5


class Kept(NamedTuple):
    """What one sample's masks keep of the inputs and of the units."""

    inputs: int
    units: int


class Limits(NamedTuple):
    """What this machine reaches: FLOP/s in products, and the prefix's seconds per image."""

    rate: float
    prefix_seconds: float


def kept_by_masks(seed: int, samples: int) -> list[Kept]:
    """Counted from the masks themselves."""
    masks = Masks(seed, torch.device("cpu")).samples(samples, batch=1)
    return [
        Kept(
            int(sample.keep(0, (1, *MAPS), 1 - CONVOLUTION_DROPOUT).sum()),
            int(sample.keep(1, (1, HIDDEN_UNITS), 1 - DENSE_DROPOUT).sum()),
        )
        for sample in masks
    ]


def head_flops(kept: list[Kept], classes: int, *, all_inputs: bool = False) -> int:
    """Of all heads, per image."""
    return sum(2 * sample.units * ((INPUTS if all_inputs else sample.inputs) + classes) for sample in kept)


def seconds_at(limits: Limits, items: int, flops_per_image: float) -> float:
    """The model's prediction for so many images."""
    return items * (limits.prefix_seconds + flops_per_image / limits.rate)


def fraction_of_rate(limits: Limits, seconds: float, items: int, flops_per_image: float) -> float:
    """All live FLOPs, prefix included, as a fraction of what products of that duration would have done."""
    return items * (PREFIX_FLOPS + flops_per_image) / seconds / limits.rate


def measure_limits(network: nn.Module, images: Tensor, precision: str) -> Limits:
    """The best of a few tries: of torch's product and of a 1x1 convolution, and of some lengths of the prefix's chunks."""
    dtype = DTYPES[precision]
    rows, columns = torch.randn(HEADS, INPUTS).to(dtype), torch.randn(TOGETHER[precision], INPUTS).to(dtype)
    forms: list[Callable[[], Tensor]] = [lambda: torch.mm(rows, columns.t()), lambda: _as_convolution(rows, columns)]
    with torch.no_grad():
        rate = 2 * HEADS * INPUTS * TOGETHER[precision] / min(map(_least_seconds, forms))
        return Limits(rate, _prefix_seconds(network, images, dtype))


def _prefix_seconds(network: nn.Module, images: Tensor, dtype: torch.dtype) -> float:
    """Per image, channels last, in a network that was converted once, which is quicker than autocast."""
    shape = (len(images), *SHAPE)
    prefix = prefix_of(network).to(memory_format=torch.channels_last)
    floats = images.reshape(shape).to(dtype) / 255
    if dtype == torch.float32:
        return min(_least_seconds(lambda size=size: _run(prefix, floats, size)) for size in CHUNKS) / len(images)
    weights = {name: value.to(dtype) for name, value in prefix.state_dict().items()}

    def converted(chunk: Tensor) -> Tensor:
        return torch.func.functional_call(prefix, weights, (chunk,))

    return min(_least_seconds(lambda size=size: _run(converted, floats, size)) for size in CHUNKS) / len(images)


def _run(prefix: Callable[[Tensor], Tensor], images: Tensor, size: int) -> None:
    for chunk in images.split(size):
        prefix(chunk.contiguous(memory_format=torch.channels_last))


def _as_convolution(rows: Tensor, columns: Tensor) -> Tensor:
    pixels = rows[None, :, None, :].permute(0, 3, 1, 2)
    return F.conv2d(pixels, columns[:, None, None, :].permute(0, 3, 1, 2))


def _least_seconds(call: Callable[[], object]) -> float:
    """Of a few tries after one that is not counted."""
    call()
    found: list[float] = []
    for _ in range(TRIES):
        began = time.perf_counter()
        call()
        found.append(time.perf_counter() - began)
    return min(found)

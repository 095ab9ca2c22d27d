"""What a posterior sample keeps: a pure function of seed, sample, ordinal of the stochastic layer, and shape.

The numbers come from Philox, a counter-based generator: the seed is its key, sample and ordinal are words of its counter, so that
no draw depends on an earlier one. Every chunk, worker, device and platform sees the same masks, and the first 10 samples of
T = 100 are the samples of T = 10. A mask has no batch axis: all images of a sample see the same network, which is what a draw of
the weights means (Gal and Ghahramani, 2016) and what BatchBALD needs.

Salmon et al. (2011), Parallel random numbers: as easy as 1, 2, 3.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Bool, Float64
from torch import Tensor

from askwell.errors import ShapeError

CACHE_BYTES = 256 * 2**20  # masks kept as bool; the paper's network needs 0.4 MB for T = 100, VGG-16 0.8 MB
RESOLUTION = 2.0**-32  # one Philox word makes two numbers

Draw = tuple[int, tuple[int, ...], float]  # ordinal, shape without the batch axis, probability to keep


def uniform(seed: int, sample: int, ordinal: int, shape: Sequence[int]) -> Float64[np.ndarray, "..."]:
    """Numbers u in [0, 1), multiples of 2**-32, as an array of this shape; the same on every platform.

    seed, sample and ordinal are in 0 ... 2**64 - 1.
    """
    size = math.prod(shape)
    counter = np.array([0, 0, sample, ordinal], dtype=np.uint64)  # the two low words count within the draw
    generator = np.random.Philox(key=np.array([seed, 0], dtype=np.uint64), counter=counter)
    words = generator.random_raw((size + 1) // 2).astype("<u8").view("<u4")
    return (words[:size] * RESOLUTION).reshape(shape)


@runtime_checkable
class LayerMasks(Protocol):
    """What a layer asks for its mask."""

    def keep(self, ordinal: int, shape: Sequence[int], probability: float) -> Bool[Tensor, "..."]:
        """The mask of layer ``ordinal`` for an activation of this shape; broadcasts against it."""
        ...


class Masks:
    """The masks of one seed on one device. The first ``limit`` bytes of them are kept, the rest are drawn again when needed.

    Nothing is ever evicted: the masks are asked for in the same order for every chunk, where a cache that evicts the least recently
    used would miss every time.
    """

    def __init__(self, seed: int, device: torch.device, limit: int = CACHE_BYTES) -> None:
        self.seed = seed
        self.device = device
        self._limit = limit
        self._kept: dict[tuple[int, Draw], Tensor] = {}
        self._bytes = 0

    def keep(self, sample: int, draw: Draw) -> Bool[Tensor, "..."]:
        """True where a unit is kept: u < probability to keep."""
        known = self._kept.get((sample, draw))
        if known is not None:
            return known
        ordinal, shape, probability = draw
        mask = torch.from_numpy(uniform(self.seed, sample, ordinal, shape) < probability).to(self.device)
        if self._bytes + mask.nbytes <= self._limit:
            self._kept[sample, draw] = mask
            self._bytes += mask.nbytes
        return mask

    def samples(self, count: int, batch: int) -> Iterator["SampleMasks"]:
        """The masks of samples 0 ... count - 1, each for batches of ``batch`` images."""
        return (SampleMasks(self, sample, batch) for sample in range(count))


class SampleMasks:
    """The masks of one posterior sample, shaped for batches of ``batch`` images, and a list of what was drawn of them."""

    def __init__(self, masks: Masks, sample: int, batch: int) -> None:
        self._masks = masks
        self._sample = sample
        self._batch = batch
        self.drawn: list[Draw] = []

    def keep(self, ordinal: int, shape: Sequence[int], probability: float) -> Bool[Tensor, "..."]:
        """The mask of layer ``ordinal`` for an activation of this shape, batch axis included; broadcasts against it.

        Raises ShapeError where the first axis is not the batch.
        """
        draw = (ordinal, self._without_batch(shape), probability)
        self.drawn.append(draw)
        return self._for_batch(self._masks.keep(self._sample, draw))

    def uniform(self, ordinal: int, shape: Sequence[int]) -> Float64[Tensor, "..."]:
        """Numbers in [0, 1) for layers that draw more than a mask; otherwise as ``keep``, but never cached."""
        shape = self._without_batch(shape)
        self.drawn.append((ordinal, shape, math.nan))
        numbers = torch.from_numpy(uniform(self._masks.seed, self._sample, ordinal, shape))
        return self._for_batch(numbers.to(self._masks.device))

    def _without_batch(self, shape: Sequence[int]) -> tuple[int, ...]:
        """[r * batch, ...] -> [r, ...], where r > 1 when windows or heads are merged into the batch; [1, ...] broadcasts already."""
        if not shape or (shape[0] != 1 and shape[0] % self._batch):
            raise ShapeError(
                f"expected activations whose first axis is the batch in front of every dropout, found shape {list(shape)} "
                f"for {self._batch} images; move the batch to the front (batch_first=True), or keep dropout off weights."
            )
        return (max(shape[0] // self._batch, 1), *shape[1:])

    def _for_batch(self, shared: Tensor) -> Tensor:
        """[r, ...] -> something that broadcasts against [r * batch, ...]."""
        return shared if len(shared) == 1 else shared.repeat(self._batch, *[1] * (shared.ndim - 1))

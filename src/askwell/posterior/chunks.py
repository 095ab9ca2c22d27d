"""Images through a network in chunks of one fixed length, so that no result depends on how the caller cut the pool.

Matrix products round differently for different numbers of rows; with every chunk of the same length, the last one padded, an image's
numbers depend on the image alone. Its place in the chunk must not matter either: vector units take 16 numbers of fp32 at a time and
round what is left over in another way, so a chunk should be a multiple of 32 images and the number of threads a power of two.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import chain
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from askwell.arithmetic import PRECISIONS, products
from askwell.errors import SettingsError, ShapeError, UnknownNameError
from askwell.freed_memory import keep_freed_memory
from askwell.probability import LogProbs

# The paper's network takes equally long with 64, 96, 128, 192 and 256 (within 5 % on two cores) and a tenth longer with 32;
# the least of them wastes the least padding and memory.
BATCH = 64

Images = Float[Tensor, " N *image"]  # N channels height width, or any other shape that the network takes
Passes = Callable[[Tensor], Iterable[Tensor]]  # a chunk [B, ...] -> T outputs [B, C]


@dataclass(frozen=True)
class Chunking:
    """Where and how a network runs: its device and type, the number of images in a chunk, the precision of its arithmetic."""

    device: torch.device
    dtype: torch.dtype
    batch: int
    precision: str

    @classmethod
    def of(cls, network: nn.Module, *, batch: int, precision: str) -> "Chunking":
        """On the network's device and in its type. Raises SettingsError or UnknownNameError for a wrong batch or precision."""
        if precision not in PRECISIONS:
            raise UnknownNameError("precision", precision, PRECISIONS)
        if batch < 1:
            raise SettingsError(f"expected a batch of at least 1 image, found {batch}; leave it out to take {BATCH}.")
        keep_freed_memory()
        tensors = (tensor for tensor in chain(network.parameters(), network.buffers()) if tensor.is_floating_point())
        first = next(tensors, torch.empty(0))
        return cls(first.device, first.dtype, batch, precision)

    def log_probs(self, images: Images, passes: Passes) -> LogProbs:
        """Run ``passes`` over every chunk and take the log-softmax, in float32, or in float64 if the logits are.

        Raises ShapeError for anything but logits [B, C] with C >= 2.
        """

        def logits(chunk: Tensor) -> Tensor:
            return torch.stack([check_logits(output, len(chunk)) for output in passes(chunk)], dim=1)

        return self.blocks(images, logits, self.batch)

    def blocks(self, images: Images, logits: Callable[[Tensor], Tensor], together: int) -> LogProbs:
        """The log-softmax of ``logits`` [B, T, C] of up to ``together`` images at once, in parts of nearly equal length.

        The last part is padded to a multiple of the batch.
        """
        batches, most = -(-len(images) // self.batch), max(1, together // self.batch)
        even = -(-batches // -(-batches // most)) * self.batch
        autocast = torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bf16")
        with torch.no_grad(), products(self.precision, self.device), autocast:
            parts = images.split(even)
            return torch.cat(
                [
                    _log_softmax(logits(self.chunk(part, -(-len(part) // self.batch) * self.batch)))[: len(part)]
                    for part in parts
                ]
            )

    def chunk(self, images: Images, length: int) -> Float[Tensor, " B *image"]:
        """A copy on the network's device, padded with the last image to this length."""
        padded = torch.empty((length, *images.shape[1:]), dtype=self.dtype, device=self.device)
        padded[: len(images)] = images  # always a copy: its memory is aligned alike, wherever the images lie
        padded[len(images) :] = images[-1]
        return padded


def check_images(images: Images) -> None:
    """Raise ShapeError for anything but floating images [N, ...] with N >= 1."""
    if images.ndim < 2 or not images.is_floating_point() or len(images) == 0:
        raise ShapeError(
            f"expected at least one floating image in a tensor [N, channels, height, width], "
            f"found {images.dtype} {list(images.shape)}; convert integers to [0, 1] first, and skip empty chunks."
        )


def check_logits(output: Any, batch: int) -> Tensor:
    """The network's output, or ShapeError if it is not floating logits [batch, C] with C >= 2."""
    if not isinstance(output, Tensor):
        raise ShapeError(
            f"expected a network that returns a tensor of logits [N, C], found {type(output).__name__}; "
            "wrap it in a module that returns the logits alone, and switch auxiliary outputs off (aux_logits=False)."
        )
    if output.ndim != 2 or len(output) != batch or output.shape[1] < 2 or not output.is_floating_point():
        raise ShapeError(
            f"expected a network that returns floating logits [N, C] with at least 2 classes, "
            f"found {output.dtype} {list(output.shape)} for {batch} images; give it a classification head."
        )
    return output


def _log_softmax(logits: Tensor) -> LogProbs:
    """Over the classes, along whichever axis lies closest in memory; in float32, or float64 if the logits are."""
    exact = logits if logits.dtype == torch.float64 else logits.float()
    if exact.stride(0) == 1:  # [T, C, B] in memory: one image beside the other
        return exact.permute(1, 2, 0).log_softmax(dim=1).permute(2, 0, 1)
    return exact.log_softmax(dim=-1)

"""A pool in memory: one array or tensor of images, kept as it was given."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import torch
from jaxtyping import Int, Shaped
from torch import Tensor

from askwell.errors import ShapeError, UsageError
from askwell.pool.ids import as_ids

Array = np.ndarray[Any, np.dtype[Any]]

LARGEST_CHANNEL_AXIS = 4  # a last axis of 1, 3 or 4 beside larger ones is a channel axis at the wrong end
VALUES_CHECKED_AT_ONCE = 2**24  # of a float array; bounds the memory of the check for NaN to some 16 MB of flags


@final
@dataclass(frozen=True, eq=False)
class ArrayPool:
    """Images [N, channels, H, W] or grey [N, H, W] in a tensor, array or memory map, neither copied nor converted.

    uint8 counts 0..255; floating values are used as they are (float32 when read) and must be finite.

    Raises ShapeError for another shape (channels last included) or type, UsageError for NaN or infinite values (so a
    floating array is read once, in blocks) and for ids that are not distinct, one for each image.
    """

    array: Tensor | Array
    ids: Sequence[str]

    def __post_init__(self) -> None:
        check_image_array(self.array)
        as_ids(self.ids, len(self.array))
        _check_finite(self)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(channels, height, width) of every image."""
        *channels, height, width = self.array.shape[1:]
        return (int(channels[0]) if channels else 1, int(height), int(width))

    def __len__(self) -> int:
        return len(self.array)

    def images(self, positions: Int[Tensor, " n"]) -> Shaped[Tensor, "n channels height width"]:
        """The images at those positions, uint8 or float32, on the tensor's own device (arrays: CPU)."""
        check_positions(positions, len(self))
        if isinstance(self.array, Tensor):
            chosen = self.array.index_select(0, positions.to(self.array.device, torch.int64))
        else:
            chosen = _to_tensor(np.asarray(self.array[positions.cpu().numpy()]))
        if chosen.dtype != torch.uint8:
            chosen = chosen.to(torch.float32)
        return chosen.reshape(len(positions), *self.image_shape)


def check_image_array(array: Tensor | Array) -> None:
    """Raise ShapeError unless the array is [N, channels, H, W] or [N, H, W], not empty, and uint8 or floating."""
    shape = tuple(int(size) for size in array.shape)
    if len(shape) not in (3, 4) or 0 in shape:
        raise ShapeError(f"expected images [N, channels, H, W] or grey [N, H, W], at least one, found {list(shape)}.")
    if channels_are_last(shape[1:]):
        permute = "permute(0, 3, 1, 2)" if isinstance(array, Tensor) else "transpose(0, 3, 1, 2)"
        raise ShapeError(f"expected channels before height and width, found {list(shape)}; apply .{permute} first.")
    if isinstance(array, Tensor):
        fits = array.dtype == torch.uint8 or array.is_floating_point()
    else:
        fits = array.dtype == np.uint8 or array.dtype.kind == "f"
    if not fits:
        raise ShapeError(
            f"expected images as uint8 (0..255) or floating, found {array.dtype}; convert them to one of these."
        )


def channels_are_last(image_shape: Sequence[int]) -> bool:
    """Whether a 3-dimensional image shape can only be height, width, channels."""
    if len(image_shape) != 3:
        return False
    first, second, last = image_shape
    return min(first, second) > LARGEST_CHANNEL_AXIS and last in (1, 3, 4)


def check_positions(positions: Int[Tensor, " n"], count: int) -> None:
    """Raise UsageError unless every position is in 0..count-1: a negative one would silently count from the end."""
    if len(positions) and (int(positions.min()) < 0 or int(positions.max()) >= count):
        raise UsageError(
            f"expected positions from 0 to {count - 1}, found {int(positions.min())} to {int(positions.max())}."
        )


def _check_finite(pool: ArrayPool) -> None:
    """Raise UsageError naming the first image that holds NaN or an infinite value; uint8 images are not read."""
    if pool.array.dtype in (torch.uint8, np.uint8):
        return
    for start, images in _blocks(pool):
        bad = images.isfinite().flatten(1).all(dim=1).logical_not().nonzero()
        if len(bad):
            raise UsageError(
                f"expected finite images, found NaN or infinite values in {pool.ids[start + int(bad[0])]!r}; "
                "repair or leave out such images."
            )


def _blocks(pool: ArrayPool) -> Iterator[tuple[int, Tensor]]:
    rows = max(1, VALUES_CHECKED_AT_ONCE // int(np.prod(pool.image_shape)))
    for start in range(0, len(pool), rows):
        block = pool.array[start : start + rows]
        yield start, block.to(torch.float32) if isinstance(block, Tensor) else _to_tensor(np.asarray(block))


def _to_tensor(array: Array) -> Tensor:
    """The tensor of an array, which is copied only where torch cannot read it in place."""
    if array.dtype != np.uint8:
        with np.errstate(over="ignore"):  # what overflows becomes infinite, and that is refused
            array = array.astype(np.float32, copy=False)
    readable = array.flags.writeable and array.flags.c_contiguous
    return torch.from_numpy(array if readable else array.copy())

"""A pool read lazily: any map-style torch data set, or anything else that has a length and items by number."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, final, runtime_checkable

import numpy as np
import PIL.Image
import torch
from jaxtyping import Int, Shaped
from torch import Tensor

from askwell.errors import ShapeError, UsageError
from askwell.pool.arrays import channels_are_last, check_positions
from askwell.pool.ids import as_ids

GREY_MODES = ("1", "L", "LA")
# 16-bit and floating modes are in neither: converting them to 8 bits clips silently
COLOUR_MODES = ("RGB", "RGBA", "P", "CMYK", "YCbCr")


@runtime_checkable
class MapStyle(Protocol):
    """What torch calls a map-style data set."""

    def __len__(self) -> int: ...
    def __getitem__(self, index: Any, /) -> Any: ...


@final
@dataclass(frozen=True, eq=False)
class TorchDatasetPool:
    """The images of a map-style data set that yields an image or (image, ...), read when asked for and not kept.

    An image is a PIL image, or a tensor or array [channels, H, W] or [H, W], uint8 or floating. Grey uint8 images in
    a pool of colour images are converted to colour. All images must have the first one's shape and type. A transform
    that draws at random makes every reading another image: give the pool a data set without one.

    Construct it with ``torch_dataset_pool``. ``images`` raises ShapeError naming the first item that does not fit,
    UsageError for NaN.
    """

    dataset: MapStyle
    ids: Sequence[str]
    image_shape: tuple[int, int, int]
    image_dtype: torch.dtype

    def __post_init__(self) -> None:
        as_ids(self.ids, len(self.dataset))

    def __len__(self) -> int:
        return len(self.ids)

    def images(self, positions: Int[Tensor, " n"]) -> Shaped[Tensor, "n channels height width"]:
        """The images at those positions, uint8 or float32 [n, channels, H, W], on the CPU."""
        check_positions(positions, len(self))
        if len(positions) == 0:
            return torch.empty(0, *self.image_shape, dtype=self.image_dtype)
        return torch.stack([self._image(position) for position in positions.tolist()])

    def _image(self, position: int) -> Tensor:
        item_id = self.ids[position]
        image = _decoded(_image_of(self.dataset[position]), item_id)
        if image.dtype == torch.uint8 and image.shape[0] == 1 and self.image_shape[0] == 3:
            image = image.expand(3, -1, -1)
        if tuple(image.shape) != self.image_shape or image.dtype != self.image_dtype:
            raise ShapeError(
                f"expected every image to be {self.image_dtype} {list(self.image_shape)} like the first, "
                f"found {image.dtype} {list(image.shape)} in {item_id!r}; resize it in the data set's transform."
            )
        return image


def torch_dataset_pool(dataset: MapStyle, ids: Sequence[str] | None = None) -> TorchDatasetPool:
    """The pool of that data set's images; its first item is read to learn their shape. ids are made up unless given.

    Raises UsageError for an empty data set, for ids that do not fit and for an item that is not an image, ShapeError
    for a first image of another shape or type than a pool takes.
    """
    if len(dataset) == 0:
        raise UsageError("expected a data set with at least one image, found an empty one.")
    names = as_ids(ids, len(dataset))
    first = _decoded(_image_of(dataset[0]), names[0])
    channels, height, width = first.shape
    return TorchDatasetPool(dataset, names, (channels, height, width), first.dtype)


def _image_of(item: object) -> object:
    return item[0] if isinstance(item, tuple | list) and len(item) else item


def _decoded(image: object, item_id: str) -> Tensor:
    """One image as uint8 or float32 [channels, H, W]."""
    if isinstance(image, PIL.Image.Image):
        return _from_pil(image, item_id)
    if isinstance(image, np.ndarray):
        image = torch.from_numpy(np.array(image))
    if not isinstance(image, Tensor):
        raise UsageError(
            f"expected an image (PIL image, tensor or array) or (image, label) from the data set, "
            f"found {type(image).__name__} in {item_id!r}."
        )
    if image.ndim not in (2, 3) or 0 in image.shape or channels_are_last(image.shape):
        raise ShapeError(
            f"expected an image [channels, H, W] or [H, W], found {list(image.shape)} in {item_id!r}; "
            "put the channels first in the data set's transform."
        )
    if image.dtype != torch.uint8 and not image.is_floating_point():
        raise ShapeError(f"expected an image as uint8 (0..255) or floating, found {image.dtype} in {item_id!r}.")
    image = image.detach().cpu() if image.dtype == torch.uint8 else image.detach().to("cpu", torch.float32)
    if image.is_floating_point() and not bool(image.isfinite().all()):
        raise UsageError(
            f"expected finite images, found NaN or infinite values in {item_id!r}; repair or leave it out."
        )
    return image if image.ndim == 3 else image.unsqueeze(0)


def _from_pil(image: PIL.Image.Image, item_id: str) -> Tensor:
    if image.mode in GREY_MODES:
        return torch.from_numpy(np.array(image.convert("L"))).unsqueeze(0)
    if image.mode in COLOUR_MODES:
        return torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1).contiguous()
    raise ShapeError(
        f"expected an 8-bit grey or colour image, found PIL mode {image.mode!r} in {item_id!r}; "
        "convert it in the data set's transform."
    )

"""A pool: unlabelled images by position, each with a stable id; ``as_pool`` makes one of what holds images."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeGuard, final, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float32, Int, Int64, Shaped
from torch import Tensor
from torch.utils.data import IterableDataset

from askwell.errors import ShapeError, UsageError
from askwell.pool.arrays import ArrayPool, check_image_array
from askwell.pool.ids import as_ids
from askwell.pool.torch_datasets import MapStyle, torch_dataset_pool

WHITE = 255  # the largest uint8 value; as_float maps it to 1


@runtime_checkable
class Pool(Protocol):
    """Images by position; an item's id is a stable string, the same everywhere."""

    @property
    def ids(self) -> Sequence[str]:
        """The id of every item, in the order of the positions."""
        ...

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(channels, height, width) of every image."""
        ...

    def __len__(self) -> int: ...

    def images(self, positions: Int[Tensor, " n"]) -> Shaped[Tensor, "n channels height width"]:
        """The images at those positions: uint8 0..255, or float32 to be used as it is."""
        ...


@final
@dataclass(frozen=True, eq=False)
class LabelledImages:
    """Images with a label each: labels [N] are positions in ``classes``.

    groups, where given, name for each image the group it belongs to (a patient, say): images of one group are no independent
    evidence.

    Raises ShapeError unless there is one int64 label, and one group if any, for each image, UsageError unless the classes
    are at least 2 distinct names and the labels positions in them.
    """

    images: Pool
    labels: Int64[Tensor, " N"]
    classes: tuple[str, ...]
    groups: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        if self.labels.shape != (len(self.images),) or self.labels.dtype != torch.int64:
            raise ShapeError(
                f"expected one int64 label for each of {len(self.images)} images, "
                f"found {self.labels.dtype} {list(self.labels.shape)}."
            )
        if self.groups is not None and len(self.groups) != len(self.images):
            raise ShapeError(f"expected one group for each of {len(self.images)} images, found {len(self.groups)}.")
        check_classes(self.classes)
        check_labels(self.labels, len(self.classes))

    def __len__(self) -> int:
        return len(self.images)


def as_float(images: Shaped[Tensor, "n channels height width"]) -> Float32[Tensor, "n channels height width"]:
    """What a network reads: uint8 images divided by 255 to 0..1, floating images as they are, in float32.

    That division is all the preprocessing of Gal et al. (2017), section 5.1. Raises ShapeError for any other type.
    """
    if images.dtype == torch.uint8:
        return images.to(torch.float32) / WHITE
    if not images.is_floating_point():
        raise ShapeError(f"expected images as uint8 or floating, found {images.dtype}.")
    return images.to(torch.float32)


def as_pool(source: object, *, ids: Sequence[str] | None = None) -> Pool:
    """A pool of whatever holds the images; a pool is returned as it is.

    source is a pool, a tensor or numpy array [N, channels, H, W] or grey [N, H, W] (uint8 or floating; kept, not
    copied), or a map-style torch data set that yields an image or (image, ...). Unless ids are given, items are called
    "item-0042", ...

    Raises ShapeError for images of another shape or type, UsageError for anything else that does not make a pool.
    """
    if isinstance(source, Tensor | np.ndarray):
        check_image_array(source)
        array = source.detach() if isinstance(source, Tensor) else source
        return ArrayPool(array, as_ids(ids, len(array)))
    if isinstance(source, Pool):
        if ids is not None:
            raise UsageError("expected no ids for a pool, which has its own; leave out ids or pass the images.")
        return source
    if is_map_style(source):
        return torch_dataset_pool(source, ids)
    raise UsageError(
        "expected a pool, an array or tensor [N, channels, H, W] or [N, H, W], or a map-style torch data set, "
        f"found {_described(source)}."
    )


def as_labelled(
    source: object, *, classes: Sequence[str] | None = None, ids: Sequence[str] | None = None
) -> LabelledImages:
    """Labelled images from (images, labels) or a map-style torch data set; labelled images are returned as they are.

    In (images, labels), images is anything that ``as_pool`` takes and labels are N integers. A data set yields
    (image, label); its labels are its ``targets`` where it has them and does not transform them (as torchvision's do),
    else every item is read once. Class names are ``classes``, else the data set's own, else "0" to the highest label.

    Raises ShapeError or UsageError for images, labels, ids or classes that do not fit together.
    """
    if isinstance(source, LabelledImages):
        if classes is not None or ids is not None:
            raise UsageError(
                "expected neither classes nor ids for labelled images, which have their own; leave them out."
            )
        return source
    if isinstance(source, tuple) and len(source) == 2:
        images, values = source
    elif is_map_style(source):
        images, values = source, None
        classes = classes if classes is not None else getattr(source, "classes", None)
    else:
        raise UsageError(
            "expected labelled images, (images, labels) or a map-style torch data set that yields (image, label), "
            f"found {_described(source)}."
        )
    pool = as_pool(images, ids=ids)
    labels = as_labels(_labels_of(source) if is_map_style(source) else values)
    return LabelledImages(pool, labels, named_classes(classes, labels))


def as_labels(values: object) -> Int64[Tensor, " N"]:
    """Labels [N] from a tensor, an array or a sequence of integers; ShapeError for any other type or shape."""
    try:
        labels = torch.as_tensor(values.detach().cpu() if isinstance(values, Tensor) else np.array(values))
    except (TypeError, ValueError):
        raise ShapeError(f"expected one integer label for each image, found {_described(values)}.") from None
    if labels.ndim != 1 or labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool:
        raise ShapeError(f"expected labels [N] as integers, found {labels.dtype} {list(labels.shape)}.")
    return labels.to(torch.int64)


def named_classes(classes: Sequence[object] | None, labels: Int64[Tensor, " N"]) -> tuple[str, ...]:
    """The classes as given, or "0" to the highest label; UsageError unless they are distinct names, at least 2."""
    if isinstance(classes, str):
        raise UsageError(f"expected at least 2 distinct class names, found the text {classes!r}; pass a list of names.")
    if classes is None:
        classes = [str(label) for label in range(int(labels.max()) + 1 if len(labels) else 0)]
    check_classes(classes)
    return tuple(str(name) for name in classes)


def check_classes(classes: Sequence[object]) -> None:
    """Raise UsageError unless the classes are at least 2 distinct, non-empty names."""
    named = all(isinstance(name, str) and name for name in classes)
    if not named or len(classes) < 2 or len(set(classes)) != len(classes):
        raise UsageError(f"expected at least 2 distinct class names, found {list(classes)}.")


def check_labels(labels: Int[Tensor, " N"], classes: int) -> None:
    """Raise UsageError unless every label is in 0..classes-1."""
    if len(labels) and (int(labels.min()) < 0 or int(labels.max()) >= classes):
        raise UsageError(
            f"expected labels from 0 to {classes - 1} for {classes} classes, "
            f"found {int(labels.min())} to {int(labels.max())}."
        )


def is_map_style(source: object) -> TypeGuard[MapStyle]:
    """Whether it has a length and items by number: a data set or list, but no array, tuple, text, mapping or stream."""
    if isinstance(source, Tensor | np.ndarray | tuple | str | bytes | Mapping | type | IterableDataset):
        return False
    return isinstance(source, MapStyle)


def _labels_of(dataset: MapStyle) -> object:
    targets = getattr(dataset, "targets", None)
    usable = targets is not None and len(targets) == len(dataset) and not _transforms_labels(dataset)
    if targets is not None and usable and _label_of(dataset[0], 0) == int(targets[0]):
        return targets
    return [_label_of(dataset[position], position) for position in range(len(dataset))]


def _transforms_labels(dataset: MapStyle) -> bool:
    """torchvision's convention: a transform of the label or of both; one of images only is wrapped as one of both."""
    both = getattr(dataset, "transforms", None)
    return getattr(dataset, "target_transform", None) is not None or getattr(both, "target_transform", both) is not None


def _label_of(item: object, position: int) -> int:
    label = item[1] if isinstance(item, tuple | list) and len(item) == 2 else None
    if isinstance(label, Tensor | np.ndarray | np.generic) and label.ndim == 0:
        label = label.item()
    if not isinstance(label, int) or isinstance(label, bool):
        raise UsageError(
            f"expected (image, integer label) from the data set, found {_described(item)} at position {position}."
        )
    return label


def _described(value: object) -> str:
    """What something is, for a sentence: its type and, where that is the question, its length or text."""
    if isinstance(value, str):
        return f"the text {value!r}"
    if isinstance(value, tuple | list):
        return f"a {type(value).__name__} of {', '.join(type(part).__name__ for part in value[:3]) or 'nothing'}"
    return f"a {type(value).__name__}"

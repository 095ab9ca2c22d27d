"""Some classes of a data set: two digits out of ten, say."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Int64, Shaped
from torch import Tensor

from askwell.errors import UnknownNameError, UnreadableImagesError
from askwell.pool.arrays import check_positions
from askwell.pool.datasets import Dataset
from askwell.pool.ids import ListedIds
from askwell.pool.images import LabelledImages, Pool
from askwell.pool.oracle import DatasetOracle


@final
@dataclass(frozen=True, eq=False)
class PoolPart:
    """Some of a pool's items, under the ids that they have there. Construct it with ``part_of``."""

    whole: Pool
    positions: Int64[Tensor, " N"]
    ids: Sequence[str]

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(channels, height, width) of every image."""
        return self.whole.image_shape

    def __len__(self) -> int:
        return len(self.positions)

    def images(self, positions: Int64[Tensor, " n"]) -> Shaped[Tensor, "n channels height width"]:
        """The images at those positions, as the whole pool has them; UnreadableImagesError names them by their positions here."""
        check_positions(positions, len(self))
        there = self.positions[positions.cpu()]
        try:
            return self.whole.images(there)
        except UnreadableImagesError as error:
            own = dict(zip(there.tolist(), positions.tolist(), strict=True))
            reasons = {own[position]: reason for position, reason in error.reasons.items()}
            raise UnreadableImagesError(reasons, self.ids[int(next(iter(reasons)))]) from None


def part_of(pool: Pool, positions: Int64[Tensor, " N"]) -> PoolPart:
    """The pool's items at those positions, in their order; UsageError for positions that it lacks or that repeat."""
    check_positions(positions, len(pool))
    return PoolPart(pool, positions, ListedIds(tuple(pool.ids[int(position)] for position in positions)))


def keep_classes(data: Dataset, names: Sequence[str]) -> Dataset:
    """The data set restricted to those classes, in its own order of them: pool, test images and oracle; ids stay.

    Raises UnknownNameError for a class that it does not have, UsageError for fewer than 2.
    """
    for name in names:
        if name not in data.classes:
            raise UnknownNameError("class", name, data.classes)
    classes = tuple(name for name in data.classes if name in names)
    known = torch.tensor([data.classes.index(name) for name in data.oracle.answer(data.pool.ids)], dtype=torch.int64)
    positions, labels = _kept(known, data.classes, classes)
    pool = part_of(data.pool, positions)
    test_positions, test_labels = _kept(data.test.labels, data.classes, classes)

    def chosen(groups: tuple[str, ...] | None, kept: Tensor) -> tuple[str, ...] | None:
        return None if groups is None else tuple(groups[position] for position in kept.tolist())

    return Dataset(
        name=data.name,
        classes=classes,
        pool=pool,
        test=LabelledImages(
            part_of(data.test.images, test_positions),
            test_labels,
            classes,
            chosen(data.test.groups, test_positions),
        ),
        oracle=DatasetOracle(pool.ids, labels, classes),
        source=f"{data.source}; only {', '.join(classes)}",
        groups=chosen(data.groups, positions),
        notes=data.notes,
    )


def _kept(
    labels: Int64[Tensor, " M"], classes: tuple[str, ...], kept: tuple[str, ...]
) -> tuple[Int64[Tensor, " N"], Int64[Tensor, " N"]]:
    """Positions of the images of the kept classes, and their labels as positions among those."""
    renumbered = torch.tensor([kept.index(name) if name in kept else -1 for name in classes])
    own = renumbered[labels]
    positions = (own >= 0).nonzero().flatten()
    return positions, own[positions]

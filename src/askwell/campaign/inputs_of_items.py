"""What the learner of a labelling campaign reads of each image: features of a frozen trunk, or small pixels. Computed in blocks, once.

A folder may hold very many images, and learning should begin with the first few hundred; so the pool is read in blocks, of which each is
a random sample of what is left, and a strategy chooses among the blocks that there are.
"""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, final

import numpy as np
import torch
from jaxtyping import Int, Shaped
from torch import Tensor

from askwell.learning.features import BATCH, FeatureFile, feature_file, is_written, read_features, write_features
from askwell.learning.recipe import Recipe
from askwell.models.backbone import backbone_side
from askwell.pool.decoding import ImageForm, choose_form
from askwell.pool.folder import FolderPool
from askwell.pool.image_formats import ImageUnreadableError
from askwell.pool.listing import ListedImage
from askwell.pool.reading import read_ahead
from askwell.pool.rooted import OUTSIDE, OutsideRootError, below
from askwell.store.files import replace_file
from askwell.store.labelling_records import ItemFile

BLOCKS = "blocks.json"
SMALL_SIDE = 32  # of images that a network from scratch reads
RGB = 3

Tell = Callable[[int, int, float], None]  # images done, images in all, images per second
Quarantine = Callable[[int, str], object]


class _Block(NamedTuple):
    """Some items, and what the network reads of them: by row of the block."""

    positions: tuple[int, ...]
    read: Callable[[Tensor], Tensor]
    unreadable: Mapping[int, str]


@final
class Inputs:
    """The blocks of one recipe: a Pool over the campaign's positions, of which only those in blocks may be asked for.

    quarantine is told of images that cannot be read, by position.
    """

    def __init__(
        self, directory: Path, root: Path, recipe: Recipe, files: Mapping[int, ItemFile], quarantine: Quarantine
    ) -> None:
        self._directory, self._root, self._recipe = directory / directory_name(recipe), root, recipe
        self._files, self._quarantine = files, quarantine
        self._blocks: list[_Block] = []
        self._place: dict[int, tuple[int, int]] = {}
        self._form: ImageForm | None = None
        for positions in self._written():
            if all(position in files for position in positions):
                self._load(positions)

    @property
    def ids(self) -> Sequence[str]:
        """The id of every item, in the order of the positions."""
        return [self._files[position].id for position in range(len(self))]

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(channels, height, width), or (features, views, 1), of what the network reads."""
        first = self.images(torch.tensor([next(iter(self._place))]))
        return first.shape[1], first.shape[2], first.shape[3]

    def __len__(self) -> int:
        return len(self._files)

    def __contains__(self, position: int) -> bool:
        return position in self._place

    @property
    def blocks(self) -> int:
        """How many blocks there are."""
        return len(self._blocks)

    def covers(self, position: int) -> bool:
        """Whether the item has been looked at, though it may have turned out unreadable."""
        return position in self._place or any(position in block.unreadable for block in self._blocks)

    def images(self, positions: Int[Tensor, " n"]) -> Shaped[Tensor, "n channels height width"]:
        """What the network reads of those items."""
        places = [self._place[position] for position in positions.tolist()]
        parts, order = [], []
        for number in sorted({block for block, _ in places}):
            entries = [entry for entry, (block, _) in enumerate(places) if block == number]
            parts.append(self._blocks[number].read(torch.tensor([places[entry][1] for entry in entries])))
            order += entries
        return torch.cat(parts)[torch.tensor(order).argsort()]

    def add_block(self, positions: Sequence[int], tell: Tell) -> None:
        """Look at these items, which are in no block yet."""
        block = tuple(positions)
        self._load(block, tell)
        known = [list(each.positions) for each in self._blocks]
        replace_file(self._directory / BLOCKS, lambda path: path.write_text(json.dumps(known), encoding="utf-8"))

    def _written(self) -> list[tuple[int, ...]]:
        try:
            return [tuple(each) for each in json.loads((self._directory / BLOCKS).read_text(encoding="utf-8"))]
        except (OSError, ValueError):
            return []

    def _load(self, positions: tuple[int, ...], tell: Tell | None = None) -> None:
        self._directory.mkdir(parents=True, exist_ok=True)
        inside, outside = self._inside(positions)
        pool = FolderPool(self._root, [_listed(self._files[at]) for at in inside], self._the_form(inside), workers=1)
        try:
            read, unreadable = self._features(pool, tell) if self._recipe.frozen else self._pixels(pool, tell)
        finally:
            pool.close()
        reasons = {**outside, **{inside[row]: reason for row, reason in unreadable.items()}}
        for position, reason in reasons.items():
            self._quarantine(position, reason)
        number = len(self._blocks)
        self._blocks.append(_Block(positions, read, reasons))
        self._place.update({at: (number, row) for row, at in enumerate(inside) if row not in unreadable})

    def _inside(self, positions: Sequence[int]) -> tuple[list[int], dict[int, str]]:
        """The positions whose files are below the root, and why the others are not read; a file that is gone is found out later."""
        inside, outside = [], {}
        for position in positions:
            try:
                below(str(self._root), self._files[position].path)
                inside.append(position)
            except OutsideRootError:
                outside[position] = OUTSIDE
            except ImageUnreadableError:
                inside.append(position)
        return inside, outside

    def _the_form(self, positions: Sequence[int]) -> ImageForm:
        if self._form is None and self._recipe.backbone is not None:
            self._form = ImageForm(backbone_side(self._recipe.backbone), RGB)
        if self._form is None:
            items = [_listed(self._files[position]) for position in positions]
            found = choose_form(self._root, items, size=None, channels="auto", fit="squash")
            self._form = found._replace(size=min(found.size, SMALL_SIDE))
        return self._form

    def _features(self, pool: FolderPool, tell: Tell | None) -> tuple[Callable[[Tensor], Tensor], dict[int, str]]:
        file = feature_file(self._directory, self._recipe, pool)
        if not is_written(file):
            write_features(file, self._recipe, pool, tell)
        note = json.loads(file.note.read_text(encoding="utf-8"))
        features = read_features(file, pool, self._first_file(file))
        return features.images, {int(row): reason for row, reason in note["unreadable"].items()}

    def _first_file(self, file: FeatureFile) -> FeatureFile:
        """Features have mean 0 and standard deviation 1 over the first block, a random sample, so that they never change."""
        note = self._directory / "first.json"
        if not note.exists():
            about = json.dumps(dict(file.about))
            replace_file(note, lambda path: path.write_text(about, encoding="utf-8"))
        return FeatureFile(self._directory, json.loads(note.read_text(encoding="utf-8")))

    def _pixels(self, pool: FolderPool, tell: Tell | None) -> tuple[Callable[[Tensor], Tensor], dict[int, str]]:
        pixels = np.zeros((len(pool), *pool.image_shape), np.uint8)
        unreadable: dict[int, str] = {}
        parts = torch.arange(len(pool)).split(BATCH)
        for part, found in zip(parts, read_ahead(pool, parts, unreadable.update), strict=True):
            pixels[part[found.entries].numpy()] = found.images.numpy()
            if tell is not None:
                tell(int(part[-1]) + 1, len(pool), 0.0)
        return (lambda rows: torch.from_numpy(pixels[rows.numpy()])), unreadable


def descriptors(inputs: Inputs, positions: Int[Tensor, " N"]) -> np.ndarray[Any, np.dtype[Any]]:
    """[N, D] what tells images apart before there is a model: the trunk's features, or small raw pixels."""
    images = inputs.images(positions).float()
    return images.flatten(1).numpy()


def _listed(file: ItemFile) -> ListedImage:
    return ListedImage(file.id, os.fsdecode(file.path), file.page)


def directory_name(recipe: Recipe) -> str:
    """Where a recipe's blocks are."""
    backbone = recipe.backbone
    return "pixels" if backbone is None else f"{backbone.name.replace(':', '-')}-{(backbone.sha256 or 'random')[:12]}"

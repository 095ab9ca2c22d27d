"""The feature cache: what a frozen trunk makes of a pool's images, computed once and kept in a file that is memory-mapped.

A file KEY.npy holds [N, views, D] in float32, and KEY.json, written last, says what it is: weights, preprocessing, images, its own
sha256 and that of all pixels, which images could not be read, and how long it took. The key is a hash of what decides the numbers, but
for the pixels, which are known when they have been read (``same_images``).
"""

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor, nn

from askwell.arithmetic import products
from askwell.errors import CampaignStateError
from askwell.learning.augmentation import FLIPS, flipped
from askwell.learning.randomness import seeded
from askwell.learning.recipe import Recipe
from askwell.models.backbone import backbone_side, cached_shape, trunk_network
from askwell.pool.feature_pool import FeaturePool
from askwell.pool.images import Pool, as_float
from askwell.pool.reading import Read, read_ahead
from askwell.store.files import file_hash, replace_file

VERSION = 1  # raised whenever the same settings would give other numbers
BATCH = 32
BLOCK = 4096  # items whose features are summed up at once
SMALLEST_STD = 1e-6  # of a feature that says anything

Array = np.ndarray[Any, np.dtype[Any]]
Rate = Callable[[int, int, float], None]  # images done, images in all, images per second so far


class FeatureFile(NamedTuple):
    """Where a pool's features are or will be; ``about`` is all that decides their numbers."""

    directory: Path
    about: Mapping[str, Any]

    @property
    def key(self) -> str:
        """A name for these numbers: 32 hexadecimal digits."""
        text = json.dumps(self.about, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:32]

    @property
    def array(self) -> Path:
        """The memory-mapped file."""
        return self.directory / f"{self.key}.npy"

    @property
    def note(self) -> Path:
        """The file that says what the array is, and that it is whole."""
        return self.directory / f"{self.key}.json"


def views_of(recipe: Recipe) -> int:
    """How many mirror images of each image the recipe needs the features of: all four, or one."""
    assert recipe.backbone is not None, "features are of a backbone"
    return FLIPS if recipe.backbone.views == "mean" or recipe.augmentation in ("flips", "positive_flips") else 1


def feature_file(directory: Path, recipe: Recipe, pool: Pool) -> FeatureFile:
    """The file of a pool's features under a recipe with a frozen trunk, whose device and weights are resolved."""
    backbone = recipe.backbone
    assert backbone is not None, "features are of a backbone"
    about = {
        "version": VERSION,
        "backbone": backbone.name,
        "weights": backbone.sha256 or backbone.weights,
        "side": backbone_side(backbone),
        "pooling": backbone.pooling,
        "views": views_of(recipe),
        "precision": recipe.precision,
        "image_shape": pool.image_shape,
        "items": len(pool),
        "ids": _hash_of(pool.ids),
    }
    return FeatureFile(directory, json.loads(json.dumps(about)))


def is_written(file: FeatureFile) -> bool:
    """Whether the file is there, whole."""
    return file.note.is_file() and file.array.is_file()


def write_features(file: FeatureFile, recipe: Recipe, pool: Pool, tell: Rate | None = None) -> None:
    """Compute the features of every image and write them, whole or not at all; images that cannot be read are noted and have none.

    Random weights are those of seed 0. tell hears of the progress and of the rate.
    """
    backbone = recipe.backbone
    assert backbone is not None, "features are of a backbone"
    with seeded(0, torch.device("cpu")):
        trunk = trunk_network(backbone, pool.image_shape)
    trunk = trunk.to(recipe.device).to(memory_format=torch.channels_last)
    shape = (len(pool), views_of(recipe), cached_shape(backbone, 1)[0])
    unreadable: dict[int, str] = {}
    pixels = hashlib.sha256()
    began = time.perf_counter()

    def write(path: Path) -> None:
        array = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=shape)
        _take_room(path)
        for part, read in _read(pool, unreadable):
            _hash_into(pixels, part, read)
            array[part] = np.nan
            if len(read.entries):
                array[part[read.entries]] = _features(trunk, read.images, recipe, shape[1])
            if tell is not None:
                done = int(part[-1]) + 1
                tell(done, len(pool), done / (time.perf_counter() - began))
        array.flush()

    file.directory.mkdir(parents=True, exist_ok=True)
    digest = replace_file(file.array, write)
    _write_note(file, digest, unreadable, time.perf_counter() - began, pixels.hexdigest())


def _take_room(path: Path) -> None:
    """Ask the disk for the whole file now, as an OSError where it is full: a memory map that finds no room ends the process."""
    if hasattr(os, "posix_fallocate"):
        with path.open("r+b") as stream:
            os.posix_fallocate(stream.fileno(), 0, path.stat().st_size)


def write_part(whole: FeatureFile, positions: Int[Tensor, " n"], file: FeatureFile) -> None:
    """Write the file of a pool whose items are those at some positions of another pool, from that pool's written file.

    Of the pixels nothing is noted: that they are the same is for the caller to know.
    """
    note = json.loads(whole.note.read_text(encoding="utf-8"))
    _check_content(whole, note["sha256"])
    places = positions.tolist()
    unreadable = {
        n: note["unreadable"][str(place)] for n, place in enumerate(places) if str(place) in note["unreadable"]
    }
    features = np.load(whole.array, mmap_mode="r", allow_pickle=False)[places]

    def write(path: Path) -> None:
        with path.open("wb") as stream:
            np.save(stream, features, allow_pickle=False)

    file.directory.mkdir(parents=True, exist_ok=True)
    _write_note(file, replace_file(file.array, write), unreadable, note["seconds"] * len(places) / note["items"])


def same_images(file: FeatureFile, pool: Pool) -> bool:
    """Whether a written file's features are of this pool's pixels, all of which are read for it; true where nothing is noted of them."""
    noted = json.loads(file.note.read_text(encoding="utf-8")).get("pixels")
    if noted is None:
        return True
    pixels = hashlib.sha256()
    for part, read in _read(pool, {}):
        _hash_into(pixels, part, read)
    return noted == pixels.hexdigest()


def read_features(file: FeatureFile, pool: Pool, standardised_like: FeatureFile | None = None) -> FeaturePool:
    """The pool of a written file's features, less the mean and over the standard deviation of another file's, if one is given.

    Raises CampaignStateError where the file is not as it was written.
    """
    note = json.loads(file.note.read_text(encoding="utf-8"))
    _check_content(file, note["sha256"])
    unreadable = {int(position): reason for position, reason in note["unreadable"].items()}
    features = np.load(file.array, mmap_mode="r", allow_pickle=False)
    if standardised_like is None:
        return FeaturePool(pool, features, unreadable)
    other = json.loads(standardised_like.note.read_text(encoding="utf-8"))
    centre, scale = (torch.tensor(other[name], dtype=torch.float32) for name in ("mean", "std"))
    return FeaturePool(pool, features, unreadable, centre, scale)


def rate_text(note: Path) -> str:
    """A sentence on a first pass, from its note: how many images, of how many mirror images each, in how many seconds."""
    about = json.loads(note.read_text(encoding="utf-8"))
    items, views, seconds = about["items"], about["views"], about["seconds"]
    mirrored = f" ({views} mirror images each)" if views > 1 else ""
    return (
        f"the features of {items} images{mirrored} took {seconds:.1f} s, {items / seconds:.1f} images/s; "
        f"they are kept in {note.with_suffix('.npy')}."
    )


def _check_content(file: FeatureFile, sha256: str) -> None:
    if file_hash(file.array) != sha256:
        raise CampaignStateError(
            f"expected the features in {file.array} as they were written, found other content; "
            "remove the file and resume, and they are computed again."
        )


def _write_note(
    file: FeatureFile, digest: str, unreadable: Mapping[int, str], seconds: float, pixels: str | None = None
) -> None:
    features = np.load(file.array, mmap_mode="r")
    mean, std = _statistics(features, sorted(set(range(len(features))) - unreadable.keys()))
    about = {**file.about, "sha256": digest, "pixels": pixels}
    note = {**about, "unreadable": unreadable, "seconds": seconds, "mean": mean, "std": std}
    replace_file(file.note, lambda path: path.write_text(json.dumps(note) + "\n", encoding="utf-8"))


def _read(pool: Pool, unreadable: dict[int, str]) -> Iterator[tuple[Tensor, Read]]:
    """All positions in batches, and of each batch the images that can be read."""
    parts = torch.arange(len(pool)).split(BATCH)
    return zip(parts, read_ahead(pool, parts, unreadable.update), strict=True)


def _hash_into(pixels: "hashlib._Hash", part: Tensor, read: Read) -> None:
    """The positions that can be read and their pixels."""
    pixels.update(part[read.entries].numpy().tobytes())
    if len(read.entries):
        pixels.update(read.images.cpu().contiguous().numpy().data)


@torch.no_grad()
def _features(trunk: nn.Module, images: Tensor, recipe: Recipe, views: int) -> Tensor:
    """[n, views, D] of images as they are stored."""
    images = as_float(images.to(recipe.device))
    half = torch.autocast(images.device.type, torch.bfloat16, enabled=recipe.precision == "bf16")
    with products(recipe.precision, images.device), half:
        mirrored = (flipped(images, torch.full((len(images),), view)) for view in range(views))
        each = [trunk(view.contiguous(memory_format=torch.channels_last)).float().cpu() for view in mirrored]
    return torch.stack(each, dim=1)


def _statistics(features: Array, rows: Sequence[int]) -> tuple[list[float], list[float]]:
    """Mean and standard deviation of each feature over these rows and all views; a feature that is the same everywhere has 1."""
    blocks = [rows[start : start + BLOCK] for start in range(0, len(rows), BLOCK)]
    count = max(1, len(rows) * features.shape[1])
    mean = sum(features[block].sum(axis=(0, 1), dtype=np.float64) for block in blocks) / count
    squares = sum(((features[block] - mean) ** 2).sum(axis=(0, 1), dtype=np.float64) for block in blocks) / count
    std = np.sqrt(squares)
    std = np.where(std > SMALLEST_STD, std, 1.0)
    return np.broadcast_to(mean, features.shape[2]).tolist(), np.broadcast_to(std, features.shape[2]).tolist()


def _hash_of(ids: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(ids).encode("utf-8", "surrogateescape")).hexdigest()

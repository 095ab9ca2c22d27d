"""ISIC 2016, part 3: benign and malignant skin lesions, as files beside the challenge's ground truth."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch

from askwell.errors import DatasetCorruptError, DatasetNotFoundError, UsageError
from askwell.pool.datasets import Dataset
from askwell.pool.decoding import ImageForm
from askwell.pool.folder import FolderPool
from askwell.pool.folder_settings import LARGEST_SIZE
from askwell.pool.images import LabelledImages
from askwell.pool.item_names import ItemNames
from askwell.pool.label_files import read_table
from askwell.pool.listing import ListedImage, list_images
from askwell.pool.named.published import data_roots
from askwell.pool.oracle import DatasetOracle

CLASSES = ("benign", "malignant")
MEANING = {"benign": 0, "malignant": 1, "0.0": 0, "1.0": 1}  # the challenge's two ways to write a label
SIDE = 64
FOLDERS = ("isic2016", ".")  # below a data directory
SOURCE = (
    "ISIC 2016, part 3 (Gutman et al., 2016): dermoscopic images of skin lesions, 900 for training and 379 for test"
)


class Part(NamedTuple):
    """One of the two parts: its name in ids, its folders' and its table's names, and how many it has and are malignant."""

    name: str
    folders: tuple[str, ...]
    table: str
    images: int
    malignant: int


PARTS = (
    Part(
        "train",
        ("train", "ISBI2016_ISIC_Part3_Training_Data"),
        "ISBI2016_ISIC_Part3_Training_GroundTruth.csv",
        900,
        173,
    ),
    Part("test", ("test", "ISBI2016_ISIC_Part3_Test_Data"), "ISBI2016_ISIC_Part3_Test_GroundTruth.csv", 379, 75),
)


def load_isic2016(data_dir: Path | None = None, image_size: int | None = None) -> Dataset:
    """ISIC 2016 as uint8 [3, size, size], decoded when asked for: the pool is "isic2016/train/ISIC_0000000", ...

    Images of the tables that the folders lack are counted in the notes. Nothing is downloaded.

    Raises UsageError for a size that cannot be, DatasetNotFoundError, DatasetCorruptError for a table that is not the
    challenge's.
    """
    side = SIDE if image_size is None else image_size
    if not 1 <= side <= LARGEST_SIZE:
        raise UsageError(f"expected an image size from 1 to {LARGEST_SIZE} pixels, found {side}.")
    root, form = _root(data_roots(data_dir)), ImageForm(side, 3)
    (pool, labels, missing), (test, test_labels, test_missing) = (_images(root, part, form) for part in PARTS)
    return Dataset(
        name="isic2016",
        classes=CLASSES,
        pool=pool,
        test=LabelledImages(test, test_labels, CLASSES),
        oracle=DatasetOracle(pool.ids, labels, CLASSES),
        source=SOURCE,
        notes=(*missing, *test_missing),
    )


def ground_truth(path: Path, part: Part) -> dict[str, int]:
    """The label of each image by its name; DatasetCorruptError unless it is the challenge's table."""
    try:
        labels = {name: MEANING[label] for name, label in read_table(path)}
    except (UsageError, KeyError, ValueError) as error:
        raise DatasetCorruptError(
            f"expected the challenge's table at {path}, found another ({error}); replace it."
        ) from None
    found = (len(labels), sum(labels.values()))
    if found != (part.images, part.malignant):
        raise DatasetCorruptError(
            f"expected {part.images} images in {path}, {part.malignant} of them malignant, found {found[0]} and {found[1]}; "
            "replace it."
        )
    return labels


def _images(root: Path, part: Part, form: ImageForm) -> tuple[FolderPool, torch.Tensor, Sequence[str]]:
    """The images of a part that its table names, their labels, and a sentence about those that are missing."""
    labels = ground_truth(root / part.table, part)
    folder = next(root / name for name in part.folders if (root / name).is_dir())
    listed = list_images(folder).items
    names = ItemNames(listed)
    positions = {name: found[0] for name in labels if (found := names.positions(name))}
    if not positions:
        raise DatasetCorruptError(
            f"expected images such as {next(iter(labels))}.jpg in {folder}, found {listed[0].id!r}; replace the folder."
        )
    items = [ListedImage(f"isic2016/{part.name}/{name}", listed[place].path) for name, place in positions.items()]
    notes = []
    if len(items) < len(labels):
        notes.append(f"{len(items)} of the {len(labels)} images of ISIC 2016's {part.name} part are in {folder}.")
    known = torch.tensor([labels[name] for name in positions], dtype=torch.int64)
    return FolderPool(folder, items, form), known, notes


def _root(roots: Sequence[Path]) -> Path:
    candidates = [root / folder for root in roots for folder in FOLDERS]
    for root in candidates:
        if all(
            (root / part.table).is_file() and any((root / name).is_dir() for name in part.folders) for part in PARTS
        ):
            return root
    wanted = ", ".join(f"{part.table} with the folder {' or '.join(part.folders)} beside it" for part in PARTS)
    raise DatasetNotFoundError(
        f"expected {wanted}, found them in none of {', '.join(map(str, candidates))}; "
        "download them from challenge.isic-archive.com (2016, task 3) to the folder isic2016 of $ASKWELL_DATA."
    )

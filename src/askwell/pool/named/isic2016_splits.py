"""ISIC 2016's training images divided into a pool and a test set of their own: the paper's two splits, and folds for choosing a recipe.

The challenge's own test images are not touched here.
"""

from collections.abc import Iterator
from pathlib import Path

import torch
from jaxtyping import Int64
from sklearn.model_selection import StratifiedKFold
from torch import Tensor

from askwell.errors import DatasetCorruptError
from askwell.pool.datasets import Dataset
from askwell.pool.images import LabelledImages
from askwell.pool.kept_classes import part_of
from askwell.pool.named.isic2016 import load_isic2016
from askwell.pool.oracle import DatasetOracle

TEST_PER_CLASS = 100
FOLDS = 5


def load_first_split(data_dir: Path | None = None, image_size: int | None = None) -> Dataset:
    """The first of the two splits; see ``split``."""
    return split(load_isic2016(data_dir, image_size), 1)


def load_second_split(data_dir: Path | None = None, image_size: int | None = None) -> Dataset:
    """The second of the two splits; see ``split``."""
    return split(load_isic2016(data_dir, image_size), 2)


def split(data: Dataset, number: int) -> Dataset:
    """The paper's protocol: of the training images, 100 benign and 100 malignant ones at random are the test set, the others the pool.

    Which ones depends on the number alone. Gal et al. (2017), section 5.5. Raises DatasetCorruptError for fewer images than that.
    """
    labels = data.oracle.labels
    shuffled = torch.randperm(len(labels), generator=torch.Generator().manual_seed(number))
    by_class = [shuffled[labels[shuffled] == each] for each in range(len(data.classes))]
    if min(map(len, by_class)) <= TEST_PER_CLASS:
        raise DatasetCorruptError(
            f"expected more than {TEST_PER_CLASS} images of each class to set {TEST_PER_CLASS} aside, found "
            f"{min(map(len, by_class))}; put all of ISIC 2016's training images there."
        )
    test = torch.cat([each[:TEST_PER_CLASS] for each in by_class]).sort().values
    about = f"{TEST_PER_CLASS} + {TEST_PER_CLASS} of the training images are the test set (split {number})"
    return divided(data, test, f"isic2016_split_{number}", about)


def folds(data: Dataset, repeat: int) -> Iterator[Dataset]:
    """The training images in five parts with the classes' shares alike, each in turn the test set; drawn anew for each repeat."""
    labels = data.oracle.labels.numpy()
    parts = StratifiedKFold(FOLDS, shuffle=True, random_state=repeat).split(labels, labels)
    for number, (_, test) in enumerate(parts):
        about = f"part {number + 1} of {FOLDS} of the training images is the test set (repeat {repeat})"
        yield divided(data, torch.from_numpy(test), f"isic2016_fold_{repeat}_{number}", about)


def divided(data: Dataset, test: Int64[Tensor, " M"], name: str, about: str) -> Dataset:
    """A data set's pool divided into the test images at those positions and the others; its own test images are left out."""
    kept = torch.ones(len(data.pool), dtype=torch.bool)
    kept[test] = False
    rest, labels = kept.nonzero().flatten(), data.oracle.labels
    pool = part_of(data.pool, rest)
    return Dataset(
        name=name,
        classes=data.classes,
        pool=pool,
        test=LabelledImages(part_of(data.pool, test), labels[test], data.classes),
        oracle=DatasetOracle(pool.ids, labels[rest], data.classes),
        source=f"{data.source}; {about}",
        notes=data.notes[:1],
    )

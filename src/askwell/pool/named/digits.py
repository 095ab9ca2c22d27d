"""scikit-learn's handwritten digits: embedded in its package, so that the demo and the tests need no network."""

from pathlib import Path

import numpy as np
import sklearn.datasets
import torch
from jaxtyping import UInt8
from torch import Tensor
from torch.nn.functional import interpolate

from askwell.pool.arrays import ArrayPool
from askwell.pool.datasets import Dataset
from askwell.pool.ids import ListedIds
from askwell.pool.images import LabelledImages
from askwell.pool.oracle import DatasetOracle

CLASSES = tuple("0123456789")
DARKEST = 16  # scikit-learn's pixels count 0..16
SIDE = 16  # the paper's network (two 4x4 convolutions, a 2x2 pooling) leaves 5x5 of this, only 1x1 of the given 8x8
TEST_PER_CLASS = 60
SPLIT_SEED = 1797  # of numpy's RandomState, whose stream is frozen for good: the split is the same everywhere
SOURCE = "Optical Recognition of Handwritten Digits (Alpaydin and Kaynak, UCI, 1998), as embedded in scikit-learn"


def load_digits(data_dir: Path | None = None) -> Dataset:
    """1,797 digits as uint8 [1, 16, 16]: a pool of 1,197, and a test set of 60 of each class, always the same ones.

    Ids are "digits/00042" by scikit-learn's order. data_dir is not used: the images come with scikit-learn.
    """
    images, targets = sklearn.datasets.load_digits(return_X_y=True)
    pixels, labels = enlarged(torch.from_numpy(images).reshape(-1, 1, 8, 8)), torch.from_numpy(targets).to(torch.int64)
    order = np.random.RandomState(SPLIT_SEED).permutation(len(targets))
    test = np.sort(np.concatenate([order[targets[order] == label][:TEST_PER_CLASS] for label in range(len(CLASSES))]))
    pool = np.setdiff1d(order, test)
    return Dataset(
        name="digits",
        classes=CLASSES,
        pool=ArrayPool(pixels[pool], _ids(pool)),
        test=LabelledImages(ArrayPool(pixels[test], _ids(test)), labels[test], CLASSES),
        oracle=DatasetOracle(_ids(pool), labels[pool], CLASSES),
        source=SOURCE,
    )


def enlarged(images: Tensor) -> UInt8[Tensor, "N 1 16 16"]:
    """Images [N, 1, 8, 8] that count 0..16 as uint8 0..255 [N, 1, 16, 16], bilinear without antialiasing."""
    larger = interpolate(images.float() * (255 / DARKEST), size=(SIDE, SIDE), mode="bilinear", align_corners=False)
    return larger.round().to(torch.uint8)


def _ids(positions: np.ndarray) -> ListedIds:
    return ListedIds(tuple(f"digits/{position:05d}" for position in positions.tolist()))

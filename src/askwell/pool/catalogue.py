"""What named data sets there are, in one literal table. Importing this imports no torch."""

import importlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from askwell.errors import UnknownNameError

if TYPE_CHECKING:
    from askwell.pool.datasets import Dataset


class DatasetEntry(NamedTuple):
    """One line about a data set, where the function that loads it lives ("module:function"), and whether its images are files,
    which are decoded to the size one asks for.
    """

    description: str
    location: str
    resizable: bool = False


DATASETS: Mapping[str, DatasetEntry] = {
    "digits": DatasetEntry(
        "1,797 handwritten digits, 16x16 grey, 10 classes; comes with scikit-learn, needs no network",
        "askwell.pool.named.digits:load_digits",
    ),
    "mnist": DatasetEntry(
        "70,000 handwritten digits, 28x28 grey, 10 classes; from ASKWELL_DATA, the cache or the network (11 MB)",
        "askwell.pool.named.mnist:load_mnist",
    ),
    "fashion_mnist": DatasetEntry(
        "70,000 articles of clothing, 28x28 grey, 10 classes; from ASKWELL_DATA, the cache or the network (30 MB)",
        "askwell.pool.named.mnist:load_fashion_mnist",
    ),
    "kmnist": DatasetEntry(
        "70,000 Japanese characters, 28x28 grey, 10 classes; from ASKWELL_DATA, the cache or the network (21 MB)",
        "askwell.pool.named.mnist:load_kmnist",
    ),
    "cifar10": DatasetEntry(
        "60,000 photographs, 32x32 colour, 10 classes; from ASKWELL_DATA, the cache or the network (162 MB)",
        "askwell.pool.named.cifar10:load_cifar10",
    ),
    "isic2016": DatasetEntry(
        "1,279 skin lesions, 64x64 colour unless another image size is asked for, 2 classes; from ASKWELL_DATA",
        "askwell.pool.named.isic2016:load_isic2016",
        resizable=True,
    ),
    "isic2016_split_1": DatasetEntry(
        "the paper's protocol on ISIC 2016's training images alone: 100 + 100 of them at random are the test set",
        "askwell.pool.named.isic2016_splits:load_first_split",
        resizable=True,
    ),
    "isic2016_split_2": DatasetEntry(
        "the same with another 100 + 100 test images",
        "askwell.pool.named.isic2016_splits:load_second_split",
        resizable=True,
    ),
}


def dataset_loader(name: str) -> "Callable[..., Dataset]":
    """The function (data directory or None) -> Dataset of that name; UnknownNameError offers the nearest names.

    Where the entry says ``resizable``, the function also takes the images' size.
    """
    if name not in DATASETS:
        raise UnknownNameError("data set", name, DATASETS)
    module, _, function = DATASETS[name].location.partition(":")
    return getattr(importlib.import_module(module), function)

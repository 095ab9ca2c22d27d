"""What named data sets there are, in one literal table. Importing this imports no torch."""

import importlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from askwell.errors import UnknownNameError

if TYPE_CHECKING:
    from askwell.pool.datasets import Dataset


class DatasetEntry(NamedTuple):
    """One line about a data set, and where the function that loads it lives ("module:function")."""

    description: str
    location: str


DATASETS: Mapping[str, DatasetEntry] = {
    "digits": DatasetEntry(
        "1,797 handwritten digits, 16x16 grey, 10 classes; comes with scikit-learn, needs no network",
        "askwell.pool.digits:load_digits",
    ),
    "mnist": DatasetEntry(
        "70,000 handwritten digits, 28x28 grey, 10 classes; from ASKWELL_DATA, the cache or the network (11 MB)",
        "askwell.pool.mnist:load_mnist",
    ),
}


def dataset_loader(name: str) -> "Callable[[Path | None], Dataset]":
    """The function (data directory or None) -> Dataset of that name; UnknownNameError offers the nearest names."""
    if name not in DATASETS:
        raise UnknownNameError("data set", name, DATASETS)
    module, _, function = DATASETS[name].location.partition(":")
    return getattr(importlib.import_module(module), function)

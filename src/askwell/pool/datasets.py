"""Named data sets: the pool, the images to measure on, and the oracle that knows the pool's labels."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import final

from askwell.pool.catalogue import DATASETS, DatasetEntry, dataset_loader
from askwell.pool.images import LabelledImages, Pool
from askwell.pool.oracle import DatasetOracle

__all__ = ["DATASETS", "Dataset", "DatasetEntry", "load_dataset"]


@final
@dataclass(frozen=True, eq=False)
class Dataset:
    """A pool to ask about, test images to measure on, the pool's oracle, and one line on where it all comes from."""

    name: str
    classes: tuple[str, ...]
    pool: Pool
    test: LabelledImages
    oracle: DatasetOracle
    source: str


def load_dataset(name: str, *, data_dir: str | os.PathLike[str] | None = None) -> Dataset:
    """The data set of that name, one of ``DATASETS``.

    Files are looked for in data_dir (the environment variable ASKWELL_DATA unless given), then in the user's cache;
    those that are in neither are downloaded to the cache. Checksums are verified wherever they come from.

    Raises UnknownNameError with the nearest names, DatasetNotFoundError when files are nowhere to be had,
    DatasetCorruptError when one is not the published one.
    """
    loader = dataset_loader(name)
    return loader(None if data_dir is None else Path(data_dir))

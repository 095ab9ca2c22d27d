"""Data sets: the pool, the images to measure on, and the oracle that knows the pool's labels."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import final

from askwell.errors import UsageError
from askwell.pool.catalogue import DATASETS, DatasetEntry, dataset_loader
from askwell.pool.images import LabelledImages, Pool
from askwell.pool.oracle import DatasetOracle

__all__ = ["DATASETS", "Dataset", "DatasetEntry", "load_dataset"]


@final
@dataclass(frozen=True, eq=False)
class Dataset:
    """A pool to ask about, test images to measure on, the pool's oracle, and one line on where it all comes from.

    groups   the group of every item of the pool, in its order, where some items belong together (images of one patient, say)
    notes    sentences for the user: what was left out, and what else should be known about these images
    """

    name: str
    classes: tuple[str, ...]
    pool: Pool
    test: LabelledImages
    oracle: DatasetOracle
    source: str
    groups: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()


def load_dataset(
    name: str, *, data_dir: str | os.PathLike[str] | None = None, image_size: int | None = None
) -> Dataset:
    """The data set of that name, one of ``DATASETS``.

    Files are looked for in data_dir (the environment variable ASKWELL_DATA unless given), then in the user's cache;
    those that are in neither are downloaded to the cache. Checksums are verified wherever they come from.
    image_size is the side to which the images of a data set of files (isic2016) are decoded.

    Raises UnknownNameError with the nearest names, UsageError for an image size that cannot be had, DatasetNotFoundError
    when files are nowhere to be had, DatasetCorruptError when one is not the published one.
    """
    loader = dataset_loader(name)
    directory = None if data_dir is None else Path(data_dir)
    if image_size is None:
        return loader(directory)
    if not DATASETS[name].resizable:
        sized = ", ".join(each for each, entry in DATASETS.items() if entry.resizable)
        raise UsageError(
            f"expected no image size for {name}, whose images are of one size as published, found {image_size}; "
            f"leave it out, or choose a data set of files ({sized})."
        )
    return loader(directory, image_size)

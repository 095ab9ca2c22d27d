"""CIFAR-10 in its binary version: the same images as the version for Python, which is pickled and therefore not read."""

import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Int64, UInt8
from torch import Tensor

from askwell.errors import DatasetCorruptError, DatasetNotFoundError
from askwell.pool.arrays import ArrayPool
from askwell.pool.datasets import Dataset
from askwell.pool.ids import NumberedIds
from askwell.pool.images import LabelledImages
from askwell.pool.named.published import PublishedFile, check_md5, data_roots, download, find_file, user_cache
from askwell.pool.oracle import DatasetOracle

ARCHIVE = PublishedFile(
    "cifar-10-binary.tar.gz", "c32a1d4ab5d03f1284b67883e8d87530", ["https://www.cs.toronto.edu/~kriz/"]
)
FOLDER, FOLDERS = "cifar10", ("cifar10", ".")  # where it is put, and where it is looked for
TRAIN_FILES = tuple(f"cifar-10-batches-bin/data_batch_{number}.bin" for number in range(1, 6))
TEST_FILES = ("cifar-10-batches-bin/test_batch.bin",)
RECORDS = 10_000  # in each file
SHAPE = (3, 32, 32)
RECORD_BYTES = 1 + 3 * 32 * 32  # the label, then the red, green and blue plane
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
SOURCE = "CIFAR-10 (Krizhevsky, 2009): 50,000 training and 10,000 test images"
PICKLED = ("cifar-10-batches-py", "cifar-10-python.tar.gz")  # what torchvision downloads


def load_cifar10(data_dir: Path | None = None) -> Dataset:
    """CIFAR-10 as uint8 [3, 32, 32]: the pool is the 50,000 training images, "cifar10/train/00042"; the 10,000 others test.

    Raises DatasetNotFoundError, DatasetCorruptError.
    """
    path = _archive(data_roots(data_dir))
    check_md5(path, ARCHIVE.md5)
    images, labels = _read(path, TRAIN_FILES)
    test_images, test_labels = _read(path, TEST_FILES)
    ids = NumberedIds("cifar10/train/", len(labels), width=5)
    test_ids = NumberedIds("cifar10/test/", len(test_labels), width=5)
    return Dataset(
        name="cifar10",
        classes=CLASSES,
        pool=ArrayPool(images, ids),
        test=LabelledImages(ArrayPool(test_images, test_ids), test_labels, CLASSES),
        oracle=DatasetOracle(ids, labels, CLASSES),
        source=SOURCE,
    )


def parse_records(content: bytes, name: str) -> tuple[UInt8[Tensor, "n 3 32 32"], Int64[Tensor, " n"]]:
    """The images and labels of one file of records; DatasetCorruptError unless it holds all of them, with labels 0..9."""
    if len(content) != RECORDS * RECORD_BYTES:
        raise DatasetCorruptError(
            f"expected {RECORDS} records of {RECORD_BYTES} bytes in {name}, found {len(content)} bytes; replace the file."
        )
    records: np.ndarray[Any, np.dtype[np.uint8]] = np.frombuffer(bytearray(content), np.uint8).reshape(
        RECORDS, RECORD_BYTES
    )
    highest = int(records[:, 0].max())
    if highest >= len(CLASSES):
        raise DatasetCorruptError(f"expected labels from 0 to 9 in {name}, found {highest}; replace the file.")
    return torch.from_numpy(records[:, 1:].reshape(-1, *SHAPE)), torch.from_numpy(records[:, 0].astype(np.int64))


def _read(archive: Path, names: Sequence[str]) -> tuple[UInt8[Tensor, "n 3 32 32"], Int64[Tensor, " n"]]:
    images, labels = [], []
    try:
        with tarfile.open(archive) as content:
            for name in names:
                file = content.extractfile(name)
                assert file is not None, "a regular file of the published archive"
                batch = parse_records(file.read(), f"{name} of {archive}")
                images.append(batch[0])
                labels.append(batch[1])
    except (KeyError, EOFError, OSError, tarfile.TarError) as error:
        raise DatasetCorruptError(
            f"expected an archive that holds {', '.join(names)}, found otherwise in {archive} ({error}); replace the file."
        ) from None
    return torch.cat(images), torch.cat(labels)


def _archive(roots: Sequence[Path]) -> Path:
    path = find_file([ARCHIVE.name], roots, FOLDERS)
    if path is not None:
        return path
    candidates = (root / folder / name for root in roots for folder in FOLDERS for name in PICKLED)
    pickled = next((path for path in candidates if path.exists()), None)
    if pickled is not None:
        raise DatasetNotFoundError(
            f"expected CIFAR-10's binary version {ARCHIVE.name}, found {pickled}, which is made of pickles and is not read "
            f"because a pickle can run any program; download {ARCHIVE.mirrors[0]}{ARCHIVE.name} to the folder {FOLDER} "
            f"of $ASKWELL_DATA or to {user_cache() / FOLDER}."
        )
    return download(ARCHIVE, FOLDER, f"the file {ARCHIVE.name}")

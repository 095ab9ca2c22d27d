"""MNIST, the paper's data set: found on this machine or downloaded, verified, and read from its four idx files."""

import gzip
import hashlib
import http.client
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs
import torch
from jaxtyping import UInt8
from torch import Tensor

from askwell.errors import DatasetCorruptError, DatasetNotFoundError
from askwell.pool.arrays import ArrayPool
from askwell.pool.datasets import Dataset
from askwell.pool.ids import NumberedIds
from askwell.pool.images import LabelledImages
from askwell.pool.oracle import DatasetOracle

CLASSES = tuple("0123456789")
SIDE = 28
TRAIN_COUNT, TEST_COUNT = 60_000, 10_000
TRAIN_IMAGES, TRAIN_LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
TEST_IMAGES, TEST_LABELS = "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"
PACKED_MD5 = {  # of the .gz files, as torchvision publishes them
    TRAIN_IMAGES: "f68b3c2dcbeaaa9fbdd348bbdeb94873",
    TRAIN_LABELS: "d53e105ee54ea40749a09fcbcd1e9432",
    TEST_IMAGES: "9fb629c4189551a2d022fa330f9573f3",
    TEST_LABELS: "ec29112dd5afa0611ce80d1b7f02629c",
}
UNPACKED_MD5 = {  # of the same files after gunzip
    TRAIN_IMAGES: "6bbc9ace898e44ae57da46a324031adb",
    TRAIN_LABELS: "a25bea736e30d166cdddb491f175f624",
    TEST_IMAGES: "2646ac647ad5339dbf082846283269ea",
    TEST_LABELS: "27ae3e4e09519cfbb04c329615203637",
}
FOLDERS = ("mnist", "MNIST/raw", "mnist/MNIST/raw")  # below a data directory: ours, and torchvision's layout
IDX_UINT8 = 0x08  # the third byte of an idx file: its values are unsigned bytes
SOURCE = (
    "The MNIST database of handwritten digits (LeCun, Cortes and Burges, 1998): 60,000 training and 10,000 test images"
)


def load_mnist(data_dir: Path | None = None) -> Dataset:
    """MNIST as uint8 [1, 28, 28]: the pool is the 60,000 training images, "mnist/train/00042"; the 10,000 others test.

    Files are looked for in data_dir (ASKWELL_DATA unless given), then in the user's cache, then downloaded to the
    cache. Raises DatasetNotFoundError, DatasetCorruptError.
    """
    roots = _roots(data_dir)
    images, labels = _read(TRAIN_IMAGES, roots, TRAIN_COUNT, SIDE, SIDE), _read(TRAIN_LABELS, roots, TRAIN_COUNT)
    test_images, test_labels = _read(TEST_IMAGES, roots, TEST_COUNT, SIDE, SIDE), _read(TEST_LABELS, roots, TEST_COUNT)
    ids, test_ids = NumberedIds("mnist/train/", TRAIN_COUNT, width=5), NumberedIds("mnist/test/", TEST_COUNT, width=5)
    return Dataset(
        name="mnist",
        classes=CLASSES,
        pool=ArrayPool(images.unsqueeze(1), ids),
        test=LabelledImages(ArrayPool(test_images.unsqueeze(1), test_ids), test_labels.to(torch.int64), CLASSES),
        oracle=DatasetOracle(ids, labels.to(torch.int64), CLASSES),
        source=SOURCE,
    )


def parse_idx(content: bytes, shape: tuple[int, ...], name: str) -> UInt8[Tensor, "..."]:
    """The unsigned bytes of an idx file: 0, 0, type, number of axes, each axis as a big-endian uint32, then the values.

    Raises DatasetCorruptError unless the file holds exactly an array of that shape.
    """
    header = bytes([0, 0, IDX_UINT8, len(shape)]) + np.array(shape, dtype=">u4").tobytes()
    length = len(header) + int(np.prod(shape))
    if content[: len(header)] != header or len(content) != length:
        raise DatasetCorruptError(
            f"expected an idx file of unsigned bytes {list(shape)}, {length} bytes long, found {len(content)} bytes "
            f"that start {content[: len(header)].hex()} in {name}; replace the file."
        )
    values: np.ndarray[Any, np.dtype[np.uint8]] = np.frombuffer(bytearray(content), np.uint8, offset=len(header))
    return torch.from_numpy(values.reshape(shape))


def _read(name: str, roots: list[Path], *shape: int) -> UInt8[Tensor, "..."]:
    path = _find(name, roots) or _download(name)
    content = path.read_bytes()
    packed = path.suffix == ".gz"
    expected = (PACKED_MD5 if packed else UNPACKED_MD5)[name]
    found = hashlib.md5(content, usedforsecurity=False).hexdigest()
    if found != expected:
        raise DatasetCorruptError(
            f"expected {path} to have md5 {expected}, found {found}; replace it, or delete it to have it downloaded."
        )
    return parse_idx(gzip.decompress(content) if packed else content, shape, str(path))


def _roots(data_dir: Path | None) -> list[Path]:
    """The data directories, first choice first."""
    named = data_dir or os.environ.get("ASKWELL_DATA")
    return [Path(named).expanduser(), _cache()] if named else [_cache()]


def _cache() -> Path:
    return Path(platformdirs.user_cache_dir("askwell"))


def _find(name: str, roots: list[Path]) -> Path | None:
    candidates = (root / folder / file for root in roots for folder in FOLDERS for file in (f"{name}.gz", name))
    return next((path for path in candidates if path.is_file()), None)


def _download(name: str) -> Path:
    """The file, verified, in the user's cache; it appears there whole or not at all."""
    from torchvision.datasets import MNIST, utils  # seconds to import, and only needed here

    folder, file = _cache() / FOLDERS[0], f"{name}.gz"
    causes = []
    for mirror in MNIST.mirrors:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=folder) as partial:
                utils.download_url(f"{mirror}{file}", partial, file, PACKED_MD5[name])
                return (Path(partial) / file).replace(folder / file)
        except (OSError, http.client.HTTPException, RuntimeError) as error:  # RuntimeError: another checksum
            causes.append(f"{mirror} ({error})")
    raise DatasetNotFoundError(
        f"expected MNIST's files {', '.join(f'{each}.gz' for each in PACKED_MD5)} in the folder mnist of $ASKWELL_DATA "
        f"or in {folder}, found no {file} there nor at {', '.join(causes)}; "
        "put the files there and set ASKWELL_DATA, or connect to the network."
    )

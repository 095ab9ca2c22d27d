"""Data sets published as four idx files like MNIST: found or downloaded, verified and read."""

import gzip
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from askwell.errors import DatasetCorruptError
from askwell.pool.arrays import ArrayPool
from askwell.pool.datasets import Dataset
from askwell.pool.ids import NumberedIds
from askwell.pool.images import LabelledImages
from askwell.pool.named.published import PublishedFile, check_md5, data_roots, download, find_file
from askwell.pool.oracle import DatasetOracle

TRAIN_IMAGES, TRAIN_LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
TEST_IMAGES, TEST_LABELS = "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"
IDX_UINT8 = 0x08  # the third byte of an idx file: its values are unsigned bytes


class IdxDataset(NamedTuple):
    """What there is to know about such a data set before reading it.

    name             what it is called here, and the folder its files are in
    torchvision      torchvision's name of it: the folder torchvision keeps it in, and who knows the mirrors
    packed_md5       of the .gz files, as torchvision publishes them
    unpacked_md5     of the same files after gunzip; without it only the .gz files are read
    """

    name: str
    torchvision: str
    source: str
    classes: tuple[str, ...]
    packed_md5: Mapping[str, str]
    unpacked_md5: Mapping[str, str]
    train_count: int = 60_000
    test_count: int = 10_000
    side: int = 28


def load_idx(kind: IdxDataset, data_dir: Path | None) -> Dataset:
    """The data set as uint8 [1, side, side]: the training images are the pool, "mnist/train/00042", the others the test.

    Raises DatasetNotFoundError, DatasetCorruptError.
    """
    roots, side = data_roots(data_dir), kind.side
    images, labels = (
        _read(kind, TRAIN_IMAGES, roots, kind.train_count, side, side),
        _read(kind, TRAIN_LABELS, roots, kind.train_count),
    )
    test_images, test_labels = (
        _read(kind, TEST_IMAGES, roots, kind.test_count, side, side),
        _read(kind, TEST_LABELS, roots, kind.test_count),
    )
    ids = NumberedIds(f"{kind.name}/train/", kind.train_count, width=5)
    test_ids = NumberedIds(f"{kind.name}/test/", kind.test_count, width=5)
    test_pool = ArrayPool(test_images.unsqueeze(1), test_ids)
    return Dataset(
        name=kind.name,
        classes=kind.classes,
        pool=ArrayPool(images.unsqueeze(1), ids),
        test=LabelledImages(test_pool, test_labels.to(torch.int64), kind.classes),
        oracle=DatasetOracle(ids, labels.to(torch.int64), kind.classes),
        source=kind.source,
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


def _read(kind: IdxDataset, name: str, roots: Sequence[Path], *shape: int) -> UInt8[Tensor, "..."]:
    packed = f"{name}.gz"
    folders = (kind.name, f"{kind.torchvision}/raw", f"{kind.name}/{kind.torchvision}/raw")  # ours, and torchvision's
    path = find_file([packed, name] if kind.unpacked_md5 else [packed], roots, folders)
    if path is None:
        wanted = f"the files {', '.join(f'{each}.gz' for each in kind.packed_md5)}"
        path = download(PublishedFile(packed, kind.packed_md5[name], _mirrors(kind)), kind.name, wanted)
    is_packed = path.suffix == ".gz"
    check_md5(path, (kind.packed_md5 if is_packed else kind.unpacked_md5)[name])
    content = path.read_bytes()
    return parse_idx(gzip.decompress(content) if is_packed else content, shape, str(path))


def _mirrors(kind: IdxDataset) -> Sequence[str]:
    import torchvision  # seconds to import, and only needed here

    return getattr(torchvision.datasets, kind.torchvision).mirrors

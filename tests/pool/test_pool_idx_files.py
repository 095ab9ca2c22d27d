"""Data sets of four idx files: read like torchvision reads them, verified, refused when damaged, asked for when absent."""

import gzip
import hashlib
import struct

import numpy as np
import platformdirs
import pytest
import torch
import torchvision
from torchvision.datasets.mnist import read_image_file, read_label_file

from askwell.errors import DatasetCorruptError, DatasetNotFoundError
from askwell.pool.datasets import load_dataset
from askwell.pool.named.idx_files import TEST_IMAGES, TEST_LABELS, TRAIN_IMAGES, TRAIN_LABELS, load_idx, parse_idx
from askwell.pool.named.mnist import FASHION_MNIST, KMNIST, MNIST

NAMES = (TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS)
NOWHERE = "http://127.0.0.1:9/"  # the discard port: refused at once


@pytest.fixture(autouse=True)
def no_network_no_cache(monkeypatch, tmp_path):
    monkeypatch.setattr(platformdirs, "user_cache_dir", lambda name: str(tmp_path / "cache" / name))
    monkeypatch.setenv("no_proxy", "*")
    for name in ("MNIST", "FashionMNIST", "KMNIST"):
        monkeypatch.setattr(getattr(torchvision.datasets, name), "mirrors", [NOWHERE])


def idx(*shape, kind=0x08, values=None):
    content = bytes(range(6)) if values is None else values
    return struct.pack(f">BBBB{len(shape)}I", 0, 0, kind, len(shape), *shape) + content


def published_small(kind, root, folder):
    """A data set of 6 training and 4 test images in the published format, and what is to be known about it."""
    random = np.random.default_rng(len(kind.name))
    md5 = {}
    for images, labels, count in ((TRAIN_IMAGES, TRAIN_LABELS, 6), (TEST_IMAGES, TEST_LABELS, 4)):
        pixels = random.integers(0, 256, (count, 28, 28), dtype=np.uint8).tobytes()
        contents = {
            images: idx(count, 28, 28, values=pixels),
            labels: idx(count, values=bytes(9 - n for n in range(count))),
        }
        for name, content in contents.items():
            (root / folder).mkdir(parents=True, exist_ok=True)
            path = root / folder / f"{name}.gz"
            path.write_bytes(gzip.compress(content, mtime=0))
            md5[name] = hashlib.md5(path.read_bytes()).hexdigest()
    return kind._replace(packed_md5=md5, train_count=6, test_count=4)


@pytest.mark.parametrize("kind", [FASHION_MNIST, KMNIST], ids=lambda kind: kind.name)
def test_the_checksums_and_classes_are_those_torchvision_publishes(kind):
    published = getattr(torchvision.datasets, kind.torchvision)
    assert [(f"{name}.gz", kind.packed_md5[name]) for name in NAMES] == published.resources
    assert list(kind.classes) == published.classes


@pytest.mark.parametrize("layout", ["{name}", "{torchvision}/raw", "{name}/{torchvision}/raw"])
@pytest.mark.parametrize("kind", [MNIST, FASHION_MNIST, KMNIST], ids=lambda kind: kind.name)
def test_small_files_in_the_published_format_are_read_as_torchvision_reads_them(kind, layout, tmp_path):
    folder = layout.format(name=kind.name, torchvision=kind.torchvision)
    data = load_idx(published_small(kind, tmp_path, folder), tmp_path)
    for name in NAMES:
        (tmp_path / name).write_bytes(gzip.decompress((tmp_path / folder / f"{name}.gz").read_bytes()))
    assert torch.equal(data.pool.images(torch.arange(6))[:, 0], read_image_file(str(tmp_path / TRAIN_IMAGES)))
    assert torch.equal(data.test.images.images(torch.arange(4))[:, 0], read_image_file(str(tmp_path / TEST_IMAGES)))
    assert torch.equal(data.oracle.labels, read_label_file(str(tmp_path / TRAIN_LABELS)))
    assert torch.equal(data.test.labels, read_label_file(str(tmp_path / TEST_LABELS)))
    assert data.oracle.answer([f"{kind.name}/train/00001"]) == [kind.classes[8]]
    assert data.test.images.ids[3] == f"{kind.name}/test/00003"


def test_another_checksum_is_refused_with_both_named(tmp_path):
    kind = published_small(KMNIST, tmp_path, "kmnist")
    damaged = tmp_path / "kmnist" / f"{TEST_LABELS}.gz"
    damaged.write_bytes(damaged.read_bytes()[:-1])
    with pytest.raises(
        DatasetCorruptError, match=f"{TEST_LABELS}.gz to have md5 {kind.packed_md5[TEST_LABELS]}, found"
    ):
        load_idx(kind, tmp_path)


@pytest.mark.parametrize("name", ["fashion_mnist", "kmnist"])
def test_absent_files_are_asked_for_by_folder_and_name(name, tmp_path):
    with pytest.raises(DatasetNotFoundError, match=rf"in the folder {name} of \$ASKWELL_DATA") as caught:
        load_dataset(name, data_dir=tmp_path)
    assert all(f"{file}.gz" in str(caught.value) for file in NAMES)
    assert "put the files there" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_files_without_a_published_checksum_are_not_read(tmp_path):
    kind = published_small(FASHION_MNIST, tmp_path, "fashion_mnist")
    for name in NAMES:
        packed = tmp_path / "fashion_mnist" / f"{name}.gz"
        packed.with_suffix("").write_bytes(gzip.decompress(packed.read_bytes()))
        packed.unlink()
    with pytest.raises(DatasetNotFoundError, match=rf"{TRAIN_IMAGES}\.gz"):
        load_idx(kind, tmp_path)


def test_an_idx_file_is_read_in_its_own_order():
    assert parse_idx(idx(1, 2, 3), (1, 2, 3), "file").tolist() == [[[0, 1, 2], [3, 4, 5]]]


@pytest.mark.parametrize(
    "content", [b"", idx(6)[:3], idx(6)[:-1], idx(6) + b"\x00", idx(6, kind=0x0D), idx(2, 3), idx(7, values=bytes(6))]
)
def test_what_is_no_idx_file_of_that_shape_is_refused(content):
    with pytest.raises(DatasetCorruptError, match=r"unsigned bytes \[6\], 14 bytes long, found .* in some-file"):
        parse_idx(content, (6,), "some-file")

"""CIFAR-10's binary version: read from small archives in the published format, verified; pickles are never read."""

import hashlib
import io
import tarfile

import numpy as np
import platformdirs
import pytest
import torch

from askwell.errors import DatasetCorruptError, DatasetNotFoundError
from askwell.pool.datasets import load_dataset
from askwell.pool.named import cifar10
from askwell.pool.named.cifar10 import TEST_FILES, TRAIN_FILES, parse_records

RECORDS = 3


@pytest.fixture(autouse=True)
def no_network_no_cache(monkeypatch, tmp_path):
    monkeypatch.setattr(platformdirs, "user_cache_dir", lambda name: str(tmp_path / "cache" / name))
    monkeypatch.setattr(cifar10, "ARCHIVE", cifar10.ARCHIVE._replace(mirrors=["http://127.0.0.1:9/"]))
    monkeypatch.setattr(cifar10, "RECORDS", RECORDS)
    monkeypatch.setenv("no_proxy", "*")


def batch(seed):
    """Labels and pixels of one file's records, and the records as bytes."""
    random = np.random.default_rng(seed)
    labels, pixels = random.integers(0, 10, RECORDS), random.integers(0, 256, (RECORDS, 3, 32, 32), dtype=np.uint8)
    content = b"".join(bytes([label]) + image.tobytes() for label, image in zip(labels, pixels, strict=True))
    return labels.tolist(), torch.from_numpy(pixels), content


def write_archive(path, files):
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))


def published_small(monkeypatch, path, files=None):
    """An archive whose checksum is the expected one; returns its batches, the test batch last."""
    batches = [batch(seed) for seed in range(6)]
    contents = dict(zip((*TRAIN_FILES, *TEST_FILES), (content for _, _, content in batches), strict=True))
    write_archive(path, contents if files is None else files(contents))
    expected = cifar10.ARCHIVE._replace(md5=hashlib.md5(path.read_bytes()).hexdigest())
    monkeypatch.setattr(cifar10, "ARCHIVE", expected)
    return batches


@pytest.mark.parametrize("folder", ["cifar10", "."])
def test_records_are_read_in_the_order_of_the_batches(monkeypatch, tmp_path, folder):
    batches = published_small(monkeypatch, tmp_path / folder / "cifar-10-binary.tar.gz")
    data = load_dataset("cifar10", data_dir=tmp_path)
    assert data.oracle.labels.tolist() == [label for labels, _, _ in batches[:5] for label in labels]
    assert torch.equal(data.pool.images(torch.arange(15)), torch.cat([pixels for _, pixels, _ in batches[:5]]))
    assert data.test.labels.tolist() == batches[5][0]
    assert torch.equal(data.test.images.images(torch.arange(3)), batches[5][1])
    assert (data.pool.ids[14], data.test.images.ids[2]) == ("cifar10/train/00014", "cifar10/test/00002")
    assert data.oracle.answer(["cifar10/train/00004"]) == [data.classes[batches[1][0][1]]]


def test_the_published_checksum_is_asked_for(tmp_path):
    write_archive(tmp_path / "cifar10" / "cifar-10-binary.tar.gz", {})
    with pytest.raises(DatasetCorruptError, match="to have md5 c32a1d4ab5d03f1284b67883e8d87530, found"):
        load_dataset("cifar10", data_dir=tmp_path)


def test_an_archive_without_a_batch_is_corrupt(monkeypatch, tmp_path):
    path = tmp_path / "cifar10" / "cifar-10-binary.tar.gz"
    published_small(monkeypatch, path, lambda files: {name: files[name] for name in TRAIN_FILES})
    with pytest.raises(DatasetCorruptError, match=r"holds cifar-10-batches-bin/test_batch.bin, found otherwise in"):
        load_dataset("cifar10", data_dir=tmp_path)


def test_records_cut_off_and_impossible_labels_are_corrupt():
    _, _, content = batch(0)
    with pytest.raises(DatasetCorruptError, match="expected 3 records of 3073 bytes in some-file, found 9218 bytes"):
        parse_records(content[:-1], "some-file")
    with pytest.raises(DatasetCorruptError, match="labels from 0 to 9 in some-file, found 10"):
        parse_records(bytes([10]) + content[1:], "some-file")


@pytest.mark.parametrize("name", ["cifar-10-batches-py", "cifar-10-python.tar.gz"])
def test_the_pickled_version_is_refused_with_the_reason(tmp_path, name):
    (tmp_path / name).mkdir()
    with pytest.raises(DatasetNotFoundError, match=f"{name}, which is made of pickles .* a pickle can run any program"):
        load_dataset("cifar10", data_dir=tmp_path)


def test_an_absent_archive_is_asked_for(tmp_path):
    with pytest.raises(DatasetNotFoundError, match=r"cifar-10-binary.tar.gz in the folder cifar10 of \$ASKWELL_DATA"):
        load_dataset("cifar10", data_dir=tmp_path)

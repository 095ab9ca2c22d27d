"""MNIST: found, verified, read right, downloaded when it has to be, and clear sentences when it cannot be had."""

import functools
import gzip
import http.server
import threading

import platformdirs
import pytest
import torch
import torchvision

from askwell.errors import DatasetCorruptError, DatasetNotFoundError
from askwell.pool.arrays import ArrayPool
from askwell.pool.datasets import load_dataset
from askwell.pool.named.idx_files import TEST_LABELS, TRAIN_IMAGES
from askwell.pool.named.mnist import MNIST

NOWHERE = "http://127.0.0.1:9/"  # the discard port: refused at once


@pytest.fixture(autouse=True)
def no_network_no_cache(monkeypatch, tmp_path):
    """An empty cache, and mirrors that answer nothing."""
    monkeypatch.setattr(platformdirs, "user_cache_dir", lambda name: str(tmp_path / "cache" / name))
    monkeypatch.setattr(torchvision.datasets.MNIST, "mirrors", [NOWHERE])
    monkeypatch.setenv("no_proxy", "*")
    return tmp_path / "cache" / "askwell"


@pytest.fixture(scope="module")
def mnist(askwell_data):
    return load_dataset("mnist", data_dir=askwell_data)


def copied(source, target, unpacked=False):
    """The four files of a folder, in another."""
    target.mkdir(parents=True)
    for name in MNIST.packed_md5:
        if unpacked:
            (target / name).write_bytes(gzip.decompress((source / f"{name}.gz").read_bytes()))
        else:
            (target / f"{name}.gz").symlink_to(source / f"{name}.gz")


def test_counts_shapes_and_ids(mnist):
    assert (len(mnist.pool), len(mnist.test)) == (60_000, 10_000)
    assert mnist.pool.image_shape == mnist.test.images.image_shape == (1, 28, 28)
    assert mnist.classes == tuple("0123456789")
    assert (mnist.pool.ids[42], mnist.pool.ids[59_999]) == ("mnist/train/00042", "mnist/train/59999")
    assert mnist.test.images.ids[42] == "mnist/test/00042"


def test_the_published_histograms_and_first_labels(mnist):
    train, test = mnist.oracle.labels, mnist.test.labels
    assert train.bincount().tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert test.bincount().tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert train[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert test[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]
    assert mnist.oracle.answer(["mnist/train/00000", "mnist/train/00004"]) == ["5", "9"]


def test_the_published_mean_and_deviation_of_the_pixels(mnist):
    pixels = mnist.pool.images(torch.arange(60_000)).float() / 255
    assert float(pixels.mean()) == pytest.approx(0.1307, abs=5e-5)
    assert float(pixels.std()) == pytest.approx(0.3081, abs=5e-5)


def test_the_first_image_is_the_well_known_five(mnist):
    five = mnist.pool.images(torch.tensor([0]))[0, 0]
    assert five[5, 12:24].tolist() == [3, 18, 18, 18, 126, 136, 175, 26, 166, 255, 247, 127]
    assert int(five[:5].sum()) == int(five[25:].sum()) == 0


def test_images_stay_bytes_in_memory(mnist):
    assert isinstance(mnist.pool, ArrayPool)
    assert isinstance(mnist.pool.array, torch.Tensor)
    assert mnist.pool.array.dtype == torch.uint8
    assert mnist.pool.array.untyped_storage().nbytes() < 60_000 * 28 * 28 + 100


@pytest.mark.parametrize(
    ("place", "folder"),
    [("argument", "mnist"), ("variable", "MNIST/raw"), ("variable", "mnist/MNIST/raw"), ("cache", "mnist")],
)
def test_files_are_found_in_every_agreed_place(monkeypatch, askwell_data, no_network_no_cache, tmp_path, folder, place):
    monkeypatch.delenv("ASKWELL_DATA")
    root = no_network_no_cache if place == "cache" else tmp_path / "data"
    copied(askwell_data / "mnist", root / folder)
    if place == "variable":
        monkeypatch.setenv("ASKWELL_DATA", str(root))
    assert len(load_dataset("mnist", data_dir=str(root) if place == "argument" else None).pool) == 60_000


def test_unpacked_files_are_read_and_verified_too(askwell_data, tmp_path, mnist):
    copied(askwell_data / "mnist", tmp_path / "mnist", unpacked=True)
    again = load_dataset("mnist", data_dir=tmp_path)
    assert torch.equal(again.oracle.labels, mnist.oracle.labels)
    labels = tmp_path / "mnist" / TEST_LABELS
    labels.write_bytes(labels.read_bytes()[:-1] + b"\x00")
    with pytest.raises(DatasetCorruptError, match=TEST_LABELS):
        load_dataset("mnist", data_dir=tmp_path)


@pytest.mark.parametrize("damage", [lambda whole: whole[:-1], lambda whole: whole[:5000] + b"\x00" + whole[5001:]])
def test_a_damaged_file_is_named(askwell_data, tmp_path, damage):
    copied(askwell_data / "mnist", tmp_path / "mnist")
    damaged = tmp_path / "mnist" / f"{TRAIN_IMAGES}.gz"
    whole = damaged.read_bytes()
    damaged.unlink()
    damaged.write_bytes(damage(whole))
    with pytest.raises(DatasetCorruptError) as caught:
        load_dataset("mnist", data_dir=tmp_path)
    assert str(damaged) in str(caught.value)
    assert MNIST.packed_md5[TRAIN_IMAGES] in str(caught.value)
    assert "replace it" in str(caught.value)


def test_absent_files_are_asked_for_in_one_sentence(tmp_path):
    with pytest.raises(DatasetNotFoundError, match="ASKWELL_DATA") as caught:
        load_dataset("mnist", data_dir=tmp_path)
    message = str(caught.value)
    assert all(f"{name}.gz" in message for name in MNIST.packed_md5)
    assert NOWHERE in message
    assert "\n" not in message


def test_what_is_missing_is_downloaded_to_the_cache(monkeypatch, askwell_data, no_network_no_cache, tmp_path, capsys):
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *arguments):
            pass

    monkeypatch.delenv("ASKWELL_DATA")
    handler = functools.partial(Quiet, directory=str(askwell_data / "mnist"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        mirrors = [NOWHERE, f"http://127.0.0.1:{server.server_port}/"]
        monkeypatch.setattr(torchvision.datasets.MNIST, "mirrors", mirrors)
        downloaded = load_dataset("mnist")
        server.shutdown()
        thread.join()
    assert downloaded.test.labels[:3].tolist() == [7, 2, 1]
    assert sorted(path.name for path in (no_network_no_cache / "mnist").iterdir()) == sorted(
        f"{n}.gz" for n in MNIST.packed_md5
    )
    monkeypatch.setattr(torchvision.datasets.MNIST, "mirrors", [])
    assert len(load_dataset("mnist").pool) == 60_000


def test_a_download_with_another_checksum_is_not_kept(monkeypatch, no_network_no_cache, tmp_path):
    def fake(url, root, filename, md5):
        (tmp_path / "cache" / "partial").write_bytes(b"a login page")
        raise RuntimeError("File not found or corrupted.")

    monkeypatch.setattr(torchvision.datasets.utils, "download_url", fake)
    with pytest.raises(DatasetNotFoundError, match="File not found or corrupted"):
        load_dataset("mnist", data_dir=tmp_path / "nothing")
    assert list((no_network_no_cache / "mnist").iterdir()) == []

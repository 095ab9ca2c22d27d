"""The catalogue, what every named data set promises, and the embedded digits."""

import hashlib
import subprocess
import sys

import numpy as np
import pytest
import sklearn.datasets
import torch

from askwell.errors import UnknownNameError, UsageError
from askwell.pool.catalogue import DATASETS, dataset_loader
from askwell.pool.datasets import Dataset, load_dataset
from askwell.pool.named.digits import enlarged

LISTING = """
import sys, askwell.pool.catalogue as catalogue, askwell.pool.ids
for name, entry in catalogue.DATASETS.items(): print(name, entry.description)
sys.exit(bool({"torch", "torchvision", "numpy", "sklearn"} & set(sys.modules)))
"""


@pytest.fixture(scope="module")
def digits():
    return load_dataset("digits")


def test_listing_the_names_imports_nothing_heavy():
    listed = subprocess.run([sys.executable, "-c", LISTING], capture_output=True, text=True, check=True)
    assert listed.stdout.count("\n") == len(DATASETS)


def test_a_misspelt_name_is_answered_with_the_nearest():
    with pytest.raises(UnknownNameError, match="no data set called 'mnits'; did you mean mnist"):
        load_dataset("mnits")
    with pytest.raises(UnknownNameError, match="choose one of cifar10, digits"):
        dataset_loader("imagenet")


@pytest.mark.parametrize("name", ["digits", "mnist", "isic2016"])  # the others' files are too large to have everywhere
def test_every_data_set_keeps_the_contract(name, request):
    if name != "digits":
        request.getfixturevalue("askwell_data")
    data = load_dataset(name)
    assert isinstance(data, Dataset)
    assert data.name == name
    assert data.source
    assert "\n" not in data.source
    assert data.test.classes == data.oracle.classes == data.classes
    assert data.test.images.image_shape == data.pool.image_shape
    assert len(data.oracle.labels) == len(data.pool)
    assert set(data.pool.ids).isdisjoint(data.test.images.ids)
    assert len(set(data.pool.ids)) == len(data.pool.ids) == len(data.pool)
    assert data.pool.images(torch.tensor([0, len(data.pool) - 1])).dtype == torch.uint8
    first = data.pool.ids[0]
    assert first.startswith(f"{name}/")
    assert data.oracle.answer([first]) == [data.classes[int(data.oracle.labels[0])]]


@pytest.mark.parametrize("name", [name for name, entry in DATASETS.items() if not entry.resizable])
def test_an_image_size_is_refused_where_images_have_one(name):
    with pytest.raises(
        UsageError,
        match=rf"no image size for {name}, .* found 32; leave it out, or .* \(isic2016, isic2016_split_1, isic2016_split_2\)",
    ):
        load_dataset(name, image_size=32)


def test_the_digits_are_split_by_class(digits):
    assert (len(digits.pool), len(digits.test)) == (1197, 600)
    assert digits.pool.image_shape == (1, 16, 16)
    assert digits.test.labels.bincount().tolist() == [60] * 10
    assert digits.oracle.labels.bincount().tolist() == [118, 122, 117, 123, 121, 122, 121, 119, 114, 120]


def test_the_digits_are_always_split_the_same(digits):
    listed = "\n".join(digits.test.images.ids).encode()
    assert hashlib.sha256(listed).hexdigest() == "546195f54800255b990566a1858044caaa9648d5c3516ef576952f28ffded3a0"


def test_ids_lead_back_to_scikit_learns_images(digits):
    images, labels = sklearn.datasets.load_digits(return_X_y=True)
    for source, known in ((digits.pool, digits.oracle.labels), (digits.test.images, digits.test.labels)):
        original = [int(item_id.removeprefix("digits/")) for item_id in source.ids]
        assert known.tolist() == labels[original].tolist()
        expected = enlarged(torch.from_numpy(images[original]).reshape(-1, 1, 8, 8))
        assert torch.equal(source.images(torch.arange(len(source))), expected)


def test_enlarging_is_linear_interpolation_at_pixel_centres():
    image = np.random.default_rng(0).integers(0, 17, (8, 8)).astype(float)
    centres = (np.arange(16) + 0.5) / 2 - 0.5
    rows = np.array([np.interp(centres, np.arange(8), row) for row in image])
    expected = np.array([np.interp(centres, np.arange(8), column) for column in rows.T]).T * 255 / 16
    result = enlarged(torch.from_numpy(image).reshape(1, 1, 8, 8))[0, 0].double().numpy()
    assert np.abs(result - expected).max() <= 0.5
    assert enlarged(torch.full((1, 1, 8, 8), 16.0)).unique().tolist() == [255]
    assert enlarged(torch.zeros(1, 1, 8, 8)).unique().tolist() == [0]

"""ISIC 2016: the real files, the challenge's own layout, and tables or folders that are not the challenge's."""

import shutil

import pytest
import torch
from folder_trees import write_images

from askwell.errors import DatasetCorruptError, DatasetNotFoundError, UsageError
from askwell.pool.datasets import load_dataset
from askwell.pool.named.isic2016 import PARTS, ground_truth
from askwell.pool.named.isic2016_splits import divided, folds, split

TRAIN, TEST = PARTS


@pytest.fixture(scope="module")
def isic(askwell_data):
    return load_dataset("isic2016", data_dir=askwell_data)


def copied_tables(askwell_data, target):
    target.mkdir(parents=True, exist_ok=True)
    for part in PARTS:
        shutil.copy(askwell_data / "isic2016" / part.table, target)
    return target


def test_the_images_that_are_there_are_counted(isic):
    assert (len(isic.pool), len(isic.test)) == (850, 354)
    assert isic.pool.image_shape == isic.test.images.image_shape == (3, 64, 64)
    assert isic.classes == ("benign", "malignant")
    assert [note[:55] for note in isic.notes] == [
        "850 of the 900 images of ISIC 2016's train part are in "[:55],
        "354 of the 379 images of ISIC 2016's test part are in /"[:55],
    ]


def test_the_labels_are_the_challenges(isic):
    assert isic.oracle.labels.bincount().tolist() == [685, 165]
    assert isic.test.labels.bincount().tolist() == [283, 71]
    known = {
        "ISIC_0000000": "benign",
        "ISIC_0000002": "malignant",
        "ISIC_0000004": "malignant",
        "ISIC_0000006": "benign",
    }
    assert isic.oracle.answer([f"isic2016/train/{name}" for name in known]) == list(known.values())
    first = dict(zip(isic.test.images.ids, isic.test.labels.tolist(), strict=True))
    assert [first[f"isic2016/test/ISIC_{number:07d}"] for number in (3, 12, 13, 14)] == [0, 0, 1, 0]


def test_images_are_decoded_to_the_size_asked_for(isic, askwell_data):
    larger = load_dataset("isic2016", data_dir=askwell_data, image_size=96)
    assert larger.pool.image_shape == (3, 96, 96)
    positions = torch.tensor([849, 0])
    small, large = isic.pool.images(positions), larger.pool.images(positions)
    assert (small.shape, large.shape) == ((2, 3, 64, 64), (2, 3, 96, 96))
    shrunk = torch.nn.functional.interpolate(large.float(), 64, mode="bilinear", antialias=True)
    assert float((shrunk - small.float()).abs().mean()) < 3  # of 255: the same picture


def test_the_challenges_own_layout_is_read_and_a_complete_part_needs_no_note(askwell_data, tmp_path):
    root = copied_tables(askwell_data, tmp_path)
    names = {part: list(ground_truth(root / part.table, part)) for part in PARTS}
    write_images(root / TRAIN.folders[1], [f"{name}.jpg" for name in names[TRAIN][:3]] + ["superpixels.png"])
    write_images(root / TEST.folders[1], [f"{name}.jpg" for name in names[TEST]], side=1)
    data = load_dataset("isic2016", data_dir=tmp_path)
    assert list(data.pool.ids) == [f"isic2016/train/{name}" for name in names[TRAIN][:3]]
    assert len(data.test) == 379
    assert data.notes == (f"3 of the 900 images of ISIC 2016's train part are in {root / TRAIN.folders[1]}.",)


@pytest.mark.parametrize("size", [0, 1025])
def test_a_size_that_cannot_be_is_refused(tmp_path, size):
    with pytest.raises(UsageError, match=f"an image size from 1 to 1024 pixels, found {size}"):
        load_dataset("isic2016", data_dir=tmp_path, image_size=size)


def test_nothing_to_be_found_is_asked_for_by_name(tmp_path):
    with pytest.raises(
        DatasetNotFoundError, match=f"{TRAIN.table} with the folder train or {TRAIN.folders[1]} beside"
    ) as caught:
        load_dataset("isic2016", data_dir=tmp_path)
    assert str(tmp_path / "isic2016") in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda text: text.rpartition("ISIC")[0], "900 images in .*, 173 of them malignant, found 899 and 173"),
        (lambda text: text.replace("malignant", "benign", 1), "173 of them malignant, found 900 and 172"),
        (lambda text: text.replace("benign", "bening", 1), r"found another \('bening'\)"),
        (lambda text: text + "a,benign,c\n", "found another .*3 in line 901"),
        (lambda text: "", "found another .*an empty file"),
    ],
)
def test_another_table_is_corrupt(askwell_data, tmp_path, damage, sentence):
    table = copied_tables(askwell_data, tmp_path) / TRAIN.table
    table.write_text(damage(table.read_text()))
    with pytest.raises(DatasetCorruptError, match=sentence) as caught:
        ground_truth(table, TRAIN)
    assert str(table) in str(caught.value)


def test_a_folder_of_other_images_is_corrupt_and_an_empty_one_is_refused(askwell_data, tmp_path):
    copied_tables(askwell_data, tmp_path)
    write_images(tmp_path / "train", ["cat.png"])
    (tmp_path / "test").mkdir()
    with pytest.raises(DatasetCorruptError, match=r"images such as ISIC_0000000.jpg in .*train, found 'cat.png'"):
        load_dataset("isic2016", data_dir=tmp_path)
    shutil.copy(askwell_data / "isic2016" / "train" / "ISIC_0000000.jpg", tmp_path / "train")
    with pytest.raises(UsageError, match=r"at least one image in .*test"):
        load_dataset("isic2016", data_dir=tmp_path)


@pytest.mark.parametrize("number", [1, 2])
def test_the_papers_splits_set_aside_a_hundred_of_each_class(isic, askwell_data, number):
    data = load_dataset(f"isic2016_split_{number}", data_dir=askwell_data)
    assert data.test.labels.bincount().tolist() == [100, 100]
    assert data.oracle.labels.bincount().tolist() == [585, 65]
    assert sorted([*data.pool.ids, *data.test.images.ids]) == sorted(isic.pool.ids)
    whole = dict(zip(isic.pool.ids, isic.oracle.labels.tolist(), strict=True))
    assert [whole[name] for name in data.test.images.ids] == data.test.labels.tolist()
    assert [whole[name] for name in data.pool.ids] == data.oracle.labels.tolist()
    assert torch.equal(
        data.test.images.images(torch.tensor([7])),
        isic.pool.images(torch.tensor([isic.pool.ids.index(data.test.images.ids[7])])),
    )


def test_the_two_splits_differ_and_are_the_same_every_time(askwell_data):
    first, again, second = (
        set(load_dataset(f"isic2016_split_{number}", data_dir=askwell_data).test.images.ids) for number in (1, 1, 2)
    )
    assert first == again
    assert 20 < len(first & second) < 120  # 100 of 165 and 100 of 685, twice


def test_folds_take_every_training_image_once_and_no_test_image(isic):
    parts = list(folds(isic, 0))
    assert [len(part.test) for part in parts] == [170] * 5
    assert all(part.test.labels.bincount().tolist() == [137, 33] for part in parts)
    assert sorted(name for part in parts for name in part.test.images.ids) == sorted(isic.pool.ids)
    assert set(next(folds(isic, 1)).test.images.ids) != set(parts[0].test.images.ids)


def test_too_few_images_for_a_split_are_refused(isic):
    few = divided(isic, torch.arange(700), "few", "few")
    with pytest.raises(DatasetCorruptError, match="more than 100 images of each class"):
        split(few, 1)

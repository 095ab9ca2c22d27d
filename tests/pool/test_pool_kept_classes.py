"""Some classes of a data set: the same images under the same ids, and nothing else."""

import pytest
import torch
from folder_trees import write_images

from askwell.campaign.data import dataset_of
from askwell.campaign.settings import ExperimentSettings, check_settings
from askwell.errors import SettingsError, UnknownNameError, UnreadableImagesError, UsageError
from askwell.pool.datasets import load_dataset
from askwell.pool.decoding import ImageForm
from askwell.pool.folder import FolderPool
from askwell.pool.kept_classes import keep_classes, part_of
from askwell.pool.listing import list_images
from askwell.pool.reading import read_images

DATA = load_dataset("digits")
KEPT = keep_classes(DATA, ["8", "2"])


def test_the_classes_are_in_the_data_sets_order():
    assert KEPT.classes == KEPT.test.classes == KEPT.oracle.classes == ("2", "8")


def test_pool_and_answers_are_those_of_the_whole():
    ids = [item for item in DATA.pool.ids if DATA.oracle.answer([item])[0] in {"2", "8"}]
    assert list(KEPT.pool.ids) == ids
    assert KEPT.oracle.answer(ids) == DATA.oracle.answer(ids)
    assert KEPT.pool.image_shape == DATA.pool.image_shape
    place = {item: position for position, item in enumerate(DATA.pool.ids)}
    few = torch.tensor([5, 0, 17])
    assert torch.equal(
        KEPT.pool.images(few), DATA.pool.images(torch.tensor([place[ids[position]] for position in few.tolist()]))
    )


def test_the_test_images_are_those_of_the_classes():
    names = [DATA.classes[label] for label in DATA.test.labels.tolist()]
    expected = [(DATA.test.images.ids[n], name) for n, name in enumerate(names) if name in {"2", "8"}]
    found = zip(KEPT.test.images.ids, (KEPT.classes[label] for label in KEPT.test.labels.tolist()), strict=True)
    assert list(found) == expected
    assert len(expected) == 120


def test_what_is_not_there_is_named():
    with pytest.raises(UnknownNameError, match="no class called 'two'"):
        keep_classes(DATA, ["two", "8"])
    with pytest.raises(UsageError, match="at least 2 distinct class names"):
        keep_classes(DATA, ["8"])
    with pytest.raises(UsageError, match="expected positions from 0"):
        part_of(DATA.pool, torch.tensor([len(DATA.pool)]))
    with pytest.raises(UsageError, match="twice"):
        part_of(DATA.pool, torch.tensor([3, 3]))
    with pytest.raises(UsageError, match="expected positions from 0"):
        KEPT.pool.images(torch.tensor([len(KEPT.pool)]))


def test_an_experiment_can_name_them(tmp_path):
    settings = check_settings(ExperimentSettings, {"dataset": "digits", "keep_classes": ["2", "8"]}, "the test")
    data = dataset_of(settings, tmp_path)
    assert data is not None
    assert list(data.pool.ids) == list(KEPT.pool.ids)
    with pytest.raises(SettingsError, match="keep_classes is for named data sets"):
        check_settings(ExperimentSettings, {"images": {"folder": "x"}, "keep_classes": ["2", "8"]}, "the test")
    with pytest.raises(SettingsError, match="keep_classes"):
        check_settings(ExperimentSettings, {"keep_classes": ["2"]}, "the test")


def test_what_cannot_be_read_is_named_by_its_place_in_the_part(tmp_path):
    names = [f"{number}.png" for number in range(4)]
    write_images(tmp_path, names)
    (tmp_path / "2.png").write_bytes(b"no picture")
    whole = FolderPool(tmp_path, list_images(tmp_path).items, ImageForm(4, 1), workers=1)
    part = part_of(whole, torch.tensor([3, 2, 0]))
    with pytest.raises(UnreadableImagesError, match=r"found '2\.png'") as error:
        part.images(torch.tensor([0, 1]))
    assert set(error.value.reasons) == {1}
    assert read_images(part, torch.tensor([2, 1, 0]), lambda _: None).entries.tolist() == [0, 2]

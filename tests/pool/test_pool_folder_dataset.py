"""A planned folder as a data set: its pixels, its labels, its groups, and contents that were seen before."""

import numpy as np
import pytest
import torch
from folder_trees import write_images
from PIL import Image

from askwell.errors import UnreadableImagesError
from askwell.pool.folder_dataset import folder_dataset
from askwell.pool.folder_plan import plan_folder
from askwell.pool.folder_settings import FolderSettings

NAMES = [f"{label}/{number}.png" for label in "ab" for number in range(5)]


@pytest.fixture
def folder(tmp_path):
    return write_images(tmp_path / "photos", NAMES)


def loaded(settings, hashes=None):
    return folder_dataset(settings, plan_folder(settings), hashes=hashes)


@pytest.mark.parametrize("own_test_folder", [False, True])
def test_pixels_and_labels_are_those_of_the_files(folder, tmp_path, own_test_folder):
    test_folder = write_images(tmp_path / "test", ["a/0.png", "b/0.png"], side=4) if own_test_folder else folder
    settings = FolderSettings(folder=str(folder), test_folder=str(test_folder) if own_test_folder else None)
    data = loaded(settings)
    assert (data.name, data.classes) == ("folder", ("a", "b"))
    assert data.source.startswith(
        f"{len(data.pool)} images of {folder} to ask about, and 2 of {test_folder} to measure on"
    )
    for root, pool, labels in (
        (folder, data.pool, data.oracle.labels),
        (test_folder, data.test.images, data.test.labels),
    ):
        names = [item_id.removeprefix("test:") for item_id in pool.ids]
        pixels = np.stack([np.asarray(Image.open(root / name)) for name in names])
        assert torch.equal(pool.images(torch.arange(len(pool)))[:, 0], torch.from_numpy(pixels))
        assert [data.classes[label] for label in labels.tolist()] == [name[0] for name in names]
    assert data.oracle.answer(["b/1.png", "a/1.png"]) == ["b", "a"]
    assert data.groups is None
    assert data.test.groups is None


def test_groups_are_given_for_every_item_once_two_belong_together(folder):
    data = loaded(FolderSettings(folder=str(folder), group_by=r"/([0-3])", test_share=0.4))
    assert data.groups is not None
    assert data.test.groups is not None
    found = dict(zip([*data.pool.ids, *data.test.images.ids], [*data.groups, *data.test.groups], strict=True))
    assert found == {name: name if "4" in name else f"a/{name[2]}.png" for name in NAMES}
    assert {name for name in data.groups if "4" not in name}.isdisjoint(data.test.groups)


def test_a_content_that_has_changed_is_recognised_by_its_hash(folder):
    settings = FolderSettings(folder=str(folder))
    data = loaded(settings)
    data.pool.images(torch.arange(len(data.pool)))
    hashes = {data.pool.ids[position]: content for position, content in data.pool.new_hashes().items()}
    assert set(hashes) == set(data.pool.ids)
    Image.new("L", (4, 4), 99).save(folder / data.pool.ids[2])
    again = loaded(settings, hashes)
    with pytest.raises(UnreadableImagesError) as caught:
        again.pool.images(torch.arange(len(again.pool)))
    assert set(caught.value.reasons) == {2}
    assert "changed" in caught.value.reasons[2]
    loaded(settings).pool.images(torch.arange(len(data.pool)))

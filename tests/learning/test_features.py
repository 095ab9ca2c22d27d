"""The feature cache: once, whole or not at all, the same numbers as the trunk's; and mirror images as another order of views."""

import json
import os

import numpy as np
import pytest
import torch

from askwell.errors import CampaignStateError, UnreadableImagesError
from askwell.learning import features
from askwell.learning.augmentation import FLIPS, flipped, flipped_views
from askwell.learning.features import feature_file, is_written, read_features, write_features, write_part
from askwell.learning.randomness import seeded
from askwell.learning.recipe import Recipe
from askwell.models.backbone import trunk_network
from askwell.pool.arrays import ArrayPool
from askwell.pool.ids import ListedIds
from askwell.pool.images import as_float

IMAGES = torch.randint(0, 256, (70, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
POOL = ArrayPool(IMAGES, ListedIds(tuple(f"item-{number}" for number in range(len(IMAGES)))))
BACKBONE = {"name": "squeezenet1_1", "weights": "none", "side": 32, "fit": "frozen"}
PLAIN = Recipe.model_validate({"backbone": BACKBONE, "device": "cpu"})
FLIPPED = Recipe.model_validate({"backbone": BACKBONE, "device": "cpu", "augmentation": "positive_flips"})


class PartlyUnreadable:
    """A pool in which some images cannot be read."""

    def __init__(self, bad):
        self.ids, self.image_shape, self.bad = POOL.ids, POOL.image_shape, set(bad)

    def __len__(self):
        return len(POOL)

    def images(self, positions):
        reasons = {position: "broken" for position in positions.tolist() if position in self.bad}
        if reasons:
            raise UnreadableImagesError(reasons, self.ids[next(iter(reasons))])
        return POOL.images(positions)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    file = feature_file(tmp_path_factory.mktemp("features"), FLIPPED, POOL)
    heard = []
    write_features(file, FLIPPED, POOL, lambda *told: heard.append(told))
    return file, heard


def test_the_features_are_the_trunks_of_all_mirror_images(written):
    file, _ = written
    with seeded(0, torch.device("cpu")):
        trunk = trunk_network(FLIPPED.backbone, POOL.image_shape)
    found = read_features(file, POOL).images(torch.tensor([69, 3]))
    assert found.shape == (2, 1024, FLIPS, 1)
    for view in range(FLIPS):
        wanted = trunk(flipped(as_float(IMAGES[[69, 3]]), torch.tensor([view, view])))
        torch.testing.assert_close(found[:, :, view, 0], wanted, rtol=1e-4, atol=1e-5)


def test_flipping_an_image_is_another_order_of_its_views(written):
    file, _ = written
    whole = read_features(file, POOL).images(torch.arange(4))
    mirrored = ArrayPool(flipped(IMAGES[:4], torch.arange(4)), ListedIds(("a", "b", "c", "d")))
    other = feature_file(file.directory, FLIPPED, mirrored)
    write_features(other, FLIPPED, mirrored)
    wanted = read_features(other, mirrored).images(torch.arange(4))
    torch.testing.assert_close(flipped_views(whole, torch.arange(4)), wanted, rtol=1e-4, atol=1e-5)


def test_progress_and_rate_are_told(written):
    _, heard = written
    assert [(done, total) for done, total, _ in heard] == [(32, 70), (64, 70), (70, 70)]
    assert all(rate > 0 for _, _, rate in heard)


def test_standardised_features_have_mean_0_and_deviation_1_over_the_pool(written):
    file, _ = written
    found = read_features(file, POOL, standardised_like=file).images(torch.arange(len(POOL))).double()
    varies = found.std(dim=(0, 2, 3)) > 0.5
    assert float(found.mean(dim=(0, 2, 3)).abs().max()) < 1e-5
    torch.testing.assert_close(
        found.std(dim=(0, 2, 3), correction=0)[varies], torch.ones(int(varies.sum())).double(), rtol=0, atol=1e-4
    )
    assert int(varies.sum()) > 500


def test_the_key_is_what_decides_the_numbers(tmp_path):
    def key(pool=POOL, **changes):
        return feature_file(
            tmp_path, Recipe.model_validate({**PLAIN.model_dump(exclude={"model"}), **changes}), pool
        ).key

    own = key()
    assert own == key(steps=7, learning_rate=0.5)  # how the head is trained does not matter
    others = [
        key(backbone={**BACKBONE, "side": 48}),
        key(backbone={**BACKBONE, "pooling": "mean"}),
        key(backbone={**BACKBONE, "views": "mean"}),
        key(augmentation="flips"),
        key(precision="bf16"),
        key(pool=ArrayPool(IMAGES[:9], ListedIds(tuple("abcdefghi")))),
    ]
    assert len({own, *others}) == 7 - 1  # flips and views = "mean" both need four views
    assert key(backbone={**BACKBONE, "standardise": False, "hidden": (8,)}) == own


def test_images_that_cannot_be_read_are_noted_and_do_not_count(tmp_path):
    pool = PartlyUnreadable([2, *range(32, 64)])  # a whole batch among them
    file = feature_file(tmp_path, PLAIN, pool)
    write_features(file, PLAIN, pool)
    found = read_features(file, pool, standardised_like=file)
    with pytest.raises(UnreadableImagesError, match=r"item-2' .broken. and 1 more"):
        found.images(torch.tensor([1, 2, 40]))
    assert bool(found.images(torch.tensor([0, 1, 69])).isfinite().all())
    assert json.loads(file.note.read_text())["unreadable"].keys() == {"2", *map(str, range(32, 64))}


def test_a_pass_that_is_stopped_leaves_nothing_that_is_taken_for_whole(tmp_path):
    file = feature_file(tmp_path, PLAIN, POOL)

    def stop(done, total, rate):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_features(file, PLAIN, POOL, stop)
    assert not is_written(file)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="this system cannot take room on a disk beforehand")
def test_the_whole_room_on_the_disk_is_taken_before_anything_is_computed(tmp_path):
    """A full disk is an error then; found out by writing to a memory map, it would end the process."""
    taken = []

    def first(done, total, rate):
        taken.extend((path.stat().st_size, 512 * path.stat().st_blocks) for path in tmp_path.iterdir())
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_features(feature_file(tmp_path, FLIPPED, POOL), FLIPPED, POOL, first)
    size, room = max(taken)
    assert room >= size > len(POOL) * FLIPS * 1024 * 4


def test_a_file_that_was_changed_is_refused(tmp_path):
    file = feature_file(tmp_path, PLAIN, POOL)
    write_features(file, PLAIN, POOL)
    assert isinstance(np.load(file.array, mmap_mode="r"), np.memmap)
    content = bytearray(file.array.read_bytes())
    content[-1] ^= 1
    file.array.write_bytes(content)
    with pytest.raises(CampaignStateError, match="as they were written, found other content; remove the file"):
        read_features(file, POOL)


def test_the_first_pass_is_described(written):
    file, _ = written
    assert features.rate_text(file.note).startswith("the features of 70 images (4 mirror images each) took ")


def test_a_part_of_a_pool_takes_its_features_from_the_whole(written, tmp_path):
    file, _ = written
    positions = torch.tensor([5, 69, 3])
    part = ArrayPool(IMAGES[positions], ListedIds(tuple(POOL.ids[place] for place in positions.tolist())))
    own = feature_file(tmp_path, FLIPPED, part)
    write_part(file, positions, own)
    assert is_written(own)
    assert features.same_images(own, part)
    places = torch.arange(3)
    assert torch.equal(read_features(own, part).images(places), read_features(file, POOL).images(positions))
    standardised = read_features(own, part, own).images(places).double()
    torch.testing.assert_close(
        standardised.mean(dim=(0, 2, 3)), torch.zeros(1024, dtype=torch.float64), atol=1e-4, rtol=0
    )


def test_a_part_knows_which_of_its_images_could_not_be_read(tmp_path):
    pool = PartlyUnreadable({4, 7})
    whole = feature_file(tmp_path / "whole", PLAIN, pool)
    write_features(whole, PLAIN, pool)
    part = ArrayPool(IMAGES[[7, 8]], ListedIds((POOL.ids[7], POOL.ids[8])))
    own = feature_file(tmp_path / "part", PLAIN, part)
    write_part(whole, torch.tensor([7, 8]), own)
    with pytest.raises(UnreadableImagesError, match="broken"):
        read_features(own, part).images(torch.tensor([0]))
    assert read_features(own, part).images(torch.tensor([1])).isfinite().all()

"""Augmentation: each image in its own way, reproducibly, staying the image it was."""

import torch

from askwell.learning.augmentation import AUGMENTATIONS, affine_elastic


def blob(count: int) -> torch.Tensor:
    """A bright disc in the middle of dark images."""
    axis = torch.linspace(-1, 1, 28)
    disc = (axis[:, None].square() + axis[None, :].square() < 0.25).float()
    return disc.expand(count, 1, 28, 28).contiguous()


def test_none_changes_nothing():
    images = torch.rand(3, 2, 5, 7)
    assert torch.equal(AUGMENTATIONS["none"](images, generator=torch.Generator()), images)


def test_images_differ_from_one_another_and_the_seed_decides():
    images = blob(8)
    first = affine_elastic(images, generator=torch.Generator().manual_seed(0))
    assert torch.equal(first, affine_elastic(images, generator=torch.Generator().manual_seed(0)))
    assert not torch.equal(first, affine_elastic(images, generator=torch.Generator().manual_seed(1)))
    assert all(not torch.equal(first[0], other) for other in first[1:])


def test_shape_range_and_content_stay():
    images = blob(200).repeat(1, 3, 1, 1)
    bent = affine_elastic(images, generator=torch.Generator().manual_seed(0))
    assert bent.shape == images.shape
    assert float(bent.min()) >= 0
    assert float(bent.max()) <= 1 + 1e-5
    assert torch.equal(bent[:, 0], bent[:, 1]), "channels move together"
    brightness = bent.mean(dim=(1, 2, 3)) / images.mean(dim=(1, 2, 3))
    assert 0.9 < float(brightness.mean()) < 1.15
    assert float(brightness.min()) > 0.4, "no image loses its object"


def test_it_works_on_any_size():
    for height, width in ((8, 8), (5, 17), (32, 24)):
        assert affine_elastic(torch.rand(2, 1, height, width), generator=torch.Generator()).shape == (
            2,
            1,
            height,
            width,
        )

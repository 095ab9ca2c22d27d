"""Pools of map-style data sets: read lazily, one shape and type throughout, and a sentence for what does not fit."""

import numpy as np
import PIL.Image
import pytest
import torch
from torch.utils.data import DataLoader, Dataset, IterableDataset, Subset, TensorDataset

from askwell.errors import ShapeError, UsageError
from askwell.pool.images import Pool, as_pool


class Listed(Dataset):
    """The items of a list, counting what was read."""

    def __init__(self, items):
        self.items, self.read = items, []

    def __len__(self):
        return len(self.items)

    def __getitem__(self, index):
        self.read.append(index)
        return self.items[index]


def picture(mode, size=(5, 4)):
    pixels = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    return PIL.Image.fromarray(pixels).convert(mode)


def test_images_are_read_when_asked_for_and_in_that_order():
    data = Listed([(torch.full((1, 2, 3), index, dtype=torch.uint8), 0) for index in range(10)])
    pool = as_pool(data)
    assert isinstance(pool, Pool)
    assert data.read == [0]
    images = pool.images(torch.tensor([7, 2, 7]))
    assert data.read == [0, 7, 2, 7]
    assert images[:, 0, 0, 0].tolist() == [7, 2, 7]
    assert images.dtype == torch.uint8
    assert pool.image_shape == (1, 2, 3)
    assert pool.ids[9] == "item-09"


def test_no_positions_give_no_images_of_the_right_shape():
    images = as_pool(Listed([torch.zeros(3, 4, 5)])).images(torch.empty(0, dtype=torch.int64))
    assert images.shape == (0, 3, 4, 5)
    assert images.dtype == torch.float32


@pytest.mark.parametrize(
    ("item", "shape", "dtype"),
    [
        (picture("L"), (1, 4, 5), torch.uint8),
        (picture("1"), (1, 4, 5), torch.uint8),
        (picture("RGB"), (3, 4, 5), torch.uint8),
        (picture("RGBA"), (3, 4, 5), torch.uint8),
        (picture("P"), (3, 4, 5), torch.uint8),
        (torch.ones(4, 5, dtype=torch.uint8), (1, 4, 5), torch.uint8),
        (torch.ones(2, 4, 5, dtype=torch.float64), (2, 4, 5), torch.float32),
        (torch.ones(3, 4, 5, dtype=torch.bfloat16), (3, 4, 5), torch.float32),
        (np.ones((3, 4, 5), np.uint8), (3, 4, 5), torch.uint8),
        (np.ones((4, 5), np.float64), (1, 4, 5), torch.float32),
    ],
)
@pytest.mark.parametrize("wrap", [lambda image: image, lambda image: (image, 3), lambda image: [image, "label", 7]])
def test_every_kind_of_image_becomes_channels_height_width(item, shape, dtype, wrap):
    pool = as_pool(Listed([wrap(item)]))
    images = pool.images(torch.tensor([0]))
    assert pool.image_shape == shape
    assert images.shape == (1, *shape)
    assert images.dtype == dtype


def test_pixels_of_pil_images_are_kept():
    image = picture("RGB")
    read = as_pool(Listed([image])).images(torch.tensor([0]))[0]
    np.testing.assert_array_equal(read.permute(1, 2, 0).numpy(), np.asarray(image))


def test_a_grey_image_among_colour_images_becomes_colour():
    grey = picture("L")
    images = as_pool(Listed([picture("RGB"), grey])).images(torch.tensor([0, 1]))
    for channel in range(3):
        np.testing.assert_array_equal(images[1, channel].numpy(), np.asarray(grey))


def test_torchs_own_data_sets_lists_and_subsets_are_pools():
    tensors = TensorDataset(torch.rand(6, 1, 4, 4), torch.arange(6))
    assert torch.equal(as_pool(tensors).images(torch.tensor([5])), tensors.tensors[0][5:])
    assert torch.equal(as_pool(Subset(tensors, [4, 2])).images(torch.tensor([1])), tensors.tensors[0][2:3])
    assert as_pool([picture("L"), picture("L")], ids=["left", "right"]).ids[1] == "right"


@pytest.mark.parametrize(
    ("items", "error", "sentence"),
    [
        ([], UsageError, "at least one image, found an empty one"),
        (["photo.jpg"], UsageError, r"an image .* from the data set, found str in 'item-0'"),
        ([{"image": picture("L")}], UsageError, "found dict in 'item-0'"),
        ([torch.zeros(8, 8, 3)], ShapeError, r"\[channels, H, W\] or \[H, W\], found \[8, 8, 3\] in 'item-0'"),
        ([torch.zeros(64)], ShapeError, r"found \[64\] in 'item-0'"),
        ([torch.zeros(1, 4, 4, dtype=torch.int64)], ShapeError, "found torch.int64 in 'item-0'"),
        ([picture("F")], ShapeError, "8-bit grey or colour image, found PIL mode 'F' in 'item-0'"),
        ([torch.full((1, 2, 2), torch.nan)], UsageError, "NaN or infinite values in 'item-0'"),
    ],
)
def test_a_first_item_that_is_no_image_is_refused_at_once(items, error, sentence):
    with pytest.raises(error, match=sentence):
        as_pool(Listed(items))


@pytest.mark.parametrize(
    ("first", "second", "error", "sentence"),
    [
        (
            picture("L"),
            picture("L", (6, 4)),
            ShapeError,
            r"torch.uint8 \[1, 4, 5\] like the first, found torch.uint8 \[1, 4, 6\]",
        ),
        (picture("L"), picture("RGB"), ShapeError, r"found torch.uint8 \[3, 4, 5\] in 'item-1'"),
        (torch.zeros(1, 4, 5), picture("L"), ShapeError, "torch.float32 .* like the first, found torch.uint8"),
        (torch.zeros(1, 2, 2), torch.full((1, 2, 2), torch.inf), UsageError, "NaN or infinite values in 'item-1'"),
    ],
)
def test_a_later_item_that_does_not_fit_is_named(first, second, error, sentence):
    pool = as_pool(Listed([first, second]))
    with pytest.raises(error, match=sentence):
        pool.images(torch.tensor([0, 1]))


def test_streams_and_loaders_are_no_map_style_data_sets():
    class Stream(IterableDataset):
        def __iter__(self):
            return iter([])

    for source, name in ((Stream(), "Stream"), (DataLoader(TensorDataset(torch.rand(4, 1, 2, 2))), "DataLoader")):
        with pytest.raises(UsageError, match=f"map-style torch data set, found a {name}"):
            as_pool(source)


def test_a_position_outside_the_data_set_is_refused():
    with pytest.raises(UsageError, match="positions from 0 to 0, found -1 to -1"):
        as_pool(Listed([torch.zeros(1, 2, 2)])).images(torch.tensor([-1]))


def test_ids_for_other_items_are_refused():
    with pytest.raises(UsageError, match="one id for each of 1 items, found 2 ids"):
        as_pool(Listed([torch.zeros(1, 2, 2)]), ids=["a", "b"])

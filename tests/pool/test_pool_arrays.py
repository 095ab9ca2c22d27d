"""Pools of arrays: kept as they are, read by position, refused when they are no images."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from askwell.errors import ShapeError, UsageError
from askwell.pool import arrays
from askwell.pool.arrays import ArrayPool
from askwell.pool.ids import as_ids
from askwell.pool.images import Pool, as_float, as_pool


def grey(count=5, dtype=np.uint8):
    return (np.arange(count * 6 * 7) % 251).astype(dtype).reshape(count, 6, 7)


@given(
    positions=st.lists(st.integers(0, 4), max_size=8),
    channels=st.sampled_from([None, 1, 2, 3, 13]),
    dtype=st.sampled_from(["uint8", "float16", "float32", "float64", ">f4"]),
    as_tensor=st.booleans(),
)
def test_images_come_by_position(positions, channels, dtype, as_tensor):
    shape = (5, 6, 7) if channels is None else (5, channels, 6, 7)
    array = (np.arange(np.prod(shape)) % 251).astype(dtype).reshape(shape)
    pool = as_pool(torch.from_numpy(array) if as_tensor and dtype != ">f4" else array)
    images = pool.images(torch.tensor(positions, dtype=torch.int64))
    assert isinstance(pool, Pool)
    assert len(pool) == 5
    assert pool.image_shape == (channels or 1, 6, 7)
    assert images.shape == (len(positions), *pool.image_shape)
    assert images.dtype == (torch.uint8 if dtype == "uint8" else torch.float32)
    expected = array.astype(np.float64)[positions].reshape(images.shape)
    np.testing.assert_array_equal(images.double().numpy(), expected)


def test_the_array_is_kept_and_never_handed_out():
    for array in (grey(), torch.from_numpy(grey()), grey(dtype=np.float32)):
        pool = as_pool(array)
        assert isinstance(pool, ArrayPool)
        if isinstance(array, torch.Tensor):
            assert isinstance(pool.array, torch.Tensor)
            assert pool.array.data_ptr() == array.data_ptr()
        else:
            assert pool.array is array
        pool.images(torch.arange(5)).fill_(9)
        assert float(array[0, 0, 0]) == 0


def test_a_tensor_that_requires_gradients_gives_images_that_do_not():
    assert not as_pool(torch.rand(2, 1, 4, 4, requires_grad=True)).images(torch.tensor([1])).requires_grad


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_a_read_only_memory_map_stays_one(tmp_path, dtype):
    np.save(tmp_path / "images.npy", grey(dtype=dtype))
    mapped = np.load(tmp_path / "images.npy", mmap_mode="r")
    pool = as_pool(mapped)
    assert isinstance(pool, ArrayPool)
    assert pool.array is mapped
    np.testing.assert_array_equal(pool.images(torch.tensor([3, 0]))[:, 0].numpy(), grey(dtype=dtype)[[3, 0]])


def test_a_strided_array_is_read_right():
    turned = grey()[::-1].transpose(0, 2, 1)
    np.testing.assert_array_equal(as_pool(turned).images(torch.tensor([0]))[0, 0].numpy(), grey()[4].T)


def test_a_pool_passes_through_and_keeps_its_ids():
    pool = as_pool(grey(), ids=list("abcde"))
    assert as_pool(pool) is pool
    assert list(pool.ids) == list("abcde")
    with pytest.raises(UsageError, match="its own"):
        as_pool(pool, ids=list("vwxyz"))


def test_anything_with_the_protocol_is_a_pool():
    class Noise:
        ids = ("a", "b")
        image_shape = (1, 2, 2)

        def __len__(self):
            return 2

        def images(self, positions):
            return torch.zeros(len(positions), 1, 2, 2)

    noise = Noise()
    assert as_pool(noise) is noise


@pytest.mark.parametrize("position", [-1, 5])
def test_a_position_outside_the_pool_is_refused(position):
    with pytest.raises(UsageError, match=f"positions from 0 to 4, found {position} to {position}"):
        as_pool(grey()).images(torch.tensor([position]))


@pytest.mark.parametrize(
    ("array", "sentence"),
    [
        (np.zeros((4, 28, 28, 3), np.uint8), r"found \[4, 28, 28, 3\]; apply .transpose\(0, 3, 1, 2\) first"),
        (torch.zeros(4, 28, 28, 1), r"found \[4, 28, 28, 1\]; apply .permute\(0, 3, 1, 2\) first"),
        (torch.zeros(28, 28), r"\[N, channels, H, W\] or grey \[N, H, W\], at least one, found \[28, 28\]"),
        (torch.zeros(1, 1, 1, 28, 28), r"found \[1, 1, 1, 28, 28\]"),
        (torch.zeros(0, 1, 28, 28), r"at least one, found \[0, 1, 28, 28\]"),
        (torch.zeros(()), r"found \[\]"),
        (torch.zeros(2, 1, 5, 5, dtype=torch.int64), r"uint8 \(0\.\.255\) or floating, found torch.int64"),
        (np.zeros((2, 5, 5), np.int32), r"uint8 \(0\.\.255\) or floating, found int32"),
        (np.zeros((2, 5, 5), bool), "found bool"),
        (np.zeros((2, 5, 5), object), "found object"),
        (np.zeros((2, 5, 5), complex), "found complex128"),
    ],
)
def test_arrays_that_are_no_images_are_refused(array, sentence):
    with pytest.raises(ShapeError, match=sentence):
        as_pool(array)


def test_small_multichannel_images_are_not_taken_for_channels_last():
    assert as_pool(torch.zeros(2, 16, 4, 4)).image_shape == (16, 4, 4)
    assert as_pool(torch.zeros(2, 3, 32, 3)).image_shape == (3, 32, 3)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("as_array", [torch.Tensor.numpy, torch.Tensor.clone])
def test_an_image_that_is_not_finite_is_named(monkeypatch, bad, as_array):
    monkeypatch.setattr(
        arrays, "VALUES_CHECKED_AT_ONCE", 3 * 16
    )  # three images at a time: the bad one is in the third block
    images = torch.rand(9, 1, 4, 4)
    images[7, 0, 3, 3] = bad
    with pytest.raises(UsageError, match=r"finite images, found NaN or infinite values in 'item-7'"):
        as_pool(as_array(images))


def test_a_value_that_overflows_float32_is_not_finite():
    for array in (np.full((1, 4, 4), 1e300), torch.full((1, 4, 4), 1e300, dtype=torch.float64)):
        with pytest.raises(UsageError, match="finite"):
            as_pool(array)


def test_an_array_pool_made_by_hand_is_checked_too():
    with pytest.raises(UsageError, match="found 4 ids"):
        ArrayPool(grey(), as_ids(None, 4))


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("photos/", "the text 'photos/'"),
        ({"images": grey()}, "a dict"),
        ((grey(), [0, 1, 2, 3, 4]), "a tuple of ndarray, list"),
        (None, "a NoneType"),
        (7, "a int"),
        (iter([]), "a list_iterator"),
    ],
)
def test_a_source_without_images_is_refused(source, found):
    with pytest.raises(UsageError, match="expected a pool, an array or tensor") as caught:
        as_pool(source)
    assert str(caught.value).endswith(f"found {found}.")


def test_as_float_is_the_papers_division():
    images = torch.arange(256, dtype=torch.uint8).reshape(1, 1, 16, 16)
    assert as_float(images).dtype == torch.float32
    assert as_float(images).flatten().tolist() == [np.float32(value) / np.float32(255) for value in range(256)]
    assert images.dtype == torch.uint8


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_as_float_leaves_floating_images_as_they_are(dtype):
    images = torch.tensor([-3.0, 0.5, 255.0, 1000.0], dtype=dtype).reshape(1, 1, 2, 2)
    assert as_float(images).dtype == torch.float32
    assert as_float(images).flatten().tolist() == [-3.0, 0.5, 255.0, 1000.0]


def test_as_float_refuses_integers():
    with pytest.raises(ShapeError, match="uint8 or floating, found torch"):
        as_float(torch.zeros(1, 1, 2, 2, dtype=torch.int64))

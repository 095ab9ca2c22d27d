"""Which pictures a report asks for, and how they come into the page."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from askwell.errors import ShapeError
from askwell.report.curves import QueryRow
from askwell.report.pictures import Picture, data_addresses, picture_requests, requested_ids


def asked(strategy: str, seed: int, round_number: int, count: int) -> list[QueryRow]:
    rows = [
        QueryRow(strategy, seed, round_number, rank, f"{strategy} {seed} {round_number} {rank}", "x")
        for rank in range(count)
    ]
    return rows[::-1]  # the order of the rows does not matter


def opened(address: str) -> Image.Image:
    kind, content = address.split(",")
    assert kind == "data:image/png;base64"
    return Image.open(io.BytesIO(base64.b64decode(content)))


def shown(pixels: np.ndarray) -> np.ndarray:
    return np.asarray(opened(data_addresses({"a": Picture(pixels)})["a"]))


def test_first_and_last_of_the_lowest_seed() -> None:
    rows = [*asked("bald", 7, 1, 3), *(row for number in range(4) for row in asked("bald", 2, number, 12))]
    rows += asked("random", 0, 0, 5) + asked("random", 0, 1, 2)
    found = picture_requests(rows)
    first, last = found["bald"]
    assert [row.id for row in first] == [f"bald 2 1 {rank}" for rank in range(10)]
    assert [row.id for row in last] == [f"bald 2 3 {rank}" for rank in range(10)]
    assert [[row.rank for row in each] for each in found["random"]] == [[0, 1], []]  # one round is not shown twice
    assert requested_ids(rows) == [row.id for pair in found.values() for each in pair for row in each]
    assert picture_requests(asked("bald", 0, 0, 5)) == {}  # the initial set was not chosen


def test_an_image_asked_by_two_strategies_is_fetched_once() -> None:
    rows = [QueryRow(name, 0, 1, 0, "the same", "x") for name in ("bald", "random")]
    assert requested_ids(rows) == ["the same"]


def test_small_pictures_are_enlarged_by_a_whole_factor_without_smoothing() -> None:
    pixels = np.arange(28 * 20, dtype=np.uint16).reshape(28, 20).astype(np.uint8)
    assert (shown(pixels) == pixels.repeat(3, axis=0).repeat(3, axis=1)).all()
    colours = np.random.default_rng(0).integers(0, 256, size=(8, 8, 3), dtype=np.uint8)
    assert (shown(colours) == colours.repeat(12, axis=0).repeat(12, axis=1)).all()


@pytest.mark.parametrize(
    ("shape", "size"),
    [
        ((600, 400), (64, 96)),
        ((600, 400, 3), (64, 96)),
        ((97, 97), (96, 96)),
        ((5000, 1), (1, 96)),
        ((96, 10), (10, 96)),
    ],
)
def test_large_pictures_are_made_to_fit(shape: tuple[int, ...], size: tuple[int, int]) -> None:
    pixels = np.full(shape, 77, dtype=np.uint8)
    pixels[..., 0] = 90
    image = opened(data_addresses({"a": Picture(pixels)})["a"])
    assert image.size == size
    assert image.mode == ("RGB" if len(shape) == 3 else "L")


def test_many_pictures_stay_light() -> None:
    """Sixty pictures of noise, which no format makes small: fewer pixels and colours."""
    noise = np.random.default_rng(0).integers(0, 256, size=(60, 120, 120, 3), dtype=np.uint8)
    addresses = data_addresses({f"{i}": Picture(pixels) for i, pixels in enumerate(noise)})
    assert sum(map(len, addresses.values())) < 600_000
    assert min(opened(address).width for address in addresses.values()) >= 48
    few = data_addresses({f"{i}": Picture(pixels) for i, pixels in enumerate(noise[:5])})
    assert opened(few["0"]).size == (96, 96)
    assert opened(few["0"]).mode == "RGB"
    assert data_addresses({}) == {}


def test_pixels_of_the_caller_stay() -> None:
    pixels = np.zeros((200, 200), dtype=np.uint8)
    pixels.flags.writeable = False
    data_addresses({"a": Picture(pixels)})
    assert pixels.shape == (200, 200)


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((8, 8), dtype=np.float32),
        np.zeros((8, 8, 1), dtype=np.uint8),
        np.zeros((3, 8, 8), dtype=np.uint8),
        np.zeros((0, 8), dtype=np.uint8),
        np.zeros(8, dtype=np.uint8),
    ],
)
def test_what_is_no_picture_is_refused(pixels: np.ndarray) -> None:
    with pytest.raises(ShapeError, match=r"expected a picture of 'a' as uint8 \[H, W\] or \[H, W, 3\], found"):
        data_addresses({"a": Picture(pixels)})

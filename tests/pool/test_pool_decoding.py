"""Images in one form: resizing against torchvision's, and the choice of a form."""

import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import sklearn.datasets
import torch
from image_files import STORED, noise, slopes, stored, stored_pixels
from PIL import Image
from torchvision.transforms.v2 import functional

from askwell.pool.decoding import ImageForm, choose_form, decode, displayed
from askwell.pool.listing import ListedImage, list_images

KINDS = (*STORED, "HEIC", "DICOM")
PHOTOGRAPH = Path(sklearn.datasets.__file__).parent / "images" / "china.jpg"


def resized(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    """torchvision's antialiased bilinear resize of [H, W, channels] in float64, as [channels, height, width]."""
    image = torch.from_numpy(pixels.astype(np.float64)).permute(2, 0, 1)
    return functional.resize(image, [height, width], antialias=True).numpy()


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("fit", ["squash", "crop", "pad"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_format_comes_in_every_form(kind: str, fit: str, channels: int):
    pixels = decode(stored_pixels(slopes(30, 40), kind), ImageForm(16, channels, fit))
    assert pixels.shape == ImageForm(16, channels, fit).shape == (channels, 16, 16)
    assert pixels.dtype == np.uint8


@pytest.mark.parametrize("size", [16, 20, 33, 64])
def test_squash_is_torchvisions_resize(size: int):
    pixels = noise(40, 52, 3)
    expected = resized(pixels, size, size)
    assert np.abs(decode(stored_pixels(pixels), ImageForm(size, 3)) - expected).max() <= 1


def test_crop_is_the_centre_square_and_pad_keeps_all_on_black():
    pixels = noise(40, 60, 3)
    crop = decode(stored_pixels(pixels), ImageForm(20, 3, "crop"))
    assert np.abs(crop - resized(pixels, 20, 30)[..., 5:25]).max() <= 1
    pad = decode(stored_pixels(pixels), ImageForm(30, 3, "pad")).astype(int)
    assert np.abs(pad[:, 5:25] - resized(pixels, 20, 30)).max() <= 1
    assert (pad[:, :5] == 0).all()
    assert (pad[:, 25:] == 0).all()
    upright = decode(stored_pixels(pixels.swapaxes(0, 1)), ImageForm(30, 3, "pad"))
    assert np.abs(upright.swapaxes(1, 2) - pad).max() <= 1


@pytest.mark.parametrize("fit", ["squash", "crop", "pad"])
def test_images_of_the_final_size_are_not_touched(fit: str):
    pixels = noise(12, 12, 3)
    assert (decode(stored_pixels(pixels), ImageForm(12, 3, fit)) == pixels.transpose(2, 0, 1)).all()
    assert (decode(stored_pixels(pixels[..., 0]), ImageForm(12, 1, fit))[0] == pixels[..., 0]).all()
    assert (decode(stored_pixels(pixels[..., 0]), ImageForm(12, 3, fit)) == pixels[..., 0]).all()


@pytest.mark.parametrize("fit", ["squash", "crop", "pad"])
@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 300), (300, 1), (2, 3)])
def test_tiny_and_narrow_images_work(height: int, width: int, fit: str):
    pixels = decode(stored_pixels(np.full((height, width, 3), 200, np.uint8)), ImageForm(8, 3, fit))
    assert set(pixels.ravel().tolist()) <= ({0, 200} if fit == "pad" else {200})
    assert pixels.max() == 200


def test_grey_is_the_luminance_of_what_is_displayed():
    pixels = slopes(16, 16)
    expected = pixels @ np.array([0.299, 0.587, 0.114])
    assert np.abs(decode(stored_pixels(pixels), ImageForm(16, 1))[0] - expected).max() <= 1
    assert np.abs(decode(stored_pixels(pixels, "JPEG"), ImageForm(16, 1))[0] - expected).max() <= 4


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [28, 64, 150])
def test_photographs_decoded_small_look_like_those_decoded_whole(size: int, channels: int):
    content = PHOTOGRAPH.read_bytes()
    whole = np.asarray(displayed(content).convert("L" if channels == 1 else "RGB")).reshape(427, 640, channels)
    difference = np.abs(decode(content, ImageForm(size, channels)) - resized(whole, size, size))
    assert difference.mean() < 2
    assert np.quantile(difference, 0.99) < 10


def test_a_photograph_lying_on_its_side_is_turned_before_it_is_cropped():
    image = Image.open(PHOTOGRAPH)
    exif = Image.Exif()
    exif[0x0112] = 6
    upright = decode(stored(image, "JPEG"), ImageForm(64, 3, "crop")).astype(int)
    turned = decode(stored(image.transpose(Image.Transpose.ROTATE_90), "JPEG", exif=exif), ImageForm(64, 3, "crop"))
    assert np.abs(upright - turned).mean() < 1


def test_warnings_of_readers_do_not_leak_and_filters_stay_as_they_are(quick_switches: None):
    content = stored(Image.new("RGB", (4, 4)), "JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\xff\0")
    before = list(warnings.filters)
    threads = [threading.Thread(target=lambda: [displayed(content) for _ in range(50)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        displayed(content)
    assert caught == []
    assert warnings.filters == before


def test_decoding_loads_no_torch():
    code = "import askwell.pool.decoders, askwell.pool.listing, sys; print([n for n in ('torch', 'scipy') if n in sys.modules])"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert answer.stdout.strip() == "[]"


@pytest.fixture
def quick_switches() -> Iterator[None]:
    """Threads take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def folder(root: Path, *contents: bytes) -> list[ListedImage]:
    """Items of files with those contents."""
    for number, content in enumerate(contents):
        (root / f"{number:03d}.png").write_bytes(content)
    return list(list_images(root).items)


@pytest.mark.parametrize(
    ("shapes", "size", "channels"),
    [
        ([(28, 28)] * 3, 28, 1),
        ([(32, 32, 3)] * 3, 32, 3),
        ([(64, 64)] * 2, 64, 1),
        ([(65, 65)] * 2, 64, 1),
        ([(28, 28), (28, 29)], 64, 1),
        ([(28, 30)] * 2, 64, 1),
        ([(28, 28), (28, 28, 3)], 28, 3),
    ],
)
def test_a_form_is_chosen_from_the_images(tmp_path: Path, shapes: list[tuple[int, ...]], size: int, channels: int):
    items = folder(tmp_path, *(stored_pixels(noise(*shape, seed=number)) for number, shape in enumerate(shapes)))
    assert choose_form(tmp_path, items, size=None, channels="auto", fit="crop") == ImageForm(size, channels, "crop")
    assert choose_form(tmp_path, items, size=40, channels="rgb", fit="pad") == ImageForm(40, 3, "pad")
    assert choose_form(tmp_path, items, size=None, channels="grey", fit="squash") == ImageForm(size, 1, "squash")
    assert choose_form(tmp_path, items, size=9, channels="auto", fit="squash") == ImageForm(9, channels, "squash")


def test_grey_images_stored_as_colours_count_as_grey(tmp_path: Path):
    grey = Image.fromarray(noise(20, 20))
    colours = grey.convert("RGB")
    items = folder(tmp_path, stored(colours), stored(colours, "JPEG"), stored(grey.convert("P")))
    assert choose_form(tmp_path, items, size=None, channels="auto", fit="squash") == ImageForm(20, 1)


def test_at_most_32_images_spread_over_the_items_are_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    items = [ListedImage(f"{number}", f"{number}.png") for number in range(1000)]
    looked_at: list[str] = []
    monkeypatch.setattr(
        "askwell.pool.decoding.read_image_file",
        lambda path: looked_at.append(Path(path).stem) or stored_pixels(noise(5, 5)),
    )
    assert choose_form(tmp_path, items, size=None, channels="auto", fit="squash") == ImageForm(5, 1)
    numbers = [int(name) for name in looked_at]
    assert len(numbers) == 32
    assert (numbers[0], numbers[-1]) == (0, 999)
    assert all(30 <= later - earlier <= 34 for earlier, later in pairwise(numbers))


def test_images_that_cannot_be_read_are_passed_over(tmp_path: Path):
    items = folder(tmp_path, b"text", stored_pixels(noise(20, 20)), b"", stored_pixels(noise(300, 200))[:900])
    items.append(ListedImage("gone", "gone.png"))
    assert choose_form(tmp_path, items, size=None, channels="auto", fit="squash") == ImageForm(20, 1)


def test_forms_that_do_not_exist_are_refused(tmp_path: Path, plain_error: Callable[[str], str]):
    folder(tmp_path, b"text", b"")

    def error(arguments: str) -> str:
        return plain_error(
            "from pathlib import Path\nfrom askwell.pool.decoding import choose_form\n"
            f"from askwell.pool.listing import list_images\nroot = Path({str(tmp_path)!r})\n"
            f"choose_form(root, list_images(root).items, {arguments})"
        )

    assert error("size=8, channels='auto', fit='stretch'") == (
        "UsageError: expected fit in squash, crop, pad and channels in auto, grey, rgb, found 'stretch', 'auto'."
    )
    assert "channels in auto, grey, rgb, found 'pad', 'red'" in error("size=8, channels='red', fit='pad'")
    assert "expected an image size from 1 to 4096 pixels, found 0" in error("size=0, channels='rgb', fit='pad'")
    assert error("size=None, channels='rgb', fit='pad'") == (
        f"UsageError: expected images that can be read in {str(tmp_path)!r}, "
        "found none ('001.png': the file is empty); check the folder."
    )

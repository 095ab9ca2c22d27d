"""Images as a person and a network see them: every mode, orientation and range, against what was stored."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from image_files import LOSSY, STORED, dicom, noise, slopes, stored, stored_pixels
from PIL import Image

from askwell.pool.decoding import displayed
from askwell.pool.display import windowed

ORIENTATIONS = {  # how upright pixels are stored under each value of EXIF's tag
    1: lambda pixels: pixels,
    2: lambda pixels: pixels[:, ::-1],
    3: lambda pixels: pixels[::-1, ::-1],
    4: lambda pixels: pixels[::-1],
    5: lambda pixels: pixels.swapaxes(0, 1),
    6: lambda pixels: np.rot90(pixels, 1),
    7: lambda pixels: pixels[::-1, ::-1].swapaxes(0, 1),
    8: lambda pixels: np.rot90(pixels, -1),
}


def shown(content: bytes, page: int = 0) -> np.ndarray:
    """The pixels displayed, as int16 so that they can be subtracted."""
    image = displayed(content, page)
    assert image.mode in ("L", "RGB")
    return np.asarray(image).astype(np.int16)


def percentile(values: list[Fraction], share: Fraction) -> Fraction:
    """Linear interpolation between the sorted values, exact."""
    place = share * (len(values) - 1)
    low = int(place)
    high = min(low + 1, len(values) - 1)
    return values[low] + (place - low) * (values[high] - values[low])


def windowed_slowly(values: np.ndarray) -> list[Fraction]:
    """The window's equation in exact arithmetic, not rounded, for finite values."""
    exact = sorted(Fraction(value) for value in values.ravel().tolist())
    low, high = percentile(exact, Fraction(1, 200)), percentile(exact, Fraction(199, 200))
    if low == high:
        low, high = exact[0], exact[-1]
    if low == high:
        return [Fraction(0)] * len(exact)
    return [255 * (min(max(Fraction(value), low), high) - low) / (high - low) for value in values.ravel().tolist()]


@pytest.mark.parametrize("kind", [*STORED, "HEIC", "DICOM"])
@pytest.mark.parametrize("shape", [(31, 42), (31, 42, 3), (1, 1, 3)])
def test_grey_and_rgb_come_back_as_they_were_stored(kind: str, shape: tuple[int, ...]):
    pixels = slopes(*shape[:2]) if len(shape) == 3 else slopes(*shape)[..., 0]
    if kind == "WebP" and pixels.ndim == 2:
        pixels = np.stack([pixels] * 3, axis=-1)  # it knows no grey
    difference = shown(stored_pixels(pixels, kind)) - pixels
    assert np.abs(difference).max() <= (6 if kind in LOSSY else 0)


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WebP", "TIFF", "HEIC"])
def test_images_are_turned_upright(kind: str, orientation: int):
    pixels = slopes(16, 24)
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = stored_pixels(np.ascontiguousarray(ORIENTATIONS[orientation](pixels)), kind, exif=exif.tobytes())
    assert np.abs(shown(content) - pixels).max() <= (6 if kind in LOSSY else 0)


def test_damaged_exif_data_is_ignored():
    for exif in (
        b"Exif\0\0garbage",
        b"Exif\0\0MM\0*\0\0\xff\xff",
        b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x02\0\xff\0\0\0",
    ):
        assert shown(stored(Image.fromarray(slopes(16, 24)), "JPEG", exif=exif)).shape == (16, 24, 3)


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WebP"])
@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparent_images_lie_on_white(kind: str, mode: str):
    if (kind, mode) == ("WebP", "LA"):
        mode = "RGBA"
    colours, opacity = slopes(9, 12), noise(9, 12)
    colours = colours if mode == "RGBA" else colours[..., 0]
    image = Image.merge(mode, [*Image.fromarray(colours).split(), Image.fromarray(opacity)])
    share = (opacity / 255).reshape(9, 12, *[1] * (colours.ndim - 2))
    options = {"exact": True} if kind == "WebP" else {}
    difference = shown(stored(image, kind, **options)) - (share * colours + (1 - share) * 255)
    assert np.abs(difference).max() <= 1


def test_a_palette_and_its_transparent_entry_are_shown():
    image = Image.new("P", (2, 2))
    image.putdata([0, 1, 2, 1])
    image.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
    expected = np.array([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [0, 255, 0]]])
    assert (shown(stored(image)) == expected).all()
    assert (shown(stored(image, "BMP")) == expected).all()
    expected[0, 1] = expected[1, 1] = 255
    assert (shown(stored(image, transparency=1)) == expected).all()
    half = shown(stored(image, transparency=bytes([255, 255, 128])))
    assert np.abs(half[1, 0] - [127, 127, 255]).max() <= 1


@pytest.mark.parametrize(("mode", "key", "white"), [("L", 7, (255,)), ("RGB", (7, 8, 9), (255, 255, 255))])
def test_a_transparent_colour_becomes_white(mode: str, key: object, white: tuple[int, ...]):
    image = Image.new(mode, (2, 1), 50 if mode == "L" else (50, 60, 70))
    image.putpixel((0, 0), key)
    pixels = shown(stored(image, transparency=key)).reshape(2, -1)
    assert tuple(pixels[0]) == white
    assert tuple(pixels[1]) == ((50,) if mode == "L" else (50, 60, 70))


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_cmyk_becomes_rgb(kind: str):
    image = Image.new("CMYK", (32, 8))
    image.paste((255, 0, 0, 0), (0, 0, 8, 8))
    image.paste((0, 255, 0, 0), (8, 0, 16, 8))
    image.paste((0, 0, 255, 0), (16, 0, 24, 8))
    image.paste((0, 0, 0, 255), (24, 0, 32, 8))
    pixels = shown(stored(image, kind))
    expected = [[0, 255, 255], [255, 0, 255], [255, 255, 0], [0, 0, 0]]
    assert np.abs(pixels[4, [4, 12, 20, 28]] - expected).max() <= 6


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP"])
def test_one_bit_becomes_black_and_white(kind: str):
    bits = noise(5, 13) > 127
    assert (shown(stored(Image.fromarray(bits), kind)) == 255 * bits).all()


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "TIFF (LZW)", "big-endian TIFF"])
def test_sixteen_bits_are_windowed(kind: str):
    values = np.random.default_rng(0).integers(3_000, 5_000, (20, 30)).astype(np.uint16)
    if kind == "big-endian TIFF":
        content = stored(Image.frombytes("I;16B", (30, 20), values.astype(">u2").tobytes()), "TIFF")
        assert content[:2] == b"MM"
    else:
        content = stored_pixels(values, kind)
    pixels = shown(content)
    assert pixels.shape == (20, 30)
    assert np.abs(pixels.ravel() - np.array(windowed_slowly(values), float)).max() <= 0.5 + 1e-9
    assert pixels.min() == 0
    assert pixels.max() == 255


@pytest.mark.parametrize("kind", [np.int32, np.float32])
def test_thirty_two_bits_are_windowed(kind: type):
    values = (np.random.default_rng(1).normal(size=(20, 30)) * 1e6).astype(kind)
    pixels = shown(stored_pixels(values, "TIFF"))
    assert np.abs(pixels.ravel() - np.array(windowed_slowly(values), float)).max() <= 0.5 + 1e-9


def test_nan_and_infinities_are_no_values():
    values = np.linspace(-1, 1, 400).reshape(20, 20).astype(np.float32)
    plain = windowed(values)
    values[5, :4] = [np.nan, np.inf, -np.inf, np.nan]
    pixels = shown(stored_pixels(values, "TIFF"))
    assert pixels[5, :4].tolist() == [0, 255, 0, 0]
    assert (
        np.abs(np.delete(pixels.ravel(), range(100, 104)) - np.delete(plain.ravel().astype(int), range(100, 104))).max()
        <= 2
    )
    assert (windowed(np.full((3, 3), np.nan)) == 0).all()


@given(
    arrays.arrays(
        st.sampled_from([np.uint16, np.int32, np.float32]),
        st.tuples(st.integers(1, 8), st.integers(1, 8)),
        elements=st.integers(0, 60_000),
    )
)
def test_windowing_equals_its_equation(values: np.ndarray):
    assert np.abs(windowed(values).ravel() - np.array(windowed_slowly(values), float)).max() <= 0.5 + 1e-6


def test_a_few_bright_spots_on_a_constant_ground_are_seen():
    values = np.full((100, 100), 500, np.uint16)
    values[3, 4] = 900
    pixels = shown(stored_pixels(values))
    assert pixels[3, 4] == 255
    assert pixels.sum() == 255


def test_percentiles_of_large_images_come_from_all_over_them():
    values = np.arange(3000, dtype=np.float32).repeat(3000).reshape(3000, 3000)
    for turned in (values, values.T):
        pixels = windowed(turned).astype(int)
        expected = np.clip((turned - 15) / (2984 - 15), 0, 1) * 255
        assert np.abs(pixels - expected).max() <= 1


def test_dicom_values_are_rescaled_turned_bright_and_their_padding_is_black():
    values = np.random.default_rng(2).integers(-1000, 3000, (30, 40)).astype(np.int16)
    expected = windowed(values).astype(int)
    assert (shown(dicom(values)) == expected).all()
    assert (shown(dicom(values, RescaleSlope="2.5", RescaleIntercept="-1024")) == expected).all()
    assert np.abs(shown(dicom(values, PhotometricInterpretation="MONOCHROME1")) - (255 - expected)).max() <= 1
    padded = values.copy()
    padded[:, :10] = -2000
    inside = windowed(values[:, 10:]).astype(int)
    for interpretation, right in (("MONOCHROME2", inside), ("MONOCHROME1", 255 - inside)):
        pixels = shown(dicom(padded, PixelPaddingValue=-2000, PhotometricInterpretation=interpretation))
        assert (pixels[:, :10] == 0).all()
        assert np.abs(pixels[:, 10:] - right).max() <= 1


def test_dicom_of_eight_bits_is_shown_as_it_is():
    values = noise(7, 9)
    assert (shown(dicom(values)) == values).all()
    assert (shown(dicom(values, PhotometricInterpretation="MONOCHROME1")) == 255 - values.astype(int)).all()


def test_the_pages_of_a_tiff_file_are_told_apart():
    pages = [noise(6, 8, seed=page) for page in range(3)]
    content = stored(
        Image.fromarray(pages[0]), "TIFF", save_all=True, append_images=[Image.fromarray(page) for page in pages[1:]]
    )
    assert all((shown(content, page) == pages[page]).all() for page in range(3))


@pytest.mark.parametrize(
    "mode", ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "LAB", "I;16", "I", "F"]
)
def test_every_mode_that_a_file_can_have_is_shown(mode: str):
    grey = mode in ("1", "L", "LA", "I;16", "I", "F")
    assert shown(stored(Image.new(mode, (4, 3)), "TIFF")).shape == ((3, 4) if grey else (3, 4, 3))

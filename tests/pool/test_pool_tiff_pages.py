"""Pages of TIFF files, counted from headers: checked against what Pillow wrote."""

import io
import struct
from pathlib import Path

import pytest
from image_files import noise
from PIL import Image

from askwell.pool.tiff_pages import is_cut_off, tiff_pages


def tiff(*sizes: tuple[int, int], **options: object) -> bytes:
    """A TIFF file with a page of each size."""
    first, *others = (Image.fromarray(noise(height, width, seed=page)) for page, (width, height) in enumerate(sizes))
    stream = io.BytesIO()
    first.save(stream, "TIFF", save_all=True, append_images=others, **options)
    return stream.getvalue()


def big_endian(*sizes: tuple[int, int]) -> bytes:
    """The headers of a big-endian file with pages of those sizes, and no pixels; widths are SHORT, heights LONG."""
    content = b"MM\0*" + struct.pack(">I", 8)
    for page, (width, height) in enumerate(sizes):
        after = 0 if page == len(sizes) - 1 else len(content) + 2 + 2 * 12 + 4
        content += struct.pack(">HHHIHHHHIII", 2, 256, 3, 1, width, 0, 257, 4, 1, height, after)
    return content


@pytest.mark.parametrize("options", [{}, {"compression": "tiff_lzw"}, {"big_tiff": True}])
@pytest.mark.parametrize("pages", [1, 2, 5])
def test_equal_pages_are_counted(tmp_path: Path, pages: int, options: dict[str, object]):
    path = tmp_path / "stack.tif"
    path.write_bytes(tiff(*[(7, 5)] * pages, **options))
    assert tiff_pages(path) == pages


@pytest.mark.parametrize("sizes", [[(8, 6), (4, 3)], [(8, 6), (8, 6), (8, 5)]])
def test_pages_of_different_sizes_are_not_counted(tmp_path: Path, sizes: list[tuple[int, int]]):
    for name, content in (("little.tif", tiff(*sizes)), ("big.tif", big_endian(*sizes))):
        (tmp_path / name).write_bytes(content)
        assert tiff_pages(tmp_path / name) is None


def test_big_endian_pages_are_counted(tmp_path: Path):
    (tmp_path / "stack.tif").write_bytes(big_endian((300, 70000), (300, 70000), (300, 70000)))
    assert tiff_pages(tmp_path / "stack.tif") == 3


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"II",
        b"hello world",
        tiff((7, 5), (7, 5))[:-40],
        big_endian((3, 4))[:-3],
        b"II*\0\xff\xff\xff\xff",
        b"II+\0" + b"\xff" * 12,
    ],
    ids=["empty", "two bytes", "text", "cut off", "cut off at the end", "an offset beyond", "an offset beyond all"],
)
def test_what_is_wrong_with_a_file_is_left_to_its_decoding(tmp_path: Path, content: bytes):
    (tmp_path / "bad.tif").write_bytes(content)
    assert tiff_pages(tmp_path / "bad.tif") == 1
    assert tiff_pages(tmp_path / "gone.tif") == 1


def test_directories_in_a_circle_end(tmp_path: Path):
    pages = bytearray(big_endian((3, 4), (3, 4)))
    pages[-4:] = struct.pack(">I", 8)  # the second points back at the first
    (tmp_path / "circle.tif").write_bytes(pages)
    assert tiff_pages(tmp_path / "circle.tif") == 1
    assert not is_cut_off(bytes(pages))


def test_a_missing_end_is_noticed():
    content = big_endian((3, 4), (3, 4))
    assert not is_cut_off(content)
    assert all(is_cut_off(content[:length]) for length in range(4, len(content)))
    assert not is_cut_off(b"no TIFF at all")

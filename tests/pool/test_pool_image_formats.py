"""What a file is, by its content, and in plain words why it cannot be read."""

import os
import struct
from pathlib import Path

import numpy as np
import pytest
from image_files import STORED, dicom, noise, png_of_size, stored_pixels

import askwell.pool.image_formats
from askwell.pool.decoding import displayed
from askwell.pool.image_formats import ImageUnreadableError, format_of, open_image, read_image_file

KINDS = (*STORED, "HEIC", "DICOM")


def reason(content: bytes) -> str:
    """Why that content cannot be shown."""
    with pytest.raises(ImageUnreadableError) as caught:
        displayed(content)
    return str(caught.value)


@pytest.mark.parametrize("kind", KINDS)
def test_content_says_what_a_file_is(kind: str):
    assert format_of(stored_pixels(noise(30, 40, 3), kind)) == kind.partition(" ")[0]


@pytest.mark.parametrize(
    ("content", "beginning"),
    [
        (b"hello world, I am no image", "'hello world, I a'"),
        (b'<svg xmlns="http://www.w3.org/2000/svg"/>', "'<svg xmlns=\"http'"),
        (b"GIF89a\x01\0", "'GIF89a\\x01\\x00'"),
        (b"%!PS-Adobe-3.0 EPSF-3.0", "'%!PS-Adobe-3.0 E'"),
        (b"BMW builds cars and motorcycles", "'BMW builds cars '"),
        ("Grüße".encode(), "'Gr\\\\xc3\\\\xbc\\\\xc3\\\\x9fe'"),
    ],
    ids=["text", "SVG", "GIF", "EPS", "text that begins like a BMP", "no ASCII"],
)
def test_only_the_formats_of_the_table_are_tried(content: bytes, beginning: str):
    assert reason(content) == f"it is not an image of a format that is read: it begins {beginning}"


def test_an_empty_file_is_called_empty():
    assert reason(b"") == "the file is empty"


@pytest.mark.parametrize("share", [0.05, 0.5, 0.98])
@pytest.mark.parametrize("kind", KINDS)
def test_half_a_file_is_no_image(kind: str, share: float):
    content = stored_pixels(noise(60, 80, 3), kind)
    if kind == "DICOM" and share < 0.1:
        assert reason(content[: int(share * len(content))]) in (
            "the file is cut off",
            "it is a DICOM file without an image",
        )
    else:
        assert reason(content[: int(share * len(content))]) == "the file is cut off"


def test_damage_is_told_with_the_words_of_the_reader():
    damaged = bytearray(stored_pixels(noise(60, 80, 3)))
    damaged[200:600] = bytes(400)
    assert reason(bytes(damaged)).startswith("it begins as PNG but cannot be decoded (")
    assert reason(b"\xff\xd8\xff" + bytes(200)).startswith("it begins as JPEG but cannot be decoded (")


@pytest.mark.parametrize(
    ("width", "height", "expected"),
    [
        (30_000, 30_000, "30000 x 30000 pixels are more than 100 million"),
        (10_001, 10_000, "10001 x 10000 pixels are more than 100 million"),
        (20_001, 3, "20001 x 3 pixels have a side longer than 20,000"),
    ],
)
def test_images_too_large_are_refused_by_their_header(width: int, height: int, expected: str):
    assert reason(png_of_size(width, height)) == expected


def test_large_images_within_the_limits_are_opened_without_a_warning():
    assert open_image(png_of_size(10_000, 10_000), "PNG").size == (10_000, 10_000)
    assert reason(png_of_size(10_000, 10_000)) == "the file is cut off"


def test_large_images_of_every_format_are_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(askwell.pool.image_formats, "LARGEST_SIDE", 79)
    for kind in KINDS:
        assert reason(stored_pixels(noise(60, 80, 3), kind)) == "80 x 60 pixels have a side longer than 79"
    monkeypatch.setattr(askwell.pool.image_formats, "LARGEST_SIDE", 80)
    for kind in KINDS:
        assert displayed(stored_pixels(noise(60, 80, 3), kind)).size == (80, 60)


def test_a_webp_bomb_is_refused_before_its_canvas_is_made():
    content = bytearray(stored_pixels(np.zeros((4, 4, 3), np.uint8), "WebP"))
    assert content[12:16] == b"VP8L"
    content[21:25] = struct.pack("<I", 15_999 | 15_999 << 14)  # width - 1 and height - 1, 14 bits each
    assert reason(bytes(content)) == "it has more than 100 million pixels"


@pytest.mark.parametrize(("kind", "extra"), [("HEIC", "heic"), ("DICOM", "dicom")])
def test_a_missing_reader_is_named(monkeypatch: pytest.MonkeyPatch, kind: str, extra: str):
    content = stored_pixels(noise(20, 20), kind)
    monkeypatch.setattr(askwell.pool.image_formats.importlib.util, "find_spec", lambda name: None)
    assert reason(content) == f'it is a {kind} image, which is read after: pip install "askwell[{extra}]"'


def test_dicom_files_of_several_frames_or_without_an_image_are_refused():
    assert (
        reason(dicom(noise(4, 5), NumberOfFrames=3)) == "it is a DICOM file of 3 frames, and only single ones are read"
    )
    assert reason(dicom(np.zeros((0, 4), np.uint8))) == "4 x 0 pixels make no image"


def test_a_page_that_is_not_there_is_told():
    with pytest.raises(ImageUnreadableError, match="it begins as TIFF but cannot be decoded"):
        displayed(stored_pixels(noise(3, 4), "TIFF"), 2)


def test_files_are_read_whole(tmp_path: Path):
    content = os.urandom(3_000_000)
    (tmp_path / "file").write_bytes(content)
    (tmp_path / "link").symlink_to(tmp_path / "file")
    (tmp_path / "empty").touch()
    assert read_image_file(tmp_path / "file") == read_image_file(str(tmp_path / "link")) == content
    assert read_image_file(tmp_path / "empty") == b""


def test_files_that_cannot_be_read_say_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "broken").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "pipe")
    with (tmp_path / "large").open("wb") as file:
        file.truncate(512 * 2**20 + 1)

    def why(name: str) -> str:
        with pytest.raises(ImageUnreadableError) as caught:
            read_image_file(tmp_path / name)
        return str(caught.value)

    assert why("gone") == why("broken") == "the file is gone"
    assert why("loop") == "the file cannot be read (Too many levels of symbolic links)"
    assert why("pipe") == why(".") == "it is a folder or a device, not a file"
    assert why("large") == "its 513 MB are more than 512"
    monkeypatch.setattr(os, "open", lambda *_: (_ for _ in ()).throw(PermissionError(13, "Permission denied")))
    assert why("large") == "reading the file is not permitted"

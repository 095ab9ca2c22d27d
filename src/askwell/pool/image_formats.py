"""Which files are images: by suffix when a folder is listed, by content when one is opened. Imports no torch.

Content decides what a file is, whatever its name says, and only the formats of this table are ever tried. Headers are read first, so that a
file that would take too much memory is refused before anything is decoded.
"""

import importlib.util
import io
import os
import stat
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NoReturn

import PIL.Image
from PIL.BmpImagePlugin import BmpImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from askwell.errors import AskwellError
from askwell.pool.tiff_pages import is_cut_off

LARGEST_FILE = 512 * 2**20  # bytes
LARGEST_IMAGE = 100_000_000  # pixels
LARGEST_SIDE = 20_000
GONE = "the file is gone"
BEGINNING = 16  # bytes of an unknown file that are shown

SUFFIXES: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys((".jpg", ".jpeg", ".jpe", ".jfif"), "JPEG"),
        ".png": "PNG",
        ".webp": "WebP",
        **dict.fromkeys((".tif", ".tiff"), "TIFF"),
        **dict.fromkeys((".bmp", ".dib"), "BMP"),
        **dict.fromkeys((".heic", ".heif"), "HEIC"),
        **dict.fromkeys((".dcm", ".dicom"), "DICOM"),
    }
)
EXTRAS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "HEIC": ("pillow_heif", "heic"),
        "DICOM": ("pydicom", "dicom"),
    }  # the module that reads it, the extra that brings it
)
_WHY_NOT_OPENED: Mapping[type, str] = {
    FileNotFoundError: GONE,
    PermissionError: "reading the file is not permitted",
}
_BMP_HEADERS = (12, 16, 40, 52, 56, 64, 108, 124)  # the lengths that a BMP's second header can have
_HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
_TIFF_BEGINNINGS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


class ImageUnreadableError(AskwellError):
    """A file cannot be shown as an image; the message is the reason, one short clause in plain words."""


def missing_extra(image_format: str) -> str | None:
    """How to install what reads that format, or None when it can be read."""
    if image_format not in EXTRAS:
        return None
    module, extra = EXTRAS[image_format]
    return None if importlib.util.find_spec(module) else f'pip install "askwell[{extra}]"'


def read_image_file(path: str | os.PathLike[str]) -> bytes:
    """What is in a file; ImageUnreadableError when it is gone, may not be read, is no file or is too large."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # opening a pipe must not wait for somebody to write
    except OSError as error:
        raise ImageUnreadableError(_WHY_NOT_OPENED.get(type(error)) or _system_reason(error)) from error
    try:
        status = os.fstat(file)
        if not stat.S_ISREG(status.st_mode):
            raise ImageUnreadableError("it is a folder or a device, not a file")
        if status.st_size > LARGEST_FILE:
            raise ImageUnreadableError(f"its {-(-status.st_size // 2**20):,} MB are more than {LARGEST_FILE // 2**20}")
        return b"".join(iter(lambda: os.read(file, status.st_size), b""))
    except OSError as error:
        raise ImageUnreadableError(_system_reason(error)) from error
    finally:
        os.close(file)


def format_of(content: bytes) -> str:
    """The format that a file's first bytes say it has; ImageUnreadableError for none of those that are read."""
    if not content:
        raise ImageUnreadableError("the file is empty")
    for image_format, begins in _SIGNATURES.items():
        if begins(content):
            return image_format
    beginning = content[:BEGINNING].decode("ascii", "backslashreplace")
    raise ImageUnreadableError(f"it is not an image of a format that is read: it begins {beginning!r}")


def open_image(content: bytes, image_format: str, page: int = 0) -> PIL.Image.Image:
    """The image of that format (any but DICOM) with its header read and its pixels not yet decoded.

    page counts the images of a TIFF file from 0; of other files that hold several, the primary one is opened.
    Raises ImageUnreadableError for an image too large to decode or a header that makes no sense.
    """
    check_installed(image_format)
    try:
        image = _opener(image_format)(io.BytesIO(content))
        if page:
            image.seek(page)
    except Exception as error:
        raise_reason(error, image_format, content)
    check_size(*image.size)
    return image


def check_installed(image_format: str) -> None:
    """Raise ImageUnreadableError, which says how to install it, when the reader of that format is missing."""
    if command := missing_extra(image_format):
        raise ImageUnreadableError(f"it is a {image_format} image, which is read after: {command}")


def check_size(width: int, height: int) -> None:
    """Raise ImageUnreadableError for an image with too many pixels, a side that is too long, or none at all."""
    if width * height > LARGEST_IMAGE:
        raise ImageUnreadableError(f"{width} x {height} pixels are more than {LARGEST_IMAGE // 10**6} million")
    if max(width, height) > LARGEST_SIDE:
        raise ImageUnreadableError(f"{width} x {height} pixels have a side longer than {LARGEST_SIDE:,}")
    if min(width, height) < 1:
        raise ImageUnreadableError(f"{width} x {height} pixels make no image")


def raise_reason(error: Exception, image_format: str, content: bytes) -> NoReturn:
    """Raise the ImageUnreadableError that says in plain words why a reader of that format gave up on that content."""
    said = (str(error).strip().splitlines() or [""])[0][:120]
    if isinstance(error, ImageUnreadableError):
        raise error
    if isinstance(error, MemoryError):
        reason = "decoding it takes more memory than is allowed"
    elif isinstance(error, PIL.Image.DecompressionBombError):
        reason = f"it has more than {LARGEST_IMAGE // 10**6} million pixels"
    elif _is_cut_off(said.lower(), image_format, content):
        reason = "the file is cut off"
    else:
        reason = f"it begins as {image_format} but cannot be decoded ({said or type(error).__name__})"
    raise ImageUnreadableError(reason) from error


def _is_cut_off(said: str, image_format: str, content: bytes) -> bool:
    """Whether the file ends too early, by what the reader said or, where that is vague, by the lengths in the file."""
    if image_format == "WebP":
        return len(content) < 8 + int.from_bytes(content[4:8], "little")
    if image_format == "TIFF" and is_cut_off(content):
        return True
    return any(
        words in said
        for words in ("truncated", "end of file", "unexpected end", "less than expected", "cannot read full")
    )


def _system_reason(error: OSError) -> str:
    return f"the file cannot be read ({error.strerror or type(error).__name__})"


def _opener(image_format: str) -> Callable[[io.BytesIO], PIL.Image.Image]:
    if image_format != "HEIC":
        return _OPENERS[image_format]
    from pillow_heif.as_plugin import HeifImageFile

    return HeifImageFile


_OPENERS: Mapping[str, Callable[[io.BytesIO], PIL.Image.Image]] = {
    "JPEG": JpegImageFile,
    "PNG": PngImageFile,
    "WebP": WebPImageFile,
    "TIFF": TiffImageFile,
    "BMP": BmpImageFile,
}
_SIGNATURES: Mapping[str, Callable[[bytes], bool]] = {
    "JPEG": lambda content: content.startswith(b"\xff\xd8\xff"),
    "PNG": lambda content: content.startswith(b"\x89PNG\r\n\x1a\n"),
    "WebP": lambda content: content[:4] == b"RIFF" and content[8:12] == b"WEBP",
    "TIFF": lambda content: content.startswith(_TIFF_BEGINNINGS),
    "BMP": lambda content: content[:2] == b"BM" and int.from_bytes(content[14:18], "little") in _BMP_HEADERS,
    "HEIC": lambda content: content[4:8] == b"ftyp" and content[8:12] in _HEIC_BRANDS,
    "DICOM": lambda content: content[128:132] == b"DICM",
}

"""File content -> pixels: every image of a pool in one form, decoded the same way for a person and for a network. Imports no torch."""

import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import PIL.Image

from askwell.errors import UsageError
from askwell.pool.display import displayed_dicom, displayed_picture
from askwell.pool.image_formats import ImageUnreadableError, format_of, read_image_file
from askwell.pool.listing import ListedImage

Fit = Literal["squash", "crop", "pad"]

SAMPLED_ITEMS = 32  # images that are looked at to choose a form
LARGEST_NATIVE_SIDE = 64  # square images up to this are taken as they are; all others become this
LARGEST_FORM_SIDE = 4096
REDUCING_GAP = 2.0  # shrinking begins with cheap steps down to this many times the final side, then filters properly
_QUIET = threading.Lock()
_IGNORE_ALL = ("ignore", None, Warning, None, 0)  # what warnings.simplefilter("ignore") puts first


class ImageForm(NamedTuple):
    """The form of every image of a pool: channels (1 grey, 3 RGB), height and width ``size``, and how it is made so.

    fit: "squash" stretches to the square, "crop" takes the centre square, "pad" keeps all of it on black.
    """

    size: int
    channels: int
    fit: Fit = "squash"

    @property
    def shape(self) -> tuple[int, int, int]:
        """(channels, height, width)."""
        return self.channels, self.size, self.size


def displayed(content: bytes, page: int = 0) -> PIL.Image.Image:
    """The whole image of a file's content, as mode L or RGB: upright, 8 bits (windowed), on white.

    Raises ImageUnreadableError, whose message is the reason.
    """
    with _quiet():
        return _displayed(content, page, None, grey=False)


def decode(content: bytes, form: ImageForm, page: int = 0) -> np.ndarray:
    """Pixels uint8 [channels, size, size] of a file's content: what ``displayed`` shows, resized with antialiasing.

    Raises ImageUnreadableError, whose message is the reason.
    """
    with _quiet():
        image = _displayed(content, page, form, grey=form.channels == 1)
        mode = "L" if form.channels == 1 else "RGB"
        if image.mode != mode:
            image = image.convert(mode)
        if image.size != (form.size, form.size):
            image = _FITS[form.fit](image, form.size)
    pixels = np.frombuffer(image.tobytes(), np.uint8).reshape(form.size, form.size, form.channels)
    return pixels.transpose(2, 0, 1)


def choose_form(
    root: Path,
    items: Sequence[ListedImage],
    *,
    size: int | None,
    channels: Literal["auto", "grey", "rgb"],
    fit: str,
) -> ImageForm:
    """The form for these items, from up to 32 of them, spread evenly; those that cannot be read are passed over.

    channels "auto" is grey when all of these show no colour. A size of None is their own when all are squares of one
    size up to 64, else 64. Raises UsageError for a form that does not exist, or when none of these can be read.
    """
    if fit not in _FITS or channels not in ("auto", "grey", "rgb"):
        raise UsageError(
            f"expected fit in {', '.join(_FITS)} and channels in auto, grey, rgb, found {fit!r}, {channels!r}."
        )
    if size is not None and not 1 <= size <= LARGEST_FORM_SIDE:
        raise UsageError(f"expected an image size from 1 to {LARGEST_FORM_SIDE} pixels, found {size}.")
    if size is None or channels == "auto":
        sizes, colourful = _look_at(root, items)
        native = sizes.pop() if len(sizes) == 1 else (0, 0)
        own = native[0] if native[0] == native[1] and 0 < native[0] <= LARGEST_NATIVE_SIDE else LARGEST_NATIVE_SIDE
        size = size or own
        channels = ("rgb" if colourful else "grey") if channels == "auto" else channels
    return ImageForm(size, 1 if channels == "grey" else 3, fit)  # pyright: ignore[reportArgumentType] - checked above


def _look_at(root: Path, items: Sequence[ListedImage]) -> tuple[set[tuple[int, int]], bool]:
    """The sizes of up to 32 of the items, and whether one shows colour."""
    sizes: set[tuple[int, int]] = set()
    colourful, reason = False, "there are no images"
    for position in np.unique(np.linspace(0, len(items) - 1, min(len(items), SAMPLED_ITEMS)).astype(int)).tolist():
        item = items[position]
        try:
            image = displayed(read_image_file(Path(root) / item.path), item.page)
        except ImageUnreadableError as error:
            reason = f"{item.id!r}: {error}"
            continue
        sizes.add(image.size)
        colourful = colourful or _shows_colour(image)
    if not sizes:
        raise UsageError(f"expected images that can be read in {str(root)!r}, found none ({reason}); check the folder.")
    return sizes, colourful


def _shows_colour(image: PIL.Image.Image) -> bool:
    if image.mode == "L":
        return False
    red, green, blue = (band.tobytes() for band in image.split())
    return not red == green == blue


def _displayed(content: bytes, page: int, form: ImageForm | None, *, grey: bool) -> PIL.Image.Image:
    image_format = format_of(content)
    if image_format == "DICOM":
        return displayed_dicom(content)
    least = None if form is None else int(form.size * REDUCING_GAP)
    return displayed_picture(content, image_format, page, least=least, grey=grey)


@contextmanager
def _quiet() -> Iterator[None]:
    """What readers warn about is in their errors or without consequence; the filters of warnings are global, hence the lock."""
    with _QUIET:
        if warnings.filters[:1] == [_IGNORE_ALL]:  # as in the processes that decode, where every microsecond counts
            yield
            return
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield


def _squash(image: PIL.Image.Image, size: int) -> PIL.Image.Image:
    return _resized(image, (size, size))


def _crop(image: PIL.Image.Image, size: int) -> PIL.Image.Image:
    width, height = image.size
    side = min(width, height)
    left, top = (width - side) / 2, (height - side) / 2
    return _resized(image, (size, size), (left, top, left + side, top + side))


def _pad(image: PIL.Image.Image, size: int) -> PIL.Image.Image:
    width, height = (max(1, round(side * size / max(image.size))) for side in image.size)
    padded = PIL.Image.new(image.mode, (size, size))
    padded.paste(_resized(image, (width, height)), ((size - width) // 2, (size - height) // 2))
    return padded


def _resized(
    image: PIL.Image.Image, size: tuple[int, int], box: tuple[float, float, float, float] | None = None
) -> PIL.Image.Image:
    """Bilinear with the filter widened as the image shrinks, as torchvision's Resize does, so that nothing aliases."""
    return image.resize(size, PIL.Image.Resampling.BILINEAR, box, REDUCING_GAP)


_FITS = {"squash": _squash, "crop": _crop, "pad": _pad}

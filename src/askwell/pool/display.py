"""Any image as a person and a network see it: 8 bits, grey or RGB, upright, on white. Imports no torch.

Grey images of more than 8 bits are windowed from robust percentiles; of colours of 16 bits the upper 8 are used. Colours are converted
without colour profiles.
"""

import contextlib
import io
from typing import Any

import numpy as np
import PIL.Image

from askwell.pool.image_formats import ImageUnreadableError, check_installed, check_size, open_image, raise_reason

DARK, BRIGHT = 0.5, 99.5  # the percentiles that become 0 and 255
SAMPLED = 2**22  # pixels that percentiles are taken from; of larger images, a regular grid of about that many
WHITE = 255
_ORIENTATION = 0x0112  # the EXIF tag
_UPRIGHT = {
    2: PIL.Image.Transpose.FLIP_LEFT_RIGHT,
    3: PIL.Image.Transpose.ROTATE_180,
    4: PIL.Image.Transpose.FLIP_TOP_BOTTOM,
    5: PIL.Image.Transpose.TRANSPOSE,
    6: PIL.Image.Transpose.ROTATE_270,
    7: PIL.Image.Transpose.TRANSVERSE,
    8: PIL.Image.Transpose.ROTATE_90,
}


def displayed_picture(
    content: bytes, image_format: str, page: int = 0, *, least: int | None = None, grey: bool = False
) -> PIL.Image.Image:
    """An image of a format that Pillow opens, as mode L or RGB.

    With ``least``, a JPEG may come smaller, by a power of two, as long as no side is shorter than that; with ``grey``,
    its colours may be left out. Both save most of the decoding. Raises ImageUnreadableError.
    """
    image = open_image(content, image_format, page)
    try:
        if least is not None and image_format == "JPEG":
            image.draft("L" if grey else None, (least, least))
        image.load()
        return _as_shown(_upright(image))
    except Exception as error:
        raise_reason(error, image_format, content)


def displayed_dicom(content: bytes) -> PIL.Image.Image:
    """A DICOM image of one frame, as mode L or RGB; its padding is black. Raises ImageUnreadableError."""
    check_installed("DICOM")
    import pydicom

    try:
        header = pydicom.dcmread(io.BytesIO(content))
        if "PixelData" not in header:
            raise ImageUnreadableError("it is a DICOM file without an image")
        if (frames := int(header.get("NumberOfFrames") or 1)) > 1:
            raise ImageUnreadableError(f"it is a DICOM file of {frames} frames, and only single ones are read")
        check_size(int(header.Columns), int(header.Rows))
        return PIL.Image.fromarray(_dicom_pixels(header))
    except Exception as error:
        raise_reason(error, "DICOM", content)


def _dicom_pixels(header: Any) -> np.ndarray:
    from pydicom.pixels.processing import apply_color_lut, apply_modality_lut
    from pydicom.pixels.utils import pixel_array

    values = pixel_array(header)
    if header.PhotometricInterpretation == "PALETTE COLOR":
        values = apply_color_lut(values, header)
    brightest_is_dark = header.PhotometricInterpretation == "MONOCHROME1"
    if values.dtype == np.uint8:
        return WHITE - values if brightest_is_dark else values
    if values.ndim == 2:
        padding = values == header.get("PixelPaddingValue")
        values = np.where(padding, np.nan, apply_modality_lut(values, header))
    return windowed(-values if brightest_is_dark else values)


def windowed(values: np.ndarray) -> np.ndarray:
    """Values of any range as uint8: 255 (v - low) / (high - low), rounded and clipped.

    low and high are the percentiles 0.5 and 99.5 of the finite values; the smallest and the largest where these are
    equal, and 0 everywhere where those are too. NaN becomes 0, infinities the end of the range on their side.
    """
    step = max(1, int(np.ceil(np.sqrt(values.shape[0] * values.shape[1] / SAMPLED))))
    sample = values[::step, ::step]
    low, high = _ends(sample[np.isfinite(sample)], DARK, BRIGHT)
    if low == high:
        low, high = _ends(values[np.isfinite(values)], 0.0, 100.0)
    if low == high:
        return np.zeros(values.shape, np.uint8)
    scaled = values.astype(np.float64)  # float32 would round 32-bit counts before they are compared
    np.clip(scaled, low, high, out=scaled)
    scaled -= low
    scaled *= WHITE / (high - low)
    return np.nan_to_num(np.rint(scaled, out=scaled), copy=False, nan=0.0).astype(np.uint8)


def _ends(values: np.ndarray, low: float, high: float) -> tuple[float, float]:
    if values.size == 0:
        return 0.0, 0.0
    ends = np.percentile(values, [low, high])
    return float(ends[0]), float(ends[1])


def _upright(image: PIL.Image.Image) -> PIL.Image.Image:
    if not image.info:  # no EXIF data, nor any other
        return image
    orientation = 1
    with contextlib.suppress(Exception):  # damaged EXIF data says nothing; the picture itself is sound
        orientation = image.getexif().get(_ORIENTATION, 1)
    turn = _UPRIGHT.get(orientation) if isinstance(orientation, int) else None
    return image if turn is None else image.transpose(turn)


def _as_shown(image: PIL.Image.Image) -> PIL.Image.Image:
    if image.mode in ("L", "RGB") and "transparency" not in image.info:
        return image
    if image.mode.startswith(("I", "F")):
        return PIL.Image.fromarray(windowed(np.asarray(image)))
    if image.mode in ("LA", "La", "RGBA", "RGBa", "PA") or "transparency" in image.info:
        return _on_white(image)
    return image.convert("L" if image.mode == "1" else "RGB")


def _on_white(image: PIL.Image.Image) -> PIL.Image.Image:
    grey = image.mode in ("1", "L", "LA", "La")
    layer = image.convert("RGBA")
    paper = PIL.Image.new("RGBA", layer.size, (WHITE, WHITE, WHITE, WHITE))
    return PIL.Image.alpha_composite(paper, layer).convert("L" if grey else "RGB")

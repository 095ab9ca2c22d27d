"""Contents of image files for tests, good and bad."""

import io
import struct
import zlib
from typing import Any

import numpy as np
import pillow_heif
import pydicom
from PIL import Image
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage

STORED = {
    "JPEG": {"format": "JPEG", "quality": 95, "subsampling": 0},
    "PNG": {"format": "PNG"},
    "WebP": {"format": "WEBP", "lossless": True},
    "TIFF": {"format": "TIFF"},
    "TIFF (LZW)": {"format": "TIFF", "compression": "tiff_lzw"},
    "BMP": {"format": "BMP"},
}
LOSSY = ("JPEG", "HEIC")


def stored(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    """The content of a file of that kind."""
    stream = io.BytesIO()
    image.save(stream, **{**STORED[kind], **options})
    return stream.getvalue()


def stored_pixels(pixels: np.ndarray, kind: str = "PNG", **options: Any) -> bytes:
    """The content of a file of that kind with those pixels [H, W] or [H, W, 3]."""
    if kind == "DICOM":
        return dicom(pixels, **options)
    if kind == "HEIC":
        stream = io.BytesIO()
        pillow_heif.from_pillow(Image.fromarray(pixels)).save(stream, quality=95, chroma=444, **options)
        return stream.getvalue()
    return stored(Image.fromarray(pixels), kind, **options)


def dicom(values: np.ndarray, **elements: Any) -> bytes:
    """A DICOM file of one frame with those values [H, W] or [H, W, 3], and further data elements by name."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = (
        SecondaryCaptureImageStorage,
        pydicom.uid.UID("1.2.3"),
    )
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    file = FileDataset("", {}, file_meta=meta, preamble=bytes(128))
    file.Rows, file.Columns = values.shape[:2]
    file.SamplesPerPixel, file.PhotometricInterpretation = (1, "MONOCHROME2") if values.ndim == 2 else (3, "RGB")
    if values.ndim == 3:
        file.PlanarConfiguration = 0
    file.BitsAllocated = file.BitsStored = 8 * values.itemsize
    file.HighBit, file.PixelRepresentation = file.BitsStored - 1, int(values.dtype.kind == "i")
    file.PixelData = values.tobytes()
    for name, value in elements.items():
        setattr(file, name, value)
    stream = io.BytesIO()
    file.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def png_of_size(width: int, height: int) -> bytes:
    """A PNG that claims a size and holds next to nothing."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = [(b"IHDR", header), (b"IDAT", zlib.compress(bytes(100))), (b"IEND", b"")]
    chunks = [
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    """Random uint8 pixels."""
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def slopes(height: int, width: int) -> np.ndarray:
    """A smooth colour picture without symmetry, uint8 [height, width, 3]."""
    down, across = np.mgrid[0:height, 0:width] / np.array([max(1, height - 1), max(1, width - 1)]).reshape(2, 1, 1)
    return np.stack([255 * down, 255 * across, 200 * down * (1 - across)], axis=-1).round().astype(np.uint8)

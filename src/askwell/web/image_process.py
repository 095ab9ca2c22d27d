"""One process that shows images: ``python -m askwell.web.image_process ROOT``, started by ``images``. Imports no torch.

Each line of its input is a request, [path in hexadecimal, page, longest side]; the answer is a line [kind, length] and so many bytes: the
image encoded anew, without metadata, or the reason why there is none. Files are opened below ROOT alone, whatever links lead to.
"""

import contextlib
import io
import json
import os
import signal
import sys
import warnings
from typing import IO

import PIL.Image

from askwell.pool.decoder_process import limit_memory
from askwell.pool.display import displayed_dicom, displayed_picture
from askwell.pool.image_formats import ImageUnreadableError, format_of, read_image_file
from askwell.pool.rooted import OutsideRootError, below

REFUSED, UNREADABLE = "refused", "unreadable"  # kinds of an answer besides a media type
PNG_PIXELS = 512 * 512  # up to this many are sent without loss
QUALITY = 95
REDUCING_GAP = 2.0


def encode(root: str, path: bytes, page: int, longest: int) -> tuple[str, bytes]:
    """The media type and the bytes of an image, no side of it longer than so many pixels.

    Raises OutsideRootError, or ImageUnreadableError, whose message is the reason.
    """
    content = read_image_file(below(root, path))
    image_format = format_of(content)
    if image_format == "DICOM":
        image = displayed_dicom(content)
    else:
        image = displayed_picture(content, image_format, page, least=longest)
    if max(image.size) > longest:
        image.thumbnail((longest, longest), PIL.Image.Resampling.BILINEAR, REDUCING_GAP)
    clean = PIL.Image.new(image.mode, image.size)  # pixels alone: what else the file said stays behind
    clean.paste(image)
    written = io.BytesIO()
    if clean.width * clean.height <= PNG_PIXELS:
        clean.save(written, "PNG", compress_level=1)
        return "image/png", written.getvalue()
    clean.save(written, "JPEG", quality=QUALITY, subsampling=0)
    return "image/jpeg", written.getvalue()


def serve(root: str, requests: IO[str], answers: IO[bytes]) -> None:
    """Answer requests until they end."""
    for line in requests:
        path, page, longest = json.loads(line)
        try:
            kind, content = encode(root, bytes.fromhex(path), page, longest)
        except OutsideRootError:
            kind, content = REFUSED, b""
        except ImageUnreadableError as error:
            kind, content = UNREADABLE, str(error).encode()
        except MemoryError:
            kind, content = UNREADABLE, b"decoding it takes more memory than is allowed"
        answers.write(json.dumps([kind, len(content)]).encode() + b"\n" + content)
        answers.flush()


def main() -> None:
    """Serve the parent at the other end of the standard streams."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    limit_memory()
    warnings.simplefilter("ignore")
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no answer
    with contextlib.suppress(BrokenPipeError):
        serve(sys.argv[1], sys.stdin, answers)


if __name__ == "__main__":
    main()

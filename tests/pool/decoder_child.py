"""A process that decodes, and that some files make die, hang, eat memory or print: run with the folder of its marks."""

import os
import signal
import sys
import time
from pathlib import Path

import numpy as np

from askwell.pool import decoder_process
from askwell.pool.decoding import ImageForm, decode

MARKS = Path(sys.argv[1])


def decode_or_fail(content: bytes, form: ImageForm, page: int = 0) -> np.ndarray:
    """Pixels of the content, unless it begins with the name of a failure."""
    if content.startswith(b"die"):
        os.kill(os.getpid(), signal.SIGKILL)
    if content.startswith(b"once"):
        mark, content = MARKS / "died", content[4:]
        if not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
    if content.startswith(b"hang"):
        time.sleep(1000)
    if content.startswith(b"slow"):
        time.sleep(0.01)
        content = content[4:]
    if content.startswith(b"eat"):
        return np.ones(10**10, np.uint8)
    if content.startswith(b"print"):
        os.write(1, b"a library prints\n")
        content = content[5:]
    return decode(content, form, page)


decoder_process.decode = decode_or_fail
decoder_process.main()

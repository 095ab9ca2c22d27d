"""One process that decodes images: ``python -m askwell.pool.decoder_process``, started by ``decoders``. Imports no torch.

The first line of its input says what to decode (``Setup``), each further line is a task: the number of the first slot and the images' paths
and pages. Pixels and content hashes go straight into memory shared with the parent; the answer to a task is a line with the reasons of what
could not be decoded. The process ends when its input does, so it never outlives its parent, and leaves Ctrl-C to the parent.
"""

import contextlib
import hashlib
import json
import mmap
import os
import signal
import sys
import warnings
from collections.abc import Sequence
from typing import IO, NamedTuple

import numpy as np

from askwell.pool.decoding import Fit, ImageForm, decode
from askwell.pool.image_formats import ImageUnreadableError, read_image_file

DIGEST = 32  # bytes of a sha256
MEMORY = 4 * 2**30  # bytes of address space: the largest file and image that are read, several times over


class Setup(NamedTuple):
    """What a process is told first: the folder, the form, and the descriptor and number of slots of the shared memory."""

    root: str
    size: int
    channels: int
    fit: Fit
    memory: int
    slots: int

    @property
    def form(self) -> ImageForm:
        """The form of the images."""
        return ImageForm(self.size, self.channels, self.fit)


class SharedSlots:
    """The memory that a process and its parent share.

    begun [1] counts the images begun since the start, so that the parent knows which one a process died on;
    digests [slots, 32] and pixels [slots, channels, size, size] are one slot for each image of a task.
    """

    def __init__(self, file: int, slots: int, form: ImageForm) -> None:
        self._map = mmap.mmap(file, self.length(slots, form))
        whole = np.frombuffer(self._map, np.uint8)
        self.begun = whole[:8].view(np.int64)
        self.digests = whole[8 : 8 + slots * DIGEST].reshape(slots, DIGEST)
        self.pixels = whole[8 + slots * DIGEST :].reshape(slots, *form.shape)

    @staticmethod
    def length(slots: int, form: ImageForm) -> int:
        """The bytes that so many slots take."""
        return 8 + slots * (DIGEST + form.channels * form.size * form.size)


def serve(requests: IO[str], answers: IO[str]) -> None:
    """Decode what the requests name until they end."""
    setup = Setup(**json.loads(requests.readline()))
    slots = SharedSlots(setup.memory, setup.slots, setup.form)
    for line in requests:
        first, images = json.loads(line)
        reasons = decode_task(setup, slots, first, images)
        answers.write(json.dumps(reasons) + "\n")
        answers.flush()


def decode_task(setup: Setup, slots: SharedSlots, first: int, images: Sequence[tuple[str, int]]) -> dict[int, str]:
    """Decode those (path, page) into the slots from ``first`` on; the reasons of what failed, by place in the task."""
    reasons: dict[int, str] = {}
    form, content, digest, before = setup.form, b"", b"", None
    for place, (path, page) in enumerate(images):
        slots.begun[0] += 1
        try:
            if path != before:  # the pages of one file come together
                content, before = b"", None
                content = read_image_file(os.path.join(setup.root, path))  # noqa: PTH118 - for every image
                digest, before = hashlib.sha256(content).digest(), path
            slots.pixels[first + place] = decode(content, form, page)
            slots.digests[first + place] = np.frombuffer(digest, np.uint8)
        except ImageUnreadableError as error:
            reasons[place] = str(error)
        except MemoryError:
            reasons[place] = "decoding it takes more memory than is allowed"
    return reasons


def limit_memory() -> None:
    """Let no image take all of the machine's memory, where the system can limit it (Linux)."""
    if sys.platform == "linux":
        import resource

        _, most = resource.getrlimit(resource.RLIMIT_AS)
        allowed = MEMORY if most == resource.RLIM_INFINITY else min(MEMORY, most)
        resource.setrlimit(resource.RLIMIT_AS, (allowed, most))


def main() -> None:
    """Serve the parent at the other end of the standard streams."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    limit_memory()
    warnings.simplefilter("ignore")  # a reason is given where a file cannot be decoded
    answers = os.fdopen(os.dup(1), "w", encoding="ascii")
    os.dup2(2, 1)  # what a library prints is no answer
    with contextlib.suppress(BrokenPipeError):  # the parent has ended
        serve(sys.stdin, answers)


if __name__ == "__main__":
    main()

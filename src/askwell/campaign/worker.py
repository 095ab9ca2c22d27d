"""The learner of a campaign that people label: ``python -m askwell.campaign.worker DIR --root FOLDER``, at low priority.

It reads answers from the store, fits, scores, and puts a new ranked queue in force. Nobody waits for it: killed at any moment, it
goes on from what it had committed.
"""

import argparse
import contextlib
import errno
import os
import sys
import threading
import time
from pathlib import Path

import torch
from safetensors import SafetensorError

from askwell.campaign.labelling import DATABASE, INDEXED, read_labelling_settings
from askwell.campaign.learner import Learner
from askwell.errors import DatasetNotFoundError, StoreUnavailableError
from askwell.store.labelling import LabellingStore

NICENESS = 15
SECONDS_BETWEEN_LOOKS = 0.5
SECONDS_OF_TROUBLE = 5.0
NO_ROOM = "The disk is full, so learning waits; make room, and it goes on by itself. Every confirmed answer is kept."


def main() -> int:
    """Learn until the process is told to stop."""
    parser = argparse.ArgumentParser(prog="python -m askwell.campaign.worker", description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--root", type=Path, required=True, help="the folder of images")
    options = parser.parse_args()
    os.umask(0o077)  # what it writes of private images is nobody else's
    stand_back()
    if not sys.stdin.isatty():
        threading.Thread(target=_end_with_parent, daemon=True).start()
    with LabellingStore(options.directory / DATABASE) as store:
        settings = read_labelling_settings(options.directory)
        while store.status().get(INDEXED) != "yes":
            time.sleep(SECONDS_BETWEEN_LOOKS)
        torch.set_num_threads(max(1, (os.cpu_count() or 1) - 1))  # the page and its images need one too
        learner = Learner(store, options.directory.absolute(), options.root.absolute(), settings)
        while True:
            run_once(learner)


def stand_back() -> None:
    """Low priority: beside this session's processes, and, where Linux shares the processor out by session first, beside other sessions."""
    os.nice(NICENESS)
    with contextlib.suppress(OSError):
        Path("/proc/self/autogroup").write_text(str(NICENESS), encoding="ascii")


def run_once(learner: Learner) -> None:
    """One step, or a while of waiting; a folder or room on the disk that is gone for now is waited for."""
    try:
        if not learner.step():
            time.sleep(SECONDS_BETWEEN_LOOKS)
    except DatasetNotFoundError as error:
        learner.interrupted(str(error))
        time.sleep(SECONDS_OF_TROUBLE)
    except StoreUnavailableError:
        time.sleep(SECONDS_OF_TROUBLE)  # the page says so as soon as somebody answers
    except (OSError, SafetensorError) as error:
        if not _no_room(error):
            raise
        with contextlib.suppress(StoreUnavailableError):
            learner.interrupted(NO_ROOM)
        time.sleep(SECONDS_OF_TROUBLE)


def _no_room(error: Exception) -> bool:
    """Whether a file could not be written because the disk, or what this user may have of it, is full."""
    if isinstance(error, OSError):
        return error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    return any(f"os error {code}" in str(error) for code in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG))


def _end_with_parent() -> None:
    while sys.stdin.buffer.read(1):
        pass
    os._exit(0)  # nothing is lost: what is committed is whole


if __name__ == "__main__":
    sys.exit(main())

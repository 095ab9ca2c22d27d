"""The learner of a campaign that people label: ``python -m askwell.campaign.worker DIR --root FOLDER``, at low priority.

It reads answers from the store, fits, scores, and puts a new ranked queue in force. Nobody waits for it: killed at any moment, it
goes on from what it had committed.
"""

import argparse
import os
import sys
import threading
import time
from pathlib import Path

import torch

from askwell.campaign.labelling import DATABASE, INDEXED, read_labelling_settings
from askwell.campaign.learner import Learner
from askwell.errors import DatasetNotFoundError, StoreUnavailableError
from askwell.store.labelling import LabellingStore

NICENESS = 15
SECONDS_BETWEEN_LOOKS = 0.5
SECONDS_WITHOUT_FOLDER = 5.0


def main() -> int:
    """Learn until the process is told to stop."""
    parser = argparse.ArgumentParser(prog="python -m askwell.campaign.worker", description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--root", type=Path, required=True, help="the folder of images")
    options = parser.parse_args()
    os.nice(NICENESS)
    if not sys.stdin.isatty():
        threading.Thread(target=_end_with_parent, daemon=True).start()
    with LabellingStore(options.directory / DATABASE) as store:
        settings = read_labelling_settings(options.directory)
        while store.status().get(INDEXED) != "yes":
            time.sleep(SECONDS_BETWEEN_LOOKS)
        torch.set_num_threads(max(1, (os.cpu_count() or 1) - 1))  # the page and its images need one too
        learner = Learner(store, options.directory.absolute(), options.root.absolute(), settings)
        while True:
            run_once(store, learner)


def run_once(store: LabellingStore, learner: Learner) -> None:
    """One step, or a while of waiting; a folder or a disk that is gone for now is waited for."""
    try:
        if not learner.step():
            time.sleep(SECONDS_BETWEEN_LOOKS)
    except DatasetNotFoundError as error:
        store.tell({"doing": "waiting", "message": str(error), "left_s": "", "progress": ""})
        time.sleep(SECONDS_WITHOUT_FOLDER)
    except StoreUnavailableError:  # the page says so as soon as somebody answers
        time.sleep(SECONDS_WITHOUT_FOLDER)


def _end_with_parent() -> None:
    while sys.stdin.buffer.read(1):
        pass
    os._exit(0)  # nothing is lost: what is committed is whole


if __name__ == "__main__":
    sys.exit(main())

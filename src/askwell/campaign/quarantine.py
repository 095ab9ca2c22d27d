"""Images that cannot be read are set aside, named and counted, and the campaign goes on without them."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import torch

from askwell.campaign.data import TEST_CONTENT
from askwell.campaign.workspace import Workspace
from askwell.errors import CampaignStateError, DatasetCorruptError
from askwell.pool.reading import new_hashes, read_images
from askwell.report.csv_files import read_rows, text, write_rows

MOST_UNREADABLE = 0.5  # of the pool: beyond that it is the disk, and not the images
QUARANTINE_FILE = "quarantine.csv"
TEST_UNREADABLE = "unreadable test images"


def set_aside(workspace: Workspace, unreadable: Mapping[int, str]) -> None:
    """Commit, in one transaction, that these items take no further part, and the content hashes of those read so far.

    Raises DatasetCorruptError when more than half of the pool cannot be read; nothing is recorded then.
    """
    store, pool = workspace.store, workspace.pool
    if unreadable:
        lost = {**store.quarantined(), **unreadable}
        if len(lost) > MOST_UNREADABLE * len(pool):
            raise _mostly_unreadable("pool", lost, pool.ids, len(pool))
        store.quarantine(unreadable)
    if hashes := new_hashes(pool):
        store.remember_hashes(hashes)


def all_readable(workspace: Workspace, positions: Sequence[int]) -> bool:
    """Whether the images at these positions can all be read; those that cannot are set aside."""
    unreadable: dict[int, str] = {}
    read_images(workspace.pool, torch.tensor(positions, dtype=torch.int64), unreadable.update)
    set_aside(workspace, unreadable)
    return not unreadable


def remember_test(workspace: Workspace, unreadable: Mapping[int, str]) -> None:
    """Hold the test images to what they were at the first evaluation, so that every round is measured on the same.

    Raises CampaignStateError when others can be read or their content has changed, DatasetCorruptError when none or few can be read.
    """
    store, images = workspace.store, workspace.test.images
    if len(unreadable) > MOST_UNREADABLE * len(images):
        raise _mostly_unreadable("test set", unreadable, images.ids, len(images))
    reasons = {images.ids[position]: reason for position, reason in sorted(unreadable.items())}
    known = json.loads(store.remember(TEST_UNREADABLE, json.dumps(reasons)))
    if known.keys() != reasons.keys():
        changed = next(iter(known.keys() ^ reasons.keys()))
        raise CampaignStateError(
            f"expected the same test images as in round 0, found a difference at {changed!r} "
            f"({reasons.get(changed, 'it could not be read then, and now it can')}); put the file back as it was and resume."
        )
    hashes = {images.ids[position]: content for position, content in new_hashes(images).items()}
    if len(hashes) + len(unreadable) == len(images):  # this process has seen them all for the first time
        content = json.dumps(hashes, sort_keys=True)
        if store.remember(TEST_CONTENT, content) != content:
            raise CampaignStateError(
                "expected the test images as they were in round 0, found files with other content; put them back as they were and resume."
            )


class SetAside(NamedTuple):
    """One image that takes no part: on which side of the split it was, its id, and why it cannot be read."""

    split: str
    id: str
    reason: str


def quarantine_rows(workspace: Workspace) -> list[SetAside]:
    """Every image set aside, in the order of pool and test."""
    store = workspace.store
    pool = [
        SetAside("pool", workspace.pool.ids[position], reason)
        for position, reason in sorted(store.quarantined().items())
    ]
    known = json.loads(store.remembered(TEST_UNREADABLE) or "{}")
    return pool + [SetAside("test", item_id, reason) for item_id, reason in known.items()]


def write_quarantine(directory: Path, rows: Sequence[SetAside]) -> None:
    """Replace quarantine.csv atomically."""
    write_rows(directory / QUARANTINE_FILE, dict.fromkeys(SetAside._fields, text), rows)


def read_quarantine(directories: Sequence[Path]) -> list[SetAside]:
    """The images that campaigns in the directories, or below them, have set aside, each once."""
    files = sorted(file for directory in directories for file in directory.rglob(QUARANTINE_FILE))
    rows = (SetAside(**row) for file in files for row in read_rows(file, dict.fromkeys(SetAside._fields, text)))
    return list({(row.split, row.id): row for row in rows}.values())


def _mostly_unreadable(what: str, unreadable: Mapping[int, str], ids: Sequence[str], count: int) -> DatasetCorruptError:
    position, reason = next(iter(unreadable.items()))
    return DatasetCorruptError(
        f"expected images that can be read, found {len(unreadable)} of the {count} of the {what} that cannot, such as {ids[position]!r} "
        f"({reason}); check the disk and the folder, then resume. Nothing committed is lost."
    )

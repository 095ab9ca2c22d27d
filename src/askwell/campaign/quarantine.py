"""Images that cannot be read are set aside, named and counted, and the campaign goes on without them."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from askwell.campaign.data import DATABASE, TEST_CONTENT, TEST_UNREADABLE
from askwell.campaign.workspace import Workspace
from askwell.errors import CampaignStateError, DatasetCorruptError
from askwell.pool.reading import HashedPool, new_hashes, read_images
from askwell.report.set_aside import SetAside
from askwell.store.store import CampaignStore

MOST_UNREADABLE = 0.5  # of the pool: beyond that it is the disk, and not the images


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


def hold_to_known(workspace: Workspace) -> None:
    """Hold images in files to the contents that were read when they were first seen."""
    store, test = workspace.store, workspace.test.images
    if isinstance(workspace.pool, HashedPool):
        workspace.pool.expect(store.hashes())
    if isinstance(test, HashedPool):
        known = json.loads(store.remembered(TEST_CONTENT) or "{}")
        test.expect({position: known[name] for position, name in enumerate(test.ids) if name in known})


def inherit(workspace: Workspace, sibling: Path) -> None:
    """Take over what an earlier campaign of the same experiment knows of the files, so that both are about the same images."""
    with CampaignStore(sibling / DATABASE) as known:
        for key in (TEST_UNREADABLE, TEST_CONTENT):
            if (value := known.remembered(key)) is not None:
                workspace.store.remember(key, value)
        workspace.store.remember_hashes(known.hashes())
    hold_to_known(workspace)


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
    hashes = {
        images.ids[position]: content for position, content in new_hashes(images).items() if position not in unreadable
    }
    if len(hashes) + len(unreadable) == len(images):  # this process has seen them all for the first time
        content = json.dumps(hashes, sort_keys=True)
        if store.remember(TEST_CONTENT, content) != content:
            raise CampaignStateError(
                "expected the test images as they were in round 0, found files with other content; put them back as they were and resume."
            )


def quarantine_rows(workspace: Workspace) -> list[SetAside]:
    """Every image set aside, in the order of pool and test."""
    store = workspace.store
    pool = [
        SetAside("pool", workspace.pool.ids[position], reason)
        for position, reason in sorted(store.quarantined().items())
    ]
    known = json.loads(store.remembered(TEST_UNREADABLE) or "{}")
    return pool + [SetAside("test", item_id, reason) for item_id, reason in known.items()]


def _mostly_unreadable(what: str, unreadable: Mapping[int, str], ids: Sequence[str], count: int) -> DatasetCorruptError:
    position, reason = next(iter(unreadable.items()))
    return DatasetCorruptError(
        f"expected images that can be read, found {len(unreadable)} of the {count} of the {what} that cannot, such as {ids[position]!r} "
        f"({reason}); check the disk and the folder, then resume. Nothing committed is lost."
    )

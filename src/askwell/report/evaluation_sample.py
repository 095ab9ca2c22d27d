"""Which items measure the model: a seeded permutation of the pool, and the reserved items at its beginning.

The permutation is of items, so that each prefix of it is a simple random sample of the pool, and the estimate needs no
model of how items of one group resemble each other. What is of one group with a reserved item (or its copy) is held back with it, so that
nothing that is trained on gives a reserved image away; it is asked only where it comes up itself.
"""

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

import numpy as np

from askwell.errors import UsageError

MOST_RESERVED = 500  # items that are asked to measure the model, at most
SHARE = 5  # no more than one item in so many is kept from training

Order = np.ndarray[Any, np.dtype[np.int64]]


class Reserved(NamedTuple):
    """Positions in the order in which they are asked, and all that are kept from training with them, ascending."""

    asked: tuple[int, ...]
    held_back: tuple[int, ...]


def permutation(count: int, seed: int) -> Order:
    """Positions 0..count-1 in random order [count]. That of more items is the same one with the later items put in at uniform places.

    Items are sorted by a random number each, the item's own in PCG64's raw stream, which no version of numpy changes. So the pool may grow:
    the items that were there keep their order among themselves, and the longer permutation is as uniform as the shorter.
    """
    return np.argsort(np.random.PCG64(seed).random_raw(count), kind="stable").astype(np.int64)


def owed(order: Sequence[int] | Order, answered: Collection[int]) -> tuple[int, ...]:
    """Items before the last answered one that have no answer: later files that came to stand among them, to be asked first.

    Until they are, the answered items are a sample of the pool as it was, not of the extended one.
    """
    known = set(answered)
    ranks = [rank for rank, item in enumerate(order) if int(item) in known]
    return tuple(int(item) for item in order[: ranks[-1]] if int(item) not in known) if ranks else ()


def reserved(
    order: Sequence[int] | Order,
    groups: Sequence[object] | None = None,
    *,
    most: int = MOST_RESERVED,
    share: int = SHARE,
) -> Reserved:
    """The first ``most`` items of the permutation, or as many as let 1 item in ``share`` be held back at most, groups and all.

    groups names for each position (not for each rank) what it belongs to; items of one group, and copies, share a name. The items asked
    are always a beginning of the permutation. Raises UsageError for another number of groups than items.
    """
    if groups is not None and len(groups) != len(order):
        raise UsageError(f"expected a group for each of {len(order)} items, found {len(groups)}.")
    members: dict[object, list[int]] = {}
    for position, group in enumerate(range(len(order)) if groups is None else groups):
        members.setdefault(group, []).append(position)
    room, asked, kept = len(order) // share, list[int](), set[int]()
    for item in map(int, order[:most]):
        more = kept.union(members[item if groups is None else groups[item]])
        if len(more) > room:
            break
        asked.append(item)
        kept = more
    return Reserved(tuple(asked), tuple(sorted(kept)))

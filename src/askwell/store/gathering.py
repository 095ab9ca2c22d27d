"""How items come into a labelling campaign: as they are found, each at its place in a random order; and the sample for measuring."""

import hashlib
import os
from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, delete, func, insert, select, update

from askwell.store.asking import RANDOM_ORDER
from askwell.store.labelling_records import NewItem
from askwell.store.schema import about, evaluation_items, generations, item_files, item_states, items, quarantine, queue
from askwell.store.states import ITEMS, RELEASED, count

RANK_BITS = 53
ORDER, SAMPLE = "order", "sample"  # what an item's random number is for


def random_number(seed: str, purpose: str, item: str) -> int:
    """An item's number of 53 bits: sorted by it, any set of items is in a random order, whenever each of them was found."""
    digest = hashlib.blake2b(item.encode("utf-8", "surrogateescape"), digest_size=8, key=f"{seed}/{purpose}".encode())
    return int.from_bytes(digest.digest(), "big") >> (64 - RANK_BITS)


def add_items(connection: Connection, found: Sequence[NewItem], seed: str, now: float) -> int:
    """Write down items that are not known yet, in the order given, and put them into the random order; returns how many."""
    known = _known(connection, [item.id for item in found])
    new = [item for item in {item.id: item for item in found}.values() if item.id not in known]
    if not new:
        return 0
    highest = connection.scalar(select(func.max(items.c.position)))
    first = 0 if highest is None else highest + 1
    rows = [{"position": first + place, "id": item.id, "role": "pool"} for place, item in enumerate(new)]
    connection.execute(insert(items), rows)
    files = [
        {"position": first + place, "path": os.fsencode(item.path), "page": item.page}
        for place, item in enumerate(new)
        if item.path != item.id or item.page
    ]
    if files:
        connection.execute(insert(item_files), files)
    if connection.scalar(select(generations.c.generation).where(generations.c.generation == RANDOM_ORDER)) is None:
        connection.execute(insert(generations).values(generation=RANDOM_ORDER, source="random", time=now))
    _into_order(connection, [(first + place, item.id) for place, item in enumerate(new)], seed)
    count(connection, ITEMS, "", len(new))
    return len(new)


def draw_sample(connection: Connection, size: int, share: float, seed: str) -> int:
    """Reserve the first ``size`` items (at most that share of all) of another random order for measuring; returns how many.

    Items that were found after the sample was drawn are not in it: it is of the original pool.
    """
    already = connection.scalar(select(func.count()).select_from(evaluation_items)) or 0
    if already:
        return already
    ids = {row.position: row.id for row in connection.execute(select(items.c.position, items.c.id))}
    wanted = min(size, int(share * len(ids)))
    drawn = sorted(ids, key=lambda position: random_number(seed, SAMPLE, ids[position]))[:wanted]
    if not drawn:
        return 0
    closed = set(connection.scalars(select(item_states.c.position))) | set(
        connection.scalars(select(quarantine.c.position))
    )
    rows = [{"rank": rank, "position": at, "open": int(at not in closed)} for rank, at in enumerate(drawn)]
    connection.execute(insert(evaluation_items), rows)
    connection.execute(delete(queue).where(queue.c.position.in_(select(evaluation_items.c.position))))
    return len(drawn)


def release_sample(connection: Connection, seed: str) -> int:
    """Put the items that were kept for measuring into the random order, those without an answer open; returns how many."""
    if connection.scalar(select(about.c.value).where(about.c.key == RELEASED)) is not None:
        return 0
    connection.execute(insert(about).values(key=RELEASED, value="yes"))
    statement = select(evaluation_items.c.position, items.c.id, evaluation_items.c.open).join(
        items, items.c.position == evaluation_items.c.position
    )
    rows = connection.execute(statement).all()
    connection.execute(delete(queue).where(queue.c.position.in_(select(evaluation_items.c.position))))
    _into_order(connection, [(row.position, row.id) for row in rows], seed)
    closed = [row.position for row in rows if not row.open]
    if closed:
        connection.execute(update(queue).where(queue.c.position.in_(closed)).values(open=0))
    return len(rows)


def _into_order(connection: Connection, numbered: Iterable[tuple[int, str]], seed: str) -> None:
    rows = [
        {"generation": RANDOM_ORDER, "position": position, "rank": random_number(seed, ORDER, item), "open": 1}
        for position, item in numbered
    ]
    if rows:
        connection.execute(insert(queue), rows)


def _known(connection: Connection, ids: Sequence[str]) -> set[str]:
    found: set[str] = set()
    for start in range(0, len(ids), 500):  # SQLite's limit on parameters
        found.update(connection.scalars(select(items.c.id).where(items.c.id.in_(ids[start : start + 500]))))
    return found

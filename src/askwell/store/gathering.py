"""How items come into a labelling campaign: as they are found, each at its place in a random order; and the sample for measuring."""

import hashlib
import math
import os
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from askwell.store.answering import last_sequence
from askwell.store.asking import RANDOM_ORDER
from askwell.store.labelling_records import NewItem
from askwell.store.schema import (
    about,
    evaluation_items,
    generations,
    item_files,
    item_states,
    items,
    leases,
    quarantine,
    queue,
    rounds,
)
from askwell.store.states import ITEMS, RELEASED, RESERVED, WITHHELD, count

RANK_BITS = 53
ASIDE = "withheld_aside"  # how many items without an answer wait for the end, because they belong together with one of the sample
ORDER, SAMPLE = "order", "sample"  # what an item's random number is for
GROUPED = "grouped_items"  # how many items there were when it was last found out which belong together
SAMPLE_SIZE, SAMPLE_OF = (
    "sample_size",
    "sample_of",
)  # how large the sample was meant to be, of how many items it was drawn


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
    numbered = [(first + place, item.id) for place, item in enumerate(new)]
    _into_order(connection, numbered, seed)
    _extend_sample(connection, numbered, seed, now)
    count(connection, ITEMS, "", len(new))
    return len(new)


def note_groups(connection: Connection, groups: Mapping[int, str], contents: Mapping[int, str], seed: str) -> None:
    """Write down which items belong together, and the content of those that are equal; those of the sample's groups are withheld."""
    before = _withheld(connection)
    connection.execute(update(items).values(group_key=None, content_hash=None))
    rows = [{"at": at, "of_group": groups.get(at), "of_content": contents.get(at)} for at in {**groups, **contents}]
    if rows:
        values = {"group_key": bindparam("of_group"), "content_hash": bindparam("of_content")}
        connection.execute(update(items).where(items.c.position == bindparam("at")).values(values), rows)
    number = str(connection.scalar(select(func.count()).select_from(items)) or 0)
    connection.execute(delete(about).where(about.c.key == GROUPED))
    connection.execute(insert(about).values(key=GROUPED, value=number))
    _withhold(connection, before, seed)


def draw_sample(connection: Connection, size: int, share: float, seed: str) -> int:
    """Reserve the first ``size`` items of another random order for measuring; returns how many.

    Fewer where they, with all that belong together with them, would be expected to be more than that share of all. How many does not
    depend on which are drawn, so that each prefix is a simple random sample. Items that are found later come into it at their place in
    that order, by ``add_items``.
    """
    already = connection.scalar(select(func.count()).select_from(evaluation_items)) or 0
    if already:
        return already
    known = connection.execute(select(items.c.position, items.c.id, items.c.group_key)).all()
    sizes = Counter(Counter(row.group_key or row.position for row in known).values())
    wanted = affordable(sizes, size, share)
    drawn = sorted((random_number(seed, SAMPLE, row.id), row.position) for row in known)[:wanted]
    if not drawn:
        return 0
    closed = set(connection.scalars(select(item_states.c.position))) | set(
        connection.scalars(select(quarantine.c.position))
    )
    rows = [{"rank": rank, "position": at, "open": int(at not in closed)} for rank, (_, at) in enumerate(drawn)]
    connection.execute(insert(evaluation_items), rows)
    connection.execute(delete(about).where(about.c.key.in_([SAMPLE_SIZE, SAMPLE_OF])))
    connection.execute(
        insert(about), [{"key": SAMPLE_SIZE, "value": str(size)}, {"key": SAMPLE_OF, "value": str(len(known))}]
    )
    connection.execute(delete(queue).where(queue.c.position.in_(WITHHELD)))
    _note_aside(connection)
    return len(drawn)


def affordable(sizes: Mapping[int, int], most: int, share: float) -> int:
    """The largest sample, up to ``most``, that is expected to touch groups of at most that share of all items.

        sum over groups of size s:  s (1 - C(N - s, n) / C(N, n)) <= share N

    ``sizes`` says how many groups there are of each size.
    """
    count = sum(size * groups for size, groups in sizes.items())

    def touched(n: int) -> float:
        return sum(size * groups * (1 - _none_drawn(count, size, n)) for size, groups in sizes.items())

    low, high = 0, min(most, count)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if touched(middle) <= share * count + 1e-9 else (low, middle - 1)
    return low


def _none_drawn(count: int, size: int, n: int) -> float:
    """The probability that n of ``count`` items, drawn without replacement, are none of a group of that size."""
    return math.prod((count - n - member) / (count - member) for member in range(size)) if n <= count - size else 0.0


def _extend_sample(connection: Connection, found: Sequence[tuple[int, str]], seed: str, now: float) -> None:
    """Let items that are found after the sample was drawn come into it, at their place in its order.

    The sample stays the beginning of the random order of all items. It grows no larger than it was meant to be: items at its end that
    were never shown go back to the pool.
    """
    size = connection.scalar(select(about.c.value).where(about.c.key == SAMPLE_SIZE, RESERVED))
    statement = select(evaluation_items.c.position, evaluation_items.c.open, items.c.id)
    joined = statement.join(items, items.c.position == evaluation_items.c.position)
    known = connection.execute(joined.order_by(evaluation_items.c.rank)).all()
    if size is None or not known:
        return
    last = random_number(seed, SAMPLE, known[-1].id)
    late = [(number, at, 1) for at, item in found if (number := random_number(seed, SAMPLE, item)) < last]
    if not late:
        return
    whole = sorted([*late, *((random_number(seed, SAMPLE, row.id), row.position, row.open) for row in known)])
    held = select(leases.c.position).where(leases.c.open == 1, leases.c.until > now)
    shown = set(connection.scalars(held)) | {at for _, at, is_open in whole if not is_open}
    least = max((rank + 1 for rank, (_, at, _) in enumerate(whole) if at in shown), default=0)
    kept = whole[: max(int(size), least)]
    before = _withheld(connection)
    connection.execute(delete(evaluation_items))
    rows = [{"rank": rank, "position": at, "open": is_open} for rank, (_, at, is_open) in enumerate(kept)]
    connection.execute(insert(evaluation_items), rows)
    _withhold(connection, before, seed)


def release_sample(connection: Connection, seed: str) -> int:
    """Put the items that were kept for measuring into the random order, those without an answer open; returns how many."""
    if connection.scalar(select(about.c.value).where(about.c.key == RELEASED)) is not None:
        return 0
    before = _withheld(connection)
    connection.execute(delete(queue).where(queue.c.position.in_(WITHHELD)))
    rounds_done = connection.scalar(select(func.count()).select_from(rounds)) or 0
    connection.execute(insert(about).values(key=RELEASED, value=f"{rounds_done} {last_sequence(connection)}"))
    _give_back(connection, before, seed)
    _note_aside(connection)
    return connection.scalar(select(func.count()).select_from(evaluation_items)) or 0


def _withheld(connection: Connection) -> set[int]:
    """The positions that are not to be trained on; none once the sample is released."""
    return set(connection.scalars(WITHHELD.where(RESERVED)))


def _withhold(connection: Connection, before: Collection[int], seed: str) -> None:
    """Take what is withheld now out of the queues, and put what was and is not any more into the random order."""
    connection.execute(delete(queue).where(queue.c.position.in_(WITHHELD), RESERVED))
    _give_back(connection, set(before) - _withheld(connection), seed)
    _note_aside(connection)


def _note_aside(connection: Connection) -> None:
    """Count what is withheld beside the sample, for the page: it asks often, and this looks at all items."""
    beside = WITHHELD.where(
        RESERVED,
        items.c.position.not_in(select(evaluation_items.c.position)),
        items.c.position.not_in(select(item_states.c.position).where(item_states.c.kind != "skip")),
    )
    number = connection.scalar(select(func.count()).select_from(beside.subquery())) or 0
    connection.execute(delete(about).where(about.c.key == ASIDE))
    connection.execute(insert(about).values(key=ASIDE, value=str(number)))


def _give_back(connection: Connection, positions: Collection[int], seed: str) -> None:
    of_order = queue.c.generation == RANDOM_ORDER
    ids = (
        {row.position: row.id for row in connection.execute(select(items.c.position, items.c.id))} if positions else {}
    )
    _into_order(connection, [(at, ids[at]) for at in positions], seed)
    for closed in (select(item_states.c.position), select(quarantine.c.position)):
        connection.execute(update(queue).where(of_order, queue.c.position.in_(closed)).values(open=0))


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

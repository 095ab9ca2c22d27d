"""New ranked queues: written bit by bit where nobody looks, so that no answer waits, and then put in force at once."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

from sqlalchemy import Connection, and_, delete, func, insert, select, true

from askwell.store.asking import RANDOM_ORDER
from askwell.store.labelling_records import Ranked
from askwell.store.schema import generations, item_states, items, quarantine, queue
from askwell.store.states import IS_WITHHELD, RESERVED

ROWS_AT_ONCE = 250  # in one transaction: a few milliseconds

Transaction = Callable[[], AbstractContextManager[Connection]]


def commit_queue(
    transaction: Transaction, ranked: Sequence[Ranked], source: str, round_number: int | None, now: float
) -> int:
    """Put a new queue in force, best first; returns its generation. Killed at any moment, the old or the new one is in force."""
    with transaction() as connection:
        generation = (connection.scalar(select(func.max(generations.c.generation))) or RANDOM_ORDER) + 1
    _remove(transaction, generation)  # what a killed worker left of it
    for start in range(0, len(ranked), ROWS_AT_ONCE):
        part = ranked[start : start + ROWS_AT_ONCE]
        with transaction() as connection:
            closed = _closed(connection, [item.position for item in part])
            rows = [
                {**item._asdict(), "generation": generation, "rank": rank, "open": int(item.position not in closed)}
                for rank, item in enumerate(part, start=start)
            ]
            connection.execute(insert(queue), rows)
    with transaction() as connection:
        about = {"generation": generation, "source": source, "round": round_number, "time": now}
        connection.execute(insert(generations), about)
    _prune(transaction, generation)
    return generation


def _closed(connection: Connection, positions: Sequence[int]) -> set[int]:
    """Answered, unshowable or reserved meanwhile; what is answered after this is closed by its answer."""
    return {
        position
        for table, condition in ((item_states, true()), (quarantine, true()), (items, and_(RESERVED, IS_WITHHELD)))
        for position in connection.scalars(select(table.c.position).where(table.c.position.in_(positions), condition))
    }


def _prune(transaction: Transaction, newest: int) -> None:
    """Forget of older queues what was never asked; why an image was asked stays known."""
    with transaction() as connection:
        older = connection.scalars(
            select(generations.c.generation).where(
                generations.c.generation < newest, generations.c.generation != RANDOM_ORDER
            )
        ).all()
    for generation in older[-2:]:  # those before were pruned when these came
        _remove(transaction, generation, only_open=True)


def _remove(transaction: Transaction, generation: int, *, only_open: bool = False) -> None:
    unwanted = select(queue.c.position).where(queue.c.generation == generation)
    if only_open:
        unwanted = unwanted.where(queue.c.open == 1)
    while True:
        with transaction() as connection:
            positions = connection.scalars(unwanted.limit(ROWS_AT_ONCE)).all()
            if positions:
                connection.execute(
                    delete(queue).where(queue.c.generation == generation, queue.c.position.in_(positions))
                )
        if not positions:
            return

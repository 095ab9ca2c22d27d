"""Who is shown which image: one and up to ten ahead of it for each annotator, nobody the same, and every eighth one of the random sample.

A question is leased to its annotator for a while. Times come from the clock, which may be set back, so a lease from the future is begun
anew; an answer after its time is still kept, unless somebody else was faster.
"""

import secrets
from collections.abc import Collection, Iterable
from typing import Any

from sqlalchemy import Connection, Select, bindparam, exists, func, insert, select, update

from askwell.store.answering import is_evaluation, last_sequence
from askwell.store.labelling_records import Question
from askwell.store.schema import evaluation_items, generations, item_states, leases, queue
from askwell.store.states import RESERVED

AHEAD = 11  # questions that one annotator holds at a time: the one on the page and ten ahead
LEASE_SECONDS = 1800.0
EVALUATION_EVERY = 8
SKIP_RETURNS_AFTER = 50  # answers
RANDOM_ORDER = 0  # the generation that holds every item

_HELD = (
    select(leases)
    .where(leases.c.annotator == bindparam("by"), leases.c.open == 1, leases.c.until > bindparam("now"))
    .order_by(leases.c.number)
)
_INSERT = insert(leases)
_RENEW = (
    update(leases)
    .where(leases.c.annotator == bindparam("by"), leases.c.open == 1, leases.c.until > bindparam("now"))
    .values(until=bindparam("new_until"))
)
_CLOCK_SET_BACK = (
    update(leases)
    .where(leases.c.open == 1, leases.c.issued > bindparam("now"))
    .values(issued=bindparam("now"), until=bindparam("new_until"))
)
_LATEST = select(func.max(generations.c.generation))
_LAST_NUMBER = select(func.max(leases.c.number))


def _unleased(column: Any) -> Any:
    lease = leases.alias("other")
    return ~exists().where(lease.c.position == column, lease.c.open == 1, lease.c.until > bindparam("now"))


def _best(table: Any, *conditions: Any) -> Select[Any]:
    statement = select(table.c.position).where(*conditions, table.c.open == 1, _unleased(table.c.position))
    return statement.order_by(table.c.rank).limit(bindparam("most"))


_QUEUED = _best(queue, queue.c.generation == bindparam("of_generation"))
_SAMPLED = _best(evaluation_items, RESERVED)
_SKIPPED = (
    select(item_states.c.position, item_states.c.sequence)
    .where(
        item_states.c.kind == "skip",
        item_states.c.class_id.is_(None),
        item_states.c.sequence <= bindparam("up_to"),
        _unleased(item_states.c.position),
    )
    .order_by(item_states.c.sequence)
    .limit(bindparam("most"))
)


def held(connection: Connection, annotator: str, now: float) -> list[Question]:
    """What an annotator is holding, in the order in which it was shown."""
    rows = connection.execute(_HELD, {"by": annotator, "now": now})
    return [Question(row.position, row.key, bool(row.evaluation)) for row in rows]


def needs_renewal(connection: Connection, annotator: str, now: float) -> bool:
    """Whether half the time of what an annotator is holding is over, or the clock was set back since."""
    rows = connection.execute(_HELD, {"by": annotator, "now": now}).all()
    return any(row.until < now + LEASE_SECONDS / 2 or row.issued > now for row in rows)


def renew(connection: Connection, annotator: str, now: float) -> None:
    """Begin the time of what an annotator is holding anew, and of every lease from the future."""
    connection.execute(_CLOCK_SET_BACK, {"now": now, "new_until": now + LEASE_SECONDS})
    connection.execute(_RENEW, {"by": annotator, "now": now, "new_until": now + LEASE_SECONDS})


def top_up(connection: Connection, annotator: str, now: float) -> None:
    """Lease as many questions as the annotator lacks, if there are any left."""
    missing = AHEAD - len(held(connection, annotator, now))
    number = connection.scalar(_LAST_NUMBER) or 0
    if missing <= 0:
        return
    turns = sum((number + step) % EVALUATION_EVERY == 0 for step in range(1, missing + 1))
    sampled = _positions(connection, _SAMPLED, now, turns)
    others = _others(connection, now, missing, taken=sampled)
    if len(sampled) + len(others) < missing:  # the queue is used up: what is left of the sample
        more = _positions(connection, _SAMPLED, now, missing + turns)
        sampled = [*sampled, *(each for each in more if each not in sampled)]
    rows = []
    for step in range(1, missing + 1):
        its_turn = (number + step) % EVALUATION_EVERY == 0 or not others
        if its_turn and sampled:
            rows.append(lease_row(number + step, sampled.pop(0), annotator, now, evaluation=True))
        elif others:
            position, basis, generation = others.pop(0)
            is_sampled = basis is not None and is_evaluation(connection, position)  # one that was skipped
            row = lease_row(number + step, position, annotator, now, evaluation=is_sampled)
            rows.append({**row, "basis": basis, "generation": generation})
    if rows:
        connection.execute(_INSERT, rows)


def lease_again(connection: Connection, position: int, annotator: str, now: float, basis: int | None) -> Question:
    """Show an item whose answer was taken back; ``basis`` is the answer that it has by now, if an older one came back."""
    evaluation = is_evaluation(connection, position)
    number = (connection.scalar(_LAST_NUMBER) or 0) + 1
    row = {**lease_row(number, position, annotator, now, evaluation=evaluation), "basis": basis}
    connection.execute(_INSERT, row)
    return Question(position, row["key"], evaluation)


def lease_row(number: int, position: int, annotator: str, now: float, *, evaluation: bool) -> dict[str, Any]:
    """The row of a lease on an item without an answer, by the random order."""
    return {
        **{"key": secrets.token_urlsafe(16), "number": number, "position": position, "annotator": annotator},
        **{"basis": None, "generation": RANDOM_ORDER, "evaluation": int(evaluation)},
        **{"issued": now, "until": now + LEASE_SECONDS, "open": 1},
    }


def _others(connection: Connection, now: float, most: int, taken: Collection[int]) -> list[tuple[int, int | None, int]]:
    """(position, basis, generation) of the next items: one that was skipped long enough ago, the ranked queue, the random order."""
    latest = connection.scalar(_LATEST) or RANDOM_ORDER
    found: list[tuple[int, int | None, int]] = []
    before = last_sequence(connection) - SKIP_RETURNS_AFTER
    if before > 0:
        found += _skipped(connection, now, 1, before)
    for generation in dict.fromkeys((latest, RANDOM_ORDER)):
        known = {*taken, *(position for position, _, _ in found)}
        positions = _positions(connection, _QUEUED, now, most + len(known), of_generation=generation)
        found += [(position, None, generation) for position in positions if position not in known]
        if len(found) >= most:
            return found[:most]
    if not found:  # nothing else is left, so what was skipped need not wait
        found = _skipped(connection, now, most, last_sequence(connection))
    return found[:most]


def _skipped(connection: Connection, now: float, most: int, up_to: int) -> list[tuple[int, int | None, int]]:
    rows: Iterable[Any] = connection.execute(_SKIPPED, {"now": now, "most": most, "up_to": up_to})
    return [(row.position, row.sequence, RANDOM_ORDER) for row in rows]


def _positions(connection: Connection, statement: Select[Any], now: float, most: int, **more: int) -> list[int]:
    if most == 0:
        return []
    return list(connection.scalars(statement, {"now": now, "most": most, **more}))

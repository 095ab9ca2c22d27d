"""What follows from an answer: the item's state, the counts, and whether it is still to be asked. All in the caller's transaction."""

from typing import Any

from sqlalchemy import Connection, bindparam, delete, exists, func, insert, or_, select, update

from askwell.store.labelling_records import Said
from askwell.store.schema import (
    about,
    answer_events,
    evaluation_items,
    item_states,
    items,
    leases,
    quarantine,
    queue,
    tallies,
)

ITEMS = "items"  # the tally of all items
RELEASED = "sample_released"  # once the sample for measuring was given to training: rounds and answer events until then
RESERVED = ~exists().where(about.c.key == RELEASED)
_of_sample = items.alias("of_sample")
_SAMPLED_GROUPS = (
    select(_of_sample.c.group_key)
    .join(evaluation_items, evaluation_items.c.position == _of_sample.c.position)
    .where(_of_sample.c.group_key.is_not(None))
)
IS_WITHHELD = or_(  # of a row of items: it is of the sample for measuring, or belongs together with one of it
    items.c.position.in_(select(evaluation_items.c.position)),
    func.coalesce(items.c.group_key, "").in_(_SAMPLED_GROUPS),
)
WITHHELD = select(items.c.position).where(IS_WITHHELD)  # looks at all items
_undoing = answer_events.alias("undoing")
_STATE = select(item_states).where(item_states.c.position == bindparam("at"))
_LAST_KEPT = (
    select(answer_events)
    .where(
        answer_events.c.position == bindparam("at"),
        answer_events.c.kind != "undo",
        ~exists().where(_undoing.c.undoes == answer_events.c.sequence),
    )
    .order_by(answer_events.c.sequence.desc())
    .limit(1)
)
_REMOVE = delete(item_states).where(item_states.c.position == bindparam("at"))
_REPLACE = (
    update(item_states)
    .where(item_states.c.position == bindparam("at"))
    .values({name: bindparam(name) for name in ("sequence", "kind", "class_id", "annotator", "time")})
)
_ADD = insert(item_states)
_STEP = (
    update(tallies)
    .where(tallies.c.kind == bindparam("of_kind"), tallies.c.class_id == bindparam("of_class"))
    .values(count=tallies.c.count + bindparam("step"))
)
_FIRST = insert(tallies)
_OPEN = tuple(
    update(table).where(table.c.position == bindparam("at")).values(open=bindparam("now_open"))
    for table in (queue, evaluation_items)
)
_CLOSE = update(leases).where(leases.c.position == bindparam("at"), leases.c.open == 1).values(open=0)
_QUARANTINED = select(quarantine.c.position).where(quarantine.c.position == bindparam("at"))


def state_of(connection: Connection, position: int) -> Said | None:
    """An item's current answer, with the class as it was answered."""
    row = connection.execute(_STATE, {"at": position}).first()
    return None if row is None else Said(row.sequence, row.position, row.kind, row.class_id, row.annotator, row.time)


def settle(connection: Connection, position: int, before: Said | None) -> Said | None:
    """Derive an item's state anew from its events, where it was ``before``; returns it."""
    row = connection.execute(_LAST_KEPT, {"at": position}).first()
    after = None if row is None else Said(row.sequence, position, row.kind, row.class_id, row.annotator, row.time)
    if after is None:
        connection.execute(_REMOVE, {"at": position})
    elif before is None:
        connection.execute(_ADD, after._asdict())
    else:
        connection.execute(_REPLACE, {"at": position, **_without_position(after)})
    for said, step in ((before, -1), (after, 1)):
        if said is not None:
            count(connection, said.kind, said.class_id or "", step)
    if after is not None:
        connection.execute(_CLOSE, {"at": position})
    if (before is None) != (after is None):
        set_open(connection, position, after is None and not is_quarantined(connection, position))
    return after


def count(connection: Connection, kind: str, class_id: str, step: int) -> None:
    """Change a tally."""
    changed = connection.execute(_STEP, {"of_kind": kind, "of_class": class_id, "step": step})
    if changed.rowcount == 0:
        connection.execute(_FIRST, {"kind": kind, "class_id": class_id, "count": step})


def set_open(connection: Connection, position: int, is_open: bool) -> None:
    """Whether an item is still to be asked."""
    for statement in _OPEN:
        connection.execute(statement, {"at": position, "now_open": int(is_open)})


def is_quarantined(connection: Connection, position: int) -> bool:
    """Whether an item's image cannot be shown."""
    return connection.execute(_QUARANTINED, {"at": position}).first() is not None


def _without_position(said: Said) -> dict[str, Any]:
    return {name: value for name, value in said._asdict().items() if name != "position"}

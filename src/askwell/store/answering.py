"""Answers, edits and undo. Each function works in its caller's transaction, and the same request again changes nothing."""

from typing import Any

from sqlalchemy import Connection, bindparam, exists, func, insert, select

from askwell.errors import ItemNotFoundError, StaleRequestError
from askwell.store.classes import Classes
from askwell.store.labelling_records import Answer, Recorded, Said
from askwell.store.schema import answer_events, evaluation_items, items, leases
from askwell.store.states import RESERVED, settle, state_of

_KNOWN = select(answer_events).where(answer_events.c.key == bindparam("of_key"))
_LEASE = select(leases).where(leases.c.key == bindparam("of_key"))
_ITEM = select(items.c.position).where(items.c.position == bindparam("at"))
_EVALUATION = select(evaluation_items.c.rank).where(evaluation_items.c.position == bindparam("at"), RESERVED)
_DEPTH = (
    select(answer_events.c.depth)
    .where(answer_events.c.annotator == bindparam("by"))
    .order_by(answer_events.c.sequence.desc())
    .limit(1)
)
_undoing = answer_events.alias("undoing")
_LAST_OF_ANNOTATOR = (
    select(answer_events)
    .where(
        answer_events.c.annotator == bindparam("by"),
        answer_events.c.kind != "undo",
        ~exists().where(_undoing.c.undoes == answer_events.c.sequence),
    )
    .order_by(answer_events.c.sequence.desc())
    .limit(1)
)
_INSERT = insert(answer_events)


def record(connection: Connection, annotator: str, answer: Answer, classes: Classes, now: float) -> Recorded:
    """Write down the answer to a question that was shown; see ``LabellingStore.answer``."""
    known = connection.execute(_KNOWN, {"of_key": answer.key}).first()
    if known is not None:
        return _again(known, annotator, answer)
    check_item(connection, answer.position)
    lease = connection.execute(_LEASE, {"of_key": answer.key}).first()
    if lease is None or (lease.position, lease.annotator) != (answer.position, annotator):
        raise StaleRequestError(
            "expected the key of a question that you were shown, found another; ask for the next question."
        )
    before = state_of(connection, answer.position)
    if before is not None and before.kind != "skip" and before.sequence != lease.basis:
        raise StaleRequestError(
            "the image has been answered in another tab or by somebody else meanwhile; nothing was overwritten, look at it again."
        )
    _check_class(answer, classes)
    shown = {"generation": lease.generation, "evaluation": lease.evaluation}
    return _append(connection, annotator, answer, before, {**shown, "time": now})


def edit(
    connection: Connection, annotator: str, answer: Answer, expected: int | None, classes: Classes, now: float
) -> Recorded:
    """Change the answer of an item that was answered before; see ``LabellingStore.edit``."""
    known = connection.execute(_KNOWN, {"of_key": answer.key}).first()
    if known is not None:
        return _again(known, annotator, answer)
    check_item(connection, answer.position)
    before = state_of(connection, answer.position)
    if (None if before is None else before.sequence) != expected:
        raise StaleRequestError(
            "the image's answer has been changed meanwhile; nothing was overwritten, look at it again."
        )
    _check_class(answer, classes)
    about = {"generation": None, "evaluation": int(is_evaluation(connection, answer.position)), "time": now}
    return _append(connection, annotator, answer, before, about)


def undo(connection: Connection, annotator: str, key: str, now: float) -> tuple[Said, Recorded]:
    """Take back the annotator's last answer that still counts; returns what it was. See ``LabellingStore.undo``."""
    known = connection.execute(_KNOWN, {"of_key": key}).first()
    if known is not None:
        if known.kind != "undo" or known.annotator != annotator:
            raise StaleRequestError(
                "expected a new key for taking an answer back, found one that was used; use another."
            )
        taken = connection.execute(select(answer_events).where(answer_events.c.sequence == known.undoes)).one()
        return _as_said(taken), Recorded(known.sequence, known.depth)
    last = connection.execute(_LAST_OF_ANNOTATOR, {"by": annotator}).first()
    if last is None:
        raise StaleRequestError("there is no answer of yours left to take back.")
    before = state_of(connection, last.position)
    depth = max(0, _depth(connection, annotator) - 1)
    row = {
        **{"position": last.position, "kind": "undo", "class_id": None, "annotator": annotator, "key": key},
        **{"time": now, "duration": None, "generation": last.generation, "evaluation": last.evaluation},
        **{"undoes": last.sequence, "depth": depth},
    }
    sequence = _inserted(connection, row)
    settle(connection, last.position, before)
    return _as_said(last), Recorded(sequence, depth)


def check_item(connection: Connection, position: int) -> None:
    """Raise ItemNotFoundError when there is no such item."""
    if connection.execute(_ITEM, {"at": position}).first() is None:
        raise ItemNotFoundError(f"expected the number of an image of this campaign, found {position}.")


def is_evaluation(connection: Connection, position: int) -> bool:
    """Whether an item is of the random sample that is kept for measuring, and not released."""
    return connection.execute(_EVALUATION, {"at": position}).first() is not None


def last_sequence(connection: Connection) -> int:
    """Of all answer events; 0 before there is one."""
    return connection.scalar(select(func.max(answer_events.c.sequence))) or 0


def _check_class(answer: Answer, classes: Classes) -> None:
    if answer.kind == "label":
        classes.offered(answer.class_id or "")


def _again(known: Any, annotator: str, answer: Answer) -> Recorded:
    """The reply that the first request got, or a refusal when it said something else."""
    same = (known.position, known.kind, known.class_id, known.annotator)
    if same != (answer.position, answer.kind, answer.class_id, annotator):
        raise StaleRequestError(
            "this question has been answered otherwise already, perhaps in another tab; nothing was overwritten, look at it again."
        )
    return Recorded(known.sequence, known.depth)


def _append(
    connection: Connection, annotator: str, answer: Answer, before: Said | None, about: dict[str, Any]
) -> Recorded:
    depth = _depth(connection, annotator) + 1
    row = {
        **{"position": answer.position, "kind": answer.kind, "class_id": answer.class_id, "annotator": annotator},
        **{"key": answer.key, "duration": answer.seconds, "undoes": None, "depth": depth},
        **about,
    }
    sequence = _inserted(connection, row)
    settle(connection, answer.position, before)
    return Recorded(sequence, depth)


def _inserted(connection: Connection, row: dict[str, Any]) -> int:
    key = connection.execute(_INSERT, row).inserted_primary_key
    assert key is not None, "one row was inserted"
    return int(key[0])


def _depth(connection: Connection, annotator: str) -> int:
    return connection.scalar(_DEPTH, {"by": annotator}) or 0


def _as_said(row: Any) -> Said:
    return Said(row.sequence, row.position, row.kind, row.class_id, row.annotator, row.time)

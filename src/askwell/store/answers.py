"""Every answer that holds now, whole (with who said it, when, and how long it took), and answers that come from elsewhere.

Of both kinds of campaign: one that a data set answers, and one that people label.
"""

import secrets
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from sqlalchemy import Connection, insert, select

from askwell.store import answering
from askwell.store.classes import Classes
from askwell.store.connections import reading, writing
from askwell.store.labelling_records import Answer as Given
from askwell.store.schema import answer_events, item_states, items, label_events
from askwell.store.states import state_of
from askwell.store.store import CampaignStore


class Answer(NamedTuple):
    """What holds of an item: kind "label" with its class, or "skip", "unsure" or "bad"; time in seconds since 1970."""

    position: int
    id: str
    kind: str
    label: str | None
    annotator: str
    time: float
    duration: float | None


def current_answers(store: CampaignStore) -> list[Answer]:
    """One for each item that has any, in the pool's order: the last word counts, an undo takes back the one before it."""
    columns = (*(label_events.c[name] for name in ("kind", "label", "annotator", "time", "duration")),)
    statement = (
        select(items.c.position, items.c.id, *columns)
        .join(items, items.c.position == label_events.c.position)
        .order_by(label_events.c.sequence)
    )
    said: dict[int, list[Answer]] = {}
    with reading(store.engine) as connection:
        for row in connection.execute(statement):
            answer = Answer(*row)
            history = said.setdefault(answer.position, [])
            if answer.kind != "undo":
                history.append(answer)
            elif history:
                history.pop()
    return [history[-1] for _, history in sorted(said.items()) if history]


def append_answers(store: CampaignStore, round_number: int, answers: Iterable[Answer]) -> None:
    """Append answers given elsewhere, with the times at which they were given, in one transaction."""
    rows = [{**answer._asdict(), "round": round_number} for answer in answers]
    for row in rows:
        del row["id"]
    if rows:
        with writing(store.engine) as connection:
            connection.execute(insert(label_events), rows)


def answers_of_people(connection: Connection, classes: Classes) -> list[Answer]:
    """The same of a campaign that people label, with each class's name as it is now; answers of a class that was taken back are none."""
    statement = (
        select(item_states, items.c.id, answer_events.c.duration)
        .join(items, items.c.position == item_states.c.position)
        .join(answer_events, answer_events.c.sequence == item_states.c.sequence)
        .order_by(item_states.c.position)
    )
    names = {each.id: each.name for each in classes.current}
    found = []
    for row in connection.execute(statement):
        label = names.get(classes.meaning.get(row.class_id, "")) if row.kind == "label" else None
        if row.kind != "label" or label is not None:
            found.append(Answer(row.position, row.id, row.kind, label, row.annotator, row.time, row.duration))
    return found


def take_in(connection: Connection, given: Iterable[Answer], classes: Classes) -> None:
    """Append answers given elsewhere to a campaign that people label, in the caller's transaction; a label is a class's name."""
    ids: Mapping[str, str] = {each.name: each.id for each in classes.current if not each.retired}
    for answer in given:
        before = state_of(connection, answer.position)
        class_id = None if answer.label is None else ids[answer.label]
        said = Given(answer.position, f"import-{secrets.token_hex(16)}", answer.kind, class_id, answer.duration)
        expected = None if before is None else before.sequence
        answering.edit(connection, answer.annotator, said, expected, classes, answer.time)

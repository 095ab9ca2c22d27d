"""What is read from the tables that people label with; nothing here looks at all items, but for what worker and export ask."""

import json
import math
from collections import Counter
from typing import Any

from sqlalchemy import Connection, Select, exists, func, or_, select

from askwell.errors import ItemNotFoundError
from askwell.store.answering import check_item, is_evaluation
from askwell.store.asking import RANDOM_ORDER
from askwell.store.classes import Classes
from askwell.store.gathering import ASIDE, GROUPED, SAMPLE_OF
from askwell.store.labelling_records import Guess, ItemFile, Released, Said, Standing
from askwell.store.schema import (
    about,
    answer_events,
    evaluation_items,
    evaluation_predictions,
    generations,
    item_files,
    item_states,
    items,
    quarantine,
    queue,
    rounds,
    tallies,
)
from askwell.store.states import IS_WITHHELD, ITEMS, RELEASED, RESERVED, state_of

OF_LATE = 100  # answers that the pace is taken from
OTHER_KINDS = ("skip", "unsure", "bad")


def standing(connection: Connection, annotator: str, classes: Classes) -> Standing:
    """The counts of the moment, from the tallies."""
    kinds: Counter[str] = Counter()
    labels: Counter[str] = Counter({each.id: 0 for each in classes.current})
    for kind, class_id, count in connection.execute(select(tallies.c.kind, tallies.c.class_id, tallies.c.count)):
        kinds[kind] += count
        if kind == "label":
            labels[classes.meaning.get(class_id, class_id)] += count
    durations = (
        select(answer_events.c.duration)
        .where(answer_events.c.annotator == annotator, answer_events.c.duration.is_not(None))
        .order_by(answer_events.c.sequence.desc())
        .limit(OF_LATE)
    )
    seconds = [value for value in connection.scalars(durations) if value is not None]
    latest = connection.scalar(select(func.max(rounds.c.round)))
    pace = sum(seconds) / len(seconds) if seconds else None
    return Standing(kinds.pop(ITEMS, 0), dict(kinds), dict(labels), pace, latest, _not_asked(connection))


def _not_asked(connection: Connection) -> int:
    """How many items without an answer are not asked about: broken, or withheld with one of the sample until it is released."""
    broken = (
        select(func.count())
        .select_from(quarantine)
        .where(~exists().where(item_states.c.position == quarantine.c.position, item_states.c.kind != "skip"))
    )
    aside = connection.scalar(select(about.c.value).where(about.c.key == ASIDE))
    return (connection.scalar(broken) or 0) + int(aside or 0)


def touched(connection: Connection, class_id: str, classes: Classes) -> int:
    """How many items have that class now."""
    ids = [class_id, *classes.merged_into(class_id)]
    statement = select(func.sum(tallies.c.count)).where(tallies.c.kind == "label", tallies.c.class_id.in_(ids))
    return connection.scalar(statement) or 0


def history(connection: Connection, annotator: str, limit: int, before: int | None) -> list[Said]:
    """An annotator's current answers, latest first."""
    statement = select(item_states).where(item_states.c.annotator == annotator)
    return _latest(connection, statement, limit, before)


def of_class(connection: Connection, wanted: str, classes: Classes, limit: int, before: int | None) -> list[Said]:
    """The items of a class or of another kind of answer, latest first; UnknownNameError for neither."""
    if wanted in OTHER_KINDS:
        statement = select(item_states).where(item_states.c.kind == wanted, item_states.c.class_id.is_(None))
    else:
        ids = classes.merged_into(classes.named(wanted).id)
        statement = select(item_states).where(item_states.c.kind == "label", item_states.c.class_id.in_(ids))
    return _latest(connection, statement, limit, before)


def item_file(connection: Connection, position: int) -> ItemFile:
    """Where an item's image is; ItemNotFoundError for no such item."""
    row = connection.execute(_files().where(items.c.position == position)).first()
    if row is None:
        raise ItemNotFoundError(f"expected the number of an image of this campaign, found {position}.")
    return _as_file(row)


def item_files_of_all(connection: Connection) -> dict[int, ItemFile]:
    """Position -> file of every item."""
    return {row.position: _as_file(row) for row in connection.execute(_files().order_by(items.c.position))}


def guess(connection: Connection, position: int) -> Guess | None:
    """What was last thought of an item; None where that would spoil the measuring."""
    check_item(connection, position)
    state = state_of(connection, position)
    if is_evaluation(connection, position) and (state is None or state.kind == "skip"):
        return None
    statement = (
        select(queue.c.why, generations.c.source, generations.c.round)
        .join(generations, generations.c.generation == queue.c.generation)
        .where(queue.c.position == position)
        .order_by(queue.c.generation.desc())
        .limit(1)
    )
    row = connection.execute(statement).first()
    if row is not None:
        return Guess(row.why, row.source, row.round)
    return _measuring_guess(connection, position) or Guess(None, _asked_by(connection, state), None)


def _measuring_guess(connection: Connection, position: int) -> Guess | None:
    """What the last model thinks of an item of the sample, of which the mean alone is kept; None for any other item."""
    of_sample = select(evaluation_items.c.rank).where(evaluation_items.c.position == position)
    if connection.execute(of_sample).first() is None:
        return None
    row = connection.execute(select(evaluation_predictions).order_by(evaluation_predictions.c.round.desc())).first()
    found = {} if row is None else json.loads(row.predictions)
    means = found.get("probabilities", {}).get(str(position))
    if row is None or means is None:
        return Guess(None, "measuring", None)
    probabilities = [
        {"class": name, "mean": mean, "low": None, "high": None}
        for name, mean in zip(found["classes"], means, strict=True)
    ]
    total = -sum(mean * math.log(mean) for mean in means if mean > 0)
    why = {"probabilities": probabilities, "total": round(total, 4), "model_round": row.round}
    return Guess(json.dumps(why), "measuring", row.round)


def _asked_by(connection: Connection, state: Said | None) -> str:
    """The source of the queue by which an item that has an answer was asked; "random" where that is not known."""
    if state is None:
        return "random"
    statement = select(generations.c.source).join(answer_events, answer_events.c.generation == generations.c.generation)
    return connection.scalar(statement.where(answer_events.c.sequence == state.sequence)) or "random"


def training_labels(connection: Connection, classes: Classes) -> list[tuple[int, str]]:
    """(position, class) of labels that may be trained on: not of the sample, of broken images or of retired classes."""
    usable = {each.id for each in classes.current if not each.retired}
    labelled = select(item_states.c.position, item_states.c.class_id).where(
        item_states.c.kind == "label",
        or_(~RESERVED, ~IS_WITHHELD),
        item_states.c.position.not_in(select(quarantine.c.position)),
    )
    statement = labelled.join(items, items.c.position == item_states.c.position)
    rows = connection.execute(statement.order_by(item_states.c.sequence))
    found = [(position, classes.meaning.get(class_id, "")) for position, class_id in rows]
    return [(position, class_id) for position, class_id in found if class_id in usable]


def candidates(connection: Connection) -> list[int]:
    """Positions of unanswered items that are neither broken nor reserved, in the pool's order."""
    statement = select(items.c.position).where(
        or_(~RESERVED, ~IS_WITHHELD),
        items.c.position.not_in(select(quarantine.c.position)),
        items.c.position.not_in(select(item_states.c.position).where(item_states.c.kind != "skip")),
    )
    return list(connection.scalars(statement.order_by(items.c.position)))


def sample_answers(connection: Connection, classes: Classes) -> list[tuple[int, str | None, str | None]]:
    """(position, kind, class) of the sample for measuring, in its order; an image that cannot be shown counts as bad.

    Once the sample is released, items that had no answer until then count as not asked: their guess may have been seen since.
    """
    when = released(connection)
    of_sample = answer_events.c.position.in_(select(evaluation_items.c.position))
    answered = select(answer_events.c.position).where(of_sample)
    early = None if when is None else set(connection.scalars(answered.where(answer_events.c.sequence <= when.sequence)))
    statement = (
        select(evaluation_items.c.position, item_states.c.kind, item_states.c.class_id, quarantine.c.reason)
        .join(item_states, item_states.c.position == evaluation_items.c.position, isouter=True)
        .join(quarantine, quarantine.c.position == evaluation_items.c.position, isouter=True)
        .order_by(evaluation_items.c.rank)
    )
    found = [
        (row[0], "bad" if row[3] and not row[1] else row[1], row[2] and classes.meaning.get(row[2], row[2]))
        for row in connection.execute(statement)
    ]
    return [row if early is None or row[0] in early or row[1] == "bad" else (row[0], None, None) for row in found]


def released(connection: Connection) -> Released | None:
    """When the sample for measuring was given to training; None while it is not."""
    said = connection.scalar(select(about.c.value).where(about.c.key == RELEASED))
    if said == "yes":  # of an askwell that did not note when
        return Released(0, 0)
    return None if said is None else Released(*map(int, said.split()))


def sample_population(connection: Connection) -> int | None:
    """Of how many items the sample was drawn: those at the first positions; None before it was."""
    found = connection.scalar(select(about.c.value).where(about.c.key == SAMPLE_OF))
    return None if found is None else int(found)


def contents(connection: Connection) -> dict[int, str]:
    """The content of each item whose file equals another one."""
    statement = select(items.c.position, items.c.content_hash).where(items.c.content_hash.is_not(None))
    return {row[0]: row[1] for row in connection.execute(statement)}


def grouped_items(connection: Connection) -> int:
    """How many items there were when it was last found out which belong together."""
    return int(connection.scalar(select(about.c.value).where(about.c.key == GROUPED)) or 0)


def sample_size(connection: Connection) -> tuple[int, bool]:
    """How many items are reserved for measuring, and whether they were released."""
    size = connection.scalar(select(func.count()).select_from(evaluation_items)) or 0
    return size, released(connection) is not None


def open_items(connection: Connection) -> bool:
    """Whether some item is still to be asked."""
    waiting = (
        select(queue.c.position).where(queue.c.generation == RANDOM_ORDER, queue.c.open == 1),
        select(evaluation_items.c.position).where(evaluation_items.c.open == 1, RESERVED),
        select(item_states.c.position).where(item_states.c.kind == "skip"),
    )
    return any(connection.execute(statement.limit(1)).first() is not None for statement in waiting)


def _latest(connection: Connection, statement: Select[Any], limit: int, before: int | None) -> list[Said]:
    if before is not None:
        statement = statement.where(item_states.c.sequence < before)
    rows = connection.execute(statement.order_by(item_states.c.sequence.desc()).limit(limit))
    return [Said(row.sequence, row.position, row.kind, row.class_id, row.annotator, row.time) for row in rows]


def _files() -> Any:
    statement = select(items.c.position, items.c.id, item_files.c.path, item_files.c.page)
    return statement.join(item_files, item_files.c.position == items.c.position, isouter=True)


def _as_file(row: Any) -> ItemFile:
    path = row.id.encode("utf-8") if row.path is None else row.path
    return ItemFile(row.id, path, row.page or 0)

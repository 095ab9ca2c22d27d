"""What people label with: classes, questions, answers, the ranked queue. The same campaign.db that ``CampaignStore`` opens."""

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, final

from sqlalchemy import Connection, Engine, delete, func, insert, select

from askwell.errors import NameRefusedError, StaleRequestError
from askwell.store import answering, asking, gathering, looking, ranking
from askwell.store.answers import Answer as WholeAnswer
from askwell.store.answers import answers_of_people, take_in
from askwell.store.classes import ClassChange, Classes, ClassesChanged, ClassEvent, checked, derive, in_force
from askwell.store.connections import connect, reading, writing
from askwell.store.labelling_records import (
    Answer,
    Guess,
    ItemFile,
    NewItem,
    Question,
    Ranked,
    Recorded,
    Released,
    Said,
    Standing,
)
from askwell.store.opening import open_database
from askwell.store.records import RoundRecord
from askwell.store.schema import (
    about,
    class_events,
    evaluation_predictions,
    generations,
    metrics,
    quarantine,
    rounds,
    worker_status,
)
from askwell.store.states import set_open, state_of

SEED = "labelling_seed"  # what the campaign's seed is remembered under
SAMPLE_SHARE = 0.2  # the most of a pool that is kept for measuring


@final
class LabellingStore:
    """campaign.db as people label with it. It has one method for each thing that is done, so more of them than a class should have.

    Every method that writes is one transaction, on the disk when it returns (leases of questions alone may be lost with the machine);
    threads take turns. Raises StoreUnavailableError when the disk is full or the file locked: nothing of it is written then.
    """

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.time) -> None:
        self.path = path
        self._engine = open_database(path)
        self._leasing = connect(path, durable=False)
        self._turn = threading.Lock()
        self._clock = clock
        self._classes = (0, derive([]))

    def close(self) -> None:
        """Close every connection."""
        self._leasing.dispose()
        self._engine.dispose()

    def __enter__(self) -> "LabellingStore":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- classes -------------------------------------------------------------------------------------------------------

    def classes(self) -> Classes:
        """The classes as they are now."""
        with reading(self._engine) as connection:
            return self._derived(connection)

    def change_classes(self, annotator: str, change: ClassChange, idempotency: str) -> tuple[int, int]:
        """Add, rename, merge, split or retire a class; returns the event's sequence and how many answers it touches.

        The same idempotency key again changes nothing. Raises NameRefusedError, UnknownNameError or StaleRequestError.
        """
        with self._writing() as connection:
            known = connection.execute(select(class_events).where(class_events.c.idempotency == idempotency)).first()
            classes = self._derived(connection)
            if known is not None:
                return known.sequence, looking.touched(connection, known.into or known.class_id or "", classes)
            whole = checked(change, classes)
            subject = change.class_id if change.kind != "add" else whole.class_id
            touched = looking.touched(connection, subject or "", classes)
            row = {**whole._asdict(), "undoes": None, "annotator": annotator, "time": self._clock()}
            return _inserted(connection, {**row, "idempotency": idempotency}), touched

    def undo_class_change(self, annotator: str, sequence: int, idempotency: str) -> int:
        """Take back a change of the classes (or the taking back of one); returns the event's sequence.

        Raises StaleRequestError for no such change, or one that cannot be taken back because answers or names depend on it.
        """
        with self._writing() as connection:
            known = connection.scalar(select(class_events.c.sequence).where(class_events.c.idempotency == idempotency))
            if known is not None:
                return known
            events = _class_events(connection)
            if all(event.sequence != sequence for event in events):
                raise StaleRequestError(
                    f"expected the number of a change of the classes, found {sequence}; reload the page."
                )
            refusal = self._why_not_undone(connection, events, sequence)
            if refusal is not None:
                raise refusal
            row = {"kind": "undo", "undoes": sequence, "annotator": annotator, "time": self._clock()}
            return _inserted(connection, {**row, "idempotency": idempotency})

    def class_changes(self, latest: int) -> list[ClassesChanged]:
        """The latest changes of the classes that are in force, latest first, and before them those that retired a class."""
        with reading(self._engine) as connection:
            events = _class_events(connection)
            found = list(reversed(in_force(events)))
            retired = {each.id for each in self._derived(connection).current if each.retired}
            earlier = [row for row in found[latest:] if row[0].kind == "retire" and row[0].class_id in retired]
            said = {row.sequence: row for row in connection.execute(select(class_events))}
            return [
                ClassesChanged(
                    *(event.sequence, event.kind, event.class_id or "", name, before, event.key, into),
                    *(said[event.sequence].annotator, said[event.sequence].time),
                    undoable=self._why_not_undone(connection, events, event.sequence) is None,
                )
                for event, name, before, into in [*found[:latest], *earlier]
            ]

    # -- questions and answers -----------------------------------------------------------------------------------------

    def questions(self, annotator: str) -> list[Question]:
        """Up to eleven questions that this annotator alone is shown now, in their order; fewer, or none, when the images are used up.

        Asking again shows the same ones until they are answered.
        """
        now = self._clock()
        with reading(self._engine) as connection:
            held = asking.held(connection, annotator, now)
            if len(held) >= asking.AHEAD and not asking.needs_renewal(connection, annotator, now):
                return held
        with self._writing(self._leasing) as connection:
            asking.renew(connection, annotator, now)
            asking.top_up(connection, annotator, now)
            return asking.held(connection, annotator, now)

    def answer(self, annotator: str, answer: Answer) -> Recorded:
        """Write down the answer to a question that was shown; it is on the disk when this returns. The same again changes nothing.

        Raises StaleRequestError when the key says something else already, was never shown, or the item was answered meanwhile;
        ItemNotFoundError, UnknownNameError.
        """
        with self._writing() as connection:
            return answering.record(connection, annotator, answer, self._derived(connection), self._clock())

    def edit(self, annotator: str, answer: Answer, expected: int | None) -> Recorded:
        """Change an item's answer, which must be the one with the sequence ``expected``, under a new key.

        Raises StaleRequestError when it is another one by now; ItemNotFoundError, UnknownNameError.
        """
        with self._writing() as connection:
            return answering.edit(connection, annotator, answer, expected, self._derived(connection), self._clock())

    def undo(self, annotator: str, key: str) -> tuple[Question, Said, Recorded]:
        """Take back the annotator's last answer; returns the question to show again, what was answered, and the undo's record.

        The same key again changes nothing. Raises StaleRequestError when there is nothing to take back.
        """
        now = self._clock()
        with self._writing() as connection:
            said, recorded = answering.undo(connection, annotator, key, now)
            state = state_of(connection, said.position)
            shown = [each for each in asking.held(connection, annotator, now) if each.position == said.position]
            basis = None if state is None else state.sequence
            question = shown[0] if shown else asking.lease_again(connection, said.position, annotator, now, basis)
            return question, self._now(connection, said), recorded

    # -- looking -------------------------------------------------------------------------------------------------------

    def standing(self, annotator: str) -> Standing:
        """The counts of the moment."""
        with reading(self._engine) as connection:
            return looking.standing(connection, annotator, self._derived(connection))

    def history(self, annotator: str, limit: int, before: int | None = None) -> list[Said]:
        """An annotator's answers that are current, latest first."""
        with reading(self._engine) as connection:
            return [self._now(connection, said) for said in looking.history(connection, annotator, limit, before)]

    def of_class(self, wanted: str, limit: int, before: int | None = None) -> list[Said]:
        """The items of a class, or those with the answer "skip", "unsure" or "bad", latest first."""
        with reading(self._engine) as connection:
            classes = self._derived(connection)
            found = looking.of_class(connection, wanted, classes, limit, before)
            return [self._now(connection, said) for said in found]

    def item(self, position: int) -> tuple[ItemFile, Said | None]:
        """Where an item's image is, and its current answer; ItemNotFoundError for no such item."""
        with reading(self._engine) as connection:
            state = state_of(connection, position)
            return looking.item_file(connection, position), None if state is None else self._now(connection, state)

    def guess(self, position: int) -> Guess | None:
        """What a model thought of the item last; None for an item of the sample for measuring that was not answered yet."""
        with reading(self._engine) as connection:
            return looking.guess(connection, position)

    def sample_size(self) -> tuple[int, bool]:
        """How many items are reserved for measuring, and whether they were released."""
        with reading(self._engine) as connection:
            return looking.sample_size(connection)

    def released(self) -> Released | None:
        """When the sample for measuring was given to training; None while it is not."""
        with reading(self._engine) as connection:
            return looking.released(connection)

    def open_items(self) -> bool:
        """Whether some item has no answer yet, though it may be somebody's question now."""
        with reading(self._engine) as connection:
            return looking.open_items(connection)

    def status(self) -> dict[str, str]:
        """What worker and supervisor last said."""
        with reading(self._engine) as connection:
            return {row.key: row.value for row in connection.execute(select(worker_status))}

    def reply(self, question: str, answer: str) -> bool:
        """Note the reply to what the machine asks ("question" of the status, JSON with an id); whether that was being asked."""
        with self._writing() as connection:
            asked = connection.scalar(select(worker_status.c.value).where(worker_status.c.key == "question"))
            if not asked or json.loads(asked)["id"] != question:
                return False
            connection.execute(delete(worker_status).where(worker_status.c.key.in_(["question", f"reply {question}"])))
            connection.execute(insert(worker_status).values(key=f"reply {question}", value=answer))
            return True

    # -- what worker, indexer and commands do --------------------------------------------------------------------------

    def remember(self, key: str, value: str) -> str:
        """What is known under the key: the value given the first time."""
        with self._writing() as connection:
            known = connection.scalar(select(about.c.value).where(about.c.key == key))
            if known is None:
                connection.execute(insert(about).values(key=key, value=value))
            return value if known is None else known

    def add_items(self, found: Sequence[NewItem], seed: str) -> int:
        """Write down images that were found and are not known yet; returns how many."""
        with self._writing() as connection:
            return gathering.add_items(connection, found, seed, self._clock())

    def note_groups(self, groups: Mapping[int, str], contents: Mapping[int, str], seed: str) -> None:
        """Write down which items belong together, by position, and the content of those with equal files."""
        with self._writing() as connection:
            gathering.note_groups(connection, groups, contents, seed)

    def grouped_items(self) -> int:
        """How many items there were when it was last found out which belong together."""
        with reading(self._engine) as connection:
            return looking.grouped_items(connection)

    def contents(self) -> dict[int, str]:
        """Position -> content of each item whose file equals another one."""
        with reading(self._engine) as connection:
            return looking.contents(connection)

    def sample_population(self) -> int | None:
        """Of how many items, those at the first positions, the sample for measuring was drawn; None before it was."""
        with reading(self._engine) as connection:
            return looking.sample_population(connection)

    def draw_sample(self, size: int, seed: str) -> int:
        """Reserve the random sample for measuring once all images are known; returns its size."""
        with self._writing() as connection:
            return gathering.draw_sample(connection, size, SAMPLE_SHARE, seed)

    def release_sample(self, seed: str) -> int:
        """Give the sample to training, for good; returns how many items."""
        with self._writing() as connection:
            return gathering.release_sample(connection, seed)

    def commit_queue(self, ranked: Sequence[Ranked], source: str, round_number: int | None = None) -> int:
        """Put a new ranked queue in force, best first; returns its generation."""
        return ranking.commit_queue(self._writing, ranked, source, round_number, self._clock())

    def quarantine(self, position: int, reason: str) -> None:
        """Never offer an item whose image cannot be shown; the first reason stays."""
        with self._writing() as connection:
            known = select(quarantine.c.position).where(quarantine.c.position == position)
            if connection.scalar(known) is None:
                row = {"position": position, "reason": reason, "time": self._clock()}
                connection.execute(insert(quarantine), row)
                set_open(connection, position, False)

    def training_labels(self) -> list[tuple[int, str]]:
        """(position, class) of all current labels that may be trained on, in the order in which they were given."""
        with reading(self._engine) as connection:
            return looking.training_labels(connection, self._derived(connection))

    def candidates(self) -> list[int]:
        """The positions that a strategy may ask about: unanswered, shown to nobody's knowledge as broken, not reserved."""
        with reading(self._engine) as connection:
            return looking.candidates(connection)

    def sample_answers(self) -> list[tuple[int, str | None, str | None]]:
        """(position, kind, class) of the sample for measuring, in the order in which it is asked; None where there is no answer yet."""
        with reading(self._engine) as connection:
            return looking.sample_answers(connection, self._derived(connection))

    def files(self) -> dict[int, ItemFile]:
        """Position -> file of every item."""
        with reading(self._engine) as connection:
            return looking.item_files_of_all(connection)

    def answers_in_full(self) -> list[WholeAnswer]:
        """Every item's current answer, by everybody, with the class's name as it is now, in the pool's order."""
        with reading(self._engine) as connection:
            return answers_of_people(connection, self._derived(connection))

    def take_in(self, given: Sequence[WholeAnswer]) -> None:
        """Append answers that were given elsewhere, with the times at which they were given; labels are names of classes."""
        with self._writing() as connection:
            take_in(connection, given, self._derived(connection))

    def commit_fit(self, record: RoundRecord, predictions: str) -> None:
        """Write down a finished fit, whose weights are on the disk, and what it says of the sample for measuring, as JSON."""
        row = {key: value for key, value in record._asdict().items() if key not in {"metrics", "details"}}
        values = [{"round": record.round, "name": name, "value": value} for name, value in record.metrics.items()]
        with self._writing() as connection:
            connection.execute(insert(rounds).values(row))
            if values:
                connection.execute(insert(metrics), values)
            connection.execute(insert(evaluation_predictions).values(round=record.round, predictions=predictions))

    def predictions(self) -> list[tuple[int, int, str]]:
        """(round, labels, predictions of the sample as JSON) of every fit, in order."""
        statement = select(rounds.c.round, rounds.c.labels, evaluation_predictions.c.predictions)
        joined = statement.join(evaluation_predictions, evaluation_predictions.c.round == rounds.c.round)
        with reading(self._engine) as connection:
            return [(row[0], row[1], row[2]) for row in connection.execute(joined.order_by(rounds.c.round))]

    def queue_in_force(self) -> tuple[int, str]:
        """The generation and source of the ranked queue; (0, "random") before there is one."""
        statement = select(generations.c.generation, generations.c.source).order_by(generations.c.generation.desc())
        with reading(self._engine) as connection:
            row = connection.execute(statement.limit(1)).first()
            return (0, "random") if row is None else (row.generation, row.source)

    def rounds_done(self) -> int:
        """How many fits are committed."""
        with reading(self._engine) as connection:
            return connection.scalar(select(func.count()).select_from(rounds)) or 0

    def tell(self, status: Mapping[str, str]) -> None:
        """Say what the machine is doing."""
        with self._writing(self._leasing) as connection:
            connection.execute(delete(worker_status).where(worker_status.c.key.in_(list(status))))
            connection.execute(insert(worker_status), [{"key": key, "value": value} for key, value in status.items()])

    # ------------------------------------------------------------------------------------------------------------------

    @contextmanager
    def _writing(self, engine: Engine | None = None) -> Iterator[Connection]:
        """A transaction, one at a time in this process: SQLite's own waiting is by sleeping ever longer."""
        with self._turn, writing(engine or self._engine) as connection:
            yield connection

    def _derived(self, connection: Connection) -> Classes:
        last = connection.scalar(select(func.max(class_events.c.sequence))) or 0
        known, classes = self._classes
        if last != known:
            classes = derive(_class_events(connection))
            self._classes = (last, classes)
        return classes

    def _now(self, connection: Connection, said: Said) -> Said:
        """With the class that the answer means by now."""
        meaning = self._derived(connection).meaning
        return said if said.class_id is None else said._replace(class_id=meaning.get(said.class_id, said.class_id))

    def _why_not_undone(
        self, connection: Connection, events: list[ClassEvent], sequence: int
    ) -> StaleRequestError | NameRefusedError | None:
        before = self._derived(connection)
        after = derive([*events, ClassEvent(events[-1].sequence + 1, "undo", None, None, None, None, sequence)])
        lost = [each for each in before.meaning if each not in after.meaning]
        if any(looking.touched(connection, each, before) for each in lost):
            return StaleRequestError(
                "images were answered with this class already; retire it or merge it into another one instead."
            )
        names = [each.name.casefold() for each in after.current]
        if len(set(names)) < len(names):
            return NameRefusedError("two classes would have one name then; rename one of them first.")
        return None


def _class_events(connection: Connection) -> list[ClassEvent]:
    rows = connection.execute(
        select(*(class_events.c[name] for name in ClassEvent._fields)).order_by(class_events.c.sequence)
    )
    return [ClassEvent(*row) for row in rows]


def _inserted(connection: Connection, row: Mapping[str, Any]) -> int:
    key = connection.execute(insert(class_events).values(row)).inserted_primary_key
    assert key is not None, "one row was inserted"
    return int(key[0])

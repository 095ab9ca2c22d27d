"""One campaign's database: written in whole transactions, read back as plain rows."""

import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, final

from sqlalchemy import Connection, Engine, Select, create_engine, event, func, insert, select
from sqlalchemy.exc import DatabaseError, OperationalError

from askwell.errors import CampaignStateError, StoreUnavailableError
from askwell.store.schema import (
    SCHEMA_VERSION,
    about,
    items,
    label_events,
    metadata,
    metrics,
    queries,
    rounds,
    selections,
)

INSERT_ROWS = 10_000


class Asked(NamedTuple):
    """An item that a round asks about: its position in the pool, its id, its role, and its score if it was scored."""

    round: int
    rank: int
    position: int
    id: str
    role: str
    score: float | None


class LabelEvent(NamedTuple):
    """What an annotator said of an item; ``label`` is None unless kind is "label"."""

    position: int
    kind: str
    label: str | None
    annotator: str
    duration: float | None = None


class RoundRecord(NamedTuple):
    """A finished fit: the labels it saw, how long it took, where its weights are, and what was measured of it."""

    round: int
    labels: int
    seconds_fit: float
    model_file: str
    model_hash: str
    metrics: Mapping[str, float | None]


def current_labels(events: Iterable[LabelEvent]) -> dict[int, str]:
    """Position -> label after all events, in their order: the last word counts, an undo takes back the one before it."""
    said: dict[int, list[LabelEvent]] = {}
    for label_event in events:
        history = said.setdefault(label_event.position, [])
        if label_event.kind == "undo":
            if history:
                history.pop()
        else:
            history.append(label_event)
    return {
        position: history[-1].label for position, history in said.items() if history and history[-1].label is not None
    }


@final
class CampaignStore:
    """campaign.db, in WAL mode with synchronous=FULL: a transaction that returned is on the disk."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._engine = create_engine(f"sqlite:///{path}")
        event.listen(self._engine, "connect", _set_pragmas)
        event.listen(self._engine, "begin", _begin)
        try:
            self._prepare()
        except DatabaseError as error:
            raise CampaignStateError(
                f"expected a campaign's database in {path}, found something else ({error.orig}); restore it from a backup."
            ) from error

    @property
    def engine(self) -> Engine:
        """The SQLAlchemy engine, for reading what this class has no method for."""
        return self._engine

    def close(self) -> None:
        """Close every connection; SQLite then folds the write-ahead log into the database file."""
        self._engine.dispose()

    def __enter__(self) -> "CampaignStore":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _prepare(self) -> None:
        with self._transaction() as connection:
            metadata.create_all(connection)
            version = connection.scalar(select(about.c.value).where(about.c.key == "schema_version"))
            if version is None:
                connection.execute(insert(about).values(key="schema_version", value=str(SCHEMA_VERSION)))
            elif int(version) != SCHEMA_VERSION:
                raise CampaignStateError(
                    f"expected a campaign of schema {SCHEMA_VERSION} in {self.path}, found schema {version}; "
                    "open it with the askwell version that wrote it, or a newer one."
                )

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        """Commits as a whole at the end of the block, or not at all."""
        try:
            with self._engine.begin() as connection:
                yield connection
        except OperationalError as error:
            raise StoreUnavailableError(
                f"the database {self.path} could not be written ({error.orig}); nothing committed is lost: "
                "make room or free the file, then resume."
            ) from error

    def remember(self, key: str, value: str) -> str:
        """What is known under the key: the value given the first time. Lets an opener see whether this is the campaign it thinks."""
        with self._transaction() as connection:
            known = connection.scalar(select(about.c.value).where(about.c.key == key))
            if known is None:
                connection.execute(insert(about).values(key=key, value=value))
            return value if known is None else known

    # -- items ---------------------------------------------------------------------------------------------------------

    def add_items(self, ids: Sequence[str], reserved: Iterable[int]) -> None:
        """Write the pool's items, once and all together; ``reserved`` are the positions kept for validation."""
        validation = set(reserved)
        with self._transaction() as connection:
            for start in range(0, len(ids), INSERT_ROWS):
                positions = range(start, min(start + INSERT_ROWS, len(ids)))
                roles = ("validation" if position in validation else "pool" for position in positions)
                rows = [{"position": p, "id": ids[p], "role": role} for p, role in zip(positions, roles, strict=True)]
                connection.execute(insert(items), rows)

    def item_count(self) -> int:
        """How many items the campaign knows."""
        return self._count(select(func.count()).select_from(items))

    def first_difference(self, ids: Sequence[str]) -> tuple[int, str, str] | None:
        """(position, id in the store, id given) where ids first differ from the store's, or None when they are the same items."""
        with self._engine.connect() as connection:
            rows = connection.execute(select(items.c.id).order_by(items.c.position))
            for position, (stored,) in enumerate(rows):
                if ids[position] != stored:
                    return position, stored, ids[position]
        return None

    def positions(self, role: str) -> list[int]:
        """The positions of all items of a role, asked or not."""
        statement = select(items.c.position).where(items.c.role == role).order_by(items.c.position)
        with self._engine.connect() as connection:
            return list(connection.scalars(statement))

    def unasked(self) -> list[int]:
        """Positions of the pool's items that no round has asked about yet, in the pool's order."""
        asked = select(queries.c.position)
        statement = select(items.c.position).where(items.c.role == "pool", items.c.position.not_in(asked))
        with self._engine.connect() as connection:
            return list(connection.scalars(statement.order_by(items.c.position)))

    # -- queries and answers -------------------------------------------------------------------------------------------

    def has_query(self, round_number: int) -> bool:
        """Whether the round's query has been chosen (it may be empty)."""
        return self._count(select(func.count()).select_from(selections).where(selections.c.round == round_number)) > 0

    def commit_query(
        self, round_number: int, chosen: Sequence[tuple[int, float | None]], *, seconds: float | None = None
    ) -> None:
        """Write down, in one transaction, which (position, score) the round asks about, best first."""
        rows = [
            {"round": round_number, "rank": rank, "position": position, "score": score}
            for rank, (position, score) in enumerate(chosen)
        ]
        with self._transaction() as connection:
            connection.execute(insert(selections).values(round=round_number, seconds=seconds))
            if rows:
                connection.execute(insert(queries), rows)

    def asked(self, *, up_to: int | None = None) -> list[Asked]:
        """Everything asked so far (up to and including a round), in the order it was asked."""
        statement = (
            select(queries.c.round, queries.c.rank, items.c.position, items.c.id, items.c.role, queries.c.score)
            .join(items, items.c.position == queries.c.position)
            .order_by(queries.c.round, queries.c.rank)
        )
        if up_to is not None:
            statement = statement.where(queries.c.round <= up_to)
        with self._engine.connect() as connection:
            return [Asked(*row) for row in connection.execute(statement)]

    def record(self, round_number: int, events: Iterable[LabelEvent]) -> None:
        """Append label events, in one transaction."""
        now = time.time()
        rows = [{**label_event._asdict(), "round": round_number, "time": now} for label_event in events]
        if rows:
            with self._transaction() as connection:
                connection.execute(insert(label_events), rows)

    def labels(self) -> dict[int, str]:
        """Position -> current label, derived from all events."""
        columns = [label_events.c[name] for name in LabelEvent._fields]
        with self._engine.connect() as connection:
            rows = connection.execute(select(*columns).order_by(label_events.c.sequence))
            return current_labels(LabelEvent(*row) for row in rows)

    # -- rounds --------------------------------------------------------------------------------------------------------

    def rounds_done(self) -> int:
        """How many rounds are committed; also the number of the next one, since they start at 0."""
        return self._count(select(func.count()).select_from(rounds))

    def commit_round(self, record: RoundRecord) -> None:
        """Write down a finished fit and its metrics, in one transaction; the model's file must be on the disk already."""
        row = {key: value for key, value in record._asdict().items() if key != "metrics"}
        values = [{"round": record.round, "name": name, "value": value} for name, value in record.metrics.items()]
        with self._transaction() as connection:
            connection.execute(insert(rounds).values(row))
            if values:
                connection.execute(insert(metrics), values)

    def round_records(self) -> list[RoundRecord]:
        """All committed rounds, in order."""
        with self._engine.connect() as connection:
            found = connection.execute(select(rounds).order_by(rounds.c.round)).mappings().all()
            measured = _metrics_by_round(connection)
        return [RoundRecord(**dict(row), metrics=measured.get(row["round"], {})) for row in found]

    def seconds_scoring(self) -> dict[int, float]:
        """Round -> seconds its query took to choose, where something was scored."""
        statement = select(selections.c.round, selections.c.seconds).where(selections.c.seconds.is_not(None))
        with self._engine.connect() as connection:
            return {row.round: row.seconds for row in connection.execute(statement)}

    def _count(self, statement: Select[int]) -> int:
        with self._engine.connect() as connection:
            return connection.scalar(statement) or 0


def _metrics_by_round(connection: Connection) -> dict[int, dict[str, float | None]]:
    measured: dict[int, dict[str, float | None]] = {}
    for number, name, value in connection.execute(select(metrics.c.round, metrics.c.name, metrics.c.value)):
        measured.setdefault(number, {})[name] = value
    return measured


def _set_pragmas(connection: sqlite3.Connection, _: object) -> None:
    connection.isolation_level = None  # SQLAlchemy's begin event opens transactions, see _begin
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=5000"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN")

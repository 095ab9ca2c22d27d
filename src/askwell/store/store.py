"""One campaign's database: written in whole transactions, read back as plain rows."""

import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, final

from sqlalchemy import Connection, Engine, Executable, Select, bindparam, func, insert, select, update

from askwell.errors import CampaignStateError, UsageError
from askwell.store.connections import reading, writing
from askwell.store.opening import open_database
from askwell.store.records import Asked, Chosen, LabelEvent, RoundRecord, current_labels
from askwell.store.schema import (
    about,
    evaluations,
    items,
    label_events,
    metrics,
    quarantine,
    queries,
    rounds,
    selections,
)

INSERT_ROWS = 10_000


@final
class CampaignStore:
    """campaign.db: one method for each thing that the loop writes down or asks back, so more of them than a class should have.

    Opening it makes, upgrades or refuses the database, see ``open_database``. Every method that writes is one transaction, and raises
    StoreUnavailableError when the disk is full or the file locked: nothing of it is written then.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._engine = open_database(path)

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

    def remember(self, key: str, value: str) -> str:
        """What is known under the key: the value given the first time. Lets an opener see whether this is the campaign it thinks."""
        known = self.remembered(key)
        if known is not None:
            return known
        with writing(self._engine) as connection:
            known = connection.scalar(_value_of(key))  # somebody else may have been faster
            if known is None:
                connection.execute(insert(about).values(key=key, value=value))
            return value if known is None else known

    def remembered(self, key: str) -> str | None:
        """What is known under the key, if anything."""
        with reading(self._engine) as connection:
            return connection.scalar(_value_of(key))

    # -- items ---------------------------------------------------------------------------------------------------------

    def add_items(
        self, ids: Sequence[str], reserved: Iterable[int], groups: Sequence[str | None] | None = None
    ) -> None:
        """Write the pool's items, once and all together; ``reserved`` are the positions kept for validation.

        Of two processes that do so at the same time the second changes nothing. Raises CampaignStateError when it brings other items.
        """
        if groups is not None and len(groups) != len(ids):
            raise UsageError(f"expected a group (or None) for each of {len(ids)} items, found {len(groups)}.")
        validation = set(reserved)
        rows = [
            (position, item, "validation" if position in validation else "pool", group)
            for position, (item, group) in enumerate(zip(ids, groups or [None] * len(ids), strict=True))
        ]
        with writing(self._engine) as connection:
            statement = select(items.c.position, items.c.id, items.c.role, items.c.group_key)
            found = [tuple(row) for row in connection.execute(statement.order_by(items.c.position))]
            if found and found != rows:
                raise CampaignStateError(
                    f"expected no items in {self.path}, found {len(found)} others than those given; "
                    "another process has begun a campaign here, so choose another directory."
                )
            for start in range(0, 0 if found else len(rows), INSERT_ROWS):
                connection.execute(
                    insert(items),
                    [
                        {"position": position, "id": item, "role": role, "group_key": group}
                        for position, item, role, group in rows[start : start + INSERT_ROWS]
                    ],
                )

    def ids(self) -> list[str]:
        """The ids of all items, in the pool's order."""
        with reading(self._engine) as connection:
            return list(connection.scalars(select(items.c.id).order_by(items.c.position)))

    def groups(self) -> dict[int, str]:
        """Position -> group, of the items that belong to one."""
        return self._by_key(select(items.c.position, items.c.group_key).where(items.c.group_key.is_not(None)))

    def remember_hashes(self, hashes: Mapping[int, str]) -> None:
        """Write down the content hashes of items whose images were decoded; one that is known already stays as it is."""
        statement = (
            update(items)
            .where(items.c.position == bindparam("at"), items.c.content_hash.is_(None))
            .values(content_hash=bindparam("content"))
        )
        if hashes:
            with writing(self._engine) as connection:
                connection.execute(statement, [{"at": at, "content": content} for at, content in hashes.items()])

    def hashes(self) -> dict[int, str]:
        """Position -> content hash, of the items whose images were decoded."""
        return self._by_key(select(items.c.position, items.c.content_hash).where(items.c.content_hash.is_not(None)))

    def quarantine(self, reasons: Mapping[int, str]) -> None:
        """Take items out of the campaign for good, with the reason why; the first reason given for an item stays."""
        now = time.time()
        with writing(self._engine) as connection:
            known = set(connection.scalars(select(quarantine.c.position)))
            rows = [
                {"position": position, "reason": reason, "time": now}
                for position, reason in reasons.items()
                if position not in known
            ]
            if rows:
                connection.execute(insert(quarantine), rows)

    def quarantined(self) -> dict[int, str]:
        """Position -> reason, of the items that were taken out."""
        return self._by_key(select(quarantine.c.position, quarantine.c.reason).order_by(quarantine.c.position))

    def item_count(self) -> int:
        """How many items the campaign knows."""
        return self._count(select(func.count()).select_from(items))

    def first_difference(self, ids: Sequence[str]) -> tuple[int, str, str] | None:
        """(position, id in the store, id given) where ids first differ from the store's, or None when they are the same items."""
        with reading(self._engine) as connection:
            rows = connection.execute(select(items.c.id).order_by(items.c.position))
            for position, (stored,) in enumerate(rows):
                if ids[position] != stored:
                    return position, stored, ids[position]
        return None

    def positions(self, role: str) -> list[int]:
        """The positions of all items of a role, asked or not."""
        statement = select(items.c.position).where(items.c.role == role).order_by(items.c.position)
        with reading(self._engine) as connection:
            return list(connection.scalars(statement))

    def unasked(self) -> list[int]:
        """Positions of the pool's items that no round has asked about yet and that are not quarantined, in the pool's order."""
        statement = select(items.c.position).where(
            items.c.role == "pool",
            items.c.position.not_in(select(queries.c.position)),
            items.c.position.not_in(select(quarantine.c.position)),
        )
        with reading(self._engine) as connection:
            return list(connection.scalars(statement.order_by(items.c.position)))

    # -- queries and answers -------------------------------------------------------------------------------------------

    def has_query(self, round_number: int) -> bool:
        """Whether the round's query has been chosen (it may be empty)."""
        return self._count(select(func.count()).select_from(selections).where(selections.c.round == round_number)) > 0

    def commit_query(self, round_number: int, chosen: Sequence[Chosen], *, seconds: float | None = None) -> None:
        """Write down, in one transaction, which items the round asks about, best first."""
        rows = [{"round": round_number, "rank": rank, **item._asdict()} for rank, item in enumerate(chosen)]
        with writing(self._engine) as connection:
            connection.execute(insert(selections).values(round=round_number, seconds=seconds))
            if rows:
                connection.execute(insert(queries), rows)

    def asked(self, *, up_to: int | None = None) -> list[Asked]:
        """Everything asked so far (up to and including a round), in the order it was asked."""
        statement = (
            select(
                *(queries.c.round, queries.c.rank, items.c.position, items.c.id, items.c.role),
                *(queries.c.score, queries.c.samples),
            )
            .join(items, items.c.position == queries.c.position)
            .order_by(queries.c.round, queries.c.rank)
        )
        if up_to is not None:
            statement = statement.where(queries.c.round <= up_to)
        with reading(self._engine) as connection:
            return [Asked(*row) for row in connection.execute(statement)]

    def record(self, round_number: int, events: Iterable[LabelEvent]) -> None:
        """Append label events, in one transaction."""
        now = time.time()
        rows = [{**label_event._asdict(), "round": round_number, "time": now} for label_event in events]
        if rows:
            with writing(self._engine) as connection:
                connection.execute(insert(label_events), rows)

    def labels(self) -> dict[int, str]:
        """Position -> current label, derived from all events."""
        columns = [label_events.c[name] for name in LabelEvent._fields]
        with reading(self._engine) as connection:
            rows = connection.execute(select(*columns).order_by(label_events.c.sequence))
            return current_labels(LabelEvent(*row) for row in rows)

    # -- rounds --------------------------------------------------------------------------------------------------------

    def rounds_done(self) -> int:
        """How many rounds are committed; also the number of the next one, since they start at 0."""
        return self._count(select(func.count()).select_from(rounds))

    def commit_round(self, record: RoundRecord) -> None:
        """Write down a finished fit, its metrics and its details, in one transaction; the model's file must be on the disk already."""
        row = {key: value for key, value in record._asdict().items() if key not in {"metrics", "details"}}
        values = [{"round": record.round, "name": name, "value": value} for name, value in record.metrics.items()]
        with writing(self._engine) as connection:
            connection.execute(insert(rounds).values(row))
            if values:
                connection.execute(insert(metrics), values)
            if record.details is not None:
                connection.execute(insert(evaluations).values(round=record.round, details=record.details))

    def evaluation_details(self) -> dict[int, str]:
        """Round -> the details of its evaluation, as the JSON text that was committed; rounds without any are left out."""
        return self._by_key(select(evaluations.c.round, evaluations.c.details).order_by(evaluations.c.round))

    def round_records(self) -> list[RoundRecord]:
        """All committed rounds, in order, without their details."""
        with reading(self._engine) as connection:
            found = connection.execute(select(rounds).order_by(rounds.c.round)).mappings().all()
            measured = _metrics_by_round(connection)
        return [RoundRecord(**dict(row), metrics=measured.get(row["round"], {})) for row in found]

    def seconds_scoring(self) -> dict[int, float]:
        """Round -> seconds its query took to choose, where something was scored."""
        return self._by_key(select(selections.c.round, selections.c.seconds).where(selections.c.seconds.is_not(None)))

    def _count(self, statement: Select[int]) -> int:
        with reading(self._engine) as connection:
            return connection.scalar(statement) or 0

    def _by_key(self, statement: Executable) -> dict[int, Any]:
        with reading(self._engine) as connection:
            return {row[0]: row[1] for row in connection.execute(statement)}


def _value_of(key: str) -> Select[str]:
    return select(about.c.value).where(about.c.key == key)


def _metrics_by_round(connection: Connection) -> dict[int, dict[str, float | None]]:
    measured: dict[int, dict[str, float | None]] = {}
    for number, name, value in connection.execute(select(metrics.c.round, metrics.c.name, metrics.c.value)):
        measured.setdefault(number, {})[name] = value
    return measured

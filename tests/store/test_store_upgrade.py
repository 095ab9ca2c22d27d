"""An older campaign is backed up and upgraded; killed, failing or refused at any point it is the old one or the new one, whole."""

import os
import signal
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, event, inspect

from askwell.errors import CampaignBusyError, CampaignStateError, StoreUnavailableError
from askwell.store import upgrade as upgrade_module
from askwell.store.connections import connect, schema_version, writing
from askwell.store.lock import exclusive
from askwell.store.schema import SCHEMA_VERSION, metadata
from askwell.store.store import CampaignStore, RoundRecord
from askwell.store.upgrade import migrate

BACKUP = "campaign.db.schema-1.backup"
MOMENTS = [
    *("fsync 1", "replace 1", "fsync 2"),  # of the backup: copied, on the disk, renamed
    *("ALTER TABLE", "CREATE TABLE quarantine", "UPDATE about", "commit", "committed"),
]


def content(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """Every row of every table."""
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {name: connection.execute(f'SELECT * FROM "{name}" ORDER BY 1, 2').fetchall() for name in names}


def shape(engine: Engine) -> dict[str, object]:
    """Tables, columns, keys and checks, however they were made."""
    with closing(engine.raw_connection()) as connection:
        autoincrement = (
            connection.cursor().execute("SELECT name FROM sqlite_master WHERE sql LIKE '%AUTOINCREMENT%'").fetchall()
        )
    looked = inspect(engine)
    tables = {
        name: {
            "columns": [{**column, "type": str(column["type"])} for column in looked.get_columns(name)],
            "primary key": looked.get_pk_constraint(name),
            "foreign keys": looked.get_foreign_keys(name),
            "unique": looked.get_unique_constraints(name),
            "checks": sorted(check["sqltext"] for check in looked.get_check_constraints(name)),
            "indexes": looked.get_indexes(name),
        }
        for name in looked.get_table_names()
    }
    engine.dispose()
    return {**tables, "autoincrement": sorted(autoincrement)}


def files(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir() if path.is_file() and path.name != ".lock"}


def test_all_migrations_make_the_schema_of_a_new_campaign(tmp_path: Path):
    migrated, made = connect(tmp_path / "migrated.db"), connect(tmp_path / "made.db")
    with writing(migrated) as connection:
        migrate(connection, 0)
    with writing(made) as connection:
        metadata.create_all(connection)
    assert shape(migrated) == shape(made)


def test_the_first_migration_makes_what_the_first_askwell_made(
    tmp_path: Path, old_campaign: Path, monkeypatch: pytest.MonkeyPatch
):
    migrated = connect(tmp_path / "migrated.db")
    monkeypatch.setattr(upgrade_module, "SCHEMA_VERSION", 1)
    with writing(migrated) as connection:
        migrate(connection, 0)
    assert shape(migrated) == shape(create_engine(f"sqlite:///{old_campaign / 'campaign.db'}"))


def test_an_old_campaign_is_backed_up_and_goes_on(old_campaign: Path):
    database = old_campaign / "campaign.db"
    before = content(database)
    with CampaignStore(database) as store:
        assert store.remembered("schema_version") == str(SCHEMA_VERSION)
        assert (store.item_count(), store.rounds_done(), len(store.labels())) == (1197, 2, 30)
        assert store.groups() == store.hashes() == store.quarantined() == store.evaluation_details() == {}
        store.quarantine({0: "truncated"})
        store.commit_round(RoundRecord(2, 40, 1.0, "models/round-0002.safetensors", "hash", {}, '{"items": 1}'))
    assert {path.name for path in old_campaign.iterdir()} == {"campaign.db", BACKUP, "models", ".lock"}
    assert [path.read_bytes() for path in (old_campaign / "models").iterdir()] == [b"weights of round 0"]
    assert content(old_campaign / BACKUP) == before
    after = content(database)
    assert {name: after[name] for name in ("selections", "label_events", "metrics")} == {
        name: before[name] for name in ("selections", "label_events", "metrics")
    }
    assert after["queries"] == [(*row, None) for row in before["queries"]], "how many samples is not known"
    assert after["rounds"][:2] == before["rounds"]
    assert after["items"] == [(*row, None) for row in before["items"]]
    changed = [
        ("schema_version", str(SCHEMA_VERSION)) if row[0] == "schema_version" else row for row in before["about"]
    ]
    assert sorted(after["about"]) == sorted(changed)


def test_a_backup_is_never_overwritten(old_campaign: Path):
    (old_campaign / BACKUP).write_bytes(b"an earlier one")
    CampaignStore(old_campaign / "campaign.db").close()
    assert (old_campaign / BACKUP).read_bytes() == b"an earlier one"
    assert schema_version(old_campaign / f"{BACKUP}-2") == 1


def test_what_was_committed_before_a_crash_is_in_the_backup(old_campaign: Path, tmp_path: Path):
    """A killed askwell leaves its last commits in the write-ahead log."""
    crashed = tmp_path / "crashed"
    crashed.mkdir()
    with closing(sqlite3.connect(old_campaign / "campaign.db")) as connection:
        connection.execute("INSERT INTO about VALUES ('last', 'words')")
        connection.commit()
        for name in ("campaign.db", "campaign.db-wal"):
            (crashed / name).write_bytes((old_campaign / name).read_bytes())
    with CampaignStore(crashed / "campaign.db") as store:
        assert store.remembered("last") == "words"
    assert ("last", "words") in content(crashed / BACKUP)["about"]


def test_a_campaign_that_is_being_run_is_not_upgraded(old_campaign: Path, store_child):
    store_child("hold", old_campaign)
    before = files(old_campaign)
    try:
        with pytest.raises(CampaignBusyError, match=r"is of schema 1 .* another process is running it; wait for it"):
            CampaignStore(old_campaign / "campaign.db")
        assert files(old_campaign) == before
    finally:
        store_child("release", old_campaign)
    CampaignStore(old_campaign / "campaign.db").close()
    assert schema_version(old_campaign / "campaign.db") == SCHEMA_VERSION


def test_whoever_holds_a_campaign_may_upgrade_it(old_campaign: Path):
    with exclusive(old_campaign):
        CampaignStore(old_campaign / "campaign.db").close()
        with pytest.raises(CampaignBusyError), exclusive(old_campaign):
            pass
    assert schema_version(old_campaign / "campaign.db") == SCHEMA_VERSION


@pytest.mark.parametrize("moment", MOMENTS)
def test_killed_at_any_moment_it_is_the_old_or_the_new_campaign(old_campaign: Path, store_child, moment: str):
    before = content(old_campaign / "campaign.db")
    assert store_child("open", old_campaign, moment) == -signal.SIGKILL
    version = schema_version(old_campaign / "campaign.db")
    assert version == (SCHEMA_VERSION if moment == "committed" else 1)
    backed_up = moment not in {"fsync 1", "replace 1"}
    assert (old_campaign / BACKUP).exists() == backed_up
    assert content(old_campaign / (BACKUP if backed_up else "campaign.db")) == before
    with CampaignStore(old_campaign / "campaign.db") as store:
        assert (store.item_count(), store.rounds_done(), len(store.labels())) == (1197, 2, 30)
        assert store.unasked() == [
            row[0] for row in before["items"] if row[0] not in {row[2] for row in before["queries"]}
        ]
    assert [path.name for path in old_campaign.iterdir() if path.name.endswith((".tmp", "-wal", "-journal"))] == []


@pytest.mark.parametrize("broken", ["fsync", "replace"])
def test_a_backup_that_cannot_be_written_stops_the_upgrade(
    old_campaign: Path, monkeypatch: pytest.MonkeyPatch, broken: str
):
    def fail(*_: object):
        raise OSError(28, "No space left on device")

    before = files(old_campaign)
    with monkeypatch.context() as patched:
        patched.setattr(*((os, "fsync") if broken == "fsync" else (Path, "replace")), fail)
        with pytest.raises(
            StoreUnavailableError, match=r"expected to back up .* No space left on device.*make room in"
        ):
            CampaignStore(old_campaign / "campaign.db")
    assert files(old_campaign) == before
    CampaignStore(old_campaign / "campaign.db").close()


def test_a_full_disk_during_the_migration_leaves_the_old_campaign(old_campaign: Path):
    database = old_campaign / "campaign.db"
    before = content(database)

    def fill(connection: sqlite3.Connection, _: object) -> None:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages}")

    event.listen(Engine, "connect", fill)
    try:
        with pytest.raises(StoreUnavailableError, match=r"could not be written .*full.*; nothing committed is lost"):
            CampaignStore(database)
    finally:
        event.remove(Engine, "connect", fill)
    assert content(database) == before
    assert content(old_campaign / BACKUP) == before
    CampaignStore(database).close()
    assert schema_version(database) == SCHEMA_VERSION


def test_a_damaged_campaign_is_neither_backed_up_nor_upgraded(old_campaign: Path):
    database = old_campaign / "campaign.db"
    with closing(sqlite3.connect(database)) as connection:
        root = connection.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = 'sqlite_autoindex_items_1'"
        ).fetchone()[0]
        size = connection.execute("PRAGMA page_size").fetchone()[0]
    damaged = bytearray(database.read_bytes())
    damaged[(root - 1) * size : root * size] = bytes(size)
    database.write_bytes(damaged)
    with pytest.raises(CampaignStateError, match=r"expected a sound database in .*campaign.db, found damage"):
        CampaignStore(database)
    assert files(old_campaign) == {"campaign.db": bytes(damaged)}


@pytest.mark.parametrize("closed", [True, False])
def test_a_newer_campaign_is_refused_untouched(old_campaign: Path, tmp_path: Path, closed: bool):
    newer = tmp_path / "newer"
    newer.mkdir()
    with closing(sqlite3.connect(old_campaign / "campaign.db")) as connection:
        connection.execute("UPDATE about SET value = '99' WHERE key = 'schema_version'")
        connection.commit()
        if closed:
            connection.close()
        for name in ("campaign.db", "campaign.db-wal", "campaign.db-shm"):
            if (old_campaign / name).exists():
                (newer / name).write_bytes((old_campaign / name).read_bytes())
    before = files(newer)
    assert ("campaign.db-wal" in before) == (not closed)
    with pytest.raises(
        CampaignStateError,
        match=rf"expected a campaign of schema {SCHEMA_VERSION} or older .* found schema 99; open it with",
    ):
        CampaignStore(newer / "campaign.db")
    after = files(newer)
    assert after.keys() == before.keys()
    assert all(after[name] == before[name] for name in before if not name.endswith("-shm"))
    assert not (newer / ".lock").exists()

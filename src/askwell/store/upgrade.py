"""An older campaign becomes one of this askwell's schema: first a verified backup beside it, then one transaction.

The schema of a database is what its ``about.schema_version`` says, which askwells of any age read; Alembic's revision 0002 leads to
schema 2. So there is no second version table that could say otherwise.
"""

import sqlite3
from pathlib import Path

from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, update

from askwell.errors import StoreUnavailableError
from askwell.store.connections import connect, refuse_newer, schema_version, writing
from askwell.store.files import replace_file
from askwell.store.schema import SCHEMA_VERSION, about
from askwell.store.snapshot import snapshot

MIGRATIONS = Path(__file__).with_name("migrations")


def upgrade(path: Path) -> None:
    """Upgrade the campaign's database in a file; the caller holds the campaign.

    Killed at any moment, the file holds the old database or the new one, and either can be opened. Nothing but the database is touched.
    """
    version = schema_version(path)
    refuse_newer(path, version)
    if version is None or version == SCHEMA_VERSION:  # another process was faster
        return
    back_up(path, version)
    engine = connect(path)
    try:
        with writing(engine) as connection:
            migrate(connection, version)
    finally:
        engine.dispose()


def back_up(path: Path, version: int) -> Path:
    """Write a verified copy of the database beside it, under a name that is free; returns its path."""
    backup = path.with_name(f"{path.name}.schema-{version}.backup")
    number = 1
    while backup.exists():  # of a former attempt, and perhaps of former content: never overwritten
        number += 1
        backup = path.with_name(f"{path.name}.schema-{version}.backup-{number}")
    try:
        replace_file(backup, lambda temporary: snapshot(path, temporary))
    except (OSError, sqlite3.Error) as error:
        raise StoreUnavailableError(
            f"expected to back up {path} before upgrading it, found {error}; the campaign is as it was: "
            f"make room in {path.parent}, then try again."
        ) from error
    return backup


def migrate(connection: Connection, version: int) -> None:
    """Run the revisions after the version, in the connection's transaction; version 0 is an empty database."""
    script = ScriptDirectory(str(MIGRATIONS))
    steps = script.iterate_revisions(f"{SCHEMA_VERSION:04d}", f"{version:04d}" if version else "base")
    with Operations.context(MigrationContext.configure(connection)):
        for step in reversed(list(steps)):
            step.module.upgrade()
    connection.execute(update(about).where(about.c.key == "schema_version").values(value=str(SCHEMA_VERSION)))

"""A copy of a database as it is at one moment, whoever writes to it meanwhile."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from askwell.errors import CampaignStateError
from askwell.store.connections import plain_connection


def snapshot(database: Path, target: Path) -> None:
    """Copy the database through SQLite's backup interface and check the copy; the target file is the caller's to fsync.

    Raises CampaignStateError when the database or the copy is damaged, sqlite3.OperationalError where the disk is full or a file locked.
    """
    target.unlink(missing_ok=True)
    with _damage_said(database), closing(plain_connection(database, "mode=rw")) as source:
        source.execute("BEGIN")
        expected = row_counts(source)  # from here on source sees this state alone
        # Nobody else knows the target: no locks, so that it may lie on a network drive, and no journal for a kill to leave behind.
        with closing(plain_connection(target, "nolock=1")) as copy:
            copy.execute("PRAGMA journal_mode=OFF")
            source.backup(copy)
    if (found := check_copy(target, database)) != expected:
        raise CampaignStateError(
            f"expected a copy of {database} with the rows {expected}, found {found}; check the disk, and try again."
        )


def check_copy(copy: Path, original: Path) -> dict[str, int]:
    """The row counts of a copy that nobody writes to; CampaignStateError, which names the original, when it is damaged."""
    with _damage_said(original), closing(plain_connection(copy, "immutable=1")) as connection:
        found = [row[0] for row in connection.execute("PRAGMA integrity_check")]
        if found != ["ok"]:
            raise sqlite3.DatabaseError(found[0])
        return row_counts(connection)


@contextmanager
def _damage_said(database: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError:
        raise  # the disk, or another process
    except sqlite3.DatabaseError as error:
        raise CampaignStateError(
            f"expected a sound database in {database}, found damage ({error}); restore the campaign from a backup."
        ) from error


def row_counts(connection: sqlite3.Connection) -> dict[str, int]:
    """Table -> number of rows."""
    tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    return {name: connection.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0] for name in tables}

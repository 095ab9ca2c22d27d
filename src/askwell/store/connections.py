"""Connections to campaign.db: how they are set up, what a transaction is, and what is said when the disk or the file is at fault."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import DatabaseError, OperationalError

from askwell.errors import CampaignStateError, StoreUnavailableError
from askwell.store.schema import SCHEMA_VERSION, about

WRITES = "askwell_writes"  # the execution option of a connection whose transaction will write
BUSY_MILLISECONDS = 5000


def connect(path: Path, *, durable: bool = True) -> Engine:
    """An engine for the database in a file, in WAL mode with synchronous=FULL: a transaction that returned is on the disk.

    One that is not durable survives the end of the process, but perhaps not that of the machine.
    """
    engine = create_engine(URL.create("sqlite", database=str(path)))
    event.listen(engine, "connect", partial(_set_pragmas, "FULL" if durable else "NORMAL"))
    event.listen(engine, "begin", _begin)
    return engine


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A connection that sees one state of the database throughout the block."""
    with _faults_said(engine, "read"), engine.connect() as connection:
        yield connection


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A transaction: it commits as a whole at the end of the block, or not at all, and no other one writes meanwhile."""
    with _faults_said(engine, "written"), engine.connect() as connection:
        connection = connection.execution_options(**{WRITES: True})
        with connection.begin():
            yield connection


def schema_version(path: Path) -> int | None:
    """The schema version of the campaign in a database file, None where there is none yet; leaves no trace beside the file.

    Raises CampaignStateError when the file is something else, StoreUnavailableError when it cannot be read.
    """
    if not path.exists() or path.stat().st_size == 0:
        return None
    mode = _mode(path)
    try:
        try:
            return _stored_version(path, mode)
        except sqlite3.DatabaseError:
            if mode == (now := _mode(path)):
                raise
            return _stored_version(path, now)  # another process has just begun to write, or ended
    except sqlite3.OperationalError as error:
        raise _unavailable(path, "read", error) from error
    except (sqlite3.DatabaseError, ValueError) as error:
        raise _no_database(path, error) from error


def refuse_newer(path: Path, version: int | None) -> None:
    """CampaignStateError when this askwell is too old for the campaign in a database file."""
    if version is not None and version > SCHEMA_VERSION:
        raise CampaignStateError(
            f"expected a campaign of schema {SCHEMA_VERSION} or older in {path}, found schema {version}; "
            "open it with the askwell version that wrote it, or a newer one."
        )


def plain_connection(path: Path, mode: str) -> sqlite3.Connection:
    """A connection without SQLAlchemy, in a mode of SQLite's file addresses; "immutable=1" reads what nobody writes to, without a trace."""
    return sqlite3.connect(f"{path.resolve().as_uri()}?{mode}", uri=True, timeout=BUSY_MILLISECONDS / 1000)


def _stored_version(path: Path, mode: str) -> int | None:
    with closing(plain_connection(path, mode)) as connection:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if not tables:
            return None
        if about.name not in tables:
            raise ValueError(f"the tables {', '.join(sorted(tables))}")
        row = connection.execute("SELECT value FROM about WHERE key = 'schema_version'").fetchone()
    if row is None:
        raise ValueError("no schema version in it")
    return int(row[0])


def _mode(path: Path) -> str:
    """How to read a file without changing it. Only a kill while the database was made leaves a journal, which SQLite must roll back."""
    if _beside(path, "-journal").exists():
        return "mode=rw"
    return "mode=ro" if _beside(path, "-wal").exists() else "immutable=1"


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


@contextmanager
def _faults_said(engine: Engine, done: str) -> Iterator[None]:
    path = Path(engine.url.database or "")
    try:
        yield
    except OperationalError as error:
        raise _unavailable(path, done, error.orig) from error
    except DatabaseError as error:
        if type(error) is not DatabaseError:  # IntegrityError and its like are the caller's mistakes, not the disk's
            raise
        raise _no_database(path, error.orig) from error


def _unavailable(path: Path, done: str, reason: BaseException | None) -> StoreUnavailableError:
    return StoreUnavailableError(
        f"the database {path} could not be {done} ({reason}); nothing committed is lost: "
        "make room or free the file, then resume."
    )


def _no_database(path: Path, reason: BaseException | None) -> CampaignStateError:
    return CampaignStateError(
        f"expected a campaign's database in {path}, found something else ({reason}); restore it from a backup."
    )


def _set_pragmas(synchronous: str, connection: sqlite3.Connection, _: object) -> None:
    connection.isolation_level = None  # SQLAlchemy's begin event opens transactions, see _begin
    cursor = connection.cursor()
    synchronised = f"synchronous={synchronous}"
    for pragma in (f"busy_timeout={BUSY_MILLISECONDS}", "journal_mode=WAL", synchronised, "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin(connection: Connection) -> None:
    """A transaction that will write says so at once: one that reads first could no longer write after another's commit."""
    connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.get_execution_options().get(WRITES) else "BEGIN")

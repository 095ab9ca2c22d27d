"""Opening campaign.db: made when it is new, upgraded when it is older, refused when it is newer or in a place that cannot be trusted."""

from pathlib import Path

from sqlalchemy import Engine, insert

from askwell.errors import CampaignBusyError
from askwell.store.connections import connect, refuse_newer, schema_version, writing
from askwell.store.lock import exclusive
from askwell.store.places import check_place
from askwell.store.schema import SCHEMA_VERSION, about, metadata

SECONDS_TO_WAIT = 10.0  # for another process that is making the same database


def open_database(path: Path) -> Engine:
    """The engine of the campaign's database in a file, which is of this askwell's schema then.

    Raises SettingsError for a place where SQLite cannot be trusted, CampaignStateError for a newer campaign or no campaign's database,
    CampaignBusyError for an older campaign that another process is running, StoreUnavailableError where nothing can be written.
    """
    check_place(path.parent)
    version = schema_version(path)
    refuse_newer(path, version)
    if version is None:
        return _new(path)
    if version < SCHEMA_VERSION:
        _upgraded(path, version)
    return connect(path)


def _new(path: Path) -> Engine:
    """The tables and the version in one transaction; of two processes at once, the second finds what the first has made."""
    with exclusive(path.parent, reenter=True, wait=SECONDS_TO_WAIT):
        version = schema_version(path)
        refuse_newer(path, version)
        engine = connect(path)
        try:
            if version is None:
                with writing(engine) as connection:
                    metadata.create_all(connection)
                    connection.execute(insert(about).values(key="schema_version", value=str(SCHEMA_VERSION)))
        except BaseException:
            engine.dispose()
            raise
    return engine


def _upgraded(path: Path, version: int) -> None:
    from askwell.store.upgrade import upgrade  # Alembic is loaded only when there is something to upgrade

    try:
        with exclusive(path.parent, reenter=True):
            upgrade(path)
    except CampaignBusyError:
        raise CampaignBusyError(
            f"the campaign in {path.parent} is of schema {version} and would have to be upgraded to schema {SCHEMA_VERSION}, "
            "but another process is running it; wait for it, or stop it, and try again."
        ) from None

"""One campaign, one process at a time: a lock that the operating system lets go of however its holder ends."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from askwell.errors import CampaignBusyError, CampaignStateError, StoreUnavailableError

LOCK_FILE = ".lock"


@contextmanager
def exclusive(directory: Path, *, reenter: bool = False, wait: float = 0.0) -> Iterator[None]:
    """Hold the campaign in a directory, for this thread of this process alone.

    reenter   go on under the hold of a caller further up, as opening the store does; without it that is refused like any other
    wait      how many seconds to wait for another holder

    Raises CampaignBusyError when somebody else holds it, CampaignStateError for no such directory, StoreUnavailableError where no lock
    file can be written.
    """
    if not directory.is_dir():  # or else the lock would make it
        raise CampaignStateError(f"expected a campaign in {directory}, found no such directory; check the path.")
    lock = FileLock(
        directory.resolve() / LOCK_FILE, is_singleton=True
    )  # one object per file, so that it knows its own holds
    try:
        if lock.is_locked and not reenter:
            raise Timeout(lock.lock_file)
        lock.acquire(timeout=wait)
    except Timeout:
        raise CampaignBusyError(
            f"another process is running the campaign in {directory}; wait for it, or stop it, and try again."
        ) from None
    except OSError as error:
        raise StoreUnavailableError(
            f"expected to be able to lock the campaign in {directory}, found {error.strerror or error}; make the directory writable."
        ) from error
    try:
        yield
    finally:
        lock.release()

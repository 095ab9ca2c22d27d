"""Commands that write into the same results take turns: several presets may run in one checkout."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from askwell.errors import CampaignBusyError

LOCK_FILE = ".lock"  # git ignores it in results
SECONDS_TO_WAIT = 300.0  # longer than any collecting and drawing takes


@contextmanager
def turn(results: Path) -> Iterator[None]:
    """Wait until no other command reads and replaces these results, then be the one that does; not to be nested.

    Raises CampaignBusyError where another one has held them for SECONDS_TO_WAIT.
    """
    results.mkdir(parents=True, exist_ok=True)
    lock = FileLock(results.resolve() / LOCK_FILE)
    try:
        lock.acquire(timeout=SECONDS_TO_WAIT)
    except Timeout:
        raise CampaignBusyError(
            f"expected another command to be done with {results} within {SECONDS_TO_WAIT:.0f} s, found it still writing there; "
            "wait for it, or stop it, and give the command again."
        ) from None
    try:
        yield
    finally:
        lock.release()

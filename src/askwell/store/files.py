"""Files that are either wholly there or not at all."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

from askwell.errors import DirectoryNotFoundError

DATABASE = "campaign.db"  # of a campaign, in its directory
BESIDE = "-askwell"  # ends the name of the directory of a campaign that lies beside its folder of images


def replace_file(path: Path, write: Callable[[Path], object]) -> str:
    """Let ``write`` fill a temporary file beside path, fsync it, and rename it over path; returns the sha256 of what was written.

    After a crash at any moment path holds either the old content or the new, never a part. If write fails, path is as it was and the
    temporary file is gone. Raises DirectoryNotFoundError where path's directory is not there.
    """
    check_directory_of(path)
    temporary = path.with_name(f".{path.name}.tmp")  # one name: what a crash left behind is overwritten
    try:
        write(temporary)
        with temporary.open("rb") as handle:
            digest = hashlib.file_digest(handle, "sha256").hexdigest()
            os.fsync(handle.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    _sync_directory(path.parent)
    return digest


def check_directory_of(path: Path) -> None:
    """Raise DirectoryNotFoundError unless the directory that path is to be written into is there; for what takes long before it writes."""
    if not path.parent.is_dir():
        raise DirectoryNotFoundError(
            f"expected the directory {path.parent}, found none; make it, or choose another --out."
        )


def file_hash(path: Path) -> str:
    """The sha256 of a file, as hexadecimal."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _sync_directory(directory: Path) -> None:
    if os.name != "posix":  # Windows cannot open a directory, and its rename needs no second fsync
        return
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

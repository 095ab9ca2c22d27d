"""Files that others published, with their checksums: found on this machine or downloaded, and verified in either case."""

import hashlib
import http.client
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import platformdirs

from askwell.errors import DatasetCorruptError, DatasetNotFoundError


class PublishedFile(NamedTuple):
    """A file's name, the md5 it was published with, and the addresses of the folders it can be downloaded from."""

    name: str
    md5: str
    mirrors: Sequence[str]


def data_roots(data_dir: Path | None) -> list[Path]:
    """Where data sets are looked for, first choice first: data_dir (ASKWELL_DATA unless given), then the user's cache."""
    named = data_dir or os.environ.get("ASKWELL_DATA")
    return [Path(named).expanduser(), user_cache()] if named else [user_cache()]


def user_cache() -> Path:
    """The folder that downloads go to."""
    return Path(platformdirs.user_cache_dir("askwell"))


def find_file(names: Sequence[str], roots: Sequence[Path], folders: Sequence[str]) -> Path | None:
    """The first file of one of those names, in one of the folders below one of the roots."""
    candidates = (root / folder / name for root in roots for folder in folders for name in names)
    return next((path for path in candidates if path.is_file()), None)


def check_md5(path: Path, expected: str) -> None:
    """Raise DatasetCorruptError unless the file is the published one."""
    with path.open("rb") as file:
        found = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    if found != expected:
        raise DatasetCorruptError(
            f"expected {path} to have md5 {expected}, found {found}; replace it, or delete it to have it downloaded."
        )


def download(file: PublishedFile, folder: str, wanted: str) -> Path:
    """The file, verified, in that folder of the user's cache; it appears there whole or not at all.

    Raises DatasetNotFoundError, which says that ``wanted`` was expected in that folder.
    """
    from torchvision.datasets import utils  # seconds to import, and only needed here

    target = user_cache() / folder
    causes = []
    for mirror in file.mirrors:
        try:
            target.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=target) as partial:
                utils.download_url(f"{mirror}{file.name}", partial, file.name, file.md5)
                return (Path(partial) / file.name).replace(target / file.name)
        except (OSError, http.client.HTTPException, RuntimeError) as error:  # RuntimeError: another checksum
            causes.append(f"{mirror} ({error})")
    raise DatasetNotFoundError(
        f"expected {wanted} in the folder {folder} of $ASKWELL_DATA or in {target}, "
        f"found no {file.name} there nor at {', '.join(causes)}; "
        "put the files there and set ASKWELL_DATA, or connect to the network."
    )

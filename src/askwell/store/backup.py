"""One .zip of a campaign, or of an experiment's campaigns, that is as sound as the campaign and can be unzipped anywhere.

It may be made while a campaign runs. What can be made again from the database (the tables, the report) goes in first, then the database
through SQLite's backup interface, then the models that this database refers to, which never change. So the backup is the campaign as it
was at one moment, or as after a kill between a round's commit and its tables, which the next run makes up for.
"""

import hashlib
import sqlite3
import zipfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from askwell.errors import CampaignStateError, SettingsError, StoreUnavailableError
from askwell.store.connections import plain_connection, refuse_newer, schema_version
from askwell.store.files import DATABASE, replace_file
from askwell.store.snapshot import check_copy, snapshot

FILES = ("campaign.toml", "items.csv", "curve.csv", "queries.csv", "evaluation.json", "quarantine.csv", "diagnose.json")
DERIVED = ("report", "replay")  # directories that the commands make by default
BLOCK_BYTES = 2**20
PACKED = {".safetensors", ".png"}  # nothing to gain from compressing these


class Backup(NamedTuple):
    """What was written: the .zip, how many files are in it, its size, and how many rounds of all campaigns together."""

    file: Path
    files: int
    bytes: int
    rounds: int


def backup_campaign(directory: Path, file: Path) -> Backup:
    """Write the campaign in a directory, or every campaign below it, into a new .zip, and read it back; restoring it is unzipping it.

    Left out are the feature cache, which is computed again, and locks and write-ahead logs, which belong to a running process.

    Raises SettingsError for a file that exists or lies inside the directory, CampaignStateError for no campaign, a newer one, or one
    whose models are not as they were committed, StoreUnavailableError when the disk is full. No file is left then.
    """
    _check_target(directory, file)
    campaigns = _campaigns(directory)
    copy = file.with_name(f".{file.name}.{DATABASE}")  # one name: what a crash left behind is overwritten
    files = rounds = 0

    def write(temporary: Path) -> None:
        nonlocal files, rounds
        with zipfile.ZipFile(temporary, "w", strict_timestamps=False) as archive:
            for place in dict.fromkeys((directory, *campaigns)):
                _add_derived(archive, directory, place)
            for campaign in campaigns:
                _add_campaign(archive, directory, campaign, copy)
        files, rounds = _verify(temporary, copy)

    with _faults_said(file, copy):
        replace_file(file, write)
    return Backup(file, files, file.stat().st_size, rounds)


def _check_target(directory: Path, file: Path) -> None:
    if file.exists():
        raise SettingsError(f"expected a new file for the backup, found {file} there already; choose another name.")
    if not file.parent.is_dir():
        raise SettingsError(f"expected a directory for the backup, found none at {file.parent}; make it first.")
    if file.resolve().is_relative_to(directory.resolve()):
        raise SettingsError(
            f"expected a place for the backup outside of {directory}, found {file}; a backup belongs somewhere else."
        )


def _campaigns(directory: Path) -> list[Path]:
    """The directory itself if a campaign is in it, else those below that hold one; CampaignStateError for none, or a newer one."""
    databases = [directory / DATABASE] if (directory / DATABASE).exists() else sorted(directory.rglob(DATABASE))
    versions = {path: schema_version(path) for path in databases}
    for path, version in versions.items():
        refuse_newer(path, version)
    begun = [path.parent for path, version in versions.items() if version is not None]
    if not begun:
        raise CampaignStateError(
            f"expected a campaign in {directory}, or below it, found no {DATABASE}; check the path."
        )
    return begun


def _add_derived(archive: zipfile.ZipFile, root: Path, place: Path) -> None:
    derived = [path for name in DERIVED for path in sorted((place / name).rglob("*"))]
    for path in (*(place / name for name in FILES), *derived):
        if path.is_file() and not path.name.startswith("."):  # hidden: being written at this moment
            _add(archive, path, _name(root, path))


def _add_campaign(archive: zipfile.ZipFile, root: Path, campaign: Path, copy: Path) -> None:
    snapshot(campaign / DATABASE, copy)
    _add(archive, copy, _name(root, campaign / DATABASE))
    for _, model_file, _ in _models(copy):
        path = campaign / model_file
        if not path.is_file():
            raise _other_model(path, "no file")
        _add(archive, path, _name(root, path))


def _add(archive: zipfile.ZipFile, path: Path, name: str) -> None:
    method = zipfile.ZIP_STORED if path.suffix in PACKED else zipfile.ZIP_DEFLATED
    archive.write(path, name, compress_type=method)


def _name(root: Path, path: Path) -> str:
    return path.relative_to(root).as_posix()


def _verify(file: Path, copy: Path) -> tuple[int, int]:
    """Read every byte of the .zip back; returns how many files and rounds are in it."""
    with zipfile.ZipFile(file) as archive:
        hashes = {name: _hash_of(archive, name) for name in archive.namelist()}
        rounds = 0
        for name in (name for name in hashes if PurePosixPath(name).name == DATABASE):
            copy.write_bytes(archive.read(name))
            check_copy(copy, file / name)
            for _, model_file, digest in _models(copy):
                model = (PurePosixPath(name).parent / model_file).as_posix()
                if hashes[model] != digest:
                    raise _other_model(Path(model), "other content")
                rounds += 1
    return len(hashes), rounds


def _hash_of(archive: zipfile.ZipFile, name: str) -> str:
    digest = hashlib.sha256()
    with archive.open(name) as member:  # which raises BadZipFile at the end when its checksum is another
        while block := member.read(BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def _models(database: Path) -> list[tuple[int, str, str]]:
    """(round, file, hash) of every committed round; the same in every schema."""
    with closing(plain_connection(database, "immutable=1")) as connection:
        return connection.execute("SELECT round, model_file, model_hash FROM rounds ORDER BY round").fetchall()


def _other_model(path: Path, found: str) -> CampaignStateError:
    return CampaignStateError(
        f"expected the weights in {path} as they were committed, found {found}; no backup was written: "
        "restore the campaign's directory from an earlier one."
    )


@contextmanager
def _faults_said(file: Path, copy: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, sqlite3.Error, zipfile.BadZipFile) as error:
        raise StoreUnavailableError(
            f"the backup {file} could not be written ({error}); the campaign is as it was: make room, or choose another place."
        ) from error
    finally:
        copy.unlink(missing_ok=True)

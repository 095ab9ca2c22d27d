"""Files are wholly there or not at all."""

import hashlib
import os
import signal
from pathlib import Path

import pytest

from askwell.errors import DirectoryNotFoundError
from askwell.store.files import file_hash, replace_file


def test_the_hash_is_that_of_the_content(tmp_path: Path):
    path = tmp_path / "file"
    digest = replace_file(path, lambda temporary: temporary.write_bytes(b"new"))
    assert path.read_bytes() == b"new"
    assert digest == file_hash(path) == hashlib.sha256(b"new").hexdigest()
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("broken", ["write", "fsync", "replace"])
def test_a_failure_at_any_step_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str):
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def fail(*_: object):
        raise OSError("No space left on device")

    if broken == "fsync":
        monkeypatch.setattr(os, "fsync", fail)
    if broken == "replace":
        monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="No space left"):
        replace_file(path, fail if broken == "write" else lambda temporary: temporary.write_bytes(b"new"))
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_directory_that_is_not_there_is_said(tmp_path: Path):
    with pytest.raises(DirectoryNotFoundError, match=r"expected the directory .*nodir, found none; make it"):
        replace_file(tmp_path / "nodir/file", lambda temporary: temporary.write_bytes(b"new"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("moment", ["write", "fsync 1", "replace 1", "fsync 2"])
def test_power_lost_at_any_moment_leaves_the_old_file_or_the_new(tmp_path: Path, store_child, moment: str):
    path, temporary = tmp_path / "file", tmp_path / ".file.tmp"
    path.write_bytes(b"old")
    assert store_child("replace", tmp_path, moment) == -signal.SIGKILL
    renamed = moment == "fsync 2"
    assert path.read_bytes() == (b"new, in two writes" if renamed else b"old")
    assert temporary.exists() == (not renamed), "what the next one overwrites"
    assert replace_file(path, lambda temporary: temporary.write_bytes(b"next")) == file_hash(path)
    assert path.read_bytes() == b"next"
    assert list(tmp_path.iterdir()) == [path]

"""Equal files: found by content, but only files of equal size are read."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from askwell.pool.duplicates import content_hash, equal_files


@given(contents=st.lists(st.sampled_from([b"", b"a", b"b", b"aa", b"ab", b"bb" * 3]), max_size=12))
def test_equal_contents_are_found_and_nothing_else(tmp_path_factory, contents):
    folder = tmp_path_factory.mktemp("files")
    files = [folder / str(number) for number in range(len(contents))]
    for file, content in zip(files, contents, strict=True):
        file.write_bytes(content)
    sets = [[place for place, found in enumerate(contents) if found == content] for content in set(contents) - {b""}]
    assert equal_files(files) == sorted(each for each in sets if len(each) > 1)


def test_only_files_of_equal_size_are_read(tmp_path, monkeypatch):
    read, told = [], []
    for name, content in {"a": b"12", "b": b"34", "c": b"5", "d": b"12", "e": b"", "f": b""}.items():
        (tmp_path / name).write_bytes(content)
    files = [tmp_path / name for name in "abcdef"]
    original = Path.open
    monkeypatch.setattr(Path, "open", lambda self, *mode: read.append(self.name) or original(self, *mode))
    assert equal_files(files, lambda done, total: told.append((done, total))) == [[0, 3]]
    assert read == ["a", "b", "d"]
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_files_that_are_gone_or_lead_nowhere_equal_no_other(tmp_path):
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "a").write_bytes(b"x")
    (tmp_path / "link").symlink_to(tmp_path / "a")
    files = [tmp_path / name for name in ("loop", "gone", "a", "gone too", "link")]
    assert equal_files(files) == [[2, 4]]


def test_the_hash_is_the_sha256_of_the_content(tmp_path):
    (tmp_path / "abc").write_bytes(b"abc")
    assert content_hash(tmp_path / "abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert content_hash(tmp_path / "gone") is None


@pytest.mark.parametrize("files", [[], [Path("nowhere")]])
def test_no_files_and_one_file_have_no_equal(files):
    assert equal_files(files) == []

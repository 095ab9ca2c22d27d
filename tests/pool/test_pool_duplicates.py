"""Equal files: found by content, but only files of equal size are read, and whole only those whose parts agree."""

import hashlib
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from askwell.pool import duplicates
from askwell.pool.duplicates import PART, content_hash, equal_files


@given(contents=st.lists(st.sampled_from([b"", b"a", b"b", b"aa", b"ab", b"bb" * 3]), max_size=12))
def test_equal_contents_are_found_and_nothing_else(tmp_path_factory, contents):
    folder = tmp_path_factory.mktemp("files")
    files = [folder / str(number) for number in range(len(contents))]
    for file, content in zip(files, contents, strict=True):
        file.write_bytes(content)
    sets = [[place for place, found in enumerate(contents) if found == content] for content in set(contents) - {b""}]
    found = equal_files(files)
    assert found.sets == sorted(each for each in sets if len(each) > 1)
    of_equal_size = [place for place, content in enumerate(contents) if [*map(len, contents)].count(len(content)) > 1]
    assert found.content == {
        place: hashlib.sha256(contents[place]).hexdigest() for place in of_equal_size if contents[place]
    }


@given(
    changes=st.lists(
        st.tuples(st.sampled_from([0, PART, 6 * PART, 10 * PART, 12 * PART - 1]), st.binary(min_size=1, max_size=1)),
        max_size=6,
    ),
    size=st.sampled_from([3 * PART - 1, 3 * PART, 3 * PART + 1, 12 * PART]),
)
def test_large_files_are_equal_where_every_byte_is(tmp_path_factory, changes, size):
    folder = tmp_path_factory.mktemp("files")
    contents = []
    for place, byte in [(0, b"\0"), *changes]:
        content = bytearray(size)
        content[min(place, size - 1)] = byte[0]
        contents.append(bytes(content))
        (folder / str(len(contents) - 1)).write_bytes(content)
    sets = [[place for place, found in enumerate(contents) if found == content] for content in set(contents)]
    found = equal_files([folder / str(number) for number in range(len(contents))])
    assert found.sets == sorted(each for each in sets if len(each) > 1)
    assert {place for each in found.sets for place in each} <= set(found.content)
    assert all(digest == hashlib.sha256(contents[place]).hexdigest() for place, digest in found.content.items())


@pytest.mark.parametrize("differ_at", [0, 200_000, 399_999])
def test_whole_are_read_only_the_large_files_whose_parts_agree(tmp_path, monkeypatch, differ_at):
    base = bytearray(400_000)
    for number in range(10):
        base[differ_at] = number
        (tmp_path / str(number)).write_bytes(base)
    base[7 * PART] = 1  # where the parts do not reach
    for name in ("agrees", "equal"):
        (tmp_path / name).write_bytes(base)
    files = sorted(tmp_path.iterdir())
    whole, told = [], []
    monkeypatch.setattr(duplicates, "content_hash", lambda file: whole.append(file.name) or content_hash(file))
    found = equal_files(files, lambda done, total: told.append((done, total)))
    assert sorted(whole) == ["9", "agrees", "equal"]
    assert [[files[place].name for place in each] for each in found.sets] == [["agrees", "equal"]]
    assert {files[place].name for place in found.content} == {"9", "agrees", "equal"}
    assert told == [*((done, 12) for done in range(1, 13)), (13, 15), (14, 15), (15, 15)]


def test_of_a_large_file_three_parts_are_read(tmp_path, monkeypatch):
    for number in range(3):
        (tmp_path / str(number)).write_bytes(bytes([number]) * 1_000_000)
    read = []

    class Counting(io.BufferedReader):
        def read(self, size=-1, /):
            read.append(size)
            return super().read(size)

    monkeypatch.setattr(Path, "open", lambda self, mode: Counting(io.FileIO(self, mode)))
    assert equal_files([tmp_path / str(number) for number in range(3)]) == ([], {})
    assert read == [PART] * 9


def test_only_files_of_equal_size_are_read(tmp_path, monkeypatch):
    read, told = [], []
    for name, content in {"a": b"12", "b": b"34", "c": b"5", "d": b"12", "e": b"", "f": b""}.items():
        (tmp_path / name).write_bytes(content)
    files = [tmp_path / name for name in "abcdef"]
    original = Path.open
    monkeypatch.setattr(Path, "open", lambda self, *mode: read.append(self.name) or original(self, *mode))
    assert equal_files(files, lambda done, total: told.append((done, total))).sets == [[0, 3]]
    assert read == ["a", "b", "d"]
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_files_that_are_gone_or_lead_nowhere_equal_no_other(tmp_path):
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "a").write_bytes(b"x")
    (tmp_path / "link").symlink_to(tmp_path / "a")
    files = [tmp_path / name for name in ("loop", "gone", "a", "gone too", "link")]
    assert equal_files(files).sets == [[2, 4]]


def test_the_hash_is_the_sha256_of_the_content(tmp_path):
    (tmp_path / "abc").write_bytes(b"abc")
    assert content_hash(tmp_path / "abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert content_hash(tmp_path / "gone") is None


@pytest.mark.parametrize("files", [[], [Path("nowhere")]])
def test_no_files_and_one_file_have_no_equal(files):
    assert equal_files(files) == ([], {})

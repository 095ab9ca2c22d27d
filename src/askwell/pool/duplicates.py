"""Which files have the same content? Files of equal size are compared in small parts, and read whole where those agree."""

import hashlib
import io
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

Progress = Callable[
    [int, int], object
]  # told how many files are read, and how many are to be (more, once that is known)
PART = 4096  # bytes compared at the start, in the middle and at the end of a file

Key = TypeVar("Key", bound=Hashable)


class EqualFiles(NamedTuple):
    """The positions of files that are equal to another one, each set as a list, in order; the sha256 of all that were read whole."""

    sets: list[list[int]]
    content: dict[int, str]


def equal_files(files: Sequence[Path], progress: Progress | None = None) -> EqualFiles:
    """Which files are equal to another one. Files that are empty or cannot be read equal no other."""
    sizes = [_size(file) for file in files]
    of_equal_size = _in_one(_repeated((size, position) for position, size in enumerate(sizes)))
    small = {position for position in of_equal_size if (sizes[position] or 0) <= 3 * PART}
    content: dict[int, str] = {}
    parts: list[tuple[tuple[int | None, str] | None, int]] = []
    for done, position in enumerate(of_equal_size, start=1):
        digest = content_hash(files[position]) if position in small else _parts_hash(files[position])
        if position in small and digest is not None:
            content[position] = digest
        parts.append((None if digest is None else (sizes[position], digest), position))
        if progress is not None:
            progress(done, len(of_equal_size))
    whole = [position for position in _in_one(_repeated(parts)) if position not in small]
    for done, position in enumerate(whole, start=len(of_equal_size) + 1):
        if (digest := content_hash(files[position])) is not None:
            content[position] = digest
        if progress is not None:
            progress(done, len(of_equal_size) + len(whole))
    sets = _repeated((digest, position) for position, digest in content.items())
    return EqualFiles(sorted(sorted(positions) for positions in sets), content)


def content_hash(file: Path) -> str | None:
    """The sha256 of a file's content; None for a file that cannot be read."""
    return _hash(file, lambda content: hashlib.file_digest(content, "sha256").hexdigest())


def _parts_hash(file: Path) -> str | None:
    """The sha256 of three parts of a file that is longer; None for a file that cannot be read."""

    def parts(content: io.BufferedReader) -> str:
        digest = hashlib.sha256()
        size = content.seek(0, io.SEEK_END)
        for start in (0, size // 2, max(0, size - PART)):
            content.seek(start)
            digest.update(content.read(PART))
        return digest.hexdigest()

    return _hash(file, parts)


def _hash(file: Path, digest: Callable[[io.BufferedReader], str]) -> str | None:
    try:
        with file.open("rb") as content:
            return digest(content)
    except OSError:
        return None


def _size(file: Path) -> int | None:
    try:
        return file.stat().st_size or None
    except OSError:
        return None


def _repeated(keyed: Iterable[tuple[Key | None, int]]) -> list[list[int]]:
    """The positions of each key that occurs more than once; None is no key."""
    positions: dict[Key, list[int]] = defaultdict(list)
    for key, position in keyed:
        if key is not None:
            positions[key].append(position)
    return [each for each in positions.values() if len(each) > 1]


def _in_one(sets: Iterable[Iterable[int]]) -> list[int]:
    return [position for positions in sets for position in positions]

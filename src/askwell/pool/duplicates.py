"""Which files have the same content? Only files of equal size are read."""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from pathlib import Path
from typing import TypeVar

Progress = Callable[[int, int], object]  # told how many files are read, and how many are to be

Key = TypeVar("Key", bound=Hashable)


def equal_files(files: Sequence[Path], progress: Progress | None = None) -> list[list[int]]:
    """The positions of the files that are equal to another one, each set of equal files as one list, in order.

    Files that are empty or cannot be read equal no other.
    """
    of_equal_size = _repeated((_size(file), position) for position, file in enumerate(files))
    to_read = [position for positions in of_equal_size for position in positions]
    hashes = []
    for done, position in enumerate(to_read, start=1):
        hashes.append((content_hash(files[position]), position))
        if progress is not None:
            progress(done, len(to_read))
    return sorted(sorted(positions) for positions in _repeated(hashes))


def content_hash(file: Path) -> str | None:
    """The sha256 of a file's content; None for a file that cannot be read."""
    try:
        with file.open("rb") as content:
            return hashlib.file_digest(content, "sha256").hexdigest()
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

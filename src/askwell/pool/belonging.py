"""Which images of a folder, or of two, belong together, and what is to be said about equal ones."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from askwell.pool.duplicates import Progress, equal_files
from askwell.pool.groups import joined, same_key
from askwell.pool.labelled_folder import LabelledFolder, counted, such_as

TEST_PREFIX = "test:"  # of the ids of a test folder's images, whose paths can be those of images in the pool's folder


class Candidates(NamedTuple):
    """The labelled images of the pool's folder and, from position ``first_test`` on, of a test folder."""

    ids: list[str]
    files: list[Path]
    pages: list[int]
    labels: list[str]
    first_test: int


class Belonging(NamedTuple):
    """For each image the position of the first one that it belongs together with (its own if it is alone), its file's sha256 if that
    was read whole, and sentences."""

    first: list[int]
    content: list[str | None]
    notes: list[str]


def candidates_of(sides: Sequence[LabelledFolder]) -> Candidates:
    """The images of the pool's folder, and of the test folder if there is one, in one row."""
    found = Candidates([], [], [], [], len(sides[0].items))
    for side, prefix in zip(sides, ("", TEST_PREFIX), strict=False):
        found.ids.extend(prefix + item.id for item in side.items)
        found.files.extend(side.root / item.path for item in side.items)
        found.pages.extend(item.page for item in side.items)
        found.labels.extend(side.labels)
    return found


def belonging(images: Candidates, keys: Sequence[str | None] | None, progress: Progress | None) -> Belonging:
    """Images with one key belong together, pages of one file, and files of equal content in one folder.

    Equal content in both folders is only said: such a test image does not pull its group out of the pool.
    """
    pages: dict[Path, list[int]] = {}
    for position, file in enumerate(images.files):
        pages.setdefault(file, []).append(position)
    notes, sets = [], list(pages.values())
    if keys is not None:
        sets += same_key(keys)
        alone = [images.ids[position] for position, key in enumerate(keys) if key is None]
        if alone:
            notes.append(
                f"{len(alone):,} of {counted(len(keys), 'image')} have no group in group_by and are groups of their own, "
                f"{such_as(alone)}."
            )
    files = list(pages)
    found = equal_files(files, progress)
    equal = [[files[index] for index in each] for each in found.sets]
    content = {files[index]: digest for index, digest in found.content.items()}
    sides = [_on_one_side([pages[file] for file in each], images.first_test) for each in equal]
    repeated = [side for both in sides for side in both if len(side) > 1]
    sets += [[position for file in side for position in file] for side in repeated]
    notes += [*_repeated(images, repeated), *_on_both_sides(images, sides), *_contradictions(images, sides)]
    return Belonging(joined(len(images.ids), sets), [content.get(file) for file in images.files], notes)


def _on_one_side(files: list[list[int]], first_test: int) -> tuple[list[list[int]], list[list[int]]]:
    """Equal files, as the positions of their pages, apart for the two folders."""
    return [file for file in files if file[0] < first_test], [file for file in files if file[0] >= first_test]


def _repeated(images: Candidates, repeated: Sequence[list[list[int]]]) -> list[str]:
    if not repeated:
        return []
    first, second = (images.ids[file[0]] for file in repeated[0][:2])
    return [
        f"{counted(sum(map(len, repeated)), 'file')} have the same content as another, such as {first!r} and {second!r}; "
        "equal files form one group."
    ]


def _on_both_sides(images: Candidates, sides: Sequence[tuple[list[list[int]], list[list[int]]]]) -> list[str]:
    shared = [(pool, test) for pool, test in sides if pool and test]
    if not shared:
        return []
    pool, test = shared[0]
    return [
        f"{counted(sum(len(each) for _, each in shared), 'test file')} have the same content as one of the pool, such as "
        f"{images.ids[test[0][0]]!r} and {images.ids[pool[0][0]]!r}; what is measured on them says nothing about new images."
    ]


def _contradictions(images: Candidates, sides: Sequence[tuple[list[list[int]], list[list[int]]]]) -> list[str]:
    """Equal files of which a page has different labels."""
    count, examples = 0, []
    for pool, test in sides:
        files = [*pool, *test]
        first: dict[int, int] = {}  # where each page was first seen
        positions = [position for file in files for position in file]
        pairs = [(first.setdefault(images.pages[position], position), position) for position in positions]
        differing = [pair for pair in pairs if images.labels[pair[0]] != images.labels[pair[1]]]
        if differing:
            count += len(files)
            examples.append(differing[0])
    if not examples:
        return []
    first_id, second_id = (images.ids[position] for position in examples[0])
    return [
        f"{counted(count, 'file')} have the same content as another with a different label, such as {first_id!r} "
        f"and {second_id!r}; at most one of the labels can be right."
    ]

"""Which images of a labelling campaign belong together: equal files, pages of one file, and what ``--groups`` says. Imports no torch."""

import os
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from askwell.pool.duplicates import equal_files
from askwell.pool.groups import group_keys, joined, same_key
from askwell.pool.image_formats import ImageUnreadableError
from askwell.pool.listing import ListedImage, list_images
from askwell.pool.rooted import OutsideRootError, below
from askwell.store.labelling_records import ItemFile


class Together(NamedTuple):
    """By position: the group of each image that is not alone (the id of its first member), the sha256 of each that has an equal."""

    groups: dict[int, str]
    contents: dict[int, str]


def find_together(folder: Path, files: Mapping[int, ItemFile], group_by: str | None) -> Together:
    """Compare the files and read the groups; UsageError for ``group_by`` that finds none. No link out of the folder is followed."""
    positions = sorted(files)
    listed = [ListedImage(files[at].id, os.fsdecode(files[at].path), files[at].page) for at in positions]
    pages: dict[str, list[int]] = {}
    for row, item in enumerate(listed):
        pages.setdefault(item.path, []).append(row)
    inside = [path for path in pages if _is_inside(folder, path)]
    equal = equal_files([folder / path for path in inside])
    sets = [*pages.values(), *([row for file in each for row in pages[inside[file]]] for each in equal.sets)]
    if group_by is not None and listed:
        sets += same_key(group_keys(group_by, [listed], [folder])[0])
    first = joined(len(listed), sets)
    sizes = Counter(first)
    groups = {positions[row]: listed[at].id for row, at in enumerate(first) if sizes[at] > 1}
    contents = {
        positions[row]: f"{equal.content[file]}#{listed[row].page}"
        for each in equal.sets
        for file in each
        for row in pages[inside[file]]
    }
    return Together(groups, contents)


def find_groups(folder: Path, group_by: str) -> list[str | None]:
    """What names the group of each image of the folder; UsageError where that finds none."""
    return group_keys(group_by, [list_images(folder).items], [folder])[0]


def distinct(positions: Iterable[int], contents: Mapping[int, str], asked: Collection[int]) -> list[int]:
    """The positions without those whose content is that of one that was asked, or of an earlier one."""
    seen = {contents[at] for at in asked if at in contents}
    kept = []
    for at in positions:
        content = contents.get(at)
        if content is None or content not in seen:
            kept.append(at)
        if content is not None:
            seen.add(content)
    return kept


def _is_inside(folder: Path, path: str) -> bool:
    try:
        below(str(folder), os.fsencode(path))
    except (OutsideRootError, ImageUnreadableError):
        return False
    return True

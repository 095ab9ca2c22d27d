"""Items that belong together: images of one patient, of one burst, or with the same content."""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from askwell.errors import UsageError
from askwell.pool.item_names import ItemNames, normal
from askwell.pool.label_files import find_table, no_image_named, read_values
from askwell.pool.listing import ListedImage

TABLE = re.compile(r"\.(csv|tsv|txt)(:|$)", re.IGNORECASE)  # what no expression on ids would hold


def group_keys(group_by: str, sides: Sequence[Sequence[ListedImage]], roots: Sequence[Path]) -> list[list[str | None]]:
    """What names the group of each item of each side (the pool, the test images), None for an item that has none.

    roots are the sides' folders.

    group_by is "file.csv:column", or a regular expression that is searched in the id: its first group, or the whole match.

    Raises UsageError when it is neither, and when no item has a group.
    """
    keys = _table_keys(group_by, sides, roots) if TABLE.search(group_by) else _expression_keys(group_by, sides)
    if not any(key is not None for side in keys for key in side):
        raise UsageError(
            f"expected group_by to find groups in ids such as {sides[0][0].id!r}, found that {group_by!r} matches none of "
            f"{sum(map(len, sides))}; it is searched in the id, and its first pair of brackets is the group."
        )
    return keys


def joined(count: int, sets: Iterable[Sequence[int]]) -> list[int]:
    """For each of the positions 0..count-1 the lowest one that it is connected with through sets that overlap."""
    lowest = list(range(count))

    def root(position: int) -> int:
        while lowest[position] != position:
            lowest[position] = lowest[lowest[position]]
            position = lowest[position]
        return position

    for members in sets:
        roots = {root(position) for position in members}
        first = min(roots)
        for each in roots:
            lowest[each] = first
    return [root(position) for position in range(count)]


def same_key(keys: Sequence[str | None]) -> list[list[int]]:
    """The positions of each key, in order; None is no key."""
    positions: dict[str, list[int]] = defaultdict(list)
    for position, key in enumerate(keys):
        if key is not None:
            positions[key].append(position)
    return list(positions.values())


def _expression_keys(expression: str, sides: Sequence[Sequence[ListedImage]]) -> list[list[str | None]]:
    try:
        pattern = re.compile(normal(expression))
    except re.error as error:
        raise UsageError(
            f"expected group_by to be a regular expression or 'file.csv:column', found {expression!r} ({error}); repair it."
        ) from None

    def key(item: ListedImage) -> str | None:
        match = pattern.search(item.id)
        return (match[1] if pattern.groups else match[0]) or None if match else None

    return [[key(item) for item in side] for side in sides]


def _table_keys(group_by: str, sides: Sequence[Sequence[ListedImage]], roots: Sequence[Path]) -> list[list[str | None]]:
    source = find_table(group_by, roots[0])
    if not source.columns:
        raise UsageError(
            f"expected group_by to name the column of {source.path.name} that holds the group, found {group_by!r}; "
            f"write '{source.path.name}:patient_id', say."
        )
    tables = [read_values(source, ItemNames(side, root), "group") for side, root in zip(sides, roots, strict=True)]
    if not any(table.values for table in tables):
        raise no_image_named(source.path, tables[0], sides[0][0])
    return [
        [table.values.get(position) for position in range(len(side))] for table, side in zip(tables, sides, strict=True)
    ]

"""Tables that say something about images: a label or a group for each, as CSV with or without a header."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from askwell.errors import UsageError
from askwell.pool.item_names import ItemNames
from askwell.pool.listing import ListedImage

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs"}
IMAGE_COLUMNS = {
    *("image", "image_id", "image_name", "image_path", "img", "isic_id", "photo", "id", "name"),
    *("file", "filename", "file_name", "path", "filepath", "file_path"),
}
LABEL_COLUMNS = {
    *("label", "labels", "class", "class_name", "target", "category", "species", "y"),
    *("diagnosis", "dx", "malignant", "benign_malignant"),
}


class TableSource(NamedTuple):
    """A table as the user names it, "file.csv", "file.csv:value" or "file.csv:image,value": its file, and those columns."""

    path: Path
    columns: tuple[str, ...]


class TableValues(NamedTuple):
    """What a table says of the items, by position; how many of its rows name no image, and the first such name."""

    values: dict[int, str]
    rows: int
    strangers: int
    stranger: str | None


def find_table(spec: str, folder: Path) -> TableSource:
    """The table that a setting names; a relative path is looked for where it leads to, then inside the folder.

    Raises UsageError when there is no such file, or more than two columns are named.
    """
    ends = [len(spec), *(place for place in range(len(spec) - 1, 0, -1) if spec[place] == ":")]
    for end in ends:
        for path in (Path(spec[:end]).expanduser(), folder / spec[:end]):
            if path.is_file():
                columns = [] if end == len(spec) else next(csv.reader([spec[end + 1 :]]), [])
                if end < len(spec) and not (1 <= len(columns) <= 2 and all(columns)):
                    raise UsageError(
                        f"expected 'column' or 'image_column,column' after {spec[: end + 1]!r}, found {spec[end + 1 :]!r}; "
                        "put a name that holds a comma into double quotes."
                    )
                return TableSource(path, tuple(column.strip() for column in columns))
    raise UsageError(f"expected a table at {spec!r}, there or inside {folder}, found no such file; check the path.")


def read_values(source: TableSource, names: ItemNames, what: str) -> TableValues:
    """What the table says of each item; ``what`` it is ("label", "group") is for the sentences. Rows without it say nothing.

    Raises UsageError for a table that cannot be understood, for names that can mean several images, and for an item that
    is given two values.
    """
    rows = _value_rows(source, names, what)
    by_file: dict[int, str] = {}
    by_page: dict[int, str] = {}
    strangers = []
    for name, value in rows:
        positions = names.positions(name)
        if not positions:
            strangers.append(name)
        found = by_page if names.is_page(name) else by_file
        for position in positions if value else ():
            if found.setdefault(position, value) != value:
                raise UsageError(
                    f"expected one {what} for each image, found {found[position]!r} and {value!r} for {name!r} "
                    f"in {source.path.name}; keep the right row."
                )
    return TableValues({**by_file, **by_page}, len(rows), len(strangers), strangers[0] if strangers else None)


def no_image_named(path: Path, table: TableValues, item: ListedImage) -> UsageError:
    """The error for a table that says nothing about these images."""
    if table.strangers < table.rows:
        found = "rows that name images, and nothing said of any"
    else:
        found = f"{table.rows} rows that name none, such as {table.stranger!r}" if table.rows else "no row"
    return UsageError(
        f"expected {path} to name images such as {item.id!r}, found {found}; choose the table and the folder that belong together."
    )


def read_table(path: Path) -> list[list[str]]:
    """The rows of a CSV file: UTF-8; commas, semicolons or tabs; at least two columns, as many in every row.

    Raises UsageError for anything else, and when two separators would do.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise UsageError(f"expected a table that can be read at {path}, found {error.strerror or error}.") from None
    except UnicodeDecodeError as error:
        raise UsageError(
            f"expected UTF-8 text in {path}, found other bytes at {error.start}; save it as CSV in UTF-8."
        ) from None
    tables, faults = {}, []
    for separator, plural in SEPARATORS.items():
        try:
            rows = _separated(text, separator)
        except csv.Error as error:
            faults.append(f"with {plural}, {error}")
            continue
        if rows:
            tables[separator] = rows
    if len(tables) > 1:
        both = " and ".join(SEPARATORS[separator] for separator in tables)
        raise UsageError(
            f"expected one way to separate the columns of {path}, found {both}; quote the names that hold one."
        )
    if not tables:
        found = "; ".join(faults) or ("a single column" if text.strip() else "an empty file")
        raise UsageError(
            f"expected two or more columns in {path}, separated by commas, semicolons or tabs, as many in every row, "
            f"found {found}; repair it."
        )
    return next(iter(tables.values()))


def _separated(text: str, separator: str) -> list[list[str]]:
    """The rows that are not empty; none where there is one column only. Raises csv.Error for rows of different lengths."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    rows = []
    for row in filter(any, reader):
        if rows and len(row) != len(rows[0]):
            raise csv.Error(f"{len(rows[0])} columns in the first row and {len(row)} in line {reader.line_num}")
        rows.append(row)
    return rows if rows and len(rows[0]) > 1 else []


def _value_rows(source: TableSource, names: ItemNames, what: str) -> list[tuple[str, str]]:
    """(name, value) of every row but a header."""
    rows = read_table(source.path)
    has_header, image, value = _columns(source, rows[0], names, what)
    return [(row[image], row[value].strip()) for row in rows[has_header:]]


def _columns(source: TableSource, first: Sequence[str], names: ItemNames, what: str) -> tuple[bool, int, int]:
    """Whether the first row is a header, and which columns hold the image's name and the value."""
    cells = [cell.strip() for cell in first]
    images = [place for place, cell in enumerate(cells) if cell.lower() in IMAGE_COLUMNS]
    values = [place for place, cell in enumerate(cells) if cell.lower() in LABEL_COLUMNS]
    if source.columns:
        named = [_column(source, cells, name) for name in source.columns]
        values = named[-1:]
        images = named[:1] if len(named) == 2 else [place for place in images if place != values[0]]
    elif len(images) == 1 and len(values) == 1:
        pass
    elif len(cells) == 2 and (any(cell in names for cell in cells) or not (images or values)):
        return False, 0, 1
    if len(cells) == 2 and len(images) + len(values) == 1:
        images, values = (images, [1 - images[0]]) if images else ([1 - values[0]], values)
    if len(images) != 1 or len(values) != 1:
        example = f"{source.path.name}:{'image' if source.columns else cells[0]},{(source.columns or cells)[-1]}"
        raise UsageError(
            f"expected to recognise the image's and the {what}'s column of {source.path}, found {', '.join(map(repr, cells))} "
            f"in its first row; name both as in '{example}', and write a header line if it has none."
        )
    return True, images[0], values[0]


def _column(source: TableSource, cells: Sequence[str], name: str) -> int:
    if cells.count(name) != 1:
        raise UsageError(
            f"expected a column {name!r} in the first row of {source.path}, once, found {', '.join(map(repr, cells))}."
        )
    return cells.index(name)

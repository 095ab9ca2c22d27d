"""Tables that say something about images: a label or a group for each, as CSV with or without a header."""

import csv
import io
import re
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
WHOLE_NUMBER = re.compile(r"([+-]?[0-9]{1,18})(\.0*)?")  # as tables of numbers write it, also with a point


class TableSource(NamedTuple):
    """A table as the user names it, "file.csv", "file.csv:value" or "file.csv:image,value": its file, and those columns."""

    path: Path
    columns: tuple[str, ...]


class TableRows(NamedTuple):
    """(name, value) of every row of a table but its header, and the columns that hold neither."""

    rows: list[tuple[str, str]]
    others: tuple[str, ...]


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

    Where all values are whole numbers, 1.0 is 1.

    Raises UsageError for a table that cannot be understood, for names that can mean several images, and for an item that
    is given two values.
    """
    rows = value_rows(source, names, what).rows
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


def value_rows(source: TableSource, names: ItemNames, what: str) -> TableRows:
    """The names and values that a table gives, as they are written."""
    rows = read_table(source.path)
    has_header, image, value = _columns(source, rows, names, what)
    values = _without_points([row[value].strip() for row in rows[has_header:]])
    others = [cell.strip() for place, cell in enumerate(rows[0]) if has_header and place not in (image, value)]
    return TableRows([(row[image], said) for row, said in zip(rows[has_header:], values, strict=True)], tuple(others))


def _without_points(values: list[str]) -> list[str]:
    """Whole numbers without a decimal point, where some have one and all are whole numbers or empty; else the values."""
    numbers = [WHOLE_NUMBER.fullmatch(value) for value in values]
    if not any(number and number[2] for number in numbers):
        return values
    if any(value and not number for value, number in zip(values, numbers, strict=True)):
        return values
    return [str(int(number[1])) if number else "" for number in numbers]


def _columns(source: TableSource, rows: Sequence[Sequence[str]], names: ItemNames, what: str) -> tuple[bool, int, int]:
    """Whether the first row is a header, and which columns hold the image's name and the value."""
    cells = [cell.strip() for cell in rows[0]]
    images = [place for place, cell in enumerate(cells) if cell.lower() in IMAGE_COLUMNS]
    values = [place for place, cell in enumerate(cells) if cell.lower() in LABEL_COLUMNS]
    if source.columns:
        named = [_column(source, cells, name) for name in source.columns]
        values = named[-1:]
        images = named[:1] if len(named) == 2 else [place for place in images if place != values[0]]
    elif len(cells) > 2 and (one_hot := _one_hot(rows, images)):
        values = [place for place in values if place not in one_hot]
        if len(images) != 1 or len(values) != 1:
            raise _is_one_hot(source.path, [cells[place] for place in one_hot])
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


def _one_hot(rows: Sequence[Sequence[str]], images: Sequence[int]) -> list[int]:
    """The columns of 0 and 1 below the first row, but for names of images, if several are used and every row has a single 1; else none."""
    columns = [[cell.strip() for cell in column] for column in zip(*rows[1:], strict=True)]
    marks = {place: _marks(column) for place, column in enumerate(columns) if place not in images}
    flags = {place: column for place, column in marks.items() if column is not None}
    used = [column for column in flags.values() if any(column)]
    return list(flags) if len(used) > 1 and all(sum(row) == 1 for row in zip(*used, strict=True)) else []


def _marks(column: Sequence[str]) -> list[bool] | None:
    """Which cells are 1; None unless all are 0 or 1."""
    numbers = [WHOLE_NUMBER.fullmatch(cell) for cell in column]
    values = [int(number[1]) if number else None for number in numbers]
    return [value == 1 for value in values] if set(values) <= {0, 1} else None


def _is_one_hot(path: Path, columns: Sequence[str]) -> UsageError:
    named = ", ".join(map(repr, columns[:3])) + (", ..." if len(columns) > 3 else "")
    return UsageError(
        f"expected one column of class names in {path}, found {len(columns)} columns of 0 and 1 with a single 1 in every row, "
        f"a column for each class ({named}); write the class of each row into one column."
    )


def _column(source: TableSource, cells: Sequence[str], name: str) -> int:
    if cells.count(name) != 1:
        raise UsageError(
            f"expected a column {name!r} in the first row of {source.path}, once, found {', '.join(map(repr, cells))}."
        )
    return cells.index(name)

"""Tables as CSV files that read back as exactly the values written, whatever an id holds.

A table is described by its columns and one parser each. Writing passes every cell through the same parser, so that nothing can be
written that would be refused on reading.
"""

import csv
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from askwell.errors import CampaignStateError, NonFiniteError, UsageError
from askwell.store.files import replace_file

Parsers = Mapping[str, Callable[[str], Any]]

# The bytes of a file name that are not UTF-8 live in Python strings as surrogates; this writes them back as they were.
_ENCODING_ERRORS = "surrogateescape"
_ROUNDING = 1e-9


def text(cell: str) -> str:
    """Any text, taken as it is; ValueError for half a character, which no file can hold."""
    try:
        cell.encode("utf-8", _ENCODING_ERRORS)
    except UnicodeEncodeError:
        raise ValueError("text of whole characters") from None
    return cell


def count(cell: str) -> int:
    """A whole number, 0 or more; ValueError says so otherwise."""
    if not (cell.isascii() and cell.isdigit()):
        raise ValueError("a whole number, 0 or more")
    return int(cell)


def number(cell: str) -> float | None:
    """A number or nothing, NaN refused; ValueError says so otherwise."""
    if cell == "":
        return None
    try:
        value = float(cell)
    except ValueError:
        value = math.nan
    if math.isnan(value):
        raise ValueError("a number or nothing")
    return value


def fraction(cell: str) -> float | None:
    """A number from 0 to 1 (up to rounding) or nothing; ValueError says so otherwise."""
    expected = "a fraction from 0 to 1 or nothing"
    try:
        value = number(cell)
    except ValueError:
        raise ValueError(expected) from None
    if value is not None and not -_ROUNDING <= value <= 1.0 + _ROUNDING:
        raise ValueError(expected)
    return value


def write_rows(path: Path, parsers: Parsers, rows: Iterable[Sequence[object]]) -> None:
    """Replace the file atomically: a header, then one line per row in the order of the parsers' columns; None is an empty cell.

    Raises NonFiniteError for NaN, UsageError for any other value that its column does not take, OSError where the disk refuses.
    """
    lines = [",".join(parsers)]
    for index, row in enumerate(rows, start=1):
        cells = [_cell(value) for value in row]
        for (column, parse), cell in zip(parsers.items(), cells, strict=True):
            _check(path, index, column, parse, cell)
        lines.append(",".join(_quoted(cell) for cell in cells))
    data = ("\n".join(lines) + "\n").encode("utf-8", _ENCODING_ERRORS)
    replace_file(path, lambda temporary: temporary.write_bytes(data))


def read_rows(path: Path, parsers: Parsers) -> list[dict[str, Any]]:
    """The rows of the file as column -> value.

    Raises CampaignStateError that names the file, the line, what was expected and what was found.
    """
    try:
        stream = path.open(encoding="utf-8-sig", errors=_ENCODING_ERRORS, newline="")
    except FileNotFoundError:
        raise CampaignStateError(f"expected the file {path}, found none; give the directory of a campaign.") from None
    with stream:
        reader = csv.reader(stream, strict=True)
        rows: list[dict[str, Any]] = []
        line = 1
        try:
            header = next(reader, None)
            if header != list(parsers):
                found = "an empty file" if header is None else repr(",".join(header))
                raise _malformed(path, 1, f"the header {','.join(parsers)!r}", found)
            line = reader.line_num + 1
            for cells in reader:
                rows.append(_parsed(path, line, parsers, cells))
                line = reader.line_num + 1
        except csv.Error as error:
            raise _malformed(path, line, "a line of CSV", str(error)) from None
    return rows


def _parsed(path: Path, line: int, parsers: Parsers, cells: Sequence[str]) -> dict[str, Any]:
    if len(cells) != len(parsers):
        raise _malformed(path, line, f"{len(parsers)} cells", f"{len(cells)}")
    values: dict[str, Any] = {}
    for (column, parse), cell in zip(parsers.items(), cells, strict=True):
        try:
            values[column] = parse(cell)
        except ValueError as error:
            raise _malformed(path, line, f"{error} in column {column}", repr(cell)) from None
    return values


def _malformed(path: Path, line: int, expected: str, found: str) -> CampaignStateError:
    return CampaignStateError(
        f"{path}, line {line}: expected {expected}, found {found}; put back a copy of the file, or run the campaign again with --resume."
    )


def _check(path: Path, index: int, column: str, parse: Callable[[str], object], cell: str) -> None:
    try:
        parse(cell)
    except ValueError as error:
        kind = NonFiniteError if cell == "nan" else UsageError
        raise kind(
            f"row {index} for {path.name}, column {column}: expected {error}, found {cell!r}; nothing was written."
        ) from None


def _cell(value: object) -> str:
    """The shortest text that reads back as the same value; NumPy's numbers are written like Python's."""
    if value is None:
        return ""
    return repr(float(value)) if isinstance(value, float) else str(value)


def _quoted(cell: str) -> str:
    """The cell in quotes where it needs them; the csv module of older Pythons forgets a lone carriage return."""
    return '"' + cell.replace('"', '""') + '"' if any(mark in cell for mark in ',"\r\n') else cell

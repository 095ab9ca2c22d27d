"""Labels as CSV: id, label, kind, annotator, time, duration; and earlier labels in somebody's own tables.

A spreadsheet runs what begins with = + - or @ as a formula, and a file's or a class's name may begin so. Such text is written with an
apostrophe before it, which spreadsheets show as text, and which is taken off when askwell reads the file again: text that begins with
apostrophes and such a sign gets one more, so that any text comes back as it was. Programs that must not meet the apostrophe read JSONL.
"""

import csv
import io
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from askwell.errors import UsageError
from askwell.exchange.records import Claim, Problem, Reading, Record, checked, claim_of, time_text
from askwell.pool.item_names import ItemNames
from askwell.pool.label_files import TableSource, value_rows
from askwell.store.files import replace_file

COLUMNS = Record._fields
RUN_BY_SPREADSHEETS = re.compile(r"[\s']*[=+\-@＝＋－＠]|'*[\t\r\n]")
_SPECIAL = re.compile('[,;"\t\r\n]|^ | $')


def guarded(text: str) -> str:
    """Text that no spreadsheet runs."""
    return f"'{text}" if RUN_BY_SPREADSHEETS.match(text) else text


def unguarded(text: str) -> str:
    """What ``guarded`` was given."""
    return text[1:] if text.startswith("'") and RUN_BY_SPREADSHEETS.match(text[1:]) else text


def write_csv(path: Path, records: Iterable[Record]) -> None:
    """Replace the file atomically; UTF-8, commas, one line for each record. Raises UsageError for text that no file can hold."""
    rows = [COLUMNS, *(_cells(checked(record)) for record in records)]
    write_table(path, rows)


def write_table(path: Path, rows: Iterable[Sequence[str]]) -> None:
    """Replace a CSV file atomically; cells are written as they are, in quotes where they need them."""
    text = "".join(",".join(map(_quoted, row)) + "\n" for row in rows)
    replace_file(path, lambda temporary: temporary.write_bytes(text.encode()))


def read_own_csv(path: Path) -> Reading | None:
    """The claims of a table that has askwell's columns id, label and kind; None where it is another table.

    Raises UsageError for text that is not UTF-8 or no CSV.
    """
    rows = read_table(path)
    header = rows[0] if rows else []
    if not {"id", "label", "kind"} <= set(header):
        return None
    claims, problems = list[Claim](), list[Problem]()
    for number, row in enumerate(rows[1:], start=2):
        if len(row) != len(header):
            problems.append(Problem("unclear answer", f"row {number}", f"{len(row)} cells instead of {len(header)}"))
            continue
        fields = {name: unguarded(cell) for name, cell in zip(header, row, strict=True)}
        found = claim_of(fields, [fields["id"]], f"row {number}", exact=True)
        (claims if isinstance(found, Claim) else problems).append(found)  # pyright: ignore[reportArgumentType]
    return Reading(claims, problems)


def read_foreign_csv(source: TableSource, names: ItemNames) -> Reading:
    """The claims of somebody's own table: a column of images and one of classes, recognised or named. Rows without a class say nothing.

    Raises UsageError where columns cannot be recognised.
    """
    rows, others = value_rows(source, names, "label")
    claims = [Claim((name,), label) for name, label in rows if label]
    return Reading(claims, [], columns=others, unlabelled=len(rows) - len(claims))


def read_table(path: Path) -> list[list[str]]:
    """The rows of a CSV file with commas; UsageError for anything else."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
        return list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except UnicodeDecodeError as error:
        raise UsageError(
            f"expected UTF-8 text in {path}, found other bytes at {error.start}; save it as CSV in UTF-8."
        ) from None
    except csv.Error as error:
        raise UsageError(f"expected CSV in {path}, found what cannot be read as such ({error}); repair it.") from None


def _cells(record: Record) -> tuple[str, ...]:
    duration = "" if record.duration is None else repr(float(record.duration))
    texts = (record.id, record.label or "", record.kind, record.annotator)
    return *map(guarded, texts), time_text(record.time) or "", duration


def _quoted(cell: str) -> str:
    """In quotes where commas, quotes, line ends or another country's separators would be taken for more; spaces at an end too."""
    return '"' + cell.replace('"', '""') + '"' if _SPECIAL.search(cell) else cell

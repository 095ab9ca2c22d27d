"""Labels as JSON Lines: one object for each record, text exactly as it is."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from askwell.errors import UsageError
from askwell.exchange.records import Claim, Problem, Reading, Record, checked, claim_of, time_text
from askwell.store.files import replace_file

ID_KEYS = ("id", "image", "file", "path")  # in this order, where somebody else wrote the file


def write_jsonl(path: Path, records: Iterable[Record]) -> None:
    """Replace the file atomically. Raises UsageError for text that no file can hold."""
    lines = (
        json.dumps({**checked(record)._asdict(), "time": time_text(record.time)}, ensure_ascii=False) + "\n"
        for record in records
    )
    text = "".join(lines)
    replace_file(path, lambda temporary: temporary.write_bytes(text.encode()))


def read_jsonl(path: Path) -> Reading:
    """The claims of the file; UsageError, which names the line, for anything but an object with an image's name and a label."""
    claims, problems = list[Claim](), list[Problem]()
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"expected UTF-8 text in {path}, found other bytes at {error.start}.") from None
    for number, line in enumerate(text.split("\n"), start=1):  # splitlines would break at more than a line's end
        if line.strip():
            found = _claim(_object(path, number, line), f"line {number}")
            (claims if isinstance(found, Claim) else problems).append(found)  # pyright: ignore[reportArgumentType]
    return Reading(claims, problems)


def _object(path: Path, number: int, line: str) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError as error:
        raise UsageError(f"expected one JSON object in line {number} of {path}, found {error}; repair it.") from None
    if not isinstance(found, dict):
        raise UsageError(f"expected one JSON object in line {number} of {path}, found a {type(found).__name__}.")
    return found


def _claim(fields: dict[str, Any], where: str) -> Claim | Problem:
    key = next((key for key in ID_KEYS if isinstance(fields.get(key), str)), None)
    if key is None:
        return Problem("unclear answer", where, f"no image is named; expected one of the keys {', '.join(ID_KEYS)}")
    return claim_of(fields, [fields[key]], where, exact=key == "id" and "kind" in fields)

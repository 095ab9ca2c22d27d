"""The formats that labels go out as and come in from, in one literal table, and which one a file is."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from askwell.errors import UnknownNameError, UsageError
from askwell.exchange.class_folders import read_class_folders
from askwell.exchange.csv_labels import read_foreign_csv, read_own_csv
from askwell.exchange.json_lines import read_jsonl
from askwell.exchange.label_studio import read_label_studio
from askwell.exchange.records import Reading
from askwell.pool.item_names import ItemNames
from askwell.pool.label_files import TableSource


class Format(NamedTuple):
    """One line about a format, and what its file is called by default."""

    description: str
    file: str


FORMATS: Mapping[str, Format] = {
    "csv": Format("a table: id, label, kind, annotator, time, duration", "labels.csv"),
    "jsonl": Format("one JSON object a line, text exactly as it is", "labels.jsonl"),
    "labelstudio": Format("Label Studio's tasks, with predictions if they are given", "tasks.json"),
    "folders": Format("a folder for each class, images linked or copied", "classes"),
}
SUFFIXES = {".csv": "csv", ".tsv": "csv", ".txt": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "labelstudio"}


def format_of(path: Path) -> str:
    """The format that a file's name, or being a directory, says; UsageError where it says none."""
    if path.is_dir():
        return "folders"
    if path.suffix.lower() not in SUFFIXES:
        raise UsageError(
            f"expected labels as {', '.join(sorted(SUFFIXES))} or a directory, found {str(path)!r}; name the --format."
        )
    return SUFFIXES[path.suffix.lower()]


def read_labels(source: TableSource, form: str, names: ItemNames) -> Reading:
    """What a file claims; ``names`` are the campaign's items, by which a table's columns are recognised.

    Raises UnknownNameError for a format that does not exist, UsageError for a file that is not of its format.
    """
    if form not in FORMATS:
        raise UnknownNameError("format", form, FORMATS)
    if form == "folders":
        return read_class_folders(source.path)
    if form == "jsonl":
        return read_jsonl(source.path)
    if form == "labelstudio":
        return read_label_studio(source.path)
    own = None if source.columns else read_own_csv(source.path)
    return read_foreign_csv(source, names) if own is None else own

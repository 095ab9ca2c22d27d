"""quarantine.csv: the images that a campaign set aside, each with its reason; written for the campaign, and read back."""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from askwell.report.csv_files import read_rows, text, write_rows

QUARANTINE_FILE = "quarantine.csv"


class SetAside(NamedTuple):
    """One image that takes no part: on which side of the split it was, its id, and why it cannot be used."""

    split: str
    id: str
    reason: str


class ReasonCount(NamedTuple):
    """One reason: the split, how many images were set aside for it, and their ids."""

    split: str
    reason: str
    ids: tuple[str, ...]


def read_set_aside(campaigns: Iterable[Path]) -> list[list[SetAside]]:
    """What each of the campaigns in these directories set aside; nothing for one without the file.

    Raises CampaignStateError that names the file, the line, what was expected and what was found.
    """
    parsers = dict.fromkeys(SetAside._fields, text)
    files = [directory / QUARANTINE_FILE for directory in campaigns]
    return [[SetAside(**row) for row in read_rows(file, parsers)] if file.exists() else [] for file in files]


def write_set_aside(directory: Path, rows: Sequence[SetAside]) -> None:
    """Replace the directory's quarantine.csv atomically."""
    write_rows(directory / QUARANTINE_FILE, dict.fromkeys(SetAside._fields, text), rows)


def union(campaigns: Iterable[Iterable[SetAside]]) -> list[SetAside]:
    """Every image that some campaign set aside, once, in order of appearance; the first reason speaks."""
    images: dict[tuple[str, str], SetAside] = {}
    for rows in campaigns:
        for row in rows:
            images.setdefault((row.split, row.id), row)
    return list(images.values())


def by_reason(images: Sequence[SetAside]) -> list[ReasonCount]:
    """Split by split in order of appearance, and within it the most frequent reason first."""
    splits = list(dict.fromkeys(row.split for row in images))
    counts = Counter((row.split, row.reason) for row in images)
    order = sorted(counts, key=lambda key: (splits.index(key[0]), -counts[key], key[1]))
    return [ReasonCount(*key, tuple(row.id for row in images if (row.split, row.reason) == key)) for key in order]

"""curve.csv and queries.csv read back as written, and are replaced whole or not at all."""

import csv
import math
import os
import stat
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from askwell.errors import CampaignStateError, NonFiniteError, UsageError
from askwell.report.curves import (
    CURVE_COLUMNS,
    CurvePoint,
    QueryRow,
    read_curve,
    read_queries,
    write_curve,
    write_queries,
)

NASTY = [
    "a,b.png",
    'say "cheese".png',
    "two\nlines.png",
    "carriage\rreturn.png",
    "both\r\n.png",
    "  spaces  ",
    "",
    "'",
    "\t",
    "snow ☃ and 🐛.png",
    "caf\udce9.png",  # a file name that is not UTF-8, as Python reads it
    "=cmd()",
    "﻿bom",
    "nul\0byte",
]
FRACTION = st.none() | st.floats(0.0, 1.0)
NUMBER = st.none() | st.floats(allow_nan=False)
COUNT = st.integers(0, 10**9)


@pytest.mark.parametrize("name", NASTY)
def test_any_id_reads_back(tmp_path: Path, name: str) -> None:
    path = tmp_path / "queries.csv"
    rows = [QueryRow(name, 0, 1, 0, name, name, 0.1), QueryRow("bald", 0, 1, 1, "plain", "7", None)]
    write_queries(path, rows)
    assert read_queries(path) == rows
    with path.open(newline="", encoding="utf-8", errors="surrogateescape") as stream:  # as anyone else reads it
        assert [line[4] for line in csv.reader(stream)] == ["id", name, "plain"]


TEXT = st.text(st.characters(exclude_categories=["Cs"])) | st.sampled_from(NASTY)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.builds(QueryRow, TEXT, COUNT, COUNT, COUNT, TEXT, TEXT, NUMBER), max_size=5))
def test_queries_round_trip(tmp_path: Path, rows: list[QueryRow]) -> None:
    write_queries(tmp_path / "queries.csv", rows)
    assert read_queries(tmp_path / "queries.csv") == rows


POINT = st.builds(CurvePoint, TEXT, COUNT, COUNT, COUNT, FRACTION, NUMBER, FRACTION, FRACTION, NUMBER, NUMBER)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(points=st.lists(POINT, max_size=5, unique_by=lambda p: (p.strategy, p.seed, p.round)))
def test_curves_round_trip_to_the_last_bit(tmp_path: Path, points: list[CurvePoint]) -> None:
    write_curve(tmp_path / "curve.csv", points)
    assert read_curve(tmp_path / "curve.csv") == points


def test_the_file_is_plain_csv(tmp_path: Path) -> None:
    path = tmp_path / "curve.csv"
    write_curve(path, [CurvePoint("bald", 0, 0, 20, np.float64(0.1) + np.float64(0.2), None, None, None, 3.0)])
    assert path.read_bytes() == b",".join(name.encode() for name in CURVE_COLUMNS) + (
        b"\nbald,0,0,20,0.30000000000000004,,,,3.0,\n"
    )


HEADER = ",".join(CURVE_COLUMNS)
GOOD = "bald,0,0,20,0.5,,,,,"


@pytest.mark.parametrize(
    ("content", "line", "words"),
    [
        ("", 1, ["an empty file"]),
        ("strategy,seed\n", 1, [HEADER, "strategy,seed"]),
        (f"{HEADER}\n{GOOD}\nbald,0,1,30\n", 3, ["10 cells", "4"]),
        (f"{HEADER}\n{GOOD}\n\n", 3, ["10 cells", "0"]),
        (f"{HEADER}\nbald,zero,0,20,0.5,,,,,\n", 2, ["a whole number", "column seed", "'zero'"]),
        (f"{HEADER}\nbald,0,0,-20,0.5,,,,,\n", 2, ["column labels", "'-20'"]),
        (f"{HEADER}\nbald,0,0,20,97.3,,,,,\n", 2, ["a fraction from 0 to 1", "column accuracy", "'97.3'"]),
        (f"{HEADER}\nbald,0,0,20,nan,,,,,\n", 2, ["column accuracy", "'nan'"]),
        (f"{HEADER}\nbald,0,0,20,0.5,much,,,,\n", 2, ["a number or nothing", "column nll", "'much'"]),
        (f'{HEADER}\n"two\nlines",0,0,20,0.5,,,,,\nbald,0,,20,0.5,,,,,\n', 4, ["column round", "''"]),
        (f'{HEADER}\n{GOOD}\n"cut off', 3, ["a line of CSV"]),
        (f'{HEADER}\n"bald"x,0,0,20,0.5,,,,,\n', 2, ["a line of CSV"]),
    ],
)
def test_a_malformed_file_is_named_with_line_expected_and_found(
    tmp_path: Path, content: str, line: int, words: list[str]
) -> None:
    path = tmp_path / "curve.csv"
    path.write_bytes(content.encode())
    with pytest.raises(CampaignStateError) as caught:
        read_curve(path)
    for word in [str(path), f"line {line}:", "expected", "found", *words]:
        assert word in str(caught.value)


def test_a_round_twice_and_a_missing_file_are_malformed(tmp_path: Path) -> None:
    path = tmp_path / "curve.csv"
    with pytest.raises(CampaignStateError, match="found none"):
        read_curve(path)
    path.write_text(f"{HEADER}\n{GOOD}\n{GOOD}\n")
    with pytest.raises(CampaignStateError, match="twice strategy 'bald', seed 0, round 0"):
        read_curve(path)


def test_a_spreadsheets_copy_is_read(tmp_path: Path) -> None:
    path = tmp_path / "curve.csv"
    path.write_bytes(b"\xef\xbb\xbf" + f"{HEADER}\r\n{GOOD}\r\n".encode())
    assert read_curve(path) == [CurvePoint("bald", 0, 0, 20, 0.5)]


@pytest.mark.parametrize(
    ("row", "error"),
    [
        (QueryRow("bald", 0, 1, 0, "a", "0", math.nan), NonFiniteError),
        (QueryRow("bald", 0, -1, 0, "a", "0", 0.5), UsageError),
        (QueryRow("bald", 0, 1, 0, "half a character \ud800", "0", 0.5), UsageError),
    ],
)
def test_what_would_not_be_read_is_not_written(tmp_path: Path, row: QueryRow, error: type[Exception]) -> None:
    path = tmp_path / "queries.csv"
    path.write_text("old")
    with pytest.raises(error, match=r"row 1 for queries.csv, column \w+: expected"):
        write_queries(path, [row])
    assert path.read_text() == "old"


def test_accuracy_in_per_cent_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"column accuracy.*97\.3"):
        write_curve(tmp_path / "curve.csv", [CurvePoint("bald", 0, 0, 20, 97.3)])


def test_a_failing_replace_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "curve.csv"
    write_curve(path, [CurvePoint("bald", 0, 0, 20, 0.5)])
    before = path.read_bytes()

    def refuse(*_: Any) -> None:
        raise OSError("disk full")

    for name in ("replace", "fsync"):
        with monkeypatch.context() as patch:
            patch.setattr(os, name, refuse)
            with pytest.raises(OSError, match="disk full"):
                write_curve(path, [CurvePoint("bald", 0, 0, 20, 0.9)])
        assert [entry.name for entry in tmp_path.iterdir()] == ["curve.csv"]
        assert path.read_bytes() == before


def test_bytes_reach_the_disk_before_the_name_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    fsync, replace = os.fsync, os.replace

    def record_fsync(descriptor: int) -> None:
        calls.append("directory" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
        fsync(descriptor)

    def record_replace(source: Path, target: Path) -> None:
        calls.append("replace")
        assert source.parent == target.parent
        replace(source, target)

    monkeypatch.setattr(os, "fsync", record_fsync)
    monkeypatch.setattr(os, "replace", record_replace)
    write_queries(tmp_path / "queries.csv", [])
    assert calls == ["file", "replace", "directory"]

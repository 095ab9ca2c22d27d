"""Turns, ratios, tables and what is written."""

import json
from pathlib import Path

import pytest

from measuring import publish, ratios, rounded, table, take_turns


def test_contestants_take_turns_and_keep_every_repeat():
    order: list[str] = []

    def contestant(name: str):
        def run() -> float:
            order.append(name)
            return float(len(order))

        return run

    seconds = take_turns({"ours": contestant("ours"), "theirs": contestant("theirs")}, 2)
    assert order == ["ours", "theirs", "ours", "theirs"]
    assert seconds == {"ours": [1, 3], "theirs": [2, 4]}


def test_ratios_are_of_pairs_and_their_median():
    assert ratios([10, 30, 20], [1, 2, 4]) == {"each": [10, 15, 5], "median": 10}
    with pytest.raises(ValueError, match="zip"):
        ratios([1, 2], [1])


def test_fractions_are_written_with_four_digits(tmp_path: Path):
    found = rounded({"a": [1 / 3, 123456.7, 60_000], "b": {1: (None, True, "x")}})
    assert found == {"a": [0.3333, 123500.0, 60_000], "b": {"1": [None, True, "x"]}}
    publish({"a": 2 / 3}, tmp_path / "new" / "out.json")
    assert json.loads((tmp_path / "new" / "out.json").read_text()) == {"a": 0.6667}


def test_a_table_is_aligned():
    lines = table(["", "seconds"], [["askwell", 1.23456], ["x", 1234.5], ["none", None]]).splitlines()
    assert lines == ["         seconds", "-" * 16, "askwell     1.23", "x           1234", "none           -"]

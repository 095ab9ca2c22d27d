"""``askwell reproduce``, as a user gives it."""

import hashlib
import os
import subprocess
import sys

import pytest
from reproduction_small import ROOT, SETTINGS

from askwell.cli.app import run_command_line
from askwell.errors import SettingsError
from askwell.reproduction.checkout import commit, paper_directory
from askwell.reproduction.plans import read_plans


def contents(directory):
    return {
        path: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(directory.rglob("*")) if path.is_file()
    }


def test_all_of_it_in_miniature_and_nothing_kept(tmp_path):
    """In processes of its own, without the shape checks: the longest test of this room."""
    before = contents(SETTINGS)
    command = [sys.executable, "-m", "askwell", "reproduce", "gal2017", "--smoke", "--workers", "2"]
    environment = {**os.environ, "TMPDIR": str(tmp_path), "OMP_NUM_THREADS": "1", "COLUMNS": "200"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True, timeout=600)
    said = " ".join(done.stderr.split())
    for plan in read_plans(SETTINGS):
        assert f"{plan.name}, " in said or f"{plan.name} in miniature" in said
    assert contents(SETTINGS) == before
    assert [path for path in tmp_path.iterdir() if not path.name.startswith("torchinductor")] == []


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("gal2018", "there is no paper called 'gal2018'; did you mean gal2017?"),
        ("gal2017 figure4", "there is no experiment called 'figure4'; did you mean"),
        ("gal2017 figure1 --preset cod", "there is no preset of figure1 called 'cod'; did you mean code?"),
        ("gal2017 --smoke --out here", "expected no --out beside --smoke"),
        ("gal2017 --draw --smoke", "expected no --smoke beside --draw"),
        ("gal2017 figure1 --out pyproject.toml", "expected a directory for --out, found a file:"),
        ("gal2017 figure3 --preset zhu --out pyproject.toml", "expected a directory for --out, found a file:"),
        ("gal2017 figure1 --precision fp8", "precision"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(monkeypatch, capsys, arguments, sentence):
    monkeypatch.chdir(ROOT)
    assert run_command_line(["reproduce", *arguments.split()]) == 2
    said = capsys.readouterr().err
    assert sentence in " ".join(said.split())
    assert "Traceback" not in said


def test_outside_a_checkout_it_says_what_to_do(tmp_path):
    with pytest.raises(
        SettingsError, match=r"expected a checkout of askwell with reproduce/gal2017, found none .*; clone"
    ):
        paper_directory(tmp_path)


def test_a_checkout_is_found_from_below_and_from_its_sources():
    assert paper_directory(ROOT / "docs") == SETTINGS
    assert paper_directory() == SETTINGS


def test_a_commit_is_named_or_unknown():
    name = commit()
    assert name == "unknown" or len(name.rstrip("+")) == 40

"""A campaign of schema 1 as the first askwell left it, and other processes that work on stores."""

import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
Child = Callable[..., Any]


@pytest.fixture
def old_campaign(tmp_path: Path) -> Path:
    """The directory of a closed campaign of schema 1."""
    directory = tmp_path / "old"
    (directory / "models").mkdir(parents=True)
    (directory / "models" / "round-0000.safetensors").write_bytes(b"weights of round 0")
    with closing(sqlite3.connect(directory / "campaign.db")) as connection:
        connection.executescript((HERE / "schema_1.sql").read_text(encoding="utf-8"))
        connection.execute("PRAGMA journal_mode=WAL")
    return directory


@pytest.fixture(scope="session")
def store_child() -> Iterator[Child]:
    """Asks the process of store_child.py to do something, and returns its answer."""
    command = [sys.executable, str(HERE / "store_child.py")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        requests, answers = process.stdin, process.stdout

        def ask(what: str, directory: Path, moment: str = "") -> Any:
            requests.write(json.dumps([what, str(directory), moment]) + "\n")
            requests.flush()
            return json.loads(answers.readline())

        yield ask
        requests.close()

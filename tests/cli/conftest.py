"""Commands, given in this process."""

import re
import shlex
from collections.abc import Callable

import pytest

from askwell.cli.app import run_command_line

Told = Callable[[str], tuple[int, str, str]]


@pytest.fixture
def told(capfd: pytest.CaptureFixture[str]) -> Told:
    """Runs a command in this process: exit code, and what it printed with line breaks as spaces."""

    def tell(line: str) -> tuple[int, str, str]:
        code = run_command_line(shlex.split(line))
        printed = capfd.readouterr()
        return code, printed.out, re.sub(r"\s+", " ", printed.err)

    return tell

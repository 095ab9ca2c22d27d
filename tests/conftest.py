"""What all rooms' tests share: Hypothesis without clocks, the real data sets, and an interpreter without shape checks."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("askwell", deadline=None, derandomize=True, database=None, max_examples=30)
settings.load_profile("askwell")

PLAIN_INTERPRETER = """
import json, sys
for line in sys.stdin:
    try:
        exec(json.loads(line), namespace := {})
        answer = "no error"
    except Exception as error:
        answer = f"{type(error).__name__}: {error}"
    print(json.dumps(answer), flush=True)
"""


@pytest.fixture(scope="session")
def askwell_data() -> Path:
    """The directory of the real data sets, or a skip."""
    if not os.environ.get("ASKWELL_DATA"):
        pytest.skip("the environment variable ASKWELL_DATA, which names the directory of the real data sets, is unset")
    return Path(os.environ["ASKWELL_DATA"])


@pytest.fixture(scope="session")
def imagenet_weights() -> Path:
    """The directory of the real pre-trained weights, or a skip."""
    named = os.environ.get("ASKWELL_WEIGHTS") or os.environ.get("ASKWELL_DATA", "") + "/../weights"
    if not list(Path(named).glob("squeezenet1_1-*.safetensors")):
        pytest.skip(
            "the environment variable ASKWELL_WEIGHTS, which names the directory of pre-trained weights, is unset"
        )
    return Path(named)


@pytest.fixture(scope="session")
def plain_error() -> Iterator[Callable[[str], str]]:
    """Runs statements as users do, without the shape checks that pytest installs; returns "ErrorName: message"."""
    arguments = [sys.executable, "-c", PLAIN_INTERPRETER]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        requests, answers = process.stdin, process.stdout

        def error_of(statements: str) -> str:
            requests.write(json.dumps(statements) + "\n")
            requests.flush()
            return json.loads(answers.readline())

        yield error_of
        requests.close()

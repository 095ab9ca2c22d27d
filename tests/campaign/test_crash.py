"""kill -9 at every kind of moment, resumed each time: the same queries, labels and curve as without, and no round done twice."""

import contextlib
import csv
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from askwell.store.store import CampaignStore

CHILD = Path(__file__).with_name("crash_child.py")
ROUNDS = 3
MOMENTS = [
    ("fit", 0),
    ("query", 0),
    ("answers", 0),
    ("evaluate", 1),
    ("score", 2),
    ("round", 0),
    ("fit", 3),
    ("query", 0),
    ("answers", 0),
]


class Runner:
    """Starts campaign processes and kills them."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def __call__(
        self,
        directory: Path,
        moment: str,
        at_round: int = 0,
        *,
        kill_after: float | None = None,
        data: str = "small",
        rounds: int = ROUNDS,
        fraction: float = 0.0,
    ) -> int:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{data} {directory} {rounds} {moment} {at_round} {fraction}\n")
        self.process.stdin.flush()
        number = int(self.process.stdout.readline())
        if kill_after is not None:
            time.sleep(kill_after)
            with contextlib.suppress(ProcessLookupError):
                os.kill(number, signal.SIGKILL)
        return int(self.process.stdout.readline())


@pytest.fixture(scope="module")
def run_child() -> Iterator[Runner]:
    command = [sys.executable, str(CHILD)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield Runner(process)
        assert process.stdin is not None
        process.stdin.close()


def outcome(directory: Path) -> tuple[list[dict[str, str]], str]:
    """The curve without its seconds, and queries.csv byte for byte."""
    with (directory / "curve.csv").open(newline="") as file:
        rows = [
            {key: value for key, value in row.items() if not key.startswith("seconds")} for row in csv.DictReader(file)
        ]
    return rows, (directory / "queries.csv").read_text()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, run_child: Runner) -> Path:
    directory = tmp_path_factory.mktemp("undisturbed") / "campaign"
    assert run_child(directory, "never") == 0
    return directory


def test_killed_in_fit_score_and_commit(tmp_path: Path, undisturbed: Path, run_child: Runner):
    directory = tmp_path / "campaign"
    killed = [run_child(directory, moment, at_round) for moment, at_round in MOMENTS]
    assert killed.count(-signal.SIGKILL) >= 7, "the moments must really be met"
    assert run_child(directory, "never") == 0
    assert outcome(directory) == outcome(undisturbed)
    with CampaignStore(directory / "campaign.db") as store, store.engine.connect() as connection:
        assert store.rounds_done() == ROUNDS + 1
        events = connection.exec_driver_sql("SELECT COUNT(*), COUNT(DISTINCT position) FROM label_events").one()
        assert tuple(events) == (6 + 5 + 4 * ROUNDS, 6 + 5 + 4 * ROUNDS), "no label was recorded twice"
    assert sorted(path.name for path in (directory / "models").iterdir()) == [
        f"round-{number:04d}.safetensors" for number in range(ROUNDS + 1)
    ]


def test_killed_at_random_times(tmp_path: Path, undisturbed: Path, run_child: Runner):
    directory, generator = tmp_path / "campaign", random.Random(0)
    killed = [run_child(directory, "never", kill_after=generator.uniform(0.02, 0.5)) for _ in range(8)]
    assert -signal.SIGKILL in killed
    assert run_child(directory, "never") == 0
    assert outcome(directory) == outcome(undisturbed)


def test_running_again_does_nothing_twice(undisturbed: Path, run_child: Runner):
    before = outcome(undisturbed)
    assert run_child(undisturbed, "never") == 0
    assert outcome(undisturbed) == before


MNIST_ROUNDS = 6
MNIST_KILLS = [
    *(
        ("fit", 0, 0.3),
        ("evaluate", 0, 0.5),
        ("round", 0, 0.0),
        ("score", 1, 0.2),
        ("score", 1, 0.9),
        ("query", 0, 0.0),
    ),
    *(("answers", 0, 0.0), ("fit", 1, 0.9), ("round", 0, 0.0), ("score", 2, 0.5), ("query", 0, 0.0), ("fit", 2, 0.1)),
    *(
        ("fit", 3, 0.5),
        ("evaluate", 3, 0.9),
        ("score", 4, 0.4),
        ("answers", 0, 0.0),
        ("round", 0, 0.0),
        ("fit", 5, 0.7),
    ),
    *(("score", 6, 0.7), ("fit", 6, 0.99)),
]


@pytest.mark.slow
def test_real_mnist_killed_twenty_times(tmp_path: Path, run_child: Runner, askwell_data: Path):
    """BALD over the whole pool of 60,000, one thread; each moment of MNIST_KILLS must really be met."""
    undisturbed, directory = tmp_path / "undisturbed", tmp_path / "killed"
    assert run_child(undisturbed, "never", data="mnist", rounds=MNIST_ROUNDS) == 0
    for moment, at_round, fraction in MNIST_KILLS:
        end = run_child(directory, moment, at_round, data="mnist", rounds=MNIST_ROUNDS, fraction=fraction)
        assert end == -signal.SIGKILL, (moment, at_round)
    assert run_child(directory, "never", data="mnist", rounds=MNIST_ROUNDS) == 0
    assert outcome(directory) == outcome(undisturbed)
    with CampaignStore(directory / "campaign.db") as store, store.engine.connect() as connection:
        assert store.rounds_done() == MNIST_ROUNDS + 1
        counted = connection.exec_driver_sql("SELECT COUNT(*), COUNT(DISTINCT position) FROM label_events").one()
        assert tuple(counted) == (20 + 10 * MNIST_ROUNDS, 20 + 10 * MNIST_ROUNDS)

"""The command line as a user meets it: real processes, real files, one sentence for each mistake."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from askwell.campaign.strategies import STRATEGIES
from askwell.cli.app import run_command_line
from askwell.models.catalogue import MODELS
from askwell.pool.catalogue import DATASETS

SMALL = "--dataset digits --seeds 1 --query 5 --samples 3 --workers 1 --threads 1"
RECIPE = "[recipe]\nsteps = 3\nbatch_size = 8\n"
COMMAND = [sys.executable, "-m", "askwell"]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "small.toml"
    path.write_text(RECIPE)
    return path


@pytest.fixture
def told(capfd: pytest.CaptureFixture[str]) -> Callable[[str], tuple[int, str, str]]:
    """Runs a command in this process: exit code, and what it printed with line breaks as spaces."""

    def tell(line: str) -> tuple[int, str, str]:
        code = run_command_line(shlex.split(line))
        printed = capfd.readouterr()
        return code, printed.out, re.sub(r"\s+", " ", printed.err)

    return tell


def test_run_then_report_then_refuse_then_resume(
    tmp_path: Path, config: Path, told: Callable[[str], tuple[int, str, str]]
):
    run = f"run {config} {SMALL} --strategy bald,random --rounds 1 --out {tmp_path / 'out'}"
    code, printed, said = told(run)
    assert code == 0, said
    assert "bald" in printed
    assert "random" in printed
    assert "With 1 seed this is a single observation" in printed
    for file in (
        "report/report.html",
        "report/learning_curves.png",
        "report/curve.csv",
        "bald/seed-0/curve.csv",
        "random/seed-0/campaign.db",
    ):
        assert (tmp_path / "out" / file).stat().st_size > 0
    code, _, said = told(run)
    assert code == 2
    assert "add --resume to continue it, or choose another --out" in said
    before = (tmp_path / "out/bald/seed-0/queries.csv").read_text()
    code, _, _ = told(run.replace("--rounds 1", "--rounds 2") + " --resume")
    assert code == 0
    assert (tmp_path / "out/bald/seed-0/queries.csv").read_text().startswith(before)
    code, _, said = told(run.replace("--query 5", "--query 6") + " --resume")
    assert code == 2
    assert "found another query" in said
    other = run.replace("--strategy bald,random", "--strategy max_entropy")
    assert told(other)[0] == 2, "one directory is one experiment"
    code, _, said = told(other.replace("--query 5", "--query 6") + " --resume")
    assert "found another query" in said
    code, _, said = told(run.replace("--threads 1", "--threads 2") + " --resume")
    assert "found another number of threads" in said
    code, printed, _ = told(f"report {tmp_path / 'out'} --out {tmp_path / 'out' / 'again'}")
    assert code == 0
    code, printed, _ = told(f"report {tmp_path / 'out'} --out {tmp_path / 'again'}")
    assert code == 0, "a report is not read as a campaign"
    assert (tmp_path / "again/report.html").exists()
    assert (tmp_path / "again/curve.csv").read_text().count("\n") == 7


def test_several_processes_give_what_one_gives(
    tmp_path: Path, config: Path, told: Callable[[str], tuple[int, str, str]]
):
    for workers in ("1", "2"):
        line = f"run {config} {SMALL} --strategy max_entropy,random --rounds 1 --out {tmp_path / workers}"
        assert told(line.replace("--workers 1", f"--workers {workers}"))[0] == 0
    for strategy in ("max_entropy", "random"):
        files = [(tmp_path / workers / strategy / "seed-0/queries.csv").read_text() for workers in ("1", "2")]
        assert files[0] == files[1]


@pytest.mark.parametrize(
    ("line", "code", "sentence"),
    [
        ("run --strategy bold", 2, "there is no strategy called 'bold'; did you mean bald?"),
        ("run --dataset mnits", 2, "there is no data set called 'mnits'; did you mean mnist or kmnist?"),
        (
            "run --seeds 0",
            2,
            "the setting 'seeds' of the command line cannot be used: Input should be greater than or equal to 1, found 0.",
        ),
        ("run nowhere.toml", 2, "expected a settings file at nowhere.toml, found none"),
        ("report nowhere", 2, "expected campaigns with at least one finished round in nowhere, found none"),
        ("run --querry 3", 2, "No such option: --querry"),
        ("stratgies", 2, "No such command 'stratgies'"),
    ],
)
def test_mistakes_get_one_sentence(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    told: Callable[[str], tuple[int, str, str]],
    line: str,
    code: int,
    sentence: str,
):
    monkeypatch.chdir(tmp_path)
    found, _, said = told(line)
    assert found == code
    assert sentence in said.replace("│", "").replace("  ", " ")
    assert "Traceback" not in said
    assert list(tmp_path.iterdir()) == [], "nothing was written"


@pytest.mark.parametrize(
    ("toml", "sentence"),
    [
        ("quary = 3", "there is no setting called 'quary' in .*did you mean query"),
        (
            "[recipe]\nlearning_rat = 3",
            "there is no setting called 'recipe.learning_rat' in .*did you mean learning_rate",
        ),
        (
            "[recipe.weight_decay]\nfrom = 'per_n'",
            "there is no setting called 'recipe.weight_decay.from' in .*did you mean form",
        ),
        ("[recipe]\nmodel = 'bcn'", "there is no model called 'bcn'; did you mean bcnn"),
        ("rounds = ", "expected TOML in .*found something else"),
        ("[recipe]\nsteps = 5\nepochs = 5", "expected steps or epochs, found both"),
        ("strategy = []", "should have at least 1 item"),
        ("strategy = ['bald', 'bald']", "every strategy may be named once only"),
        ("[recipe]\nmodel = 'os:system'", "there is no model called 'os:system'"),
        ("[recipe.weight_decay]\ntune = [1.0]", "needs labels to tune on"),
    ],
)
def test_a_wrong_settings_file_gets_one_sentence(
    tmp_path: Path, told: Callable[[str], tuple[int, str, str]], toml: str, sentence: str
):
    (tmp_path / "wrong.toml").write_text(toml)
    code, _, said = told(f"run {tmp_path / 'wrong.toml'} --out {tmp_path / 'out'}")
    assert code == 2
    assert re.search(sentence, said), said
    assert not (tmp_path / "out").exists()


def test_out_must_be_a_directory(tmp_path: Path, told: Callable[[str], tuple[int, str, str]]):
    (tmp_path / "file").write_text("")
    code, _, said = told(f"run --out {tmp_path / 'file'}")
    assert code == 2
    assert "expected a directory for --out, found a file" in said


def test_the_lists(told: Callable[[str], tuple[int, str, str]]):
    for command, entries in (("strategies", STRATEGIES), ("models", MODELS), ("datasets", DATASETS)):
        code, printed, _ = told(command)
        assert code == 0
        assert all(name in printed for name in entries)
        assert set(json.loads(told(f"{command} --json")[1])) == set(entries)


def test_the_version_needs_no_command(told: Callable[[str], tuple[int, str, str]]):
    code, printed, _ = told("--version")
    assert code == 0
    assert re.fullmatch(r"askwell \d+\.\d+\.\d+\n", printed)


def test_ctrl_c_leaves_a_campaign_and_prints_the_command_that_continues_it(tmp_path: Path, config: Path):
    arguments = [
        "run",
        str(config),
        *SMALL.split(),
        "--strategy",
        "bald",
        "--rounds",
        "400",
        "--out",
        str(tmp_path / "out"),
    ]
    with subprocess.Popen(
        [*COMMAND, *arguments],
        stderr=subprocess.PIPE,
        text=True,
        stdout=subprocess.DEVNULL,
        preexec_fn=lambda: signal.signal(
            signal.SIGINT, signal.SIG_DFL
        ),  # ignored where the tests run in the background
    ) as process:
        curve = tmp_path / "out/bald/seed-0/curve.csv"
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and not (curve.exists() and curve.read_text().count("\n") > 2):
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in said
    again = said.strip().splitlines()[-1].strip()
    assert again == shlex.join(["askwell", *arguments, "--resume"])
    rows = curve.read_text().count("\n")
    shorter = again.replace("--rounds 400", f"--rounds {rows}").removeprefix("askwell ")
    assert (
        subprocess.run([*COMMAND, *shlex.split(shorter)], check=False, capture_output=True, timeout=120).returncode == 0
    )
    assert curve.read_text().count("\n") == rows + 2


def test_workers_end_when_their_parent_is_killed(tmp_path: Path, config: Path):
    arguments = [
        "run",
        str(config),
        *SMALL.split(),
        "--strategy",
        "bald,random",
        "--rounds",
        "400",
        "--out",
        str(tmp_path / "out"),
    ]
    arguments[arguments.index("--workers") + 1] = "2"
    with subprocess.Popen(
        [*COMMAND, *arguments], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True
    ) as process:
        curve = tmp_path / "out/bald/seed-0/curve.csv"
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and not curve.exists():
            time.sleep(0.1)
        process.kill()
        process.wait(timeout=30)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and _group_is_alive(process.pid):
        time.sleep(0.1)
    assert not _group_is_alive(process.pid), "no worker works on"


def _group_is_alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True

"""Experiments in lock-step: what campaigns by themselves give, within rounding, and exactly the same after an interruption."""

import csv
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from askwell.campaign import lockstep
from askwell.campaign.campaign import Campaign
from askwell.campaign.experiment import check_experiment, run_experiment
from askwell.campaign.lockstep import runs_in_lockstep
from askwell.campaign.settings import ExperimentSettings, LockstepPlace, common_settings, read_campaign_settings
from askwell.campaign.tasks import Standing, campaign_tasks
from askwell.errors import SettingsError
from askwell.learning.recipe import Recipe, WeightDecay
from askwell.pool.datasets import load_dataset

ROUNDS = 2
RECIPE = Recipe(steps=12, batch_size=16, learning_rate=3e-3, device="cpu")
SMALL = ExperimentSettings(
    dataset="digits", strategy=("bald", "random"), seeds=2, rounds=ROUNDS, query=6, samples=8, recipe=RECIPE
)
NAMES = [f"{strategy}/seed-{seed}" for seed in range(2) for strategy in SMALL.strategy]


@pytest.fixture(autouse=True)
def same_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def run(
    out: Path,
    *,
    settings: ExperimentSettings = SMALL,
    together: bool | None = True,
    notify: Callable[[Standing], None] = lambda _: None,
) -> Path:
    check_experiment(settings, out, resume=True, lockstep=together)
    run_experiment(settings, out, workers=1, threads=1, notify=notify, lockstep=together)
    return out


def results(out: Path, name: str) -> tuple[list[dict[str, str]], str]:
    """The curve without its seconds, and the queries."""
    with (out / name / "curve.csv").open(newline="", encoding="utf-8") as file:
        rows = [{key: row[key] for key in row if "seconds" not in key} for row in csv.DictReader(file)]
    return rows, (out / name / "queries.csv").read_text()


def asked(queries: str) -> list[tuple[str, ...]]:
    """Round, rank, id and label of each query, without the scores."""
    return [tuple(row[key] for key in ("round", "rank", "id", "label")) for row in csv.DictReader(queries.splitlines())]


@pytest.fixture(scope="module")
def together(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run(tmp_path_factory.mktemp("lockstep") / "out")


def test_an_experiment_is_what_its_campaigns_give_by_themselves(tmp_path: Path, together: Path):
    alone = run(tmp_path / "alone", together=False)
    for name in NAMES:
        (curve, queries), (own, own_queries) = results(together, name), results(alone, name)
        assert asked(queries) == asked(own_queries)
        assert [row["labels"] for row in curve] == [row["labels"] for row in own] == ["20", "26", "32"]
        for mine, theirs in zip(curve, own, strict=True):
            assert float(mine["accuracy"]) == pytest.approx(float(theirs["accuracy"]), abs=2 / 600)
            assert float(mine["nll"]) == pytest.approx(float(theirs["nll"]), abs=1e-3)


def test_places_are_recorded_and_the_report_has_what_is_common(together: Path):
    recorded = [read_campaign_settings(together / name).lockstep for name in NAMES]
    assert recorded == [LockstepPlace(place=place, places=4) for place in range(4)]
    common = common_settings([together])
    assert common["lockstep.places"] == "4"
    assert "lockstep.place" not in common


@pytest.mark.parametrize(
    "moment",
    [
        "random, seed 0, round 0: evaluate",
        "bald, seed 0, round 1: fit",
        "random, seed 1, round 2: evaluate",
    ],
)
def test_interrupted_and_resumed_is_exactly_the_same(tmp_path: Path, together: Path, moment: str):
    def interrupt(standing: Standing) -> None:
        if standing.doing.startswith(moment):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "out", notify=interrupt)
    done = {name: len(results(tmp_path / "out", name)[0]) for name in NAMES}
    assert min(done.values()) < ROUNDS + 1, "the moment is before the end"
    run(tmp_path / "out", together=None)
    assert [results(tmp_path / "out", name) for name in NAMES] == [results(together, name) for name in NAMES]


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from test_lockstep_experiments import run

def die(standing):
    if standing.doing.startswith(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)

run(Path(sys.argv[1]), notify=die)
"""


def test_killed_and_resumed_is_exactly_the_same(tmp_path: Path, together: Path):
    arguments = [str(tmp_path / "out"), "bald, seed 1, round 1: evaluate", str(Path(__file__).parent)]
    killed = subprocess.run([sys.executable, "-c", KILLED, *arguments], env={**os.environ, "OMP_NUM_THREADS": "1"})
    assert killed.returncode == -signal.SIGKILL
    done = [len(results(tmp_path / "out", name)[0]) for name in NAMES]
    assert done == [2, 2, 1, 1], "campaigns are at different rounds"
    run(tmp_path / "out")
    assert [results(tmp_path / "out", name) for name in NAMES] == [results(together, name) for name in NAMES]


def test_a_campaign_keeps_its_place_when_it_goes_on_alone(tmp_path: Path, together: Path):
    out = run(tmp_path / "out", settings=SMALL.model_copy(update={"rounds": 0}))
    data = load_dataset("digits")
    torch.set_num_threads(1)
    with Campaign.open(out / NAMES[2], pool=data.pool, test=data.test) as campaign:
        campaign.run(data.oracle, ROUNDS)
    assert results(out, NAMES[2]) == results(together, NAMES[2])


def test_strategies_can_be_added_and_change_nothing(tmp_path: Path, together: Path):
    one = SMALL.model_copy(update={"strategy": ("bald",)})
    out = run(tmp_path / "out", settings=one)
    before = [results(out, f"bald/seed-{seed}") for seed in range(2)]
    run(out)
    assert [results(out, f"bald/seed-{seed}") for seed in range(2)] == before
    recorded = [read_campaign_settings(out / name).lockstep for name in NAMES]
    assert recorded == [LockstepPlace(place=place, places=2) for place in (0, 2, 1, 3)]
    for name in NAMES:
        assert asked(results(out, name)[1]) == asked(results(together, name)[1])


def test_tuning_and_warm_starts_in_lock_step(tmp_path: Path):
    decay = WeightDecay(tune=(0.0, 3.0), tune_every=2)
    recipe = RECIPE.model_copy(update={"warm_start": True, "weight_decay": decay})
    settings = SMALL.model_copy(update={"recipe": recipe, "validation": 20, "seeds": 1})
    found = [run(tmp_path / str(together), settings=settings, together=together) for together in (True, False)]
    for strategy in SMALL.strategy:
        queries = [asked(results(out, f"{strategy}/seed-0")[1]) for out in found]
        assert queries[0] == queries[1]


def test_the_way_of_fitting_stays_what_it_was(tmp_path: Path, together: Path, monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(SettingsError, match="was begun with, in lock-step, found the other; leave out --lockstep"):
        check_experiment(SMALL, together, resume=True, lockstep=False)
    new = campaign_tasks(SMALL, tmp_path / "new")
    assert not runs_in_lockstep(new, None), "on the CPU"
    assert runs_in_lockstep(new, True)
    monkeypatch.setattr(lockstep, "resolve_device", lambda _: "cuda")
    assert runs_in_lockstep(new, None)
    assert not runs_in_lockstep(new, False)
    assert runs_in_lockstep(campaign_tasks(SMALL, together), None)

"""Other settings than those begun with are refused; results of arms say what they were made with; two commands at once."""

import json
import shutil
import threading

import pytest
from reproduction_small import ROOT, small_plan

from askwell.errors import CampaignBusyError, CampaignStateError, SettingsError
from askwell.report.curves import read_curve
from askwell.reproduction import turns
from askwell.reproduction.arm_settings import ARM_FILE, MADE_WITH, NETWORK, check_arm, making_of_arm, write_arm
from askwell.reproduction.collecting import collect
from askwell.reproduction.mbr_running import run_arm
from askwell.reproduction.plans import changed
from askwell.reproduction.running import Places, reproduce
from askwell.reproduction.turns import LOCK_FILE, turn
from askwell.store.lock import exclusive

PLAN = changed(small_plan("figure3-zhu", pairs=("2v8",)), seeds=2, precision="fp32")
(CASE,) = PLAN.cases()
RESULT, ARMS = "results/figure3/zhu-2v8", "runs/figure3-zhu/2v8/mbr"


def run(plan, place):
    return reproduce([plan], (), Places(place / "runs", place / "results"), workers=1, notify=lambda headway: None)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Arms of MBR alone, of two seeds."""
    place = tmp_path_factory.mktemp("arms")
    assert run(PLAN, place) == []
    return place


@pytest.fixture
def again(finished, tmp_path):
    """A copy that a test may change."""
    shutil.copytree(finished, tmp_path / "again")
    return tmp_path / "again"


def told(place):
    return json.loads((place / RESULT / "run.json").read_text())


def contents(place):
    return {path: path.read_bytes() for path in place.rglob("*") if path.is_file()}


def test_arms_begun_with_other_settings_are_refused_and_nothing_is_touched(again):
    before = contents(again)
    with pytest.raises(
        SettingsError, match=r"the arm in .*seed-0 was begun with, found another recipe\.precision; put them back"
    ):
        run(changed(PLAN, precision="bf16"), again)
    assert contents(again) == before


def test_what_is_refused_is_refused_before_an_earlier_plan_runs(again):
    first = PLAN._replace(preset="first")
    with pytest.raises(SettingsError, match="begun with"):
        reproduce(
            [first, changed(PLAN, precision="bf16")],
            (),
            Places(again / "runs", again / "results"),
            workers=1,
            notify=lambda headway: None,
        )
    assert not (again / "runs/figure3-first").exists()


def test_a_plan_of_fewer_seeds_does_not_say_that_there_are_fewer(again):
    run(changed(PLAN, seeds=1), again)
    assert told(again)["seeds"] == [0, 1]
    assert told(again)["settings"]["seeds"] == 2


def test_a_committed_result_of_other_settings_and_as_many_rounds_is_kept(again):
    before = contents(again / "results")
    other = PLAN._replace(settings=PLAN.settings.model_copy(update={"initial": 18}))
    said = reproduce(
        [other], (), Places(again / "elsewhere", again / "results"), workers=1, notify=lambda headway: None
    )
    assert len(read_curve(again / "elsewhere/figure3-zhu/2v8/mbr/seed-1/curve.csv")) == 6
    assert contents(again / "results") == before
    assert ["holds as many rounds as" in sentence for sentence in said] == [True]


def test_a_graph_of_other_size_is_another_experiment(again):
    before = contents(again / "results")
    other = PLAN._replace(extra=PLAN.extra.model_copy(update={"mbr_nodes": 70}))
    reproduce([other], (), Places(again / "elsewhere", again / "results"), workers=1, notify=lambda headway: None)
    assert (again / "elsewhere/figure3-zhu/2v8/mbr/seed-0/curve.csv").exists()
    assert contents(again / "results") == before


def test_the_results_of_arms_say_with_what_they_were_made(finished):
    about = told(finished)
    assert [sorted(each) for each in about["versions"]] == [["askwell", "python", "torch"]]
    assert [each["threads"] for each in about["hardware"]["campaigns"]] == ["1"]


def test_the_results_of_arms_claim_no_settings_of_networks(finished):
    settings = told(finished)["settings"]
    assert {"strategy", "recipe", "samples", "candidates", "memory_mb"}.isdisjoint(settings)
    assert (settings["dataset"], settings["initial"]) == ("digits", 20)


def test_only_an_arm_that_trains_networks_names_their_device_and_precision(tmp_path):
    for name, network in (("mbr", {}), ("mbr_cnn", {"device": "cpu", "precision": "fp32"})):
        write_arm(tmp_path, CASE.settings, name, 60, 3)
        made = making_of_arm(tmp_path)
        assert made is not None
        assert (made.network, made.made_with.threads) == (network, 3)


def test_arms_that_an_older_askwell_began_are_read(again):
    for file in (again / ARMS).glob(f"seed-*/{ARM_FILE}"):
        about = json.loads(file.read_text())
        del about[MADE_WITH], about[NETWORK], about["recipe"]["loss"]  # which was not a setting then
        file.write_text(json.dumps(about, sort_keys=True) + "\n")
    shutil.rmtree(again / "results")
    run(PLAN, again)
    assert told(again)["versions"] == []
    assert len(read_curve(again / RESULT / "curve.csv")) == 12


def test_a_damaged_arm_is_said_in_a_sentence(tmp_path):
    (tmp_path / ARM_FILE).write_text("{")
    with pytest.raises(CampaignStateError, match=r"expected JSON in .*arm\.json, found something else"):
        check_arm(tmp_path, CASE.settings, 60)


def test_an_arm_that_another_process_runs_is_left_to_it(tmp_path):
    with exclusive(tmp_path), pytest.raises(CampaignBusyError, match="another process is running"):
        run_arm(tmp_path, CASE.settings, "mbr", 0, 60)
    assert not (tmp_path / ARM_FILE).exists()


def test_collecting_waits_for_its_turn(finished, tmp_path):
    results = tmp_path / "results"
    collecting = threading.Thread(target=collect, args=(PLAN, CASE, finished / "runs", results))
    with turn(results):
        collecting.start()
        collecting.join(1)
        assert [path.name for path in results.iterdir()] == [LOCK_FILE]
    collecting.join()
    assert (results / "figure3/zhu-2v8/curve.csv").exists()


def test_waiting_for_a_turn_comes_to_an_end(finished, tmp_path, monkeypatch):
    monkeypatch.setattr(turns, "SECONDS_TO_WAIT", 0.1)
    with turn(tmp_path), pytest.raises(CampaignBusyError, match="found it still writing there; wait for it"):
        collect(PLAN, CASE, finished / "runs", tmp_path)


def test_git_does_not_show_the_lock_of_results():
    assert f"reproduce/*/results/{LOCK_FILE}" in (ROOT / ".gitignore").read_text().splitlines()


@pytest.mark.parametrize("below", ["", "deeper/still"])
def test_a_file_in_the_place_of_a_directory_is_refused(tmp_path, below):
    (tmp_path / "runs").write_text("")
    with pytest.raises(SettingsError, match=r"expected a directory for --out, found a file: .*runs; choose another"):
        reproduce([PLAN], (), Places(tmp_path / "runs" / below, tmp_path), workers=1, notify=lambda headway: None)

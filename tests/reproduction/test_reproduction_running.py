"""Campaigns, their second evaluation and their results, in small."""

import json
import multiprocessing
import shutil

import pytest
from reproduction_small import small_plan

from askwell.errors import CampaignBusyError, SettingsError
from askwell.report.curves import read_curve, read_queries, write_curve
from askwell.reproduction import collecting
from askwell.reproduction.collecting import collect
from askwell.reproduction.plans import changed
from askwell.reproduction.running import Places, reproduce
from askwell.reproduction.second_evaluation import evaluate_again, second_curve_file
from askwell.store.lock import exclusive


def run(plan, place, everything=(), workers=1, notify=lambda headway: None):
    return reproduce([plan], everything, Places(place / "runs", place / "results"), workers=workers, notify=notify)


def without_seconds(curve):
    return [(point.strategy, point.seed, point.round, point.labels, point.accuracy, point.nll) for point in curve]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A plan of two strategies with both evaluations, run to its end."""
    place, plan = tmp_path_factory.mktemp("finished"), small_plan(evaluations=("point", "mc_dropout"))
    assert run(plan, place) == []
    return place, plan


def test_results_are_the_campaigns_curves_and_queries(finished):
    place, _ = finished
    result, runs = place / "results/figure1/code", place / "runs/figure1-code"
    campaigns = [runs / name / "seed-0" for name in ("bald", "random")]
    assert read_curve(result / "curve.csv") == [point for path in campaigns for point in read_curve(path / "curve.csv")]
    assert read_queries(result / "queries.csv") == [
        row for path in campaigns for row in read_queries(path / "queries.csv")
    ]


def test_run_json_says_what_was_run(finished):
    place, plan = finished
    told = json.loads((place / "results/figure1/code/run.json").read_text())
    points = read_curve(place / "results/figure1/code/curve.csv")
    assert told["seeds"] == [0]
    assert told["rounds"] == {"bald": {"0": "2 of 2"}, "random": {"0": "2 of 2"}}
    assert told["labels"] == {"initial": 20, "validation": 0, "acquired": 10, "all": 30}
    assert told["settings"]["recipe"]["model"] == "bcnn"
    assert told["settings"]["strategy"] == list(plan.settings.strategy)
    assert told["hardware"]["campaigns"][0]["threads"] == "1"
    assert told["versions"][0]["torch"]
    assert told["commits"]
    seconds = sum((point.seconds_fit or 0) + (point.seconds_score or 0) for point in points)
    assert told["hours"]["fit and score"] == pytest.approx(seconds / 3600, abs=1e-3)


def test_the_second_evaluation_is_another_measurement_of_the_same_rounds(finished):
    place, _ = finished
    own = read_curve(place / "results/figure1/code/curve.csv")
    other = read_curve(place / "results/figure1/code-mc/curve.csv")
    assert [(point.strategy, point.round, point.labels) for point in other] == [
        (point.strategy, point.round, point.labels) for point in own
    ]
    assert [point.nll for point in other] != [point.nll for point in own]
    assert not (place / "results/figure1/code-mc/queries.csv").exists()


def test_evaluating_again_the_same_way_gives_the_same_numbers(finished):
    place, _ = finished
    campaign = place / "runs/figure1-code/bald/seed-0"
    evaluate_again(campaign, "point")
    assert without_seconds(read_curve(second_curve_file(campaign, "point"))) == without_seconds(
        read_curve(campaign / "curve.csv")
    )


def test_the_second_evaluation_goes_on_where_it_was(finished):
    place, _ = finished
    campaign = place / "runs/figure1-code/bald/seed-0"
    file = second_curve_file(campaign, "mc_dropout")
    whole = read_curve(file)
    write_curve(file, whole[:1])
    evaluate_again(campaign, "mc_dropout")
    assert read_curve(file) == whole


def test_the_second_evaluation_can_be_of_some_rounds(finished):
    place, _ = finished
    campaign = place / "runs/figure1-code/random/seed-0"
    second_curve_file(campaign, "point").unlink(missing_ok=True)
    evaluate_again(campaign, "point", 5)
    assert [point.round for point in read_curve(second_curve_file(campaign, "point"))] == [0, 2]


def test_stopped_and_given_again_it_arrives_at_the_same_curve(finished, tmp_path):
    place, plan = finished

    def stop(headway):
        if headway.done >= 4:  # the first campaign has its three rounds, the second one its first
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(plan, tmp_path, notify=stop)
    file = tmp_path / "results/figure1/code/curve.csv"
    partial = read_curve(file)
    assert 3 <= len(partial) < 6
    run(plan, tmp_path)
    assert without_seconds(read_curve(file)) == without_seconds(read_curve(place / "results/figure1/code/curve.csv"))


def test_results_are_gathered_when_a_campaign_ends(tmp_path):
    seen = []

    def look(headway):
        file = tmp_path / "results/figure1/code/curve.csv"
        seen.append(len(read_curve(file)) if file.exists() else 0)

    run(small_plan(strategy=("random", "bald")), tmp_path, notify=look)
    assert 3 in seen  # the first campaign's rounds, before the second one ended


def test_a_plan_that_shares_the_campaigns_is_gathered_too(finished, tmp_path):
    place, plan = finished
    other = small_plan("table2-code")
    run(plan, place, everything=[plan, other])
    assert without_seconds(read_curve(place / "results/table2/code/curve.csv")) == without_seconds(
        read_curve(place / "results/figure1/code/curve.csv")
    )


def results_of(place):
    """Of every result, the curve without seconds, and the queries."""
    return {
        file.parent.name: (without_seconds(read_curve(file)), (file.parent / "queries.csv").exists())
        for file in (place / "results").rglob("curve.csv")
    }


def test_on_another_machine_what_is_committed_is_not_run_again(finished, tmp_path):
    place, plan = finished
    shutil.copytree(place / "results", tmp_path / "results")
    before = (tmp_path / "results/figure1/code/run.json").read_bytes()
    run(plan, tmp_path)
    assert not list((tmp_path / "runs").rglob("campaign.toml"))
    assert (tmp_path / "results/figure1/code/run.json").read_bytes() == before


def test_on_another_machine_only_what_is_missing_is_run(finished, tmp_path):
    """Of the second campaign a round is missing; the first one's rows are kept, whoever ran it."""
    place, plan = finished
    shutil.copytree(place / "results", tmp_path / "results")
    file = tmp_path / "results/figure1/code/curve.csv"
    write_curve(file, read_curve(file)[:-1])
    run_file = file.with_name("run.json")
    told = json.loads(run_file.read_text())
    run_file.write_text(json.dumps(told | {"commits": ["of another machine"]}))
    run(plan, tmp_path)
    assert [path.parent.parent.name for path in (tmp_path / "runs").rglob("campaign.toml")] == ["random"]
    assert results_of(tmp_path) == results_of(place)
    assert read_queries(file.with_name("queries.csv")) == read_queries(place / "results/figure1/code/queries.csv")
    assert json.loads(run_file.read_text())["commits"] == ["of another machine", *told["commits"]]


def test_a_campaign_without_its_second_evaluation_is_run_again(finished, tmp_path):
    place, plan = finished
    shutil.copytree(place / "results", tmp_path / "results")
    file = tmp_path / "results/figure1/code-mc/curve.csv"
    write_curve(file, [point for point in read_curve(file) if point.strategy != "bald"])
    run(plan, tmp_path)
    assert [path.parent.parent.name for path in (tmp_path / "runs").rglob("campaign.toml")] == ["bald"]
    assert results_of(tmp_path) == results_of(place)


def test_more_seeds_are_added_to_what_is_committed(finished, tmp_path):
    place, plan = finished
    shutil.copytree(place / "results", tmp_path / "results")
    run(changed(plan, seeds=2), tmp_path)
    points = read_curve(tmp_path / "results/figure1/code/curve.csv")
    assert [(point.strategy, point.seed) for point in points[::3]] == [
        ("bald", 0),
        ("bald", 1),
        ("random", 0),
        ("random", 1),
    ]
    assert len(list((tmp_path / "runs").rglob("campaign.toml"))) == 2


def test_a_committed_result_of_other_settings_that_holds_more_is_kept(finished, tmp_path):
    place, plan = finished
    shutil.copytree(place / "results", tmp_path / "results")
    committed = tmp_path / "results/figure1/code/curve.csv"
    before = committed.read_bytes()
    less = changed(plan, precision="fp32")
    less = less._replace(settings=less.settings.model_copy(update={"strategy": ("random",), "rounds": 1}))
    said = run(less, tmp_path)
    assert committed.read_bytes() == before
    assert any("kept" in sentence and "holds as many rounds" in sentence for sentence in said)


def test_many_queries_are_left_out(finished, tmp_path, monkeypatch):
    place, plan = finished
    (case,) = plan.cases()
    monkeypatch.setattr(collecting, "QUERIES_AT_MOST", 100)
    collect(plan, case, place / "runs", tmp_path)
    assert (tmp_path / "figure1/code/curve.csv").exists()
    assert not (tmp_path / "figure1/code/queries.csv").exists()


def test_other_settings_are_refused_and_nothing_is_collected(finished):
    place, plan = finished
    before = {path: path.read_bytes() for path in (place / "results").rglob("*.*")}
    with pytest.raises(SettingsError, match=r"recipe\.precision"):
        run(changed(plan, precision="fp32"), place)
    assert {path: path.read_bytes() for path in (place / "results").rglob("*.*")} == before


def test_a_plan_that_shares_the_campaigns_and_has_other_settings_is_not_collected(finished, tmp_path):
    place, plan = finished
    other = changed(small_plan("table2-code"), precision="fp32")
    places = Places(place / "runs", tmp_path / "results")
    (said,) = reproduce([plan], [plan, other], places, workers=1, notify=lambda headway: None)
    assert said.startswith("collected nothing for table2-code, whose settings the campaigns in")
    assert not (tmp_path / "results/table2").exists()


def test_a_campaign_that_another_process_has_is_not_evaluated(finished):
    place, _ = finished
    campaign = place / "runs/figure1-code/random/seed-0"
    with exclusive(campaign), pytest.raises(CampaignBusyError, match="another process is running"):
        evaluate_again(campaign, "mc_dropout")


@pytest.mark.slow
def test_two_workers_give_the_same(finished, tmp_path):
    place, plan = finished
    run(plan, tmp_path, workers=2)
    for name in ("code", "code-mc"):
        assert without_seconds(read_curve(tmp_path / "results/figure1" / name / "curve.csv")) == without_seconds(
            read_curve(place / "results/figure1" / name / "curve.csv")
        )
    assert multiprocessing.active_children() == []

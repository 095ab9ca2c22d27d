"""Figure 5's machinery in small: several test sets in one table, positives counted, ties, predictions, folds and recipes."""

import json

import pytest
import torch
from reproduction_small import SETTINGS, small_plan

from askwell.errors import SettingsError
from askwell.report.curves import CurvePoint, QueryRow, read_curve, read_queries
from askwell.reproduction.folds import changed_recipe, read_scores
from askwell.reproduction.lesion_figures import draw_lesions
from askwell.reproduction.lesion_tables import (
    against_everything,
    against_random,
    labels_needed,
    lesion_hours,
    lesions,
    official,
    recipes,
    ties,
    whole_network,
)
from askwell.reproduction.lesions import (
    LesionPoint,
    auc_curves,
    lesion_points,
    positive_curves,
    read_lesions,
    write_lesions,
)
from askwell.reproduction.plans import changed, read_plan
from askwell.reproduction.predictions import LOGISTIC, Prediction, read_predictions, write_predictions
from askwell.reproduction.running import Places, reproduce
from askwell.reproduction.ties import read_ties


def run(plan, place):
    return reproduce([plan], (), Places(place / "runs", place / "results"), workers=1, notify=lambda headway: None)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Two test sets (of digits), a strategy that scores and one that does not, ties and predictions."""
    place = tmp_path_factory.mktemp("lesions")
    plan = small_plan(
        "figure5-askwell", ("variation_ratios_votes", "random"), ties=("variation_ratios_votes",), predictions=True
    )
    assert run(plan, place) == []
    return place, plan


def test_all_splits_stand_in_one_table_with_their_positives(finished):
    place, plan = finished
    rows = read_lesions(place / "results/figure5/askwell/curve.csv")
    assert list(plan.extra.splits) == ["1", "2"]
    assert [(row.split, row.point.strategy, row.point.round) for row in rows] == [
        (split, name, number)
        for split in ("1", "2")
        for name in ("variation_ratios_votes", "random")
        for number in (0, 1, 2)
    ]
    campaign = place / "runs/figure5-askwell/split-1/variation_ratios_votes/seed-0"
    queries = read_queries(campaign / "queries.csv")
    for row, point in zip(rows, read_curve(campaign / "curve.csv"), strict=False):
        assert row.point == point
        assert row.positives == sum(query.label == "8" for query in queries if query.round <= point.round)
    assert rows[0].positives == 5  # 15 + 5 to begin with
    told = json.loads((place / "results/figure5/askwell/run.json").read_text())
    assert told["splits"]["2"]["random"] == {"0": "2 of 2"}


def test_what_is_there_is_not_run_again_and_another_split_is_kept(finished, tmp_path):
    place, plan = finished
    file = place / "results/figure5/askwell/curve.csv"
    before = file.read_bytes()
    target = tmp_path / "results/figure5/askwell"
    target.mkdir(parents=True)
    for name in ("curve.csv", "run.json"):
        (target / name).write_bytes((place / "results/figure5/askwell" / name).read_bytes())
    run(plan, tmp_path)
    assert (target / "curve.csv").read_bytes() == before
    assert not list((tmp_path / "runs").rglob("campaign.toml"))
    kept = [row for row in read_lesions(file) if row.split == "2"]
    write_lesions(target / "curve.csv", kept)
    run(plan, tmp_path)
    found = read_lesions(target / "curve.csv")
    assert [row for row in found if row.split == "2"] == kept
    assert [row.point.accuracy for row in found] == [row.point.accuracy for row in read_lesions(file)]


def test_ties_are_those_of_the_scores_that_asked(finished):
    place, _ = finished
    rows = read_ties(place / "results/figure5/askwell/ties.csv")
    assert [(row.split, row.round) for row in rows] == [("1", 1), ("1", 2), ("2", 1), ("2", 2)]
    queries = read_queries(place / "runs/figure5-askwell/split-1/variation_ratios_votes/seed-0/queries.csv")
    scores = [row.score for row in queries if row.round == 1]
    assert rows[0].tied >= scores.count(min(scores))
    assert rows[0].distinct <= 3  # 5 samples of two classes: 0, 1/5 or 2/5 against the mode
    assert rows[0].candidates - rows[1].candidates == 5


def test_predictions_are_the_last_networks_and_logistic_regression_stands_beside_them(finished):
    place, _ = finished
    rows = read_predictions(place / "results/figure5/askwell/predictions.csv")
    arms = {row.arm for row in rows}
    assert arms == {"variation_ratios_votes", "random", LOGISTIC}
    own = [row for row in rows if row.arm == "random"]
    last = read_curve(place / "runs/figure5-askwell/split-2/random/seed-0/curve.csv")[-1]
    assert {row.labels for row in own} == {last.labels}
    right = sum((row.probability > 0.5) == bool(row.label) for row in own) / len(own)
    assert right == pytest.approx(last.accuracy, abs=0.03)
    logistic = [row for row in rows if row.arm == LOGISTIC]
    assert sum((row.probability > 0.5) == bool(row.label) for row in logistic) / len(logistic) > 0.9


def test_the_tables_and_figures_of_what_there_is(finished, tmp_path):
    place, _ = finished
    results = place / "results"
    assert "| askwell | 1 | random | 1 |" in lesions(results)
    assert "variation_ratios_votes" in ties(results)
    assert "variation_ratios_votes" in against_random(results)
    assert labels_needed(results) == official(results) == recipes(results) == against_everything(results) == "–"
    assert [path.name for path in draw_lesions(results, tmp_path)] == ["figure5-askwell.png", "figure5-askwell.svg"]


def test_folds_are_campaigns_on_parts_of_the_pool(tmp_path):
    plan = small_plan("figure5-folds", ("random",))
    run(plan, tmp_path)
    rows = read_lesions(tmp_path / "results/figure5/folds/curve.csv")
    assert [(row.split, row.point.round) for row in rows] == [
        (str(fold), number) for fold in range(5) for number in range(3)
    ]
    assert all(row.point.auc is not None for row in rows)
    features = list((tmp_path / "runs/figure5-folds/features").glob("*.npy"))
    assert len(features) == 1  # computed once for all folds


def test_recipes_are_compared_on_the_same_folds(tmp_path):
    plan = small_plan("figure5-recipes", ("random",))
    run(plan, tmp_path)
    scores = read_scores(tmp_path / "results/figure5/recipes/scores.csv")
    assert [(score.recipe, score.repeat, score.fold) for score in scores] == [
        (name, 0, fold) for name in plan.extra.recipes for fold in range(5)
    ]
    assert len({score.auc for score in scores}) > 5
    before = (tmp_path / "results/figure5/recipes/scores.csv").read_bytes()
    run(plan, tmp_path)
    assert (tmp_path / "results/figure5/recipes/scores.csv").read_bytes() == before
    assert "as-above" in recipes(tmp_path / "results")


def test_a_recipe_is_changed_in_its_tables_and_a_wrong_value_named():
    recipe = read_plan(SETTINGS / "figure5-recipes.toml").settings.recipe
    other = changed_recipe(recipe, "x", {"backbone": {"input_dropout": 0.25}, "weight_decay": {"value": 7.0}})
    assert (other.backbone.input_dropout, other.weight_decay.value) == (0.25, 7.0)
    assert other.backbone.hidden == recipe.backbone.hidden
    with pytest.raises(SettingsError, match=r"'backbone.hiden' in recipe x; did you mean hidden"):
        changed_recipe(recipe, "x", {"backbone": {"hiden": [3]}})


@pytest.mark.parametrize("name", ["text", "askwell", "official"])
def test_the_committed_protocols(name):
    plan = read_plan(SETTINGS / f"figure5-{name}.toml")
    settings = plan.settings
    if name == "official":
        assert plan.extra.splits == {"official": "isic2016"}
        assert settings.initial + settings.rounds * settings.query >= 850
    else:
        assert (settings.initial, settings.initial_set, settings.query, settings.rounds) == (100, (80, 20), 100, 6)
        assert set(plan.extra.splits.values()) <= {"isic2016_split_1", "isic2016_split_2"}


def test_the_challenges_test_images_are_named_by_one_plan_only():
    plans = [read_plan(path) for path in SETTINGS.glob("figure5-*.toml")]
    assert [plan.preset for plan in plans if "isic2016" in plan.extra.splits.values()] == ["official"]


def lesion(split, strategy, seed, number, auc, positives=0, labels=None):
    point = CurvePoint(strategy, seed, number, 100 * (number + 1) if labels is None else labels, 0.5, auc=auc)
    return LesionPoint(split, positives, point)


def test_bald_after_four_is_compared_with_the_same_seeds_end(tmp_path):
    rows = [
        lesion("1", "bald", seed, number, 0.6 + 0.02 * number - 0.05 * (number == 6))
        for seed in range(8)
        for number in range(7)
    ]
    for preset, own in (
        ("askwell", rows),
        ("second-place", [lesion("1", "random", seed, 0, 0.5, labels=650) for seed in range(8)]),
    ):
        (tmp_path / "figure5" / preset).mkdir(parents=True)
        write_lesions(tmp_path / "figure5" / preset / "curve.csv", own)
    lines = against_everything(tmp_path).splitlines()[2:]
    assert [line.split(" | ")[2] for line in lines] == [
        "same recipe",
        "second place's optimiser and loss",
    ]
    assert "| +0.010 |" in lines[0]  # .68 after four, .67 at the end
    assert "| +0.180 |" in lines[1]
    assert lines[0].endswith("| 0.008 | 8 | 0.016 |")  # 2 / 2^8, and twice that for two tests


def test_labels_needed_are_the_first_within_a_hundredth_of_the_end(tmp_path):
    (tmp_path / "figure5/official").mkdir(parents=True)
    values = [0.7, 0.795, 0.78, 0.8]
    write_lesions(
        tmp_path / "figure5/official/curve.csv",
        [lesion("official", "bald", seed, number, value) for seed in range(2) for number, value in enumerate(values)],
    )
    assert (
        labels_needed(tmp_path).splitlines()[2]
        == "| bald | 2 | 0.800 | 200 / 400 | 200 / 400 | 200 (200 to 200) | 400 |"
    )


def test_the_official_table_compares_with_logistic_regression_on_the_same_images(tmp_path):
    generator = torch.Generator().manual_seed(0)
    truth = [0] * 40 + [1] * 20
    noise = torch.rand(3, 60, generator=generator).tolist()
    rows = [
        Prediction(arm, seed, 850, f"i{place:02}", label, min(1.0, 0.2 * strength * label + 0.5 * noise[number][place]))
        for number, (arm, seed, strength) in enumerate((("bald", 0, 2), ("bald", 1, 2), (LOGISTIC, 0, 0)))
        for place, label in enumerate(truth)
    ]
    (tmp_path / "figure5/official").mkdir(parents=True)
    write_predictions(tmp_path / "figure5/official/predictions.csv", rows)
    one, both, logistic = official(tmp_path).splitlines()[2:]
    assert "one network (seed 0)" in one
    assert "mean probability of 2 networks" in both
    assert "p = 0.00" in both
    assert logistic.rstrip(" |").endswith("–")


def test_positives_are_counted_up_to_each_round_of_the_same_campaign():
    points = [CurvePoint("bald", seed, number, 2 * number + 2) for seed in (0, 1) for number in (0, 1)]
    queries = [
        QueryRow("bald", 0, 0, 0, "a", "malignant"),
        QueryRow("bald", 0, 1, 0, "b", "malignant"),
        QueryRow("bald", 0, 1, 1, "c", "benign"),
        QueryRow("bald", 1, 1, 0, "d", "malignant"),
        QueryRow("random", 1, 0, 0, "e", "malignant"),
    ]
    assert [row.positives for row in lesion_points("1", points, queries, "malignant")] == [1, 2, 0, 1]


def test_curves_of_auc_and_of_positives_after_the_initial_ones():
    rows = [lesion("1", "bald", 0, number, 0.5 + number / 10, positives=20 + 15 * number) for number in range(3)]
    assert auc_curves(rows, "1")["bald"][0].accuracy == (0.5, 0.6, 0.7)
    assert positive_curves(rows, "1", 100)["bald"][0].accuracy == (0, 15, 30)
    assert auc_curves(rows, "2") == {}


def test_what_was_not_measured_is_not_interpolated(tmp_path):
    rows = [lesion("1", "random", 0, number, 0.6, labels=labels) for number, labels in enumerate((100, 650))]
    (tmp_path / "figure5/whole").mkdir(parents=True)
    write_lesions(tmp_path / "figure5/whole/curve.csv", rows)
    assert " at 200" not in lesions(tmp_path)
    assert "| whole | 1 | 0.600 | 0.600 |" in whole_network(tmp_path)
    assert "| whole | 1 | " in lesion_hours(tmp_path)


def test_an_unfinished_campaign_has_no_end(tmp_path):
    rows = [lesion("1", "bald", seed, number, 0.5 + number / 20) for seed in range(2) for number in range(7 - 2 * seed)]
    (tmp_path / "figure5/askwell").mkdir(parents=True)
    write_lesions(tmp_path / "figure5/askwell/curve.csv", rows)
    (line,) = against_everything(tmp_path).splitlines()[2:]
    assert line.split(" | ")[-2:] == ["1", "1.000 |"]  # one pair


def test_predictions_of_other_campaigns_are_kept(finished, tmp_path):
    place, plan = finished
    target = tmp_path / "results/figure5/askwell"
    target.mkdir(parents=True)
    earlier = Prediction("random", 7, 30, "i0", 1, 0.5)
    write_predictions(target / "predictions.csv", [earlier])
    reproduce([plan], (), Places(place / "runs", tmp_path / "results"), workers=1, notify=lambda headway: None)
    found = read_predictions(target / "predictions.csv")
    assert earlier in found
    assert len(found) == 1 + len(read_predictions(place / "results/figure5/askwell/predictions.csv"))


def test_recipes_measured_with_other_settings_are_not_taken_for_these(tmp_path):
    plan = small_plan("figure5-recipes", ("random",))
    run(plan, tmp_path)
    before = (tmp_path / "results/figure5/recipes/scores.csv").read_bytes()
    other = changed(plan, seeds=2)
    with pytest.raises(SettingsError, match=r"the settings that the scores in .* were measured with"):
        run(other, tmp_path)
    elsewhere = Places(tmp_path / "other", tmp_path / "results")
    said = reproduce([other], (), elsewhere, workers=1, notify=lambda headway: None)
    assert ["kept" in sentence for sentence in said] == [True]
    assert (tmp_path / "results/figure5/recipes/scores.csv").read_bytes() == before

"""The committed settings are what they say they are."""

import pytest
from reproduction_small import SETTINGS

from askwell.errors import SettingsError, UnknownNameError
from askwell.reproduction.miniature import in_miniature
from askwell.reproduction.plans import EXPERIMENTS, changed, chosen, default_plans, read_plan, read_plans

PLANS = read_plans(SETTINGS)
BY_NAME = {plan.name: plan for plan in PLANS}


def test_every_experiment_has_the_codes_preset_and_every_figure_and_table_of_mnist_the_texts():
    assert {plan.experiment for plan in PLANS if plan.preset == "code"} == set(EXPERIMENTS) - {"figure5"}
    texts = {plan.experiment for plan in PLANS if plan.preset == "text"}
    assert texts == {"figure1", "figure2", "figure3", "table1", "table2", "figure5"}


@pytest.mark.parametrize(
    ("name", "initial", "query", "validation", "labels", "candidates"),
    [
        ("figure1-code", 20, 10, 0, 1000, 2000),
        ("table1-code", 100, 5, 0, 1000, 1000),
        ("table2-code", 20, 10, 0, 1000, 2000),
        ("figure1-text", 20, 10, 100, 1020, None),
        ("table2-text", 20, 10, 5000, 1020, None),
    ],
)
def test_the_protocols(name, initial, query, validation, labels, candidates):
    settings = BY_NAME[name].settings
    assert (settings.initial, settings.query, settings.validation) == (initial, query, validation)
    assert settings.initial + settings.query * settings.rounds == labels
    assert (settings.candidates, settings.samples, settings.initial_set) == (candidates, 100, "balanced")


@pytest.mark.parametrize(
    "plan",
    [plan for plan in PLANS if plan.preset != "zhu" and plan.experiment != "figure5"],
    ids=lambda plan: plan.name,
)
def test_what_all_presets_share(plan):
    recipe = plan.settings.recipe
    assert (plan.settings.dataset, plan.settings.evaluation) == ("mnist", "point")
    assert (recipe.optimizer, recipe.learning_rate, recipe.schedule) == ("adam", 1e-3, "constant")
    assert (recipe.batch_size, recipe.epochs, recipe.augmentation) == (
        65 if "batch-65" in plan.name else 128,
        50,
        "none",
    )
    assert (recipe.weight_decay.form, recipe.weight_decay.layers) == ("per_n", ("dense1.weight",))
    assert bool(recipe.weight_decay.tune) == (plan.preset == "text")


def test_what_the_codes_runs_differ_in():
    def differs(name: str) -> tuple[str, float]:
        recipe = BY_NAME[name].settings.recipe
        return str(recipe.model), recipe.weight_decay.value

    assert differs("figure1-code") == ("bcnn", 2.5)
    assert differs("figure1-code-random-3x3") == ("bcnn_3x3", 3.5)
    assert differs("table1-code") == ("bcnn_3x3", 10.0)
    assert BY_NAME["figure1-code-mean-std-defective"].settings.strategy == ("mean_std_defective",)


def test_plans_that_share_campaigns_differ_in_nothing_but_strategies(tmp_path):
    shared: dict[object, list[dict[str, object]]] = {}
    for plan in PLANS:
        values = plan.settings.model_dump(exclude={"strategy"})
        shared.setdefault(plan.runs(tmp_path), []).append(values)
    assert max(map(len, shared.values())) >= 3
    for values in shared.values():
        assert all(each == values[0] for each in values)


def test_figure_2_asks_by_the_same_scores_twice():
    for preset in ("code", "text"):
        names = BY_NAME[f"figure2-{preset}"].settings.strategy
        point = [name.removeprefix("point_") for name in names if name.startswith("point_")]
        assert point == [name.removesuffix("_votes") for name in names if not name.startswith("point_")]
        assert BY_NAME[f"figure2-{preset}"].extra.evaluations == ("point", "mc_dropout")


def test_cases_and_where_their_results_lie():
    pairs = BY_NAME["figure3-code"]
    assert [case.name for case in pairs.cases()] == ["2v8", "3v8", "4v9"]
    assert [case.settings.keep_classes for case in pairs.cases()] == [("2", "8"), ("3", "8"), ("4", "9")]
    assert pairs.results(pairs.cases()[0]).as_posix() == "figure3/code-2v8"
    (case,) = BY_NAME["figure2-code"].cases()
    assert BY_NAME["figure2-code"].results(case).as_posix() == "figure2/code"
    assert BY_NAME["figure2-code"].results(case, "mc_dropout").as_posix() == "figure2/code-mc"
    assert [case.corruption for case in BY_NAME["aleatoric-code"].cases()] == ["noise", "ambiguous"]


def test_plans_are_chosen_by_name_and_others_are_named():
    assert [plan.name for plan in chosen(PLANS, "figure2", "code")] == ["figure2-code"]
    assert {plan.experiment for plan in chosen(PLANS, None, "code")} == set(EXPERIMENTS) - {"figure5"}
    assert [plan.experiment for plan in default_plans(PLANS, None)] == list(EXPERIMENTS)
    assert [plan.name for plan in default_plans(PLANS, "figure5")] == ["figure5-text"]
    assert len(chosen(PLANS, None, None)) == len(PLANS)
    with pytest.raises(UnknownNameError, match="did you mean figure1"):
        chosen(PLANS, "figure11", "code")
    with pytest.raises(UnknownNameError, match="preset of figure3 called 'askwell'; choose one of code, text, zhu"):
        chosen(PLANS, "figure3", "askwell")


def test_seeds_and_precision_can_be_changed():
    plan = changed(BY_NAME["figure1-code"], seeds=7, precision="fp32")
    assert (plan.settings.seeds, plan.settings.recipe.precision) == (7, "fp32")
    assert changed(plan) == plan
    with pytest.raises(SettingsError, match="precision"):
        changed(plan, precision="fp8")


@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: plan.name)
def test_a_miniature_is_small_and_keeps_what_is_compared(plan):
    small = in_miniature(plan)
    settings = small.settings
    assert (settings.dataset, settings.seeds, settings.rounds, settings.samples) == ("digits", 1, 2, 5)
    lesions = plan.extra.splits or plan.extra.folds
    assert settings.strategy == (plan.settings.strategy[-2:] if lesions else plan.settings.strategy)
    assert settings.recipe.model == plan.settings.recipe.model
    assert (settings.validation > 0) == (plan.settings.validation > 0)
    assert small.extra.pairs == plan.extra.pairs


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ('evaluations = ["mc_dropout"]', "expected the evaluation of .* first in reproduction.evaluations"),
        ('pairs = ["28"]', "expected two classes with a v between them"),
        ('mbr = ["mbr"]', "mbr tells two classes apart"),
        ('corruptions = ["noise"]\nevaluations = ["point", "mc_dropout"]', "have one evaluation"),
        ("pears = []", "did you mean pairs"),
    ],
)
def test_what_a_table_cannot_say(tmp_path, table, message):
    file = tmp_path / "figure1-mine.toml"
    file.write_text(f'evaluation = "point"\n[reproduction]\n{table}\n')
    with pytest.raises(SettingsError, match=message):
        read_plan(file)


def test_a_file_of_no_experiment_is_refused(tmp_path):
    (tmp_path / "figure9-code.toml").write_text('evaluation = "point"\n')
    with pytest.raises(UnknownNameError, match="no experiment called 'figure9'"):
        read_plans(tmp_path)

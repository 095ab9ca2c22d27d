"""The committed results are those of the committed settings: an experiment that goes on elsewhere must recognise them."""

import pytest

from askwell.reproduction.checkout import paper_directory
from askwell.reproduction.committed import committed_points
from askwell.reproduction.plans import read_plans

HERE = paper_directory()


def test_every_committed_result_is_recognised_by_its_plan() -> None:
    """A setting that a later askwell knows, and the older one did not, must not make a result another experiment's."""
    recognised = {
        (plan.experiment, plan.results(case, None if evaluation == plan.settings.evaluation else evaluation).name)
        for plan in read_plans(HERE)
        for case in plan.cases()
        for evaluation in plan.extra.evaluations
        if committed_points(plan, case, evaluation, HERE / "results")
    }
    there = {(file.parent.parent.name, file.parent.name) for file in (HERE / "results").glob("*/*/curve.csv")}
    assert recognised == there


@pytest.mark.parametrize("changed", [{"loss": "mse"}, {"batch_size": 7}])
def test_another_recipe_is_not_recognised(changed: dict[str, object]) -> None:
    plan = next(plan for plan in read_plans(HERE) if plan.name == "figure1-code")
    recipe = plan.settings.recipe.model_copy(update=changed)
    other = plan._replace(settings=plan.settings.model_copy(update={"recipe": recipe}))
    (case,), (wrong,) = plan.cases(), other.cases()
    assert committed_points(plan, case, "point", HERE / "results")
    assert not committed_points(other, wrong, "point", HERE / "results")

"""What was begun in the directories of a plan is what the plan says: nothing is run there, or collected from there, otherwise."""

from pathlib import Path

from askwell.campaign.campaign import resolved
from askwell.campaign.experiment import check_experiment
from askwell.errors import SettingsError
from askwell.reproduction.arm_settings import ARM_FILE, check_arm
from askwell.reproduction.folds import SCORES_FILE, changed_recipe, is_measured
from askwell.reproduction.plans import Case, Plan


def check_begun(plan: Plan, case: Case, out: Path) -> None:
    """Raise SettingsError where campaigns, arms or scores in the case's directory are of other settings, or --out is a file.

    Seeds and rounds may be others: they say how many campaigns there are and how long, not what they are. Nothing is touched.
    """
    directory = plan.runs(out) / case.name
    there = next(place for place in (directory, *directory.absolute().parents) if place.exists())
    if not there.is_dir():
        raise SettingsError(f"expected a directory for --out, found a file: {there}; choose another.")
    if plan.extra.recipes:
        _check_scores(plan, case, directory)
        return
    if plan.extra.networks:
        handed_over = case.corruption is not None or case.fold is not None  # these campaigns are handed their images
        settings = case.settings.model_copy(update={"dataset": None}) if handed_over else case.settings
        check_experiment(settings, directory, resume=True)
    for name in plan.extra.mbr:
        for file in sorted((directory / name).glob(f"seed-*/{ARM_FILE}")):
            check_arm(file.parent, case.settings, plan.extra.mbr_nodes)


def _check_scores(plan: Plan, case: Case, directory: Path) -> None:
    for name, changes in plan.extra.recipes.items():
        file = directory / name / SCORES_FILE
        if file.exists():
            recipe = resolved(changed_recipe(case.settings.recipe, name, changes))
            is_measured(file, case.settings.model_copy(update={"recipe": recipe}))

"""Every plan in miniature, the smoke test: does all of it run?"""

import itertools
from collections.abc import Mapping, Sequence

from askwell.campaign.settings import ExperimentSettings, check_settings
from askwell.learning.recipe import Recipe
from askwell.models.backbone_settings import RANDOM
from askwell.reproduction.jobs import Job, run_jobs
from askwell.reproduction.plans import Plan
from askwell.reproduction.running import Headway, Notify, Places, reproduce

SMOKE: Mapping[str, int] = {"seeds": 1, "rounds": 2, "query": 5, "samples": 5, "initial": 20}
VALIDATION, CANDIDATES, NODES, RECIPES = 20, 100, 80, 2
LESION_STRATEGIES = 2  # of each plan of figure 5, whose features and heads take longer than digits
PAIR, COUNTS, SIDE = ("2", "8"), (15, 5), 32  # two digits in the place of two kinds of lesion


def reproduce_in_miniature(plans: Sequence[Plan], places: Places, *, workers: int, notify: Notify) -> None:
    """Run every plan in miniature, ``workers`` at a time with one thread each; plans that share campaigns run one after the other.

    Raises what the first failing plan raised, WorkerDiedError for one that ended without a word.
    """
    together: dict[object, list[Plan]] = {}
    for plan in map(in_miniature, plans):
        together.setdefault(plan.runs(places.out), []).append(plan)
    jobs = [Job(_run, (sharing, places)) for sharing in together.values()]
    done = itertools.count(1)
    notify(Headway("in miniature", "directories of campaigns", 0, len(jobs)))
    run_jobs(
        jobs, workers, lambda _: notify(Headway("in miniature", "directories of campaigns", next(done), len(jobs)))
    )


def _run(plans: Sequence[Plan], places: Places) -> None:
    reproduce(plans, [], places, workers=1, notify=lambda _: None)


def in_miniature(plan: Plan) -> Plan:
    """The plan on embedded digits, with one seed, two rounds and a few steps of training: does everything run?"""
    values = plan.settings.model_dump(exclude_none=True)
    recipe = {**values["recipe"], "steps": 4, "batch_size": 16}
    recipe.pop("epochs", None)
    if recipe.get("backbone") is not None:
        recipe["backbone"] |= {"weights": RANDOM, "sha256": None, "side": SIDE}
    values |= {**SMOKE, "dataset": "digits", "recipe": Recipe.model_validate(recipe)}
    values["validation"] = min(VALIDATION, plan.settings.validation)
    values["candidates"] = CANDIDATES
    splits = dict.fromkeys(plan.extra.splits, "digits")
    recipes = dict(list(plan.extra.recipes.items())[:RECIPES])
    if splits or plan.extra.folds:
        values |= {"keep_classes": PAIR, "initial_set": COUNTS}
        values["strategy"] = plan.settings.strategy[-LESION_STRATEGIES:]
    extra = plan.extra.model_copy(update={"mbr_nodes": NODES, "splits": splits, "recipes": recipes})
    return plan._replace(settings=check_settings(ExperimentSettings, values, "the smoke test"), extra=extra)

"""Run plans: their campaigns, the arms beside them, the second evaluations, and the collecting of results in between."""

import itertools
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from askwell.campaign.campaign import resolved
from askwell.campaign.experiment import run_experiment
from askwell.campaign.inputs import FEATURES
from askwell.campaign.tasks import Standing
from askwell.errors import SettingsError
from askwell.pool.named.isic2016_splits import FOLDS
from askwell.reproduction.aleatoric import run_corrupted
from askwell.reproduction.begun import check_begun
from askwell.reproduction.checkout import COMMITS, commit
from askwell.reproduction.collecting import collect
from askwell.reproduction.committed import Campaigns, committed_recipes, known_campaigns
from askwell.reproduction.folds import (
    SCORES_FILE,
    changed_recipe,
    is_measured,
    prepare_features,
    run_fold,
    run_recipe,
)
from askwell.reproduction.jobs import Job, run_jobs
from askwell.reproduction.mbr_running import run_arm
from askwell.reproduction.plans import Case, Plan
from askwell.reproduction.predictions import predict_at_the_end
from askwell.reproduction.second_evaluation import evaluate_again
from askwell.reproduction.ties import count_ties
from askwell.reproduction.turns import turn
from askwell.store.files import replace_file


class Headway(NamedTuple):
    """How far a case is: which one, what is being done, how much of it is done and to do."""

    case: str
    doing: str
    done: int
    total: int


class Places(NamedTuple):
    """Directories of the campaigns and of the results."""

    out: Path
    results: Path


Notify = Callable[[Headway], None]


def reproduce(
    plans: Sequence[Plan], everything: Sequence[Plan], places: Places, *, workers: int, notify: Notify
) -> list[str]:
    """Run or continue every case of the plans, campaigns ``workers`` at a time in one thread each; returns sentences for the user.

    ``everything`` are all plans: those that share campaigns with one of ``plans`` have their results collected too, at the start, after
    every finished campaign, and at the end, however it comes. Raises what the first failing campaign raised, SettingsError before anything
    is run or collected where a directory was begun with other settings.
    """
    said: dict[str, None] = {}
    for plan in plans:
        for case in plan.cases():
            check_begun(plan, case, places.out)
    for plan in plans:
        sharing = [plan, *(other for other in everything if other.name != plan.name and _shares(other, plan, places))]
        for case in plan.cases():

            def gather(sharing: Sequence[Plan] = sharing, name: str = case.name) -> None:
                for each in sharing:
                    for own in each.cases():
                        if own.name == name:
                            said.update(dict.fromkeys(_collected(each, own, places, shares=each is not sharing[0])))

            with turn(places.results):
                _note_commit(plan.runs(places.out))
            gather()
            try:
                _run_case(plan, case, places, workers, notify, gather)
            finally:
                gather()
    return list(said)


def _collected(plan: Plan, case: Case, places: Places, *, shares: bool) -> list[str]:
    """What was not collected. A plan that shares campaigns, which are of other settings now, is passed over."""
    try:
        return collect(plan, case, places.out, places.results)
    except SettingsError:
        if not shares:
            raise
        return [
            f"collected nothing for {plan.name}, whose settings the campaigns in {plan.runs(places.out)} do not have."
        ]


def _shares(other: Plan, plan: Plan, places: Places) -> bool:
    return other.runs(places.out) == plan.runs(places.out)


def _run_case(plan: Plan, case: Case, places: Places, workers: int, notify: Notify, gather: Callable[[], None]) -> None:
    """Networks, campaigns on noisy pools, arms on a graph, second evaluations; what is done, or committed already, is passed over.

    Second evaluations need weights, which are not committed: those of campaigns that are finished come first.
    """
    directory, name = plan.runs(places.out) / case.name, f"{plan.name} {case.name}".strip()
    known = known_campaigns(plan, case, places.results)

    def run_all(what: str, jobs: list[Job]) -> None:
        if not jobs:
            return
        done = itertools.count(1)
        notify(Headway(name, what, 0, len(jobs)))

        def finished(_: Job) -> None:
            notify(Headway(name, what, next(done), len(jobs)))
            gather()

        run_jobs(jobs, workers, finished)

    if plan.extra.recipes:
        run_all("recipes", _recipe_jobs(plan, case, directory, places.results))
        return
    if case.fold is not None:
        run_all("campaigns on folds", _fold_jobs(plan, case, case.fold, directory, known))
    elif plan.extra.networks and case.corruption is None:

        def tell(done: int, total: int) -> None:
            notify(Headway(name, "rounds", done, total))

        run_all("second evaluations of what is there", _evaluation_jobs(plan, case, directory, known, there=True))
        _run_campaigns(case, directory, workers, tell, gather, known)
    run_all("campaigns on a noisy pool", _noisy_jobs(plan, case, directory, known))
    run_all("campaigns on a graph", _graph_jobs(plan, case, directory, known))
    run_all("second evaluations", _evaluation_jobs(plan, case, directory, known))
    run_all("ties", _tie_jobs(plan, case, directory))
    run_all("predictions", _prediction_jobs(plan, case, directory))


def _run_campaigns(
    case: Case,
    directory: Path,
    workers: int,
    tell: Callable[[int, int], None],
    gather: Callable[[], None],
    known: Campaigns,
) -> None:
    """The loop's own experiment; results are gathered whenever another campaign has come to its end."""
    settings = case.settings
    finished, rounds = _finished(case, directory), -1

    def heard(standing: Standing) -> None:
        nonlocal finished, rounds
        tell(standing.rounds_done, standing.rounds_total)
        if standing.rounds_done == rounds:
            return
        rounds = standing.rounds_done
        if (now := _finished(case, directory)) > finished:
            finished = now
            gather()

    wanted = {(strategy, seed) for strategy in settings.strategy for seed in range(settings.seeds)} - known
    if wanted:
        workers = min(workers, len(wanted))
        run_experiment(settings, directory, workers=workers, threads=1, notify=heard, leave_out=known)


def _finished(case: Case, directory: Path) -> int:
    """How many of the campaigns have all their rounds."""
    campaigns = [place for name in case.settings.strategy for place in (directory / name).glob("seed-*")]
    return sum(_is_finished(case, place) for place in campaigns)


def _is_finished(case: Case, campaign: Path) -> bool:
    """Whether its curve, which is replaced whole, has all rounds: a header, round 0 and those that follow."""
    curve = campaign / "curve.csv"
    return curve.exists() and curve.read_bytes().count(b"\n") >= case.settings.rounds + 2


def _noisy_jobs(plan: Plan, case: Case, directory: Path, known: Campaigns) -> list[Job]:
    if case.corruption is None:
        return []
    return [
        Job(run_corrupted, (place, case.settings, strategy, seed, case.corruption, plan.extra.share))
        for strategy, seed, place in _places(plan.strategies(), case.settings.seeds, directory, known)
    ]


def _fold_jobs(plan: Plan, case: Case, fold: int, directory: Path, known: Campaigns) -> list[Job]:
    features = directory.parent / FEATURES
    places = _places(plan.strategies(), case.settings.seeds, directory, known)
    if places:
        prepare_features(case.settings, features)  # before jobs that would all compute them
    return [Job(run_fold, (place, case.settings, name, seed, fold, features)) for name, seed, place in places]


def _recipe_jobs(plan: Plan, case: Case, directory: Path, results: Path) -> list[Job]:
    """Of the recipes that have not been measured; features are computed before, for all that read the same ones."""
    features, jobs = directory / FEATURES, []
    known = Counter(score.recipe for score in committed_recipes(plan, case, results))
    for name, changes in plan.extra.recipes.items():
        recipe = changed_recipe(case.settings.recipe, name, changes)
        own = case.settings.model_copy(update={"recipe": resolved(recipe)})
        file = directory / name / SCORES_FILE
        if not is_measured(file, own) and known[name] < FOLDS * case.settings.seeds:
            prepare_features(case.settings.model_copy(update={"recipe": recipe}), features)
            jobs.append(Job(run_recipe, (file, case.settings, name, changes, features)))
    return jobs


def _tie_jobs(plan: Plan, case: Case, directory: Path) -> list[Job]:
    """Of the campaigns that are finished, and whose weights are here."""
    places = _places(plan.extra.ties, case.settings.seeds, directory, frozenset())
    return [Job(count_ties, (place, case.split)) for _, _, place in places if _is_finished(case, place)]


def _prediction_jobs(plan: Plan, case: Case, directory: Path) -> list[Job]:
    if not plan.extra.predictions:
        return []
    places = _places(plan.strategies(), case.settings.seeds, directory, frozenset())
    return [Job(predict_at_the_end, (place,)) for _, _, place in places if _is_finished(case, place)]


def _graph_jobs(plan: Plan, case: Case, directory: Path, known: Campaigns) -> list[Job]:
    return [
        Job(run_arm, (place, case.settings, arm, seed, plan.extra.mbr_nodes))
        for arm, seed, place in _places(plan.extra.mbr, case.settings.seeds, directory, known)
    ]


def _evaluation_jobs(plan: Plan, case: Case, directory: Path, known: Campaigns, *, there: bool = False) -> list[Job]:
    """Of the plan's campaigns on a named data set, or of those that are finished; those on a noisy pool have one evaluation."""
    return [
        Job(evaluate_again, (place, evaluation, plan.extra.second_every))
        for evaluation in plan.extra.evaluations[1:]
        for _, _, place in _places(plan.strategies(), case.settings.seeds, directory, known)
        if not there or _is_finished(case, place)
    ]


def _places(names: Sequence[str], seeds: int, directory: Path, known: Campaigns) -> list[tuple[str, int, Path]]:
    """Name, seed and directory of each campaign but the known ones, seed by seed."""
    every = [(name, seed, directory / name / f"seed-{seed}") for seed in range(seeds) for name in names]
    return [(name, seed, place) for name, seed, place in every if (name, seed) not in known]


def _note_commit(runs: Path) -> None:
    """Remember with which commits the campaigns were run."""
    runs.mkdir(parents=True, exist_ok=True)
    file, now = runs / COMMITS, commit()
    known = file.read_text(encoding="utf-8").split() if file.exists() else []
    if now not in known:
        text = "\n".join([*known, now]) + "\n"
        replace_file(file, lambda path: path.write_text(text, encoding="utf-8"))

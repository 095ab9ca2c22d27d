"""Run plans: their campaigns, the arms beside them, the second evaluations, and the collecting of results in between."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from askwell.campaign.experiment import check_experiment, run_experiment
from askwell.campaign.tasks import Standing
from askwell.reproduction.aleatoric import run_corrupted
from askwell.reproduction.checkout import commit
from askwell.reproduction.collecting import COMMITS, collect
from askwell.reproduction.jobs import Job, run_jobs
from askwell.reproduction.mbr_running import run_arm
from askwell.reproduction.plans import Case, Plan
from askwell.reproduction.second_evaluation import evaluate_again
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
    every finished campaign, and at the end, however it comes. Raises what the first failing campaign raised.
    """
    said: dict[str, None] = {}
    for plan in plans:
        sharing = [plan, *(other for other in everything if other.name != plan.name and _shares(other, plan, places))]
        for case in plan.cases():

            def gather(sharing: Sequence[Plan] = sharing, name: str = case.name) -> None:
                for each in sharing:
                    for own in each.cases():
                        if own.name == name:
                            said.update(dict.fromkeys(collect(each, own, places.out, places.results)))

            _note_commit(plan.runs(places.out))
            gather()
            try:
                _run_case(plan, case, places.out, workers, notify, gather)
            finally:
                gather()
    return list(said)


def _shares(other: Plan, plan: Plan, places: Places) -> bool:
    return other.runs(places.out) == plan.runs(places.out)


def _run_case(plan: Plan, case: Case, out: Path, workers: int, notify: Notify, gather: Callable[[], None]) -> None:
    """Networks, arms on a graph, second evaluations; whatever is done already is passed over."""
    directory, name = plan.runs(out) / case.name, f"{plan.name} {case.name}".strip()
    if plan.extra.networks and case.corruption is None:

        def tell(done: int, total: int) -> None:
            notify(Headway(name, "rounds", done, total))

        _run_campaigns(case, directory, workers, tell, gather)
    for what, jobs in (
        ("campaigns on a noisy pool", _noisy_jobs(plan, case, directory)),
        ("campaigns on a graph", _graph_jobs(plan, case, directory)),
        ("second evaluations", _evaluation_jobs(plan, case, directory)),
    ):
        if not jobs:
            continue
        done = itertools.count(1)
        notify(Headway(name, what, 0, len(jobs)))

        def finished(_: Job, what: str = what, done: Iterator[int] = done, total: int = len(jobs)) -> None:
            notify(Headway(name, what, next(done), total))
            gather()

        run_jobs(jobs, workers, finished)


def _run_campaigns(
    case: Case, directory: Path, workers: int, tell: Callable[[int, int], None], gather: Callable[[], None]
) -> None:
    """The loop's own experiment; results are gathered whenever another campaign has come to its end."""
    settings = case.settings
    check_experiment(settings, directory, resume=True)
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

    workers = min(workers, settings.seeds * len(settings.strategy))
    run_experiment(settings, directory, workers=workers, threads=1, notify=heard)


def _finished(case: Case, directory: Path) -> int:
    """How many of the campaigns have all their rounds."""
    lines = case.settings.rounds + 2  # a header and round 0
    curves = [file for name in case.settings.strategy for file in (directory / name).glob("seed-*/curve.csv")]
    return sum(file.read_bytes().count(b"\n") >= lines for file in curves)


def _noisy_jobs(plan: Plan, case: Case, directory: Path) -> list[Job]:
    if case.corruption is None:
        return []
    handed_over = case.settings.model_copy(update={"dataset": None})  # these campaigns are handed their images
    check_experiment(handed_over, directory, resume=True)
    return [
        Job(run_corrupted, (place, case.settings, strategy, seed, case.corruption, plan.extra.share))
        for strategy, seed, place in _places(plan.strategies(), case.settings.seeds, directory)
    ]


def _graph_jobs(plan: Plan, case: Case, directory: Path) -> list[Job]:
    return [
        Job(run_arm, (place, case.settings, arm, seed, plan.extra.mbr_nodes))
        for arm, seed, place in _places(plan.extra.mbr, case.settings.seeds, directory)
    ]


def _evaluation_jobs(plan: Plan, case: Case, directory: Path) -> list[Job]:
    """Of the plan's campaigns on a named data set; those on a noisy pool have one evaluation."""
    return [
        Job(evaluate_again, (place, evaluation, plan.extra.second_every))
        for evaluation in plan.extra.evaluations[1:]
        for _, _, place in _places(plan.strategies(), case.settings.seeds, directory)
    ]


def _places(names: Sequence[str], seeds: int, directory: Path) -> list[tuple[str, int, Path]]:
    """Name, seed and directory of each campaign, seed by seed."""
    return [(name, seed, directory / name / f"seed-{seed}") for seed in range(seeds) for name in names]


def _note_commit(runs: Path) -> None:
    """Remember with which commits the campaigns were run."""
    runs.mkdir(parents=True, exist_ok=True)
    file, now = runs / COMMITS, commit()
    known = file.read_text(encoding="utf-8").split() if file.exists() else []
    if now not in known:
        text = "\n".join([*known, now]) + "\n"
        replace_file(file, lambda path: path.write_text(text, encoding="utf-8"))

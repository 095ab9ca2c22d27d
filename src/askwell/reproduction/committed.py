"""What committed results hold already: campaigns whose directories are on another machine, or gone, need not be run again."""

import json
from collections import Counter
from collections.abc import Container, Hashable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from askwell.campaign.settings import what_is_said
from askwell.report.curves import CurvePoint, QueryRow, read_curve
from askwell.reproduction.aleatoric import NoisyShare
from askwell.reproduction.folds import SCORES_FILE, FoldScore, read_scores
from askwell.reproduction.lesions import LesionPoint, read_lesions
from askwell.reproduction.plans import Case, Extra, Plan

Campaigns = frozenset[tuple[str, int]]  # strategy and seed
MAY_DIFFER = (
    "strategy",
    "seeds",
    "rounds",
)  # settings that say how many campaigns there are and how long, not what they are


Row = TypeVar("Row", CurvePoint, QueryRow, NoisyShare)


def committed_points(plan: Plan, case: Case, evaluation: str, results: Path) -> list[CurvePoint]:
    """The curve that is there of the same experiment; nothing where there is none or it was run with other settings."""
    directory = results / plan.results(case, None if evaluation == plan.settings.evaluation else evaluation)
    if case.split:
        return [row.point for row in committed_lesions(plan, case, results) if row.split == case.split]
    return read_curve(directory / "curve.csv") if _is_of(plan, case, directory) else []


def committed_lesions(plan: Plan, case: Case, results: Path) -> list[LesionPoint]:
    """The curves of all splits that are there of the same experiment."""
    directory = results / plan.results(case)
    return read_lesions(directory / "curve.csv") if _is_of(plan, case, directory) else []


def settings_of(plan: Plan, case: Case) -> dict[str, Any]:
    """The settings as run.json has them: of all splits together, which differ in their data set alone, those of the plan.

    Settings that nothing of the plan reads are left out.
    """
    settings = (plan if case.split else case).settings.model_dump(mode="json", exclude_none=True)
    return _without(settings, plan.not_run())


def committed_run(directory: Path) -> dict[str, Any] | None:
    """The run.json of a result, or None where there is no result."""
    if not (directory / "curve.csv").exists() or not (directory / "run.json").exists():
        return None
    return json.loads((directory / "run.json").read_text(encoding="utf-8"))


def known_campaigns(plan: Plan, case: Case, results: Path) -> Campaigns:
    """Those with all their rounds in the committed results, and the last one in those of every other evaluation."""
    own, *others = (
        {(point.strategy, point.seed, point.round) for point in committed_points(plan, case, evaluation, results)}
        for evaluation in plan.extra.evaluations
    )
    last = plan.settings.rounds
    rounds = Counter((strategy, seed) for strategy, seed, number in own if number <= last)
    return frozenset(
        name for name, count in rounds.items() if count == last + 1 and all((*name, last) in other for other in others)
    )


def longer_of(committed: Sequence[CurvePoint], found: Sequence[CurvePoint]) -> Campaigns:
    """The campaigns of which the committed curve holds more rounds than the one that was found."""
    there, here = (Counter((point.strategy, point.seed) for point in points) for points in (committed, found))
    return frozenset(name for name, rounds in there.items() if rounds > here[name])


def merged(committed: Iterable[Row], found: Iterable[Row], keep: Campaigns, order: Sequence[str]) -> list[Row]:
    """Rows of the campaigns to ``keep`` from what is committed, of the others from what was found, by strategy and seed."""
    rows = [row for row in committed if (row.strategy, row.seed) in keep]
    rows += [row for row in found if (row.strategy, row.seed) not in keep]
    names = list(dict.fromkeys([*order, *(row.strategy for row in rows)]))
    return sorted(rows, key=lambda row: (names.index(row.strategy), row.seed))


def union(*lists: Iterable[Hashable]) -> list[Any]:
    """Every entry once, in the order of their first appearance."""
    return list(dict.fromkeys(entry for each in lists for entry in each))


def committed_recipes(plan: Plan, case: Case, results: Path) -> list[FoldScore]:
    """The scores that are there of recipes of the same settings, each with the same changes."""
    place = results / plan.results(case)
    if not (place / SCORES_FILE).exists() or not (place / "run.json").exists():
        return []
    run = json.loads((place / "run.json").read_text(encoding="utf-8"))
    own = plan.extra.model_dump(mode="json", exclude_none=True)["recipes"]
    changes = run["reproduction"]["recipes"]
    if run["settings"]["seeds"] != plan.settings.seeds or not _same_settings(plan, case, run["settings"]):
        return []
    return [score for score in read_scores(place / SCORES_FILE) if own.get(score.recipe) == changes[score.recipe]]


def _is_of(plan: Plan, case: Case, directory: Path) -> bool:
    run = committed_run(directory)
    return run is not None and _same_settings(plan, case, run["settings"]) and _same_table(plan, run["reproduction"])


def _same_settings(plan: Plan, case: Case, found: dict[str, Any]) -> bool:
    """Results of an older askwell name settings that nothing of the plan reads."""
    aside = {*MAY_DIFFER, *plan.not_run()}
    return _without(what_is_said(found), aside) == _without(what_is_said(settings_of(plan, case)), aside)


def _same_table(plan: Plan, found: dict[str, Any]) -> bool:
    """Whether a result's table [reproduction] says the same of what its campaigns and arms are."""
    names = [
        "splits",
        "folds",
        *(["share"] if plan.extra.corruptions else []),
        *(["mbr_nodes"] if plan.extra.mbr else []),
    ]
    return all(found.get(name, Extra.model_fields[name].default) == getattr(plan.extra, name) for name in names)


def _without(settings: dict[str, Any], names: Container[str]) -> dict[str, Any]:
    return {name: value for name, value in settings.items() if name not in names}

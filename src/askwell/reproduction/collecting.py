"""From campaigns to committed results: curve.csv, queries.csv and run.json of an experiment, each replaced whole.

Campaigns that the committed results hold more of than the directories do are kept from there.
"""

import json
import platform
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from askwell.campaign.settings import SETTINGS_FILE, read_campaign_settings
from askwell.report.curves import CurvePoint, read_curve, read_queries, write_curve, write_queries
from askwell.reproduction.aleatoric import SHARES_FILE, read_shares, write_shares
from askwell.reproduction.arm_settings import ARM_FILE, Making, making_of_arm
from askwell.reproduction.begun import check_begun
from askwell.reproduction.checkout import COMMITS
from askwell.reproduction.collecting_recipes import collect_recipes
from askwell.reproduction.committed import (
    Campaigns,
    committed_lesions,
    committed_points,
    committed_run,
    longer_of,
    merged,
    settings_of,
    union,
)
from askwell.reproduction.lesions import LesionPoint, lesion_points, read_lesions, splits_of, write_lesions
from askwell.reproduction.plans import Case, Plan
from askwell.reproduction.predictions import PREDICTIONS_FILE, read_predictions, write_predictions
from askwell.reproduction.second_evaluation import second_curve_file
from askwell.reproduction.ties import TIES_FILE, read_ties, write_ties
from askwell.reproduction.turns import turn
from askwell.store.files import replace_file

QUERIES_AT_MOST = 1_000_000  # bytes of queries.csv that are committed
PROCESSORS = Path("/proc/cpuinfo")


def collect(plan: Plan, case: Case, out: Path, results: Path) -> list[str]:
    """Write what the campaigns of a case have so far into its results, of each evaluation; returns what was not done, as sentences.

    Of each campaign the longer one of what is committed and what is found is kept, and a result with other settings that holds more
    rounds as a whole, or as many: whoever runs an experiment for a while loses no committed result. Commands take turns.

    Raises SettingsError where the directory was begun with other settings than the plan's.
    """
    check_begun(plan, case, out)
    with turn(results):
        return _collect(plan, case, out, results)


def _collect(plan: Plan, case: Case, out: Path, results: Path) -> list[str]:
    if plan.extra.recipes:
        return collect_recipes(plan, case, plan.runs(out), results)
    campaigns = _campaigns(plan, plan.runs(out) / case.name)
    own, *others = plan.extra.evaluations
    said = _write(plan, case, own, campaigns, "curve.csv", plan.runs(out), results)
    if case.split and not said:
        _write_beside(plan, case, campaigns, results)
    for other in others:
        said += _write(plan, case, other, campaigns, second_curve_file(Path(), other).name, plan.runs(out), results)
    return said


def _write_beside(plan: Plan, case: Case, campaigns: Sequence[Path], results: Path) -> None:
    """Tables of ties and of predictions: rows of the campaigns that have them, in the place of what was there of those."""
    place = results / plan.results(case)
    if ties := [row for path in campaigns if (path / TIES_FILE).exists() for row in read_ties(path / TIES_FILE)]:
        before = read_ties(place / TIES_FILE) if (place / TIES_FILE).exists() else []
        known = {(row.strategy, row.seed, row.split, row.round): row for row in (*before, *ties)}
        write_ties(
            place / TIES_FILE, [known[key] for key in sorted(known, key=lambda key: (key[2], key[0], key[1], key[3]))]
        )
    files = [path / PREDICTIONS_FILE for path in campaigns if (path / PREDICTIONS_FILE).exists()]
    if found := [row for file in files for row in read_predictions(file)]:
        earlier = read_predictions(place / PREDICTIONS_FILE) if (place / PREDICTIONS_FILE).exists() else []
        each = {(row.arm, row.seed, row.id): row for row in (*earlier, *found)}
        write_predictions(place / PREDICTIONS_FILE, [each[key] for key in sorted(each)])


def _campaigns(plan: Plan, directory: Path) -> list[Path]:
    """Directories with a curve, of the plan's strategies and arms and of every seed, those that were not asked for included."""
    found = []
    for name in (*plan.strategies(), *plan.extra.mbr):
        own = [path.parent for path in (directory / name).glob("seed-*/curve.csv")]
        found += sorted(own, key=lambda path: int(path.name.removeprefix("seed-")))
    return found


def _write(
    plan: Plan, case: Case, evaluation: str, campaigns: Sequence[Path], file: str, runs: Path, results: Path
) -> list[str]:
    measured = [path for path in campaigns if (path / file).exists()]
    found = [point for path in measured for point in read_curve(path / file)]
    if not found:
        return []
    before = committed_points(plan, case, evaluation, results)
    place = results / plan.results(case, None if evaluation == plan.settings.evaluation else evaluation)
    if not before and _rows_of_another(plan, case, place, results) >= len(found):
        return [
            f"kept {place}, which has other settings and holds as many rounds as the campaigns in {runs}, or more; "
            "move it away to have these collected."
        ]
    keep = longer_of(before, found)
    points = merged(before, found, keep, plan.strategies())
    place.mkdir(parents=True, exist_ok=True)
    about = _run(plan, case, evaluation, measured, points, runs)
    others = bool(case.split and committed_lesions(plan, case, results))
    if (keep or others) and (known := committed_run(place)) is not None:
        about = _with_known(about, known)
    if evaluation == plan.settings.evaluation and not case.split:
        _write_queries(place / "queries.csv", measured, keep, plan.strategies())
        if case.corruption is not None:
            _write_shares(place / SHARES_FILE, measured, keep, plan.strategies())
    if case.split:
        rows = _with_other_splits(plan, case, measured, keep, points, results)
        about |= {"splits": _rounds_by_split(plan, rows), "seeds": sorted({row.point.seed for row in rows})}
        about |= {"hours": _hours([row.point for row in rows]), "weights": _weights(measured)}
        about = {name: value for name, value in about.items() if name not in ("case", "rounds")}
        about["settings"] |= {"seeds": _count_of_seeds(plan, about["seeds"])}
        write_lesions(place / "curve.csv", rows)
    else:
        write_curve(place / "curve.csv", points)
    text = json.dumps(about, indent=1) + "\n"
    replace_file(place / "run.json", lambda path: path.write_text(text, encoding="utf-8"))
    return []


def _rows_of_another(plan: Plan, case: Case, place: Path, results: Path) -> int:
    """How many rounds a result holds that is there and is of other settings."""
    file = place / "curve.csv"
    if not file.exists() or (case.split and committed_lesions(plan, case, results)):
        return 0
    return len(read_lesions(file) if case.split else read_curve(file))


def _with_other_splits(
    plan: Plan,
    case: Case,
    campaigns: Sequence[Path],
    keep: Campaigns,
    points: Sequence[CurvePoint],
    results: Path,
) -> list[LesionPoint]:
    """This split's points with their positives, between those of the other splits that are committed, in the plan's order."""
    before = committed_lesions(plan, case, results)
    queries = [row for path in campaigns for row in read_queries(path / "queries.csv")]
    classes = {read_campaign_settings(path).classes for path in campaigns}
    (positive,) = {each[1] for each in classes}
    new = [point for point in points if (point.strategy, point.seed) not in keep]
    kept = [row for row in before if row.split != case.split or (row.point.strategy, row.point.seed) in keep]
    rows = [*kept, *lesion_points(case.split, new, queries, positive)]
    splits, names = [each.split for each in plan.cases()], list(dict.fromkeys(point.strategy for point in points))
    names = list(dict.fromkeys([*plan.strategies(), *names, *(row.point.strategy for row in rows)]))
    return sorted(
        rows,
        key=lambda row: (splits.index(row.split), names.index(row.point.strategy), row.point.seed, row.point.round),
    )


def _weights(campaigns: Sequence[Path]) -> list[str]:
    """The sha256 of the weights that the campaigns began with."""
    backbones = [read_campaign_settings(path).recipe.backbone for path in campaigns if (path / SETTINGS_FILE).exists()]
    return sorted({each.sha256 or each.weights for each in backbones if each is not None})


def _rounds_by_split(plan: Plan, rows: Sequence[LesionPoint]) -> dict[str, dict[str, dict[str, str]]]:
    return {name: _rounds(plan, [row.point for row in rows if row.split == name]) for name in splits_of(rows)}


def _write_queries(file: Path, campaigns: Iterable[Path], keep: Campaigns, order: Sequence[str]) -> None:
    rows = [row for path in campaigns if (path / "queries.csv").exists() for row in read_queries(path / "queries.csv")]
    before = read_queries(file) if file.exists() else []
    write_queries(file, merged(before, rows, keep, order))
    if file.stat().st_size > QUERIES_AT_MOST:
        file.unlink()


def _write_shares(file: Path, campaigns: Iterable[Path], keep: Campaigns, order: Sequence[str]) -> None:
    rows = [row for path in campaigns if (path / SHARES_FILE).exists() for row in read_shares(path / SHARES_FILE)]
    write_shares(file, merged(read_shares(file) if file.exists() else [], rows, keep, order))


def _with_known(about: dict[str, Any], known: dict[str, Any]) -> dict[str, Any]:
    """With the commits, versions and machines of the campaigns that were kept."""
    hardware = {
        **about["hardware"],
        "campaigns": _distinct([*known["hardware"]["campaigns"], *about["hardware"]["campaigns"]]),
    }
    return {
        **about,
        "commits": union(known["commits"], about["commits"]),
        "versions": _distinct([*known["versions"], *about["versions"]]),
        "hardware": hardware,
    }


def _run(
    plan: Plan, case: Case, evaluation: str, campaigns: Sequence[Path], points: Sequence[CurvePoint], runs: Path
) -> dict[str, Any]:
    made, seeds, commits = _made(campaigns), sorted({point.seed for point in points}), runs / COMMITS
    return {
        "experiment": plan.experiment,
        "preset": plan.preset,
        "case": case.name,
        "evaluation": evaluation,
        "seeds": seeds,
        "rounds": _rounds(plan, points),
        "labels": _labels(plan, points),
        "hours": _hours(points),
        "commits": commits.read_text(encoding="utf-8").split() if commits.exists() else [],
        "versions": _distinct(_versions(each) for each in made),
        "hardware": _hardware(made),
        "settings": settings_of(plan, case) | {"seeds": _count_of_seeds(plan, seeds)},
        "reproduction": plan.extra.model_dump(mode="json", exclude_none=True),
    }


def _made(campaigns: Sequence[Path]) -> list[Making]:
    """What campaigns, and arms that say it, were begun with."""
    made = []
    for path in campaigns:
        if (path / SETTINGS_FILE).exists():
            settings = read_campaign_settings(path)
            network = {"device": settings.recipe.device, "precision": settings.recipe.precision}
            made.append(Making(settings.made_with, network))
        elif (path / ARM_FILE).exists() and (about := making_of_arm(path)) is not None:
            made.append(about)
    return made


def _count_of_seeds(plan: Plan, held: Sequence[int]) -> int:
    """The plan's, or as many as are held already where it has fewer now."""
    return max(plan.settings.seeds, max(held) + 1)


def _versions(made: Making) -> dict[str, str]:
    return made.made_with.model_dump(mode="json", include={"askwell", "torch", "python"})


def _rounds(plan: Plan, points: Sequence[CurvePoint]) -> dict[str, dict[str, str]]:
    """Strategy -> seed -> how far it is, as "41 of 98"."""
    last: dict[str, dict[int, int]] = {}
    for point in points:
        seeds = last.setdefault(point.strategy, {})
        seeds[point.seed] = max(seeds.get(point.seed, 0), point.round)
    whole = plan.settings.rounds
    return {name: {str(seed): f"{done} of {whole}" for seed, done in seeds.items()} for name, seeds in last.items()}


def _labels(plan: Plan, points: Sequence[CurvePoint]) -> dict[str, int]:
    """At the end of the longest campaign: all labels, and what they are made of."""
    settings, every = plan.settings, max(point.labels for point in points)
    acquired = every - settings.initial - settings.validation
    return {"initial": settings.initial, "validation": settings.validation, "acquired": acquired, "all": every}


def _hours(points: Sequence[CurvePoint]) -> dict[str, float]:
    """Of one thread, as the rounds measured them."""
    fit = sum(point.seconds_fit or 0.0 for point in points) / 3600
    score = sum(point.seconds_score or 0.0 for point in points) / 3600
    return {"fit": round(fit, 3), "score": round(score, 3), "fit and score": round(fit + score, 3)}


def _distinct(values: Iterable[Mapping[str, str]]) -> list[Mapping[str, str]]:
    return [dict(each) for each in sorted({tuple(value.items()) for value in values})]


def _hardware(made: Sequence[Making]) -> dict[str, Any]:
    """What campaigns and arms say of their machine, and this machine's processor by name."""
    about = _distinct(
        {"processor": each.made_with.processor, "threads": str(each.made_with.threads), **each.network} for each in made
    )
    return {"collected on": _processor(), "campaigns": about}


def _processor() -> str:
    if PROCESSORS.exists():
        for line in PROCESSORS.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()

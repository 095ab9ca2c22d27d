"""From recipes measured on folds to committed results: scores.csv and run.json, those of other settings never mixed."""

import json
from pathlib import Path
from typing import Any

from askwell.reproduction.checkout import COMMITS
from askwell.reproduction.committed import committed_recipes, settings_of
from askwell.reproduction.folds import SCORES_FILE, read_scores, write_scores
from askwell.reproduction.plans import Case, Plan
from askwell.store.files import replace_file


def collect_recipes(plan: Plan, case: Case, runs: Path, results: Path) -> list[str]:
    """Write the scores of all recipes measured so far, beside those that are committed; returns what was not done, as sentences."""
    place, files = results / plan.results(case), [runs / name / SCORES_FILE for name in plan.extra.recipes]
    found = [score for file in files if file.exists() for score in read_scores(file)]
    if not found:
        return []
    known = committed_recipes(plan, case, results)
    if not known and (place / SCORES_FILE).exists():
        return [f"kept {place}, which has other settings than the recipes in {runs}."]
    every = {
        score.recipe: [each for each in (*known, *found) if each.recipe == score.recipe] for score in (*known, *found)
    }
    measured = {score.recipe for score in found}
    rows = [
        score
        for name in plan.extra.recipes
        for score in ([each for each in found if each.recipe == name] if name in measured else every.get(name, []))
    ]
    write_scores(place / SCORES_FILE, rows)
    commits = runs / COMMITS
    about: dict[str, Any] = {
        "experiment": plan.experiment,
        "preset": plan.preset,
        "commits": commits.read_text(encoding="utf-8").split() if commits.exists() else [],
        "settings": settings_of(plan, case),
        "reproduction": plan.extra.model_dump(mode="json", exclude_none=True),
    }
    text = json.dumps(about, indent=1) + "\n"
    replace_file(place / "run.json", lambda path: path.write_text(text, encoding="utf-8"))
    return []

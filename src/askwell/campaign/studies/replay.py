"""Replay: train another recipe on the labels that campaigns acquired, against as many random ones.

Acquired sets often transfer badly. For every replayed round four networks are fitted: the campaign's own recipe and the new one, each on
the items labelled up to that round and on a random set of the same size, which has the same initial items and the rest from anywhere in
the pool. The random sets are drawn anew for every fit, rather than taken from a campaign with the strategy random, so that there can be
several for one acquired set; a later round's contains an earlier one's. Every fit has the campaign's validation items.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from askwell.campaign.campaign import resolved
from askwell.campaign.seeds import derive_seed
from askwell.campaign.settings import common_settings
from askwell.campaign.studies.refits import (
    Follow,
    Headway,
    joined,
    known_batch,
    labelled_batch,
    narrated,
    readable_first,
    refit,
    unheard,
)
from askwell.campaign.studies.reopening import NOTHING_GIVEN, Given, Reopened, reopened
from askwell.campaign.studies.replay_memory import FitRow, ReplaySettings, begin, mean_points, write_fits
from askwell.campaign.studies.replay_sources import Source, checked, sources_in
from askwell.campaign.studies.transfer import ARMS, NEW, Arm, Transfer, sentences, transfer
from askwell.campaign.workspace import Workspace
from askwell.learning.recipe import Recipe
from askwell.learning.tuning import LabelledBatch
from askwell.report.curves import CurvePoint
from askwell.report.page import write_report
from askwell.store.files import replace_file

RESULT = "replay.json"


@dataclass(frozen=True)
class Replay:
    """What came of it: the points of curve.csv, the four accuracies at every labels count, sentences, and the page for the new recipe."""

    points: tuple[CurvePoint, ...]
    transfer: Transfer
    sentences: tuple[str, ...]
    page: Path

    def as_json(self) -> dict[str, Any]:
        """What replay.json holds; accuracies and advantages are fractions."""
        found = self.transfer
        return {
            "strategy": found.strategy,
            "rows": [row._asdict() for row in found.rows],
            "own_advantage": list(found.own),
            "new_advantage": list(found.new),
            "share_left": found.share_left,
            "sentences": list(self.sentences),
        }


def replay(
    directories: Sequence[Path],
    recipe: Recipe,
    *,
    out: Path,
    rounds: Sequence[int] = (),
    every: int = 1,
    fits: int = 1,
    resume: bool = False,
    notify: Follow = unheard,
    given: Given = NOTHING_GIVEN,
) -> Replay:
    """Fit the recipe on the acquired labels of the campaigns in or below the directories, and on random ones, and compare.

    The campaigns share strategy and settings, and differ in their seed; those with the strategy random are passed over. Rounds are the
    ones listed, else every so many and the last that all campaigns have. ``fits`` are repetitions within one campaign, each with other
    weights and another random set; the first has the campaign's own weight seed.

    ``out`` gets replay.toml, fits.csv (after every fit), curve.csv (the mean over a campaign's fits), replay.json, and a report of the
    new recipe's two curves. May be stopped at any moment; with ``resume`` it goes on.

    Raises UsageError for no campaign, several strategies, a round that is not there, or labels that only people know; SettingsError or
    NotStochasticError for a recipe that does not suit the campaigns, CampaignExistsError for an ``out`` in use.
    """
    sources = sources_in(directories)
    settings = checked(sources, resolved(recipe), rounds=rounds, every=every, fits=fits, given=given)
    course = _Course(settings, out, {row.key: row for row in begin(out, settings, resume=resume)}, notify)
    for source in sources:
        with reopened(source.directory, given) as campaign:
            for round_number in settings.rounds:
                for fit in range(fits):
                    course.fit_missing(campaign, round_number, fit)
    notify(Headway(course.total, course.total, ""))
    return _told(course, sources)


def random_order(workspace: Workspace, draw: int) -> list[int]:
    """All of the pool but the initial items, in the order in which that draw's random sets take them."""
    initial = {asked.position for asked in workspace.store.asked(up_to=0)}
    rest = [position for position in workspace.store.positions("pool") if position not in initial]
    shuffled = torch.randperm(len(rest), generator=workspace.generator("replay random", draw))
    return [rest[place] for place in shuffled.tolist()]


@dataclass(frozen=True)
class _Course:
    """A replay under way: ``rows`` hold every fit so far, and are on the disk after each."""

    settings: ReplaySettings
    out: Path
    rows: dict[tuple[str, int, int, int], FitRow]
    notify: Follow

    @property
    def total(self) -> int:
        """How many fits it takes in all."""
        return len(self.settings.sources) * len(self.settings.rounds) * self.settings.fits * len(ARMS)

    def fit_missing(self, campaign: Reopened, round_number: int, fit: int) -> None:
        """Those of the four fits of one round and repetition that there are not yet."""
        workspace = campaign.workspace
        keys = {arm: (arm.name(self.settings.strategy), workspace.settings.seed, round_number, fit) for arm in ARMS}
        missing = [arm for arm in ARMS if keys[arm] not in self.rows]
        if not missing:
            return
        validation = labelled_batch(workspace, round_number, "validation")
        sets = {"acquired": labelled_batch(workspace, round_number, "pool")}
        sets["random"] = _random_set(campaign, len(sets["acquired"].labels), fit)
        for arm in missing:
            name, *_ = keys[arm]
            if round_number == 0 and arm.labels == "random":  # the initial set is the same, and so would be the fit
                twin = self.rows[keys[Arm(arm.recipe, "acquired")]]
                point = replace(twin.point, strategy=name)
            else:
                recipe = self.settings.recipe if arm.recipe == "new" else workspace.settings.recipe
                batches = (sets[arm.labels], validation)
                point = self._fitted(workspace, recipe, batches, name, (round_number, fit))
            self.rows[keys[arm]] = FitRow(fit, point)
            write_fits(self.out, list(self.rows.values()))

    def _fitted(
        self,
        workspace: Workspace,
        recipe: Recipe,
        batches: tuple[LabelledBatch, LabelledBatch],
        name: str,
        place: tuple[int, int],
    ) -> CurvePoint:
        round_number, fit = place
        seed = workspace.settings.seed
        told = narrated(
            self.notify, len(self.rows), self.total, f"{name}, seed {seed}, round {round_number}, fit {fit}"
        )
        purpose = f"replay fit {fit}" if fit else "fit"  # the first is the campaign's own
        weights = derive_seed(seed, purpose, round_number)
        done = refit(workspace, recipe, *batches, seed=weights, round_number=round_number, notify=told)
        measured = done.measured._asdict()
        return CurvePoint(name, seed, round_number, done.labels, **measured, seconds_fit=done.seconds)


def _random_set(campaign: Reopened, count: int, draw: int) -> LabelledBatch:
    """The initial items and random ones, ``count`` in all, labelled by the oracle."""
    workspace, oracle = campaign.workspace, campaign.oracle
    assert oracle is not None, "checked before anything was fitted"
    initial = labelled_batch(workspace, 0, "pool")
    positions = readable_first(workspace, random_order(workspace, draw), count - len(initial.labels))
    return joined(initial, known_batch(workspace, oracle, positions))


def _told(course: _Course, sources: Sequence[Source]) -> Replay:
    """Reduce the fits to the comparison, and write it and the report; with one campaign its fits are the repeats."""
    about = common_settings([source.directory for source in sources])
    settings, rows = course.settings, list(course.rows.values())
    campaigns = len(settings.sources)
    points = mean_points(rows)
    repeats = points if campaigns > 1 else [replace(row.point, seed=row.fit) for row in rows]
    found = transfer(repeats, settings.strategy)
    strategy = settings.strategy
    pair = [
        replace(point, strategy=point.strategy.removesuffix(NEW)) for point in points if point.strategy.endswith(NEW)
    ]
    recipe = {f"new recipe.{name}": str(value) for name, value in settings.recipe.model_dump(mode="json").items()}
    page = write_report(
        pair,
        None,
        course.out / "report",
        title=f"The labels that {strategy} acquired, under another recipe",
        settings={**about, **recipe},
    )
    told = sentences(found, campaigns=campaigns, fits=settings.fits)
    if settings.recipe.warm_start or sources[0].settings.recipe.warm_start:
        told.append("A recipe here starts warm; in a replay every fit begins from fresh weights.")
    result = Replay(tuple(points), found, tuple(told), page)
    text = json.dumps(result.as_json(), indent=2, allow_nan=False) + "\n"
    replace_file(course.out / RESULT, lambda path: path.write_text(text, encoding="utf-8"))
    return result

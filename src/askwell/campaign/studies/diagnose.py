"""Diagnose: what a campaign's scores were worth after one of its rounds.

Two questions: do high scores mean that a label brings much (``drops``), and would another T, other masks or a part of the pool have led to
another pick (``picks``)? The network is the round's own, from its file; the campaign is read and never written to.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from askwell.acquisition import ACQUISITIONS
from askwell.campaign.seeds import derive_seed
from askwell.campaign.steps import load_round, posterior_of
from askwell.campaign.strategies import strategy_named
from askwell.campaign.studies.diagnosis import Diagnosis
from askwell.campaign.studies.drops import DropStudy, drop_study, measured_drops, stratified
from askwell.campaign.studies.picks import (
    Acquisitions,
    PickChanges,
    Scored,
    change,
    part_of_pool,
    picked,
    random_parts,
    scored,
)
from askwell.campaign.studies.refits import Follow, Headway, narrated, unheard
from askwell.campaign.studies.reopening import NOTHING_GIVEN, Given, Reopened, reopened
from askwell.campaign.workspace import Notify, Workspace
from askwell.errors import SettingsError, UsageError
from askwell.posterior.mc_dropout import MCDropout
from askwell.scoring.local import Posterior
from askwell.store.files import replace_file

FILE = "diagnose.json"
SAMPLES = (10, 20, 50, 100, 200)
MASKS = 5
SCORED = {name: acquisition for name, acquisition in ACQUISITIONS.items() if name != "random"}
PICKED = ("bald", "max_entropy", "variation_ratios", "mean_std", "margin")
STAND_IN = "bald"  # for a strategy that scores nothing


def diagnose(
    directory: Path,
    *,
    round_number: int | None = None,
    candidates: int = 40,
    repeats: int = 4,
    samples: Sequence[int] = SAMPLES,
    seed: int = 0,
    out: Path | None = None,
    notify: Follow = unheard,
    given: Given = NOTHING_GIVEN,
    acquisitions: Acquisitions = SCORED,
) -> Diagnosis:
    """Diagnose the query that follows a round of the campaign, the last one unless given; writes diagnose.json to ``out`` or beside it.

    candidates   unasked items to add alone, each fitted ``repeats`` times, (candidates + 1) x repeats fits in all; 0 leaves that out
    samples      the numbers of posterior samples to compare with the campaign's own
    seed         of candidates, fits, other masks and parts of the pool; the reference is drawn by the campaign's seed

    Raises UsageError for a round that is not there or after which nothing is left to ask, SettingsError for a setting out of range,
    CampaignStateError for no campaign or weights that are not as they were committed.
    """
    if min(samples, default=1) < 1 or repeats < 1 or candidates < 0:
        raise SettingsError(
            f"expected samples and repeats of at least 1 and candidates of at least 0, found {list(samples)}, {repeats} and {candidates}."
        )
    with reopened(directory, given) as campaign:
        study = _study(campaign, round_number, candidates, repeats, notify)
        found, picks = _picks(study, sorted(set(samples)), seed, acquisitions)
        drops = _drops(study, found, seed) if study.candidates else None
        settings, own = campaign.workspace.settings, found.scores[study.samples][study.acquisition]
        result = Diagnosis(
            strategy=settings.strategy,
            campaign_seed=settings.seed,
            round=study.round_number,
            labels=campaign.workspace.store.round_records()[study.round_number].labels,
            unasked=len(found.positions),
            query=settings.query,
            acquisition=study.acquisition,
            samples=study.samples,
            seed=seed,
            pick=study.ids(found.positions[picked(campaign.workspace, own, study.round_number + 1)]),
            drops=drops,
            picks=picks,
        )
    notify(Headway(study.total, study.total, ""))
    where = out or directory
    where.mkdir(parents=True, exist_ok=True)
    text = json.dumps(result.as_json(), indent=2, allow_nan=False) + "\n"
    replace_file(where / FILE, lambda path: path.write_text(text, encoding="utf-8"))
    return result


@dataclass(frozen=True)
class _Study:
    """A diagnosis under way: which query of which campaign, and how much there is to do."""

    campaign: Reopened
    round_number: int
    unasked: Tensor
    candidates: int
    repeats: int
    notify: Follow

    @property
    def workspace(self) -> Workspace:
        """The campaign's."""
        return self.campaign.workspace

    @property
    def posterior(self) -> str:
        """What the strategy asks, "mc_dropout" or "point"."""
        return strategy_named(self.workspace.settings.strategy).posterior or "mc_dropout"

    @property
    def acquisition(self) -> str:
        """Whose scores stand in front."""
        strategy = strategy_named(self.workspace.settings.strategy)
        return strategy.acquisition if strategy.posterior is not None else STAND_IN

    @property
    def samples(self) -> int:
        """T of the reference."""
        return 1 if self.posterior == "point" else self.workspace.settings.full_samples

    @property
    def passes(self) -> int:
        """How often the pool is scored: with the campaign's masks, and with others where there are any."""
        return 1 if self.posterior == "point" else 1 + MASKS

    @property
    def total(self) -> int:
        """Scoring passes and fits in all."""
        return self.passes + (self.repeats * (1 + self.candidates) if self.candidates else 0)

    def ids(self, positions: Tensor) -> tuple[str, ...]:
        """The ids of the items at these positions [n]."""
        return tuple(self.workspace.pool.ids[int(position)] for position in positions)

    def narrate(self, done: int, what: str) -> Notify:
        """Who is to hear of the next piece of work."""
        return narrated(self.notify, done, self.total, what)


def _study(campaign: Reopened, round_number: int | None, candidates: int, repeats: int, notify: Follow) -> _Study:
    store, last = campaign.workspace.store, campaign.rounds - 1
    number = last if round_number is None else round_number
    if not 0 <= number <= last:
        raise UsageError(f"expected a round from 0 to {last}, found {number}; choose among those.")
    taken = {asked.position for asked in store.asked(up_to=number)} | set(store.quarantined())
    unasked = [position for position in store.positions("pool") if position not in taken]
    if not unasked:
        raise UsageError(f"expected unasked items after round {number}, found none left; choose an earlier round.")
    candidates = min(candidates, len(unasked)) if campaign.oracle is not None else 0
    return _Study(campaign, number, torch.tensor(unasked, dtype=torch.int64), candidates, repeats, notify)


def _picks(
    study: _Study, counts: Sequence[int], seed: int, acquisitions: Acquisitions
) -> tuple[Scored, dict[str, PickChanges]]:
    """The scores of all unasked items by the campaign's masks, and how the picks by them change."""
    workspace, query_round = study.workspace, study.round_number + 1
    model = load_round(workspace, study.round_number)
    counts = sorted({*counts, study.samples}) if study.posterior == "mc_dropout" else [1]
    largest = replace(workspace, settings=workspace.settings.model_copy(update={"samples": counts[-1]}))
    posterior = posterior_of(largest, model, study.posterior, query_round)
    found = _scored(study, posterior, study.unasked, acquisitions, counts, 0)
    if len(found.positions) == 0:
        raise UsageError(
            f"expected unasked images that can be read, found none of {len(study.unasked)}; check the folder."
        )
    names = dict.fromkeys([study.acquisition, *(name for name in PICKED if name in acquisitions)])
    shown = {name: acquisitions[name] for name in names}
    others = []
    for other in range(study.passes - 1):
        masks = derive_seed(seed, "diagnose masks", other)
        precision = workspace.settings.recipe.precision
        drawn = MCDropout(model, samples=study.samples, seed=masks, precision=precision)
        others.append(_scored(study, drawn, found.positions, shown, [study.samples], 1 + other).scores[study.samples])
    reference = posterior_of(workspace, model, study.posterior, query_round)
    parts = random_parts(workspace, reference, found.positions, seed)
    own = found.scores[study.samples]
    return found, {
        name: PickChanges(
            samples={T: change(workspace, own[name], found.scores[T][name], query_round) for T in counts},
            masks=tuple(change(workspace, own[name], scores[name], query_round) for scores in others),
            part=part_of_pool(workspace, reference, found.positions, own[name], parts, query_round),
        )
        for name in names
    }


def _scored(
    study: _Study, posterior: Posterior, positions: Tensor, acquisitions: Acquisitions, counts: Sequence[int], done: int
) -> Scored:
    notify = study.narrate(done, "the campaign's masks" if done == 0 else f"other masks {done} of {MASKS}")
    progress = study.workspace.progress(notify, "score", study.round_number)
    return scored(study.workspace, posterior, positions, acquisitions, counts, progress)


def _drops(study: _Study, found: Scored, seed: int) -> DropStudy:
    scores = found.scores[study.samples]
    generator = torch.Generator().manual_seed(derive_seed(seed, "diagnose candidates", study.round_number))
    entries = stratified(scores[study.acquisition], study.candidates, generator=generator)
    positions = found.positions[entries]
    seeds = [derive_seed(seed, f"diagnose fit {repeat}", study.round_number) for repeat in range(study.repeats)]

    def narrate(done: int, what: str) -> Notify:
        return study.narrate(study.passes + done, what)

    baseline, drops = measured_drops(
        study.campaign, study.round_number, positions.tolist(), seeds=seeds, narrate=narrate
    )
    known = {name: values[entries].tolist() for name, values in scores.items()}
    return drop_study(study.ids(positions), known, baseline, drops, seed=seed)

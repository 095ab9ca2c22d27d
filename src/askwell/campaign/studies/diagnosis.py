"""A diagnosis as data, as small tables and as plain sentences."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from statistics import fmean
from typing import Any, NamedTuple

from askwell.campaign.studies.drops import DropStudy
from askwell.campaign.studies.picks import Change, PickChanges
from askwell.report.wording import NOTHING

FEW_CANDIDATES = 10
RELIABLE = 0.5  # below it most of the differences between drops are the fits' own randomness


class SmallTable(NamedTuple):
    """A title, a header and rows of text; the first column names the row."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Diagnosis:
    """What a campaign's scores were worth after one round.

    acquisition   the function whose scores stand in front: the strategy's, or bald where the strategy has none
    samples       T of the campaign; 1 where the strategy asks a point, which has no masks
    seed          of everything drawn for the diagnosis; the campaign's own seed is beside it
    pick          ids of the best items by it, best first: the next query, where the strategy selects the top k
    drops         None where the unasked items' labels are not known, or no candidate was asked for
    picks         acquisition function -> how its pick changes
    """

    strategy: str
    campaign_seed: int
    round: int
    labels: int
    unasked: int
    query: int
    acquisition: str
    samples: int
    seed: int
    pick: tuple[str, ...]
    drops: DropStudy | None
    picks: Mapping[str, PickChanges]

    def as_json(self) -> dict[str, Any]:
        """What diagnose.json holds."""
        plain = {
            field.name: getattr(self, field.name) for field in fields(self) if field.name not in {"drops", "picks"}
        }
        drops = None if self.drops is None else _drops_json(self.drops)
        picks = {name: _pick_json(changes) for name, changes in self.picks.items()}
        return {**plain, "pick": list(self.pick), "drops": drops, "picks": picks, "sentences": self.sentences()}

    def tables(self) -> list[SmallTable]:
        """The rank correlations with the drop where they were measured, the pick by T and masks, the pick from a part of the pool."""
        tables = [] if self.drops is None else [_correlations_table(self.drops)]
        if self.samples > 1:
            tables.append(_changes_table(self.picks, self.samples))
        return [*tables, _parts_table(self.picks)]

    def sentences(self) -> list[str]:
        """What it says in plain words."""
        return [*self._about(), *self._about_drops(), *self._about_masks(), *self._about_part()]

    def _about(self) -> list[str]:
        said = [
            f"{self.strategy}, seed {self.campaign_seed}, round {self.round}: {self.labels} labels, {self.unasked} unasked items, "
            f"of which the next query takes {self.query}."
        ]
        if self.strategy == "random":
            said.append(f"The strategy scores nothing; {self.acquisition} scores are used in its place.")
        return said

    def _about_drops(self) -> list[str]:
        if self.drops is None:
            return ["The realised drop was not measured: it takes candidates whose labels are known."]
        means = [fmean(candidate.drops) for candidate in self.drops.candidates]
        repeats = len(self.drops.baseline)
        found = self.drops.correlations[self.acquisition]
        interval = (
            "" if found.low is None else f" (95 % bootstrap interval {_signed(found.low)} to {_signed(found.high)})"
        )
        scores = f"{self.acquisition}'s scores"
        predicted = (
            f"{scores} are the same for all of them and predict nothing"
            if found.value is None
            else f"{scores} have a rank correlation of {_signed(found.value)} with the drop{interval}"
        )
        return [
            f"Each of {len(means)} candidates was added alone, {_counted(repeats, 'fit')} from fresh weights each: the test loss of "
            f"{fmean(self.drops.baseline):.4f} nats changed by {-max(means):+.4f} to {-min(means):+.4f}, and {predicted}.",
            *(
                [f"{len(means)} candidates are too few for a correlation to mean anything."]
                if len(means) < FEW_CANDIDATES
                else []
            ),
            self._about_noise(self.drops),
            "The test images measured the drops and chose nothing.",
        ]

    @staticmethod
    def _about_noise(drops: DropStudy) -> str:
        noise = drops.noise
        if noise.halves is None or noise.reliability is None:
            return "With 1 fit per candidate the fits' own randomness cannot be told from the effect; repeat the fits."
        agree = f"Two halves of the fits agree on the drops with a rank correlation of {noise.halves:+.2f}"
        if noise.reliability < RELIABLE:
            return (
                f"{agree}: the fits' own randomness drowns the effect of a single label, and a low correlation says little about the "
                "scores; more repeats or an earlier round may show more."
            )
        return f"{agree}, so that scores which knew the true drops would correlate about {noise.ceiling:.2f}."

    def _about_masks(self) -> list[str]:
        changes = self.picks[self.acquisition]
        if not changes.masks:
            return ["The strategy asks a single network, whose pick depends on neither T nor masks."]
        kept = fmean(change.overlap for change in changes.masks)
        said = [
            f"With other masks and the same T = {self.samples}, {_share(kept)} of {self.acquisition}'s pick stays the same."
        ]
        fewest = min(changes.samples)
        if fewest < self.samples:
            few = changes.samples[fewest]
            said.append(f"With T = {fewest}, {_share(few.overlap)} of it stays.")
        return said

    def _about_part(self) -> list[str]:
        part = self.picks[self.acquisition].part
        lost = part.score_whole - part.score_part
        relative = f" ({_share(lost / part.score_whole)})" if part.score_whole > 0 else ""
        said = (
            f"Scoring a random {part.size} of the {self.unasked} unasked items keeps {_share(part.overlap)} of the pick on average "
            f"({_share(part.size / self.unasked)} is to be expected) and gives up {lost:.4f} of the mean score{relative}."
        )
        if part.spread_part.pixels is None:
            return [said]
        wider = "more" if part.spread_part.pixels > (part.spread_whole.pixels or 0.0) else "no more"
        return [
            said,
            f"Its picks are {wider} diverse in pixels: {_number(part.spread_part.pixels)} against {_number(part.spread_whole.pixels)}, "
            f"a random pick {_number(part.spread_random.pixels)}.",
        ]


def _drops_json(drops: DropStudy) -> dict[str, Any]:
    return {
        "baseline_nll": list(drops.baseline),
        "candidates": [
            {"id": each.id, "scores": dict(each.scores), "drops": list(each.drops)} for each in drops.candidates
        ],
        "rank_correlations": {name: found._asdict() for name, found in drops.correlations.items()},
        "noise": drops.noise._asdict(),
    }


def _pick_json(changes: PickChanges) -> dict[str, Any]:
    part = changes.part
    spreads = {name: getattr(part, name)._asdict() for name in ("spread_whole", "spread_part", "spread_random")}
    return {
        "samples": {str(T): change._asdict() for T, change in changes.samples.items()},
        "masks": [change._asdict() for change in changes.masks],
        "part": {**asdict(part), **spreads},
    }


def _correlations_table(drops: DropStudy) -> SmallTable:
    best_first = sorted(
        drops.correlations.items(), key=lambda entry: -math.inf if entry[1].value is None else entry[1].value
    )
    rows = tuple(
        (name, _signed(found.value), NOTHING if found.low is None else f"{_signed(found.low)} to {_signed(found.high)}")
        for name, found in reversed(best_first)
    )
    return SmallTable(
        "scores against the realised drop in test loss", ("acquisition", "rank correlation", "95 %"), rows
    )


def _changes_table(picks: Mapping[str, PickChanges], samples: int) -> SmallTable:
    counts = list(next(iter(picks.values())).samples)
    header = ("acquisition", *(f"T = {T}" for T in counts), f"other masks, T = {samples}")
    rows = tuple(
        (name, *(_change(changes.samples[T]) for T in counts), _change(_mean_change(changes.masks)))
        for name, changes in picks.items()
    )
    return SmallTable("share of the pick kept / rank correlation over the pool", header, rows)


def _parts_table(picks: Mapping[str, PickChanges]) -> SmallTable:
    header = (
        "acquisition",
        "pick kept",
        "score, whole",
        "score, part",
        "spread, whole",
        "spread, part",
        "spread, random",
    )
    rows = tuple(
        (
            name,
            _share(part.overlap),
            f"{part.score_whole:.4f}",
            f"{part.score_part:.4f}",
            *(_number(each.pixels) for each in (part.spread_whole, part.spread_part, part.spread_random)),
        )
        for name, part in ((name, changes.part) for name, changes in picks.items())
    )
    size = next(iter(picks.values())).part.size
    return SmallTable(
        f"picking from a random {size} instead of all (spread: mean pixel distance within a pick)", header, rows
    )


def _mean_change(changes: Sequence[Change]) -> Change:
    correlations = [change.rank_correlation for change in changes]
    known = [value for value in correlations if value is not None]
    return Change(fmean(change.overlap for change in changes), fmean(known) if len(known) == len(changes) else None)


def _change(change: Change) -> str:
    return f"{_share(change.overlap)} / {_number(change.rank_correlation)}"


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _share(value: float) -> str:
    return f"{100.0 * value:.0f} %"


def _number(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.3f}"


def _signed(value: float | None) -> str:
    return NOTHING if value is None else f"{value:+.2f}"

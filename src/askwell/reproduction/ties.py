"""How many candidates share the score at which a query ends? Where it is most of them, the query is a draw at random."""

from pathlib import Path
from typing import NamedTuple

import torch

from askwell.acquisition import ACQUISITIONS
from askwell.campaign.steps import MIB, load_round, posterior_of
from askwell.campaign.strategies import strategy_named
from askwell.campaign.studies.reopening import reopened
from askwell.report.csv_files import count, read_rows, text, write_rows
from askwell.scoring.local import score_pool
from askwell.store.lock import exclusive

TIES_FILE = "ties.csv"
_PARSERS = {
    "strategy": text,
    "seed": count,
    "round": count,
    "candidates": count,
    "asked": count,
    "distinct": count,
    "tied": count,
    "split": text,
}


class Ties(NamedTuple):
    """A round's query: how many candidates, how many of them it asks, how many different scores they have, and how many candidates
    have the score of the last one asked.
    """

    strategy: str
    seed: int
    round: int
    candidates: int
    asked: int
    distinct: int
    tied: int
    split: str


def count_ties(campaign: Path, split: str) -> None:
    """Score the candidates of every query of a finished campaign again, from the weights it was scored with; written beside its curve."""
    if (campaign / TIES_FILE).exists():
        return
    with exclusive(campaign), reopened(campaign) as (workspace, rounds, _):
        settings, store = workspace.settings, workspace.store
        strategy, found = strategy_named(settings.strategy), list[Ties]()
        assert strategy.posterior is not None, "a strategy that scores nothing has no ties"
        for number in range(1, rounds):
            asked = {item.position for item in store.asked(up_to=number - 1)} | store.quarantined().keys()
            query = [item.position for item in store.asked(up_to=number) if item.round == number]
            positions = torch.tensor([place for place in store.positions("pool") if place not in asked])
            model = load_round(workspace, number - 1)
            scores = score_pool(
                posterior_of(workspace, model, strategy.posterior, number),
                workspace.pool,
                positions,
                ACQUISITIONS[strategy.acquisition],
                classes=len(settings.classes),
                memory_bytes=settings.memory_mb * MIB,
            )
            last = scores[torch.isin(positions, torch.tensor(query))].min()
            tied, distinct = int((scores == last).sum()), len(scores.unique())
            found.append(
                Ties(settings.strategy, settings.seed, number, len(positions), len(query), distinct, tied, split)
            )
        write_ties(campaign / TIES_FILE, found)


def write_ties(file: Path, rows: list[Ties]) -> None:
    """Replace the table atomically."""
    write_rows(file, _PARSERS, rows)


def read_ties(file: Path) -> list[Ties]:
    """The rows of the table; CampaignStateError when it is not there or not as it was written."""
    return [Ties(**row) for row in read_rows(file, _PARSERS)]

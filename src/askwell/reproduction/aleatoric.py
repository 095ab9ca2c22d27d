"""Does a strategy ask for what cannot be learnt? Campaigns on a noisy pool, and the share of noisy items among those asked."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from askwell.campaign.settings import ExperimentSettings
from askwell.pool.datasets import load_dataset
from askwell.report.csv_files import count, read_rows, text, write_rows
from askwell.report.curves import QueryRow, read_queries
from askwell.reproduction.corruption import corrupted
from askwell.reproduction.handed_over import create_or_open
from askwell.reproduction.plans import Corruption
from askwell.store.lock import exclusive

SHARES_FILE = "shares.csv"
SECONDS_TO_WAIT = 10.0
_PARSERS = {"strategy": text, "seed": count, "round": count, "labels": count, "asked": count, "noisy": count}


class NoisyShare(NamedTuple):
    """Up to a round: all labels, the items asked for after the initial ones, and how many of these are noisy."""

    strategy: str
    seed: int
    round: int
    labels: int
    asked: int
    noisy: int


def run_corrupted(
    directory: Path, settings: ExperimentSettings, strategy: str, seed: int, corruption: Corruption, share: float
) -> None:
    """Create or continue the campaign of one strategy and seed on its noisy pool, and write which share it asked for."""
    assert settings.dataset is not None, "an experiment names its data set"
    noisy = corrupted(load_dataset(settings.dataset), corruption, share, seed)
    with create_or_open(directory, settings, strategy, seed, noisy.data) as campaign:
        campaign.run(noisy.data.oracle, settings.rounds)
    shares = noisy_shares(read_queries(directory / "queries.csv"), noisy.noisy)
    with exclusive(directory, wait=SECONDS_TO_WAIT):  # another command may find the same finished campaign
        write_shares(directory / SHARES_FILE, shares)


def noisy_shares(queries: Sequence[QueryRow], noisy: frozenset[str]) -> list[NoisyShare]:
    """One row for each round after the initial one of each campaign, counted up to it."""
    shares: list[NoisyShare] = []
    for strategy, seed in dict.fromkeys((row.strategy, row.seed) for row in queries):
        own = [row for row in queries if (row.strategy, row.seed) == (strategy, seed)]
        for number in sorted({row.round for row in own} - {0}):
            asked = [row.id for row in own if 0 < row.round <= number]
            labels = sum(row.round <= number for row in own)
            shares.append(NoisyShare(strategy, seed, number, labels, len(asked), len(noisy.intersection(asked))))
    return shares


def write_shares(file: Path, shares: Sequence[NoisyShare]) -> None:
    """Replace the table atomically."""
    write_rows(file, _PARSERS, shares)


def read_shares(file: Path) -> list[NoisyShare]:
    """The rows of the table; CampaignStateError when it is not there or not as it was written."""
    return [NoisyShare(**row) for row in read_rows(file, _PARSERS)]

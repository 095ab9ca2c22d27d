"""Which campaigns a replay is about, and everything about it that can be refused before anything is written."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from askwell.campaign.checks import check_network, fingerprint
from askwell.campaign.inputs import read_by
from askwell.campaign.settings import (
    SETTINGS_FILE,
    CampaignSettings,
    check_settings,
    identity,
    made_with,
    read_campaign_settings,
)
from askwell.campaign.strategies import strategy_named
from askwell.campaign.studies.reopening import Given, Reopened, reopened
from askwell.campaign.studies.replay_memory import ReplaySettings
from askwell.campaign.studies.transfer import RANDOM
from askwell.errors import SettingsError, UsageError
from askwell.learning.recipe import Recipe


class Source(NamedTuple):
    """A campaign that is replayed: where it is and what it is."""

    directory: Path
    settings: CampaignSettings


def sources_in(directories: Sequence[Path]) -> list[Source]:
    """The campaigns in or below the directories, by seed; those whose strategy asks no network are passed over.

    Raises UsageError unless there are some, and they share everything but the seed.
    """
    where = ", ".join(map(str, directories))
    files = dict.fromkeys(file.parent for directory in directories for file in sorted(directory.rglob(SETTINGS_FILE)))
    found = [Source(directory, read_campaign_settings(directory)) for directory in files]
    asking = [source for source in found if strategy_named(source.settings.strategy).posterior is not None]
    if not asking:
        what = "campaigns with random labels only" if found else "none"
        raise UsageError(f"expected campaigns whose strategy asks a network in {where}, found {what}; check the path.")
    strategies = dict.fromkeys(source.settings.strategy for source in asking)
    if len(strategies) > 1:
        raise UsageError(
            f"expected campaigns of one strategy in {where}, found {', '.join(strategies)}; replay them one after the other."
        )
    if len({source.settings.seed for source in asking}) < len(asking):
        raise UsageError(f"expected each seed once in {where}, found one twice; name each campaign once.")
    if len({identity(source.settings.model_copy(update={"seed": 0})) for source in asking}) > 1:
        raise UsageError(
            f"expected campaigns that differ in their seed only in {where}, found other settings; name those of one experiment."
        )
    return sorted(asking, key=lambda source: source.settings.seed)


def checked(
    sources: Sequence[Source], recipe: Recipe, *, rounds: Sequence[int], every: int, fits: int, given: Given
) -> ReplaySettings:
    """The replay's settings; each campaign is opened once, and nothing is written.

    Raises UsageError for a round that is not there or labels that only people know, SettingsError or NotStochasticError for a recipe
    that does not suit the campaigns.
    """
    if every < 1 or fits < 1:
        raise SettingsError(
            f"expected every and fits of at least 1, found {every} and {fits}; 1 is every round and one fit."
        )
    hashes, committed = [], []
    for source in sources:
        with reopened(source.directory, given) as campaign:
            _check_one(campaign, recipe)
            workspace = campaign.workspace
            content = identity(workspace.settings) + fingerprint(workspace.pool, workspace.test)
            hashes.append(hashlib.sha256(content.encode()).hexdigest())
            committed.append(campaign.rounds)
    first = sources[0].settings
    return ReplaySettings(
        strategy=first.strategy,
        seeds=tuple(source.settings.seed for source in sources),
        sources=tuple(hashes),
        rounds=chosen_rounds(min(committed), rounds, every),
        fits=fits,
        recipe=recipe,
        made_with=made_with(first.made_with.threads),
    )


def chosen_rounds(committed: int, listed: Sequence[int], every: int) -> tuple[int, ...]:
    """The listed rounds, else every so many and the last; UsageError for one that is not committed."""
    missing = [number for number in listed if not 0 <= number < committed]
    if missing:
        raise UsageError(f"expected rounds from 0 to {committed - 1}, found {missing[0]}; choose among those.")
    return tuple(sorted(set(listed))) or tuple(sorted({*range(0, committed, every), committed - 1}))


def _check_one(campaign: Reopened, recipe: Recipe) -> None:
    workspace = campaign.workspace
    if campaign.oracle is None:
        raise UsageError(
            f"expected labels for the whole pool of {workspace.directory}, found only those that were asked for, so no random set can be "
            "labelled; replay a campaign whose labels come from a data set."
        )
    own = workspace.settings.recipe
    if read_by(own) != read_by(recipe):
        raise SettingsError(
            f"expected a recipe whose network reads what that of {workspace.directory} reads (images, or a frozen trunk's features), "
            "found another; replay with the campaign's backbone, or with networks of images."
        )
    changed = {**workspace.settings.model_dump(), "recipe": recipe, "strategy": RANDOM}  # nothing is scored
    check_network(check_settings(CampaignSettings, changed, "the replay"))

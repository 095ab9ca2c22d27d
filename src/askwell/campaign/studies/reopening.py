"""A campaign opened to be looked into and never written to, but for features that it lost, with the oracle that knows all labels."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import torch

from askwell.campaign.campaign import Campaign
from askwell.campaign.data import dataset_of
from askwell.campaign.inputs import network_inputs
from askwell.campaign.settings import read_campaign_settings
from askwell.campaign.workspace import Stage, Workspace
from askwell.errors import CampaignStateError
from askwell.learning.recipe import Recipe
from askwell.pool.oracle import Oracle


class Given(NamedTuple):
    """What a campaign's directory cannot hold, handed over again: images of one's own, whoever knows all their labels, and a recipe
    whose network is one's own function. Nothing for a campaign on a named data set or a folder with a named network.
    """

    pool: object = None
    test: object = None
    oracle: Oracle | None = None
    recipe: Recipe | None = None


class Reopened(NamedTuple):
    """A campaign to read from: its workspace, how many rounds it has committed, and the oracle, or None where only people know."""

    workspace: Workspace
    rounds: int
    oracle: Oracle | None


NOTHING_GIVEN = Given()


@contextmanager
def reopened(directory: Path, given: Given = NOTHING_GIVEN) -> Iterator[Reopened]:
    """The campaign in the directory; inside the block torch uses as many threads as the campaign was begun with.

    Raises CampaignStateError for no campaign, one without a finished round, or other images than it was begun with.
    """
    settings = read_campaign_settings(directory)
    none_finished = CampaignStateError(
        f"expected a campaign with a finished round in {directory}, found none; run it first."
    )
    if not (directory / "models").is_dir():  # then opening would begin it, which is not for readers to do
        raise none_finished
    groups = None
    if given.pool is None and given.test is None and (data := dataset_of(settings, directory)) is not None:
        given, groups = Given(data.pool, data.test, given.oracle or data.oracle, given.recipe), data.groups
    threads = torch.get_num_threads()
    with Campaign.open(directory, pool=given.pool, test=given.test, groups=groups, recipe=given.recipe) as campaign:
        workspace = campaign.workspace
        rounds = workspace.store.rounds_done()
        if rounds == 0:
            raise none_finished
        torch.set_num_threads(settings.made_with.threads)
        try:
            yield Reopened(network_inputs(workspace, _silence), rounds, given.oracle)
        finally:
            torch.set_num_threads(threads)


def _silence(_: Stage) -> None:
    """Features that were lost are computed again without a word."""

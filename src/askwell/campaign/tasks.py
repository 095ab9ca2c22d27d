"""One campaign of an experiment as a task: its directory, its images, begun or taken up again."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from askwell.campaign.campaign import Campaign
from askwell.campaign.data import dataset_of, read_items
from askwell.campaign.quarantine import inherit
from askwell.campaign.settings import SETTINGS_FILE, ExperimentSettings, LockstepPlace, read_campaign_settings
from askwell.errors import AskwellError
from askwell.pool.datasets import Dataset


class CampaignTask(NamedTuple):
    """One campaign of an experiment: the experiment's directory and its own, which strategy, which seed, which place in lock-step."""

    experiment: Path
    directory: Path
    strategy: str
    seed: int
    settings: ExperimentSettings
    lockstep: LockstepPlace | None = None


class Standing(NamedTuple):
    """How far an experiment is: rounds committed and to commit, and what is being done (empty when several run at once)."""

    rounds_done: int
    rounds_total: int
    doing: str


def campaign_tasks(settings: ExperimentSettings, out: Path) -> list[CampaignTask]:
    """DIR/<strategy>/seed-<n>, seed by seed, so that early results are already paired."""
    return [
        CampaignTask(out, out / strategy / f"seed-{seed}", strategy, seed, settings)
        for seed in range(settings.seeds)
        for strategy in settings.strategy
    ]


def threads_of(task: CampaignTask, new: int) -> int:
    """As many as the campaign was begun with: with others, matrix products round otherwise."""
    begun = (task.directory / SETTINGS_FILE).exists()
    return read_campaign_settings(task.directory).made_with.threads if begun else new


def rounds_committed(tasks: Iterable[CampaignTask]) -> int:
    """Counted from the curves, which are replaced whole after every round."""
    done = 0
    for task in tasks:
        curve = task.directory / "curve.csv"
        if curve.exists():
            done += max(0, curve.read_bytes().count(b"\n") - 1)
    return done


@contextmanager
def named(task: CampaignTask) -> Iterator[None]:
    """An error that leaves the block says which campaign it was."""
    try:
        yield
    except AskwellError as error:
        error.args = (f"{task.strategy}, seed {task.seed}: {error}",)
        raise


def create_or_open(task: CampaignTask, data: Dataset) -> Campaign:
    """The task's campaign, open on its images."""
    if (task.directory / SETTINGS_FILE).exists():
        campaign = Campaign.open(task.directory, pool=data.pool, test=data.test, groups=data.groups)
    else:
        values = task.settings.model_dump(exclude={"seeds", "rounds", "recipe"})
        own = {"strategy": task.strategy, "seed": task.seed, "recipe": task.settings.recipe, "lockstep": task.lockstep}
        items = None if task.settings.images is None else read_items(task.experiment)
        campaign = Campaign.create_from(task.directory, {**values, **own}, data.pool, data.test, data.groups, items)
    if task.settings.images is not None and (sibling := _fitted_sibling(task)) is not None:
        inherit(campaign.workspace, sibling)  # also on opening: a crash may have come between this and the creation
    return campaign


def _fitted_sibling(task: CampaignTask) -> Path | None:
    """A campaign of the experiment, other than the task's, that has read its images; one that has just been created knows nothing."""
    begun = (file.parent for file in sorted(task.experiment.rglob(SETTINGS_FILE)))
    return next(
        (directory for directory in begun if directory != task.directory and (directory / "models").is_dir()), None
    )


def images_of(task: CampaignTask) -> Dataset:
    """The data set that the experiment is about, or its folder as it was frozen."""
    begun = (task.directory / SETTINGS_FILE).exists()
    data = dataset_of(task.settings, task.directory if begun else task.experiment)
    assert data is not None, "an experiment names a data set or a folder"
    return data

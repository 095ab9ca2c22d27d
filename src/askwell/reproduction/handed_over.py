"""Campaigns on images that no name stands for: a pool made noisy, or a part of a data set."""

from pathlib import Path

from askwell.campaign.campaign import Campaign
from askwell.campaign.settings import SETTINGS_FILE, ExperimentSettings
from askwell.pool.datasets import Dataset


def create_or_open(directory: Path, settings: ExperimentSettings, strategy: str, seed: int, data: Dataset) -> Campaign:
    """Begin the campaign of one strategy and seed of an experiment on these images, or take it up again."""
    if (directory / SETTINGS_FILE).exists():
        return Campaign.open(directory, pool=data.pool, test=data.test)
    values = settings.model_dump(exclude={"seeds", "rounds", "recipe", "dataset", "image_size"})
    own = {"strategy": strategy, "seed": seed, "recipe": settings.recipe}
    return Campaign.create_from(directory, {**values, **own}, data.pool, data.test)

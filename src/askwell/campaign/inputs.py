"""What the network reads: the images themselves, or the features that a frozen trunk makes of them, computed once and kept.

An experiment's features lie in its directory, where its first campaign or the experiment itself put them; every campaign has them too
(a second name of the same file where the disk can do that), so that it can be copied and moved alone.
"""

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from askwell.campaign.data import first_campaign
from askwell.campaign.workspace import Notify, Stage, Workspace
from askwell.learning.features import (
    FeatureFile,
    feature_file,
    is_written,
    rate_text,
    read_features,
    same_images,
    views_of,
    write_features,
)
from askwell.learning.recipe import Recipe
from askwell.pool.datasets import Dataset
from askwell.pool.images import LabelledImages, Pool
from askwell.store.files import replace_file

FEATURES = "features"  # the directory
Tell = Callable[[str, int, int], None]  # what is being done, images done, images in all


def network_inputs(workspace: Workspace, notify: Notify) -> Workspace:
    """The workspace whose pool and test images are what the recipe's network reads; itself where that is the images.

    Features that are not there yet are computed, and ``notify`` hears how fast. Raises CampaignStateError for a file that was changed.
    """
    recipe = workspace.settings.recipe
    if not recipe.frozen:
        return workspace

    def tell(doing: str, done: int, total: int) -> None:
        notify(Stage(workspace.store.rounds_done(), doing, done, total))

    pool, test = workspace.pool, workspace.test
    shared = _of_experiment(workspace)
    files = [_at_hand(workspace.directory / FEATURES, shared, recipe, part, tell) for part in (pool, test.images)]
    like = files[0] if recipe.backbone is not None and recipe.backbone.standardise else None
    measured = LabelledImages(read_features(files[1], test.images, like), test.labels, test.classes, test.groups)
    return replace(workspace, pool=read_features(files[0], pool, like), test=measured)


def experiment_features(out: Path, recipe: Recipe, data: Dataset, tell: Tell) -> None:
    """Compute the features that an experiment's campaigns need into its directory, unless they are there; recipe is resolved.

    Before there is a campaign, files that an earlier try left are kept only if they are of the same pixels.
    """
    if recipe.frozen:
        begun = first_campaign(out) is not None
        for part in (data.pool, data.test.images):
            file = feature_file(out / FEATURES, recipe, part)
            if not is_written(file) or not (begun or same_images(file, part)):
                _write(file, recipe, part, tell)


def first_passes(out: Path) -> list[str]:
    """A sentence on each first pass over images that an experiment has made, the longest first."""
    return [rate_text(note) for note in sorted((out / FEATURES).glob("*.json"), key=_seconds, reverse=True)]


def read_by(recipe: Recipe) -> tuple[object, ...]:
    """What tells the inputs of one recipe's network from another's: nothing for images, else the trunk and what is made of its features."""
    backbone = recipe.backbone
    if backbone is None or not backbone.frozen:
        return ()
    views = views_of(recipe)
    return (
        backbone.name,
        backbone.sha256,
        backbone.side,
        backbone.pooling,
        backbone.standardise,
        views,
        recipe.precision,
    )


def _of_experiment(workspace: Workspace) -> Path | None:
    """Where the experiment that the campaign is of has its features; images that were handed over are nobody else's."""
    named = workspace.settings.dataset is not None or workspace.settings.images is not None
    above = workspace.directory.absolute().parents
    return above[1] / FEATURES if named and len(above) > 1 else None


def _at_hand(own: Path, shared: Path | None, recipe: Recipe, pool: Pool, tell: Tell) -> FeatureFile:
    """The campaign's own file: there already, or taken over from the experiment, or computed now."""
    file = feature_file(own, recipe, pool)
    if is_written(file):
        return file
    other = None if shared is None else feature_file(shared, recipe, pool)
    if other is None or not is_written(other):
        _write(file, recipe, pool, tell)
        return file
    own.mkdir(parents=True, exist_ok=True)
    try:
        file.array.unlink(missing_ok=True)
        os.link(other.array, file.array)
    except OSError:  # another disk, or one that knows no second names
        replace_file(file.array, lambda path: shutil.copyfile(other.array, path))
    replace_file(file.note, lambda path: shutil.copyfile(other.note, path))
    return file


def _write(file: FeatureFile, recipe: Recipe, pool: Pool, tell: Tell) -> None:
    def rated(done: int, total: int, rate: float) -> None:
        tell(f"features, {rate:.0f} images/s,", done, total)

    write_features(file, recipe, pool, rated)


def _seconds(note: Path) -> float:
    return json.loads(note.read_text(encoding="utf-8"))["seconds"]

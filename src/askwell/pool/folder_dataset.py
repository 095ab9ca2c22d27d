"""The data set that a plan of a folder describes: pools that decode files when asked, and an oracle that knows the labels."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import torch
from pydantic import ValidationError

from askwell.errors import SettingsError
from askwell.pool.datasets import Dataset
from askwell.pool.folder import FolderPool
from askwell.pool.folder_plan import FolderPlan, PlannedItem, plan_folder
from askwell.pool.folder_settings import FolderSettings
from askwell.pool.images import LabelledImages
from askwell.pool.listing import ListedImage
from askwell.pool.oracle import DatasetOracle


def load_folder(
    folder: str | os.PathLike[str],
    *,
    labels: str | None = None,
    test_folder: str | os.PathLike[str] | None = None,
    test_labels: str | None = None,
    test_share: float = 0.2,
    group_by: str | None = None,
    size: int | None = None,
    channels: Literal["auto", "grey", "rgb"] = "auto",
    fit: Literal["squash", "crop", "pad"] = "squash",
    classes: Sequence[str] = (),
) -> Dataset:
    """A folder of labelled images as a data set: pool, test images, oracle, groups, and notes to read. See FolderSettings.

    Images are decoded when they are first asked for. Raises UsageError, in one sentence, for whatever the folder, the labels or the
    groups are not.
    """
    try:
        settings = FolderSettings(
            folder=os.fspath(folder),
            labels=labels,
            test_folder=None if test_folder is None else os.fspath(test_folder),
            test_labels=test_labels,
            test_share=test_share,
            group_by=group_by,
            size=size,
            channels=channels,
            fit=fit,
            classes=tuple(classes),
        )
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(map(str, first["loc"])) or "settings"
        raise SettingsError(
            f"the {name} of load_folder cannot be used: {first['msg'].removeprefix('Value error, ')}."
        ) from None
    return folder_dataset(settings, plan_folder(settings))


def folder_dataset(
    settings: FolderSettings, plan: FolderPlan, *, hashes: Mapping[str, str] | None = None, workers: int | None = None
) -> Dataset:
    """The planned pool and test images. hashes are the contents' sha256 by id, of images that were decoded before.

    The settings say where the folders are now; the plan says what is in them. workers are processes that decode, for pool and test each;
    as many as there are processors unless given.
    """
    pool_items = [item for item in plan.items if item.split == "pool"]
    test_items = [item for item in plan.items if item.split == "test"]
    test_folder = settings.folder if settings.test_folder is None else settings.test_folder
    pool = _pool(settings.folder, pool_items, plan, hashes or {}, workers)
    test = _pool(test_folder, test_items, plan, hashes or {}, workers)
    return Dataset(
        name="folder",
        classes=plan.classes,
        pool=pool,
        test=LabelledImages(test, _labels(test_items, plan.classes), plan.classes, _groups(test_items)),
        oracle=DatasetOracle(pool.ids, _labels(pool_items, plan.classes), plan.classes),
        source=f"{len(pool):,} images of {settings.folder} to ask about, and {len(test):,} of {test_folder} to measure on",
        groups=_groups(pool_items),
        notes=plan.notes,
    )


def _pool(
    folder: str, items: Sequence[PlannedItem], plan: FolderPlan, hashes: Mapping[str, str], workers: int | None
) -> FolderPool:
    listed = [ListedImage(item.id, item.path, item.page) for item in items]
    content = {item.id: item.content for item in items if item.content is not None} | dict(hashes)
    known = {position: content[item.id] for position, item in enumerate(items) if item.id in content}
    return FolderPool(Path(folder).expanduser(), listed, plan.form, hashes=known, workers=workers)


def _labels(items: Sequence[PlannedItem], classes: Sequence[str]) -> torch.Tensor:
    index = {name: number for number, name in enumerate(classes)}
    return torch.tensor([index[item.label] for item in items], dtype=torch.int64)


def _groups(items: Sequence[PlannedItem]) -> tuple[str, ...] | None:
    """The group of each, its own id where it has none; None when no two belong together."""
    if all(item.group is None for item in items):
        return None
    return tuple(item.group or item.id for item in items)

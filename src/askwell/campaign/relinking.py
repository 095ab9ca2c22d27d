"""A folder of images that has moved: find an experiment's items in the new place, and write the new place down."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from askwell.campaign.data import ITEMS_FILE, known_content, moved, read_items, unreadable_test, write_items
from askwell.campaign.settings import (
    SETTINGS_FILE,
    ExperimentSettings,
    read_campaign_settings,
    settings_as_toml,
)
from askwell.errors import CampaignStateError
from askwell.pool.duplicates import Progress
from askwell.pool.folder_plan import PlannedItem
from askwell.pool.folder_settings import FolderSettings
from askwell.pool.relink import relink
from askwell.store.files import replace_file


class Relinking(NamedTuple):
    """Where an experiment's items are now: in which folders, how many of how many, which are missing; nothing is written yet."""

    directories: tuple[Path, ...]
    images: FolderSettings
    items: tuple[PlannedItem, ...]
    missing: tuple[str, ...]
    by_content: int


def find_moved(settings: ExperimentSettings, out: Path, progress: Progress | None = None) -> Relinking | None:
    """Look for the items of the experiment's campaigns in the folders that the settings name; None when those are where they were.

    An item is found by its relative path, or else by the content that was seen when it was first read. Raises CampaignStateError when
    not a single one is found.
    """
    if settings.images is None or not out.is_dir():
        return None
    campaigns = [file.parent for file in sorted(out.rglob(SETTINGS_FILE))]
    stored = {directory: read_campaign_settings(directory).images for directory in campaigns}
    elsewhere = [
        directory for directory, images in stored.items() if images is not None and moved(images, settings.images)
    ]
    if not elsewhere:
        return None
    before = stored[elsewhere[0]]
    assert before is not None, "it has moved"
    hashes = {name: content for directory in campaigns for name, content in known_content(directory).items()}
    folder = Path(settings.images.folder).expanduser().absolute()
    test = settings.images.test_folder or before.test_folder
    test_folder = None if test is None else Path(test).expanduser().absolute()
    items = read_items(elsewhere[0])
    tested = {item.id for item in items if item.split == "test" and test_folder is not None}
    parts = [relink([item for item in items if item.id not in tested], folder, hashes, progress=progress)]
    if test_folder is not None:
        parts.append(relink([item for item in items if item.id in tested], test_folder, hashes, progress=progress))
    missing = tuple(name for part in parts for name in part.missing)
    if len(missing) == len(items):
        raise CampaignStateError(
            f"expected the {len(items)} images of {out} in {folder}, found none of them, neither by name nor by content; check the path."
        )
    _refuse_missing_test(
        [item.id for item in items if item.split == "test" and item.id in set(missing)], campaigns, folder
    )
    images = before.model_copy(
        update={"folder": str(folder), "test_folder": None if test_folder is None else str(test_folder)}
    )
    found = {item.id: item for part in parts for item in part.items}
    return Relinking(
        tuple(campaigns), images, tuple(found[item.id] for item in items), missing, sum(part.by_hash for part in parts)
    )


def _refuse_missing_test(missing: Sequence[str], campaigns: Sequence[Path], folder: Path) -> None:
    """Every round is measured on the same test images, so none that was ever read may be missing."""
    never_read = {name for directory in campaigns for name in unreadable_test(directory)}
    lost = [name for name in missing if name not in never_read]
    if lost:
        raise CampaignStateError(
            f"expected all test images of the experiment, found {len(lost)} missing in {folder}, such as {lost[0]!r}; every round is "
            "measured on the same ones, so put them there, or begin a new experiment. Nothing was changed."
        )


def write_moved(relinking: Relinking, out: Path) -> None:
    """Write the new places into every campaign's items.csv and campaign.toml; what is missing is set aside when it is next read."""
    for directory in (out, *relinking.directories):
        if (directory / ITEMS_FILE).exists():
            write_items(directory, relinking.items)
    for directory in relinking.directories:
        settings = read_campaign_settings(directory).model_copy(update={"images": relinking.images})
        _replace_text(directory / SETTINGS_FILE, settings_as_toml(settings))


def _replace_text(path: Path, text: str) -> None:
    replace_file(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))

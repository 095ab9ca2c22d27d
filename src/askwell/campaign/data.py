"""The images of a campaign or an experiment: a named data set, or a folder whose items are frozen in items.csv.

A folder is listed, split and grouped once, when an experiment begins. What came out is ``items.csv`` (which file is which item, on which
side of the split, with which label and group), and every campaign keeps a copy: files that appear later change nothing.
"""

import json
from pathlib import Path

import torch

from askwell.campaign.settings import SETTINGS_FILE, CampaignSettings, ExperimentSettings, read_campaign_settings
from askwell.errors import CampaignStateError, SettingsError
from askwell.models.backbone import backbone_side
from askwell.pool.catalogue import DATASETS
from askwell.pool.datasets import Dataset, load_dataset
from askwell.pool.decoding import ImageForm
from askwell.pool.duplicates import Progress
from askwell.pool.folder_dataset import folder_dataset
from askwell.pool.folder_plan import FolderPlan, PlannedItem, plan_folder
from askwell.pool.folder_settings import FolderSettings
from askwell.pool.kept_classes import keep_classes
from askwell.report.csv_files import count, read_rows, text, write_rows
from askwell.store.files import DATABASE
from askwell.store.store import CampaignStore

ITEMS_FILE = "items.csv"
TEST_CONTENT, TEST_UNREADABLE = "content of the test images", "unreadable test images"  # what the store remembers
CHANNELS = {"grey": 1, "rgb": 3}
_PARSERS = {"split": text, "id": text, "path": text, "page": count, "label": text, "group": text, "content": text}


def write_items(directory: Path, items: tuple[PlannedItem, ...]) -> None:
    """Replace items.csv atomically."""
    write_rows(directory / ITEMS_FILE, _PARSERS, (["" if value is None else value for value in item] for item in items))


def read_items(directory: Path) -> tuple[PlannedItem, ...]:
    """The rows of items.csv; CampaignStateError when it is not there or not as it was written."""
    rows = read_rows(directory / ITEMS_FILE, _PARSERS)
    return tuple(
        PlannedItem(**{**row, "group": row["group"] or None, "content": row["content"] or None}) for row in rows
    )


def frozen(images: FolderSettings, plan: FolderPlan) -> FolderSettings:
    """The folder's settings with what was left open decided: absolute paths, side, channels and the order of the classes."""
    paths = {
        name: str(Path(value).expanduser().absolute())
        for name in ("folder", "test_folder")
        if (value := getattr(images, name)) is not None
    }
    channels = "grey" if plan.form.channels == 1 else "rgb"
    return images.model_copy(update={**paths, "size": plan.form.size, "channels": channels, "classes": plan.classes})


def frozen_dataset(images: FolderSettings, directory: Path) -> Dataset:
    """The data set of frozen settings and the items.csv in a directory.

    Raises CampaignStateError when the folder is not there.
    """
    for folder in (images.folder, images.test_folder):
        if folder is not None and not Path(folder).is_dir():
            raise CampaignStateError(
                f"expected the campaign's images in {folder}, found no such folder; "
                "if they were moved, resume with --images (and --test-images) naming the new place."
            )
    assert images.size is not None, "frozen settings have a size"
    form = ImageForm(images.size, CHANNELS[images.channels], images.fit)
    return folder_dataset(
        images,
        FolderPlan(read_items(directory), images.classes, form, ()),
        workers=torch.get_num_threads(),  # several campaigns share the processors
    )


def prepared(
    settings: ExperimentSettings, out: Path, progress: Progress | None = None
) -> tuple[ExperimentSettings, tuple[str, ...]]:
    """An experiment's settings with its folder frozen in ``out``, and what there is to say about its images.

    Where the directory already holds a campaign, its items are taken and the folder is not looked at again. ``progress`` hears how many
    files have been compared.
    """
    if settings.images is None:
        data = dataset_of(settings, out) if DATASETS[str(settings.dataset)].resizable else None
        return settings, () if data is None else data.notes
    begun = first_campaign(out)
    if begun is not None:
        stored = read_campaign_settings(begun).images
        assert stored is not None, "check_experiment has compared the settings"
        if not (out / ITEMS_FILE).exists():
            write_items(out, read_items(begun))
        return settings.model_copy(update={"images": stored}), ()
    images, backbone = settings.images, settings.recipe.backbone
    if images.size is None and backbone is not None:
        images = images.model_copy(update={"size": backbone_side(backbone)})
    plan = plan_folder(images, progress=progress)
    out.mkdir(parents=True, exist_ok=True)
    write_items(out, plan.items)
    return settings.model_copy(update={"images": frozen(images, plan)}), plan.notes


def known_content(directory: Path) -> dict[str, str]:
    """sha256 of the files that a campaign has read so far, of pool and test, by item id; nothing before it is begun."""
    if not (directory / DATABASE).exists():
        return {}
    with CampaignStore(directory / DATABASE) as store:
        ids = store.ids()
        pool = {ids[position]: content for position, content in store.hashes().items()}
        return {**pool, **json.loads(store.remembered(TEST_CONTENT) or "{}")}


def unreadable_test(directory: Path) -> set[str]:
    """Ids of the test images that a campaign could not read in its first round."""
    if not (directory / DATABASE).exists():
        return set()
    with CampaignStore(directory / DATABASE) as store:
        return set(json.loads(store.remembered(TEST_UNREADABLE) or "{}"))


def dataset_of(settings: CampaignSettings | ExperimentSettings, directory: Path) -> Dataset | None:
    """The named data set, or the folder frozen in the directory, that settings are about; None when the images were handed over."""
    if settings.images is not None:
        return frozen_dataset(settings.images, directory)
    if settings.dataset is None:
        return None
    data = load_dataset(settings.dataset, image_size=_image_size(settings, settings.dataset))
    return data if settings.keep_classes is None else keep_classes(data, settings.keep_classes)


def _image_size(settings: CampaignSettings | ExperimentSettings, dataset: str) -> int | None:
    """The side that image files are decoded to: as asked for, or as a backbone wants it, or (None) the data set's own."""
    backbone = settings.recipe.backbone
    if settings.image_size is not None or backbone is None or not DATASETS[dataset].resizable:
        return settings.image_size
    return backbone_side(backbone)


def first_campaign(out: Path) -> Path | None:
    """The directory of some campaign below, always the same one; None where there is none."""
    files = sorted(out.rglob(SETTINGS_FILE)) if out.is_dir() else []
    return files[0].parent if files else None


def moved(stored: FolderSettings, wanted: FolderSettings) -> bool:
    """Whether the folders asked for are others than those stored; SettingsError when anything else differs."""
    places = {name: (getattr(stored, name), getattr(wanted, name)) for name in ("folder", "test_folder")}
    elsewhere = any(
        given is not None and Path(given).expanduser().absolute() != Path(found or "")
        for found, given in places.values()
    )
    left_open = {"size": None, "channels": "auto", "classes": (), "labels": None, "test_labels": None, "group_by": None}
    tables = {
        "labels",
        "test_labels",
        "group_by",
    }  # frozen in items.csv, and perhaps moved with the folder: their names must agree
    for name, value in wanted.model_dump().items():
        compared = name not in places and not (name in left_open and value == left_open[name])
        if name in tables and value is not None and Path(value).name == Path(getattr(stored, name) or "").name:
            continue
        if compared and value != getattr(stored, name):
            raise SettingsError(
                f"expected the folder's settings that the experiment was begun with, found another {name}; "
                "resume with the same settings, or choose another --out."
            )
    return elsewhere

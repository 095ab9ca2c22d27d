"""A campaign that people label: its settings, how it is begun and taken up again, and how its folder is indexed. Imports no torch."""

import itertools
import os
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from askwell.campaign.belonging_together import find_groups, find_together
from askwell.campaign.processes import campaign_directory
from askwell.campaign.settings import SETTINGS_FILE, MadeWith, check_settings, made_with, read_toml, settings_as_toml
from askwell.errors import AskwellError, CampaignStateError, SettingsError, UsageError
from askwell.pool.listing import ListedImage, found_images, list_images
from askwell.store.classes import ClassChange
from askwell.store.files import BESIDE, DATABASE, replace_file
from askwell.store.labelling import SEED, LabellingStore
from askwell.store.labelling_records import NewItem
from askwell.store.names import check_name
from askwell.store.places import check_place

INDEXED = "indexed"  # the status that says that every image is known
FIRST_ITEMS, ITEMS_AT_ONCE = 256, 500  # written down together: a few milliseconds
LOOKED_FOR = 200  # images of a campaign in a folder that may be another
DEFAULT_BACKBONE = "squeezenet1_1"


class LabellingSettings(BaseModel):
    """campaign.toml of a campaign that people label.

    folder    the images, when it was begun; the command names them again every time
    seed      of the random order and the sample for measuring
    sample    how many images are kept for measuring, at most a fifth of them
    strategy  how the images to ask are chosen
    backbone  the pre-trained network whose features the model learns from
    weights   "pretrained": its published ones, where they are at hand; or a file
    groups    which images belong together, as group_by of `askwell run`: none is trained on while another measures
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["labelling"] = "labelling"
    folder: str
    seed: str
    sample: int = Field(default=500, ge=0)
    strategy: Literal["power_bald"] = "power_bald"
    backbone: str = DEFAULT_BACKBONE
    weights: str = "pretrained"
    groups: str | None = None
    made_with: MadeWith


def begin_or_resume(
    folder: Path,
    directory: Path,
    classes: Sequence[str],
    *,
    backbone: str | None = None,
    weights: str | None = None,
    groups: str | None = None,
) -> LabellingSettings:
    """Begin a campaign on a folder in a directory with these classes, or check the one that is there; returns its settings.

    Raises SettingsError, NameRefusedError or UsageError for what cannot be done, CampaignStateError for another kind of campaign.
    Nothing is written before everything has been checked.
    """
    if not folder.is_dir():
        raise SettingsError(_no_folder(folder, directory))
    names = [check_name("class", name) for name in classes]
    given = {"backbone": backbone, "weights": weights, "groups": groups}
    if (directory / SETTINGS_FILE).exists():
        settings = read_labelling_settings(directory)
        _check_same(settings, given)
        _check_folder(directory, settings, folder)
        _first_classes(directory, settings, names)
        return settings
    if (directory / DATABASE).exists():
        raise CampaignStateError(
            f"expected {SETTINGS_FILE} beside {DATABASE} in {directory}, found none; restore it from a backup."
        )
    if directory == campaign_directory(folder):  # nobody named another one
        _check_not_renamed(folder)
    if next(found_images(folder), None) is None:
        list_images(folder)  # says what it found instead
        raise UsageError(f"expected at least one image in {str(folder)!r}, found none; name another folder.")
    _check_classes(names)
    _check_network(backbone, weights)
    if groups is not None:  # says so now, and not when the page is open
        find_groups(folder, groups)
    check_place(directory)
    values = {
        **{"folder": str(folder.absolute()), "seed": secrets.token_hex(8), "made_with": made_with(1)},
        **{name: value for name, value in given.items() if value is not None},
    }
    settings = check_settings(LabellingSettings, values, "the campaign")
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    text = settings_as_toml(settings)
    replace_file(directory / SETTINGS_FILE, lambda path: path.write_text(text, encoding="utf-8"))
    _first_classes(directory, settings, names)
    return settings


def unused_classes(directory: Path, names: Sequence[str]) -> str | None:
    """What to say where a campaign has its classes already, and others are named; None where there is nothing to say."""
    with LabellingStore(directory / DATABASE) as store:
        current = [each.name for each in store.classes().current if not each.retired]
    if not names or {name.casefold() for name in names} == {name.casefold() for name in current}:
        return None
    return f"the campaign has its classes already ({', '.join(current)}), and --classes changes none; change them on the page."


def _check_same(settings: LabellingSettings, given: Mapping[str, str | None]) -> None:
    for name, value in given.items():
        if value is not None and value != (before := getattr(settings, name)):
            raise SettingsError(
                f"expected --{name} {before or 'not to be said'}, as when the campaign was begun, found {value!r}; "
                "leave it out, or name another --campaign."
            )


def _check_folder(directory: Path, settings: LabellingSettings, folder: Path) -> None:
    """Raise SettingsError for another folder than the campaign's; one that was moved holds its images still."""
    if folder.absolute() == Path(settings.folder):
        return
    some, there = _looked_for(directory, folder)
    if some and not there:
        raise SettingsError(
            f"expected the images that the campaign was begun with, from {settings.folder}, found none of {some} in {folder}; "
            "name their folder, or another --campaign."
        )


def _looked_for(directory: Path, folder: Path) -> tuple[int, bool]:
    """Of how many of the campaign's images it was looked whether they are in the folder, and whether some are."""
    with LabellingStore(directory / DATABASE) as store:
        some = list(store.files().values())[:LOOKED_FOR]
    return len(some), any((folder / os.fsdecode(file.path)).exists() for file in some)


def _no_folder(folder: Path, directory: Path) -> str:
    """What to say where there is no folder; a campaign that was begun on it can go on where the folder is now."""
    found = f"expected a folder of images, found none at {str(folder)!r}"
    if not (directory / SETTINGS_FILE).exists():
        return f"{found}; check the path."
    return (
        f"{found}; its campaign is in {_as_typed(directory)}: if the folder was renamed or moved, "
        f"say `askwell label FOLDER --campaign {_as_typed(directory)}` with its new name."
    )


def _check_not_renamed(folder: Path) -> None:
    """Raise SettingsError where a campaign that lies beside has lost its folder, and this one holds its images."""
    for directory in sorted(folder.absolute().parent.glob(f"*{BESIDE}")):
        if (lost := _lost_folder(directory, folder)) is not None:
            name = _as_typed(directory)
            raise SettingsError(
                f"expected {folder.name} to be a new folder, found the images of the campaign {name}, whose folder {lost} is gone; "
                f"say --campaign {name} to go on with it, or another --campaign to begin anew."
            )


def _lost_folder(directory: Path, folder: Path) -> str | None:
    """The folder of the campaign in the directory, where that is gone and ``folder`` holds its images; else None."""
    try:
        before = read_labelling_settings(directory).folder
        gone = not Path(before).exists() and (directory / DATABASE).is_file()
        return before if gone and _looked_for(directory, folder)[1] else None
    except AskwellError:  # one that is broken, or none that people label, could not go on
        return None


def _as_typed(directory: Path) -> str:
    """A directory as one would name it here."""
    here = Path.cwd()
    return str(directory.relative_to(here) if directory.is_relative_to(here) else directory)


def _check_network(backbone: str | None, weights: str | None) -> None:
    """Raise UnknownNameError or SettingsError for a network that there is not, or a file of weights."""
    if weights not in (None, "pretrained", "random") and not Path(weights).expanduser().is_file():
        raise SettingsError(f"expected a file of weights at {weights}, found none; check the path.")
    if backbone not in (None, DEFAULT_BACKBONE):
        from askwell.models.networks import preprocessing  # torch and torchvision: seconds

        preprocessing(backbone)


def _first_classes(directory: Path, settings: LabellingSettings, names: Sequence[str]) -> None:
    """The classes that the campaign begins with, unless it has some: those may have other names by now."""
    with LabellingStore(directory / DATABASE) as store:
        store.remember(SEED, settings.seed)
        if store.classes().given:
            return
        _check_classes(names)
        for number, name in enumerate(names, start=1):
            store.change_classes("askwell", ClassChange("add", name=name), f"first class {number}")


def _check_classes(names: Sequence[str]) -> None:
    if len(names) < 2 or len({name.casefold() for name in names}) < len(names):
        raise SettingsError(
            f"expected at least 2 different classes, found {', '.join(names) or 'none'}; say --classes a,b."
        )


def read_labelling_settings(directory: Path) -> LabellingSettings:
    """The settings of the campaign in a directory; CampaignStateError for one that is not for people."""
    values = read_toml(directory / SETTINGS_FILE)
    if values.get("kind") != "labelling":
        raise CampaignStateError(
            f"expected a campaign that people label in {directory}, found one of `askwell run`; choose another --campaign."
        )
    return check_settings(LabellingSettings, values, str(directory / SETTINGS_FILE))


def index_folder(
    store: LabellingStore, folder: Path, directory: Path, settings: LabellingSettings, going_on: Callable[[], bool]
) -> Iterator[int]:
    """Write down the folder's images as they are found, and at the end the sample for measuring; yields how many there are by now.

    What lies in the campaign's own directory is no image of it. It stops, to be begun anew, when ``going_on`` says so.
    """
    own = directory.absolute()
    absolute = folder.absolute()
    inside = own.relative_to(absolute).parts if own.is_relative_to(absolute) else None
    found = (item for item in found_images(folder) if inside is None or not _is_in(item, inside))
    known, most = 0, FIRST_ITEMS
    while part := list(itertools.islice(found, most)):
        if not going_on():
            return
        store.add_items([NewItem(item.id, item.path, item.page) for item in part], settings.seed)
        known, most = known + len(part), ITEMS_AT_ONCE
        yield known
    files = store.files()
    if len(files) != store.grouped_items():
        store.tell({"doing": "comparing"})
        together = find_together(folder, files, settings.groups)
        store.note_groups(together.groups, together.contents, settings.seed)
    store.draw_sample(settings.sample, settings.seed)
    store.tell({INDEXED: "yes"})
    yield known


def _is_in(item: ListedImage, inside: Sequence[str]) -> bool:
    return tuple(Path(item.path).parts[: len(inside)]) == tuple(inside)

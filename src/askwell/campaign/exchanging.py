"""A campaign's labels out and in: what it holds as records, its images as files, and what of a file's claims it takes.

``held_by`` is where both kinds of campaign, those that a data set answers and those that people label, become one.
"""

import io
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import PIL.Image

from askwell.campaign.data import DATABASE, dataset_of, read_items
from askwell.campaign.labelling import LabellingSettings, read_labelling_settings
from askwell.campaign.pictures import pictures_from
from askwell.campaign.settings import SETTINGS_FILE, CampaignSettings, read_campaign_settings, read_toml
from askwell.errors import CampaignStateError, SettingsError
from askwell.exchange.class_folders import Source
from askwell.exchange.formats import format_of, read_labels
from askwell.exchange.matching import match
from askwell.exchange.records import Problem, Reading, Record
from askwell.pool.decoding import displayed
from askwell.pool.image_formats import ImageUnreadableError, read_image_file
from askwell.pool.item_names import ItemNames
from askwell.pool.label_files import TableSource, find_table
from askwell.pool.listing import ListedImage
from askwell.store.answers import Answer, append_answers, current_answers
from askwell.store.labelling import LabellingStore
from askwell.store.lock import exclusive
from askwell.store.store import CampaignStore

HAS_ANSWER = "has another answer"


class Imported(NamedTuple):
    """What an import took or would take: new answers, those known already, what was not taken and why, predictions and columns passed
    over; and where the file says nothing of any image, a remark that says so.
    """

    added: int
    known: int
    problems: list[Problem]
    predictions: int
    columns: tuple[str, ...]
    remark: str = ""


class Held(NamedTuple):
    """What a campaign holds: its items by position, as listed below its folder (if it has one), its classes, its current answers."""

    items: list[ListedImage]
    root: Path | None
    classes: tuple[str, ...]
    answers: list[Answer]


def is_labelled_by_people(directory: Path) -> bool:
    """Whether the campaign in the directory is one of ``askwell label``; CampaignStateError for no campaign."""
    if not (directory / SETTINGS_FILE).is_file():
        raise CampaignStateError(f"expected a campaign in {directory}, found no {SETTINGS_FILE}; check the path.")
    return read_toml(directory / SETTINGS_FILE).get("kind") == "labelling"


def held_by(directory: Path) -> Held:
    """What the campaign in a directory holds now; CampaignStateError for no campaign."""
    if is_labelled_by_people(directory):
        with _people(directory) as store:
            return _held_by_people(store, read_labelling_settings(directory))
    settings = read_campaign_settings(directory)
    with _data_set(directory) as store:
        return _held(store, settings, directory)


def records_of(directory: Path) -> list[Record]:
    """The campaign's current answers, one for each item that has any, in the pool's order; CampaignStateError for no campaign."""
    return [
        Record(each.id, each.label, each.kind, each.annotator, each.time, each.duration)
        for each in held_by(directory).answers
    ]


def images_of(directory: Path, folder: Path | None = None) -> Source:
    """From an item's id to its file below ``folder``, or to its image as PNG where the campaign's images are no files, or a page of one.

    The function raises OSError for a file that is gone, or that leads out of the folder. A campaign that people label may have come from
    anywhere: it says what its images are called, and only the caller where they are. Raises SettingsError where that, or the images, are
    not given.
    """
    by_people = is_labelled_by_people(directory)
    settings = None if by_people else read_campaign_settings(directory)
    if settings is not None and settings.images is not None:
        folder = folder or Path(settings.images.folder)
    if by_people and folder is None:
        raise SettingsError("expected the folder of the campaign's images, found none named; say --images FOLDER.")
    if folder is not None:
        root, items = folder.expanduser().resolve(), {item.id: item for item in held_by(directory).items}
        return lambda item: _inside(root, items[item])
    assert settings is not None, "people label folders"
    data = dataset_of(settings, directory)
    if data is None:
        raise SettingsError(f"the campaign in {directory} was created with images of your own; export to csv or jsonl.")

    def drawn(item: str) -> bytes:
        picture = pictures_from(data.pool, [item]).get(item)
        if picture is None:
            raise OSError("the image cannot be read")
        return _png(PIL.Image.fromarray(picture.pixels))

    return drawn


def import_labels(
    directory: Path,
    source: str,
    *,
    form: str | None = None,
    renamed: Mapping[str, str] | None = None,
    annotator: str | None = None,
    dry_run: bool = False,
    strict: bool = False,
) -> Imported:
    """Take the labels of a file or a class folder into a campaign, as far as they are certain and say nothing else than what is there.

    source is a path, or a table with its columns named, FILE.csv:image,label. Nothing is written with dry_run, or with strict where
    anything was not taken. Raises UsageError for a file that cannot be understood, CampaignBusyError while a campaign that a data set
    answers runs.
    """
    table = _source(source)
    with _locked(directory):
        held = held_by(directory)
        ids = [item.id for item in held.items]
        names = ItemNames(held.items, held.root)
        form = form or format_of(table.path)
        reading = read_labels(table, form, names)
        matched = match(reading, set(ids), names, ids, held.classes, renamed)
        fresh, known, problems = _compared(matched.records, held.answers)
        problems = [*matched.problems, *problems]
        if not dry_run and not (strict and problems):
            position = {item: place for place, item in enumerate(ids)}
            _write(directory, [_answer(each, position[each.id], annotator) for each in fresh])
    return Imported(len(fresh), known, problems, reading.predictions, reading.columns, _remark(reading, form))


def _remark(reading: Reading, form: str) -> str:
    """What to say of a file that says nothing of any image; else nothing."""
    if reading.claims or reading.problems or reading.predictions:
        return ""
    if reading.unlabelled:
        return "no row of the table names a class"
    return "the table holds no rows" if form == "csv" else "the file holds no labels"


def _compared(records: Sequence[Record], answers: Sequence[Answer]) -> tuple[list[Record], int, list[Problem]]:
    """The records that say something new, how many say what is known, and what contradicts it. A skip is no answer yet."""
    held = {answer.id: answer for answer in answers if answer.kind != "skip"}
    fresh, known, problems = list[Record](), 0, list[Problem]()
    for record in records:
        answer = held.get(record.id)
        if answer is None:
            fresh.append(record)
        elif (answer.kind, answer.label) == (record.kind, record.label):
            known += 1
        else:
            said = f"the file says {record.label or record.kind!r}, the campaign {answer.label or answer.kind!r}"
            problems.append(Problem(HAS_ANSWER, record.id, said))
    return fresh, known, problems


def _answer(record: Record, position: int, annotator: str | None) -> Answer:
    by = annotator if annotator is not None else record.annotator or "import"
    moment = time.time() if record.time is None else record.time
    return Answer(position, record.id, record.kind, record.label, by, moment, record.duration)


def _write(directory: Path, answers: Sequence[Answer]) -> None:
    if is_labelled_by_people(directory):
        with _people(directory) as store:
            store.take_in(answers)
    else:
        with _data_set(directory) as store:
            append_answers(store, store.rounds_done(), answers)


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """A campaign that a data set answers must not run meanwhile; people may go on labelling, as in another tab."""
    if is_labelled_by_people(directory):
        yield
        return
    with exclusive(directory):
        yield


def _held(store: CampaignStore, settings: CampaignSettings, directory: Path) -> Held:
    """Items are under the paths of their files, where they are files of a folder."""
    known = {item.id: item for item in read_items(directory)} if settings.images is not None else {}
    items = [
        ListedImage(item, known[item].path, known[item].page) if item in known else ListedImage(item, item)
        for item in store.ids()
    ]
    root = None if settings.images is None else Path(settings.images.folder)
    return Held(items, root, settings.classes, current_answers(store))


def _held_by_people(store: LabellingStore, settings: LabellingSettings) -> Held:
    files = store.files()
    items = [ListedImage(files[at].id, os.fsdecode(files[at].path), files[at].page) for at in range(len(files))]
    classes = tuple(each.name for each in store.classes().current if not each.retired)
    return Held(items, Path(settings.folder), classes, store.answers_in_full())


def _people(directory: Path) -> LabellingStore:
    return LabellingStore(_database(directory))


def _data_set(directory: Path) -> CampaignStore:
    return CampaignStore(_database(directory))


def _database(directory: Path) -> Path:
    if not (directory / DATABASE).is_file():
        raise CampaignStateError(f"expected {DATABASE} in {directory}, found none; restore it from a backup.")
    return directory / DATABASE


def _source(text: str) -> TableSource:
    path = Path(text).expanduser()
    return TableSource(path, ()) if path.exists() else find_table(text, Path())


def _inside(root: Path, item: ListedImage) -> Path | bytes:
    """The file of an item below root, or its page as PNG; a link may not lead out of root, nor may the path."""
    file = (root / item.path).resolve(strict=True)
    if not file.is_relative_to(root):
        raise OSError(f"it leads out of {root}")
    if not item.page:
        return file
    try:
        return _png(displayed(read_image_file(file), item.page))
    except ImageUnreadableError as error:
        raise OSError(str(error)) from None


def _png(image: PIL.Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()

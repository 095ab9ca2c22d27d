"""What a folder is as a data set: which images are in the pool and which in the test set, their labels and their groups."""

import math
from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from askwell.errors import UsageError
from askwell.pool.belonging import Belonging, Candidates, belonging, candidates_of
from askwell.pool.decoding import ImageForm, choose_form
from askwell.pool.duplicates import Progress
from askwell.pool.folder_settings import FolderSettings
from askwell.pool.groups import group_keys
from askwell.pool.held_out import held_out
from askwell.pool.labelled_folder import LabelledFolder, counted, labelled_folder, such_as

MOST_NAMED = 10  # of a data set's classes in one sentence


class PlannedItem(NamedTuple):
    """One image: its split, its id, its place in the split's folder, its class, and the group it shares with others, if any.

    The group is the id of one of its members. The content is the sha256 of the file, where it was read whole to compare it.
    """

    split: Literal["pool", "test"]
    id: str
    path: str
    page: int
    label: str
    group: str | None
    content: str | None = None


class FolderPlan(NamedTuple):
    """The images of a data set in folders, what they are decoded to, and sentences for the user about what was found."""

    items: tuple[PlannedItem, ...]
    classes: tuple[str, ...]
    form: ImageForm
    notes: tuple[str, ...]


def plan_folder(settings: FolderSettings, *, seed: int = 0, progress: Progress | None = None) -> FolderPlan:
    """List the images, read labels and groups, find equal images, and split; ``progress`` hears how many files are read.

    The test images that are kept of the folder itself depend on the seed and the folder only. No group is in both splits.

    Raises UsageError for anything that makes no data set.
    """
    sides = _sides(settings)
    classes = _classes(settings, sides)
    keys = None
    if settings.group_by is not None:
        by_side = group_keys(settings.group_by, [side.items for side in sides], [side.root for side in sides])
        keys = [key for side in by_side for key in side]
    images = candidates_of(sides)
    together = belonging(images, keys, progress)
    notes = [*(note for side in sides for note in side.notes), *together.notes]
    if settings.test_folder is None:
        groups = [images.ids[first] for first in together.first]
        test, left_out = held_out(images.labels, groups, settings.test_share, seed), []
    else:
        test = range(images.first_test, len(images.ids))
        left_out = _shared_with_test(images, together.first)
    if left_out:
        ids = [images.ids[position] for position in left_out]
        notes.append(
            f"{counted(len(ids), 'image')} left out of the pool, because others of their group are in the test folder, {such_as(ids)}."
        )
    items = _planned(sides, images, together, set(test), set(left_out))
    notes += _absent_classes(items, classes)
    root = sides[0].root
    form = choose_form(root, sides[0].items, size=settings.size, channels=settings.channels, fit=settings.fit)
    return FolderPlan(items, classes, form, tuple(notes))


def _sides(settings: FolderSettings) -> list[LabelledFolder]:
    """The pool's folder, and the test folder if there is one."""
    folder = Path(settings.folder).expanduser()
    if settings.test_folder is None:
        return [labelled_folder(folder, settings.labels)]
    test_folder = Path(settings.test_folder).expanduser()
    return [
        labelled_folder(folder, settings.labels, apart_from=test_folder),
        labelled_folder(test_folder, settings.test_labels, apart_from=folder),
    ]


def _classes(settings: FolderSettings, sides: Sequence[LabelledFolder]) -> tuple[str, ...]:
    """The classes in their order; UsageError for a label that is none of them, and when the pool has one only."""
    pool = Counter(sides[0].labels)
    if not settings.classes:
        for side, table in zip(sides, (settings.labels, settings.test_labels), strict=False):
            _check_spelling(side, table)
    classes = settings.classes or _in_order(pool)
    for side in sides:
        if not set(side.labels) & set(classes):
            raise UsageError(
                f"expected labels among the classes {_listed(classes)}, found none of them in {side.root}, but "
                f"{_listed(_in_order(set(side.labels)))}; write the classes alike for pool and test images, best in one table for "
                "both (such as a manifest.csv), or name all classes if they are indeed others."
            )
        for item, label in zip(side.items, side.labels, strict=True):
            if label not in classes:
                raise UsageError(
                    f"expected labels among the classes {_listed(classes)}, found {label!r} for {item.id!r} in {side.root}; "
                    "correct it, or name all classes."
                )
    if len(pool) < 2:
        only, count = next(iter(pool.items()))
        raise UsageError(
            f"expected images of at least 2 classes in {sides[0].root}, found only {only!r} ({counted(count, 'image')}); "
            "check the labels, or add images of another class."
        )
    return classes


def _check_spelling(side: LabelledFolder, table: str | None) -> None:
    """UsageError for labels of a table that are one number, or one word but for capitals."""
    seen: dict[float | str, str] = {}
    for label in dict.fromkeys(side.labels) if table is not None else ():
        number = _number(label)
        before = seen.setdefault(label.casefold() if number is None else number, label)
        if before != label:
            raise UsageError(
                f"expected one way to write each class in {table}, found {before!r} and {label!r}; "
                "write them alike, or name both in classes if they differ."
            )


def _listed(names: Sequence[str]) -> str:
    """The first names, and how many there are if those are not all."""
    shown = ", ".join(names[:MOST_NAMED])
    return shown if len(names) <= MOST_NAMED else f"{shown}, ... ({len(names):,} in all)"


def _in_order(labels: Collection[str]) -> tuple[str, ...]:
    """In the order of the numbers if all are numbers, else of the alphabet."""
    numbers = {label: number for label in labels if (number := _number(label)) is not None}
    if len(numbers) < len(labels):
        return tuple(sorted(labels))
    return tuple(sorted(labels, key=lambda label: (numbers[label], label)))


def _number(label: str) -> float | None:
    """The finite number that a label is, if it is one."""
    try:
        number = float(label)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _shared_with_test(images: Candidates, first: Sequence[int]) -> list[int]:
    """The positions in the pool's folder whose group is in the test folder too."""
    in_test = set(first[images.first_test :])
    return [position for position in range(images.first_test) if first[position] in in_test]


def _planned(
    sides: Sequence[LabelledFolder], images: Candidates, together: Belonging, test: set[int], left_out: set[int]
) -> tuple[PlannedItem, ...]:
    """The items of the pool, then those of the test set; a group of one is none."""
    first = together.first
    listed = [item for side in sides for item in side.items]
    kept = [position for position in range(len(listed)) if position not in left_out]
    sizes = Counter(first[position] for position in kept)
    items = [
        PlannedItem(
            "test" if position in test else "pool",
            images.ids[position],
            listed[position].path,
            listed[position].page,
            images.labels[position],
            images.ids[first[position]] if sizes[first[position]] > 1 else None,
            together.content[position],
        )
        for position in kept
    ]
    return tuple(sorted(items, key=lambda item: item.split))  # stable: each split stays in the order of the listing


def _absent_classes(items: Sequence[PlannedItem], classes: Sequence[str]) -> list[str]:
    notes = []
    for split in ("pool", "test"):
        present = {item.label for item in items if item.split == split}
        if split == "pool" and len(present) < 2:
            raise UsageError(
                f"expected images of at least 2 classes left for the pool, found {len(present)}; "
                "keep fewer images for measuring, or group them otherwise."
            )
        notes += [f"No {split} image is of the class {name!r}." for name in classes if name not in present]
    return notes

"""A folder's images and their labels: from a table, or a class per subfolder. What has no label is left out and counted."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from askwell.errors import UsageError
from askwell.pool.item_names import ItemNames
from askwell.pool.label_files import find_table, no_image_named, read_values
from askwell.pool.listing import LeftOut, ListedImage, list_images


class LabelledFolder(NamedTuple):
    """The images of a folder that have a label, their labels, and sentences about what was left out."""

    root: Path
    items: tuple[ListedImage, ...]
    labels: tuple[str, ...]
    notes: tuple[str, ...]


def labelled_folder(root: Path, labels: str | None, *, apart_from: Path | None = None) -> LabelledFolder:
    """The images below root, but for those of another folder inside it, with the labels of a table or of the subfolders.

    Raises UsageError for a folder without images or without labels, and for a table that does not fit.
    """
    listing = list_images(root)
    items = _apart(listing.items, root, apart_from)
    found, notes = _by_subfolder(items, root) if labels is None else _by_table(items, root, labels)
    unlabelled = [item.id for position, item in enumerate(items) if position not in found]
    if unlabelled:
        lack = "being in no subfolder" if labels is None else "having no label in the table"
        notes.append(f"{counted(len(unlabelled), 'image')} of {root} left out for {lack}, {such_as(unlabelled)}.")
    return LabelledFolder(
        root,
        tuple(item for position, item in enumerate(items) if position in found),
        tuple(found[position] for position in sorted(found)),
        (*(_left_out(root, each) for each in listing.left_out), *notes),
    )


def counted(count: int, noun: str) -> str:
    """ "1 image", "1,204 images"."""
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def such_as(ids: Sequence[str]) -> str:
    """An example."""
    return f"such as {ids[0]!r}" if len(ids) > 1 else f"namely {ids[0]!r}"


def _apart(items: Sequence[ListedImage], root: Path, other: Path | None) -> Sequence[ListedImage]:
    inside = other.resolve() if other is not None else None
    if inside is None or not inside.is_relative_to(root.resolve()):
        return items
    below = inside.relative_to(root.resolve())
    apart = [item for item in items if not Path(item.path).is_relative_to(below)]
    if not apart:
        raise UsageError(
            f"expected images in {root} besides those in {other}, found none; pool and test images need a folder each."
        )
    return apart


def _by_subfolder(items: Sequence[ListedImage], root: Path) -> tuple[dict[int, str], list[str]]:
    labels = {position: item.id.partition("/")[0] for position, item in enumerate(items) if "/" in item.id}
    if not labels:
        raise UsageError(
            f"expected a subfolder for each class in {root}, found {counted(len(items), 'image')} and no subfolder; "
            "name a table of labels ('labels.csv'), or sort the images into folders."
        )
    return labels, []


def _by_table(items: Sequence[ListedImage], root: Path, spec: str) -> tuple[dict[int, str], list[str]]:
    source = find_table(spec, root)
    table = read_values(source, ItemNames(items, root), "label")
    if not table.values:
        raise no_image_named(source.path, table, items[0])
    notes = []
    if table.strangers:
        notes.append(
            f"{table.strangers:,} of {counted(table.rows, 'row')} of {source.path.name} name no image in {root}, "
            f"such as {table.stranger!r}."
        )
    return table.values, notes


def _left_out(root: Path, left: LeftOut) -> str:
    return f"In {root}, {left.reason}: {left.count:,}, such as {left.examples[0]!r}."

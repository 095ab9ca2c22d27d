"""Finding a campaign's images again after their folder moved: by the same relative path, then by content. Imports no torch."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from askwell.pool.duplicates import Progress, content_hash
from askwell.pool.folder_plan import PlannedItem
from askwell.pool.item_names import normal
from askwell.pool.listing import ListedImage, list_images


class Relinked(NamedTuple):
    """All items, with new paths where they were found; the ids of those that were not; how many were found by content."""

    items: tuple[PlannedItem, ...]
    missing: tuple[str, ...]
    by_hash: int


def relink(
    plan_items: Sequence[PlannedItem],
    new_root: Path,
    hashes: Mapping[str, str],
    *,
    progress: Progress | None = None,
) -> Relinked:
    """The items in a new folder: each at its old relative path, else where a file has the content it was known to have.

    plan_items are those of one folder (a separate test folder is relinked by itself); hashes are the sha256 of the items
    decoded so far, by id. Only files that no item has by its path are read, and only when an item is still sought whose
    content is known; ``progress`` hears of them. A file is found again once only.

    Raises UsageError for a folder that holds no image.
    """
    listed = list_images(new_root).items
    by_path = {(normal(item.path), item.page): item for item in listed}
    found = {item.id: by_path.get((normal(item.path), item.page)) for item in plan_items}
    sought = [item for item in plan_items if found[item.id] is None and item.id in hashes]
    if sought:
        taken = {place.path for place in found.values() if place is not None}
        free = _by_content([item for item in listed if item.path not in taken], new_root, progress)
        for item in sought:
            places = free[hashes[item.id], item.page]
            found[item.id] = places.pop(0) if places else None
    places = [found[item.id] for item in plan_items]
    return Relinked(
        tuple(
            item if place is None else item._replace(path=place.path)
            for item, place in zip(plan_items, places, strict=True)
        ),
        tuple(item.id for item, place in zip(plan_items, places, strict=True) if place is None),
        sum(found[item.id] is not None for item in sought),
    )


def _by_content(
    listed: Sequence[ListedImage], root: Path, progress: Progress | None
) -> dict[tuple[str | None, int], list[ListedImage]]:
    """The images by their file's hash and their page; those that cannot be read under None."""
    paths = list(dict.fromkeys(item.path for item in listed))
    hashes: dict[str, str | None] = {}
    for done, path in enumerate(paths, start=1):
        hashes[path] = content_hash(root / path)
        if progress is not None:
            progress(done, len(paths))
    found: dict[tuple[str | None, int], list[ListedImage]] = defaultdict(list)
    for item in listed:
        found[hashes[item.path], item.page].append(item)
    return found

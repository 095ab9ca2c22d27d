"""Finding a campaign's images again after their folder moved: by the same relative path, then by content. Imports no torch."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, final

from askwell.pool.duplicates import Progress, content_hash
from askwell.pool.folder_plan import PlannedItem
from askwell.pool.item_names import normal
from askwell.pool.listing import ListedImage, list_images

SAMPLE = 64  # items compared before all are: enough to notice that names went to other pictures, and read in a moment


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
    decoded so far, by id, which go before those of the plan. Of the files found by path some are compared with the content
    known of them, and if one differs all such files are; an item whose file differs is sought by content. For that the
    files are read that no item has by its path. ``progress`` hears of all that is read. A file is found again once only;
    an item whose content is not known is found by its path alone.

    Raises UsageError for a folder that holds no image.
    """
    listed = list_images(new_root).items
    by_path = {(normal(item.path), item.page): item for item in listed}
    found = {item.id: by_path.get((normal(item.path), item.page)) for item in plan_items}
    known = {**{item.id: item.content for item in plan_items if item.content is not None}, **hashes}
    contents = _Contents(new_root, progress)
    for name in _differing(
        {name: place.path for name, place in found.items() if place and name in known}, known, contents
    ):
        found[name] = None
    sought = [item for item in plan_items if found[item.id] is None and item.id in known]
    if sought:
        taken = {place.path for place in found.values() if place is not None}
        free = _by_content([item for item in listed if item.path not in taken], contents)
        for item in sought:
            places = free[known[item.id], item.page]
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


@final
class _Contents:
    """The hashes of a folder's files; each file is read once."""

    def __init__(self, root: Path, progress: Progress | None) -> None:
        self._root = root
        self._progress = progress
        self._hashes: dict[str, str | None] = {}

    def of(self, paths: Iterable[str]) -> Mapping[str, str | None]:
        """Those of the paths, and of all before; None for a file that cannot be read."""
        unread = [path for path in dict.fromkeys(paths) if path not in self._hashes]
        total = len(self._hashes) + len(unread)
        for path in unread:
            self._hashes[path] = content_hash(self._root / path)
            if self._progress is not None:
                self._progress(len(self._hashes), total)
        return self._hashes


def _differing(paths: Mapping[str, str], known: Mapping[str, str], contents: _Contents) -> list[str]:
    """The ids whose file has another content than is known, of a sample; of all if there is one in the sample."""
    ids = list(paths)
    sample = [ids[place * len(ids) // SAMPLE] for place in range(SAMPLE)] if len(ids) > SAMPLE else ids
    for names in (sample, ids):
        hashes = contents.of(paths[name] for name in names)
        differing = [name for name in names if hashes[paths[name]] != known[name]]
        if not differing:
            return []
    return differing


def _by_content(listed: Sequence[ListedImage], contents: _Contents) -> dict[tuple[str | None, int], list[ListedImage]]:
    """The images by their file's hash and their page; those that cannot be read under None."""
    hashes = contents.of(item.path for item in listed)
    found: dict[tuple[str | None, int], list[ListedImage]] = defaultdict(list)
    for item in listed:
        found[hashes[item.path], item.page].append(item)
    return found

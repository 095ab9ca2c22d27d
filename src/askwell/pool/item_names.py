"""Which image does a name in somebody's table mean? Its relative path, that without its suffix, its file name, or its stem."""

import unicodedata
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import NamedTuple, final

from askwell.errors import UsageError
from askwell.pool.listing import ListedImage


@final
class ItemNames:
    """Finds the items that a name means; the more exact way of naming an image goes before the others.

    A file's name means all its pages; the id of a later page means that page alone. A path may begin with the root's own
    (the folder that the items are in), or with the end of that. Capitals are told apart unless nothing is found otherwise.
    """

    def __init__(self, items: Sequence[ListedImage], root: Path | None = None) -> None:
        self._positions: dict[str, list[int]] = defaultdict(list)  # of a file, and of a later page
        self._later_pages = {item.id for item in items if item.page}
        self._prefixes = [] if root is None else _prefixes(root)
        for position, item in enumerate(items):
            self._positions[file_id(item)].append(position)
            if item.page:
                self._positions[item.id].append(position)

    def __contains__(self, name: str) -> bool:
        return bool(self._meant(name))

    def positions(self, name: str) -> Sequence[int]:
        """The positions of the items that the name means, none if there is no such image.

        Raises UsageError when it can mean several images.
        """
        meant = self._meant(name)
        if len(meant) > 1:
            raise UsageError(
                f"expected names that mean one image each, found {name!r}, which can be {meant[0]!r} or {meant[1]!r}; "
                "write the paths of such images into the table."
            )
        return self._positions[meant[0]] if meant else []

    def is_page(self, name: str) -> bool:
        """Whether the name is the id of a later page, which says more than the name of its file."""
        return any(each in self._later_pages for each in self._meant(name))

    def _meant(self, name: str) -> Sequence[str]:
        """The files, or the later page, that the name can mean."""
        tidy = name.strip().replace("\\", "/").removeprefix("./")
        forms = [normal(name), normal(tidy)]
        return self._as_written.find(forms) or self._in_any_case.find([form.casefold() for form in forms])

    @cached_property
    def _as_written(self) -> "_Directory":
        return _Directory(_levels(self._positions, self._later_pages, str), self._prefixes)

    @cached_property
    def _in_any_case(self) -> "_Directory":
        prefixes = [prefix.casefold() for prefix in self._prefixes]
        return _Directory(_levels(self._positions, self._later_pages, str.casefold), prefixes)


class _Directory(NamedTuple):
    """What each name means, at levels of which the most exact comes first, and what may stand before a path."""

    levels: Sequence[Mapping[str, Sequence[str]]]
    prefixes: Sequence[str]

    def find(self, forms: Sequence[str]) -> Sequence[str]:
        """What the first form means that means anything; a path below the root is no mere file name."""
        below = [form.removeprefix(prefix) for form in forms for prefix in self.prefixes if form.startswith(prefix)]
        for candidates, levels in ((forms, self.levels), (below, self.levels[:2])):
            for form in candidates:
                for level in levels:
                    if form in level:
                        return level[form]
        return []


def file_id(item: ListedImage) -> str:
    """The id of the file that an item is in: its own but for the page."""
    return item.id.rpartition("#page-")[0] if item.page else item.id


def normal(name: str) -> str:
    """A name as ids are written: in Unicode's normal form C."""
    return unicodedata.normalize("NFC", name)


def _prefixes(root: Path) -> list[str]:
    """The root's path and every end of it, the longest first, as they can stand before the path of an image."""
    ends = {Path(*full.parts[start:]) for full in (root.absolute(), root.resolve()) for start in range(len(full.parts))}
    return sorted((normal(end.as_posix()).rstrip("/") + "/" for end in ends), key=len, reverse=True)


def _levels(
    known: Iterable[str], later_pages: Collection[str], spelling: Callable[[str], str]
) -> Sequence[Mapping[str, Sequence[str]]]:
    """The files by each way to name them, the most exact one first; a later page has its id alone."""
    levels: list[dict[str, list[str]]] = [defaultdict(list) for _ in range(4)]
    for each in known:
        path = spelling(each)
        name = path.rpartition("/")[2]
        keys = (path, _without_suffix(path), name, _without_suffix(name))
        for level, key in zip(levels, keys[:1] if each in later_pages else keys, strict=False):
            level[key].append(each)
    return levels


def _without_suffix(path: str) -> str:
    folder, slash, name = path.rpartition("/")
    stem = name.rpartition(".")[0]
    return f"{folder}{slash}{stem or name}"

"""Which image does a name in somebody's table mean? Its relative path, that without its suffix, its file name, or its stem."""

import unicodedata
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import final

from askwell.errors import UsageError
from askwell.pool.listing import ListedImage


@final
class ItemNames:
    """Finds the items that a name means; the more exact way of naming an image goes before the others.

    A file's name means all its pages; the id of a later page means that page alone.
    """

    def __init__(self, items: Sequence[ListedImage]) -> None:
        self._pages: dict[str, list[int]] = defaultdict(list)  # of a file
        self._later_page = {item.id: position for position, item in enumerate(items) if item.page}
        for position, item in enumerate(items):
            self._pages[file_id(item)].append(position)
        self._levels = _levels(list(self._pages))

    def __contains__(self, name: str) -> bool:
        return bool(self._files(name)) or normal(name) in self._later_page

    def positions(self, name: str) -> Sequence[int]:
        """The positions of the items that the name means, none if there is no such image.

        Raises UsageError when it can mean several images.
        """
        if (page := self._later_page.get(normal(name))) is not None:
            return [page]
        files = self._files(name)
        if len(files) > 1:
            raise UsageError(
                f"expected names that mean one image each, found {name!r}, which can be {files[0]!r} or {files[1]!r}; "
                "write the paths of such images into the table."
            )
        return self._pages[files[0]] if files else []

    def is_page(self, name: str) -> bool:
        """Whether the name is the id of a later page, which says more than the name of its file."""
        return normal(name) in self._later_page

    def _files(self, name: str) -> Sequence[str]:
        tidy = name.strip().replace("\\", "/").removeprefix("./")
        for form in (normal(name), normal(tidy)):
            for level in self._levels:
                if form in level:
                    return level[form]
        return []


def file_id(item: ListedImage) -> str:
    """The id of the file that an item is in: its own but for the page."""
    return item.id.rpartition("#page-")[0] if item.page else item.id


def normal(name: str) -> str:
    """A name as ids are written: in Unicode's normal form C."""
    return unicodedata.normalize("NFC", name)


def _levels(files: Sequence[str]) -> Sequence[Mapping[str, Sequence[str]]]:
    """The files by each way to name them, the most exact one first."""
    levels: list[dict[str, list[str]]] = [defaultdict(list) for _ in range(4)]
    for file in files:
        name = file.rpartition("/")[2]
        for level, key in zip(levels, (file, _without_suffix(file), name, _without_suffix(name)), strict=True):
            level[key].append(file)
    return levels


def _without_suffix(path: str) -> str:
    folder, slash, name = path.rpartition("/")
    stem = name.rpartition(".")[0]
    return f"{folder}{slash}{stem or name}"

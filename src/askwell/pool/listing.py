"""The images of a folder: every file that is one, by name alone, and why the others are not. Imports no torch.

No file is opened but TIFF files, whose headers say how many pages there are.
"""

# ruff: noqa: PTH112, PTH118, PTH122 - a Path for each of a million names takes seconds

import os
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import NamedTuple

from askwell.errors import UsageError
from askwell.pool.image_formats import SUFFIXES, missing_extra
from askwell.pool.tiff_pages import tiff_pages

EXAMPLES = 3
HIDDEN = "hidden files and folders are skipped"
LINKED = "links to folders are not followed"
UNREADABLE = "folders that cannot be read"
SPECIAL = "pipes, devices and sockets are no images"
SAME_NAME = "another file has the same name once both are written in one Unicode form"
UNEVEN = "TIFF files whose pages differ in size (a pyramid or a preview inside) are not read"
SYSTEM_NAMES = ("__MACOSX", "Thumbs.db")


class ListedImage(NamedTuple):
    """One item: its id is the POSIX path below the root in Unicode's NFC, path the same as the system spells it.

    Pages of a TIFF file count from 0; those after the first have ids like "scans/cells.tif#page-0002".
    """

    id: str
    path: str
    page: int = 0


class LeftOut(NamedTuple):
    """Why some files or folders are no items: a clause, how many there are, and the first of them by name."""

    reason: str
    count: int  # pyright: ignore[reportIncompatibleMethodOverride] - nobody counts in it as in a tuple
    examples: tuple[str, ...]


class Listing(NamedTuple):
    """A folder's items, sorted by id, and what is left out, most frequent first."""

    root: Path
    items: tuple[ListedImage, ...]
    left_out: tuple[LeftOut, ...]


def list_images(root: Path) -> Listing:
    """The images below a folder, at any depth. Links to folders are not followed, links to files are items.

    Raises UsageError when there is no such folder or no image in it.
    """
    root = Path(root).expanduser().absolute()
    if not root.is_dir():
        found = "a file" if root.exists() else "nothing"
        raise UsageError(f"expected a folder of images, found {found} at {str(root)!r}; name the folder they are in.")
    set_aside: defaultdict[str, list[str]] = defaultdict(list)
    items: dict[str, ListedImage] = {}
    for path in sorted(_image_files(root, set_aside)):
        pages = _pages(root, path, items.keys(), set_aside)
        items.update({item.id: item for item in pages})
    left_out = _summary(set_aside)
    if not items:
        raise UsageError(_nothing_found(root, left_out))
    return Listing(root, tuple(items[name] for name in sorted(items)), left_out)


def found_images(root: Path) -> Iterator[ListedImage]:
    """The same items as they are found, in no order: the first of them at once, however many there are."""
    set_aside: defaultdict[str, list[str]] = defaultdict(list)
    names: set[str] = set()
    for path in _image_files(root, set_aside):
        for item in _pages(root, path, names, set_aside):
            names.add(item.id)
            yield item


def _pages(root: Path, path: str, known: Collection[str], set_aside: defaultdict[str, list[str]]) -> list[ListedImage]:
    """The items in a file, of whose name there is none yet; otherwise it goes to ``set_aside``."""
    name = _printable(path)
    if name in known:
        set_aside[SAME_NAME].append(name)
        return []
    pages = tiff_pages(os.path.join(root, path)) if _suffix(path) in (".tif", ".tiff") else 1
    if pages is None:
        set_aside[UNEVEN].append(name)
        return []
    later = [ListedImage(f"{name}#page-{page + 1:04d}", path, page) for page in range(1, pages)]
    return [ListedImage(name, path), *later]


def _image_files(root: Path, set_aside: defaultdict[str, list[str]]) -> Iterator[str]:
    """The paths below root of files that an installed reader reads, in no order; others go to ``set_aside``."""
    reasons = {suffix: _missing_reader(image_format) for suffix, image_format in SUFFIXES.items()}
    folders = [""]
    while folders:
        folder = folders.pop()
        try:
            with os.scandir(os.path.join(root, folder)) as entries:
                found = list(entries)
        except OSError:
            set_aside[UNREADABLE].append(_printable(folder) or ".")
            continue
        for entry in found:
            path = f"{folder}{os.sep}{entry.name}" if folder else entry.name
            if entry.name.startswith(".") or entry.name in SYSTEM_NAMES:
                set_aside[HIDDEN].append(_printable(path))
            elif entry.is_dir(follow_symlinks=False):
                folders.append(path)
            elif reason := _why_not(entry, reasons):
                set_aside[reason].append(_printable(path))
            else:
                yield path


def _why_not(entry: os.DirEntry[str], reasons: dict[str, str | None]) -> str | None:
    """Why that file is no item, or None; what a link to a file leads to is found out when it is decoded."""
    if entry.is_symlink():
        if os.path.isdir(entry.path):
            return LINKED
    elif not entry.is_file(follow_symlinks=False):
        return SPECIAL
    suffix = _suffix(entry.name)
    if suffix in reasons:
        return reasons[suffix]
    return f"{_printable(suffix)} files are not read" if suffix else "files without a suffix are not read"


def _missing_reader(image_format: str) -> str | None:
    command = missing_extra(image_format)
    return command and f"{image_format} images are read after: {command}"


def _suffix(name: str) -> str:
    return os.path.splitext(name)[1].lower()


def _printable(path: str) -> str:
    """A path as an id: with slashes, NFC-normalised; bytes that are no UTF-8 are written as \\xff."""
    if os.sep != "/":
        path = path.replace(os.sep, "/")
    if path.isascii():
        return path
    return unicodedata.normalize("NFC", os.fsencode(path).decode("utf-8", "backslashreplace"))


def _summary(set_aside: dict[str, list[str]]) -> tuple[LeftOut, ...]:
    left_out = [LeftOut(why, len(names), tuple(sorted(names)[:EXAMPLES])) for why, names in set_aside.items()]
    return tuple(sorted(left_out, key=lambda entry: (-entry.count, entry.reason)))


def _nothing_found(root: Path, left_out: tuple[LeftOut, ...]) -> str:
    others = "; ".join(f"{entry.reason}: {entry.count}, such as {entry.examples[0]!r}" for entry in left_out[:EXAMPLES])
    return (
        f"expected at least one image in {str(root)!r}, found {f'none ({others})' if others else 'an empty folder'}; "
        f"name a folder of {', '.join(sorted(set(SUFFIXES.values())))} files."
    )

"""How many pages a TIFF file has, and whether they are all there, from its headers (TIFF 6.0, section 2; BigTIFF). Imports no torch."""

import io
import os
import struct
from typing import NamedTuple

MOST_PAGES = 100_000
WIDTH, HEIGHT = 256, 257  # the tags of a page's size


class _Layout(NamedTuple):
    """How a kind of TIFF file writes its directories of pages."""

    first: int  # where the file says at which byte the first directory is
    offset: str  # an offset
    entries: str  # how many entries a directory has
    entry: int  # the length of an entry: tag, type, count, value
    value: int  # where in an entry its value is


_CLASSIC = _Layout(first=4, offset="I", entries="H", entry=12, value=8)
_BIG = _Layout(first=8, offset="Q", entries="Q", entry=20, value=12)
_LAYOUTS = {
    b"II*\0": ("<", _CLASSIC),
    b"MM\0*": (">", _CLASSIC),
    b"II+\0": ("<", _BIG),
    b"MM\0+": (">", _BIG),
}
_SIZE_TYPES = {3: "H", 4: "I", 16: "Q"}  # SHORT, LONG, LONG8


def is_cut_off(content: bytes) -> bool:
    """Whether a TIFF file's content ends before its directories of pages do."""
    try:
        _page_sizes(io.BytesIO(content))
    except struct.error:
        return True
    except (KeyError, ValueError, OverflowError):
        return False
    return False


def tiff_pages(path: str | os.PathLike[str]) -> int | None:
    """The number of pages, or None when they differ in size.

    A file that is no TIFF or is damaged counts as one page: what is wrong with it is said when it is decoded.
    """
    try:
        file = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        with os.fdopen(file, "rb") as stream:
            sizes = _page_sizes(stream)
    except (OSError, struct.error, KeyError, ValueError, OverflowError):
        return 1
    return len(sizes) if len(set(sizes)) == 1 else None


def _page_sizes(stream: io.BufferedIOBase) -> list[tuple[int, int]]:
    order, layout = _LAYOUTS[stream.read(4)]
    sizes: list[tuple[int, int]] = []
    seen: set[int] = set()
    offset = _number(stream, order + layout.offset, layout.first)
    while offset:
        if offset in seen or len(seen) == MOST_PAGES:
            raise ValueError("the directories of pages do not end")
        seen.add(offset)
        entries = _number(stream, order + layout.entries, offset)
        if entries > 0xFFFF:
            raise ValueError("no directory has that many entries")
        directory = stream.read(entries * layout.entry)
        if len(directory) < entries * layout.entry:
            raise struct.error("the directory is cut off")
        sizes.append(_size(directory, order, layout))
        offset = _number(stream, order + layout.offset, stream.tell())
    return sizes


def _size(directory: bytes, order: str, layout: _Layout) -> tuple[int, int]:
    found: dict[int, int] = {}
    for start in range(0, len(directory), layout.entry):
        tag, kind = struct.unpack_from(order + "HH", directory, start)
        if tag > HEIGHT:
            break  # entries are in ascending order of their tags
        if tag in (WIDTH, HEIGHT):
            found[tag] = struct.unpack_from(order + _SIZE_TYPES[kind], directory, start + layout.value)[0]
    return found[WIDTH], found[HEIGHT]


def _number(stream: io.BufferedIOBase, form: str, position: int) -> int:
    stream.seek(position)
    return struct.unpack(form, stream.read(struct.calcsize(form)))[0]

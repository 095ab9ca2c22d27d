"""Names of classes and items as names of folders and files: any text to a name that every system takes, and back.

What some system refuses or changes is written as %41, its bytes in UTF-8; the percent sign itself too, so that no two are written alike.
The empty name is %_. A system that does not tell capitals apart would put "a" into the folder "A": the later of two such names is
written in numbers.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable
from urllib.parse import unquote

from askwell.errors import UsageError

LONGEST = 255  # bytes that file systems take
EMPTY = "%_"
_REFUSED = re.compile(r'[%/\\<>:"|?*\x00-\x1f\x7f]|^[ .]|[ .]$')
_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\.|$)|__macosx$|thumbs\.db$", re.IGNORECASE)


def folder_name(text: str) -> str:
    """The text as the name of one folder or file; UsageError where it is too long for one."""
    name = _REFUSED.sub(lambda found: _numbers(found[0]), text) or EMPTY
    if _RESERVED.match(name):
        name = _numbers(name[0]) + name[1:]
    if (
        unicodedata.normalize("NFC", name) != name
    ):  # some systems store another way to write an accent than they are given
        name = "".join(letter if letter.isascii() else _numbers(letter) for letter in name)
    if len(name.encode()) > LONGEST:
        raise UsageError(
            f"expected a name that a file can have, at most {LONGEST} bytes, found one of {len(name.encode())}, {text[:40]!r}...; "
            "shorten it, or export to csv, jsonl or labelstudio."
        )
    return name


def path_name(text: str) -> str:
    """The text as a path below a folder, a name for each part between slashes."""
    return "/".join(map(folder_name, text.split("/")))


def original(name: str) -> str:
    """The text that a name or path was made of."""
    parts = ("" if part == EMPTY else unquote(part, errors="surrogateescape") for part in name.split("/"))
    return "/".join(parts)


def distinct_names(texts: Iterable[str], name_of: Callable[[str], str]) -> dict[str, str]:
    """Text -> its name, no two of which are one to a system that ignores capitals; name_of is ``folder_name`` or ``path_name``."""
    names: dict[str, str] = {}
    taken = set[str]()
    for text in texts:
        name = name_of(text)
        if _folded(name) in taken:
            stem, dot, suffix = text.rpartition(".")
            name = f"{_numbers(stem)}.{suffix}" if dot and suffix.isascii() and suffix.isalnum() else _numbers(text)
            if len(name.encode()) > LONGEST:
                raise UsageError(
                    f"expected names that differ by more than capitals, found a second {text!r}; rename one."
                )
        taken.add(_folded(name))
        names[text] = name
    return names


def _numbers(text: str) -> str:
    return "".join(f"%{byte:02X}" for byte in text.encode())


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())

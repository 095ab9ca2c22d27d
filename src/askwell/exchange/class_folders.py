"""A folder for each class with its images, linked or copied; it reads back as the same labels, also after images were moved between them.

An image keeps its path below its class's folder, so no two have one name. A small file at the top says that askwell named these folders.
"""

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from askwell.errors import UsageError
from askwell.exchange.folder_names import distinct_names, folder_name, original, path_name
from askwell.exchange.records import LABEL, Claim, Problem, Reading, Record, checked
from askwell.pool.listing import list_images

NOTE = "askwell-folders.json"
VERSION = 1
DRAWN = "#image.png"  # after the id of an image that is no file of its own
Source = Callable[[str], Path | bytes]  # an item's file, or the PNG of an item that is none; OSError where it is gone


def write_class_folders(out: Path, records: Sequence[Record], source: Source, *, copy: bool) -> list[Problem]:
    """Fill a new or empty directory; returns which images could not be had. Links lead to the files' resolved places.

    Raises UsageError for a directory that holds something, names that no file can have, or where not one image could be had: then
    nothing is written.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(
            f"expected a new or empty directory for class folders, found {out} in use; choose another --out."
        )
    labelled = [checked(record) for record in records if record.kind == LABEL]
    folders = distinct_names(dict.fromkeys(str(record.label) for record in labelled), folder_name)
    found, problems = list[tuple[Record, Path | bytes]](), list[Problem]()
    for record in labelled:
        try:
            found.append((record, source(record.id)))
        except OSError as error:
            problems.append(Problem("no file", record.id, error.strerror or str(error)))
    if problems and not found:
        raise UsageError(
            f"expected the images of {len(labelled)} labels, found none of them ({problems[0].about!r}: {problems[0].said}); "
            "say where they are with --images FOLDER."
        )
    for label, folder in folders.items():
        own = {
            record.id + (DRAWN if isinstance(content, bytes) else ""): content
            for record, content in found
            if record.label == label
        }
        (out / folder).mkdir(parents=True, exist_ok=True)
        for name, path in distinct_names(own, path_name).items():
            _put(out / folder / path, own[name], copy=copy)
    note = {"made by": "askwell", "version": VERSION, "classes": folders}
    (out / NOTE).write_text(json.dumps(note, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return problems


def read_class_folders(root: Path) -> Reading:
    """A claim for each image below a class's folder. Where askwell did not make the folders, an image may be meant by its path below
    its class's folder or by that below ``root``.

    Raises UsageError where there are no images.
    """
    own = (root / NOTE).is_file()
    claims, problems = list[Claim](), list[Problem]()
    for item in list_images(root).items:
        folder, slash, below = item.id.partition("/")
        if not slash:
            problems.append(Problem("unclear answer", item.id, "it is in no class's folder"))
        elif own:
            claims.append(Claim((original(below).removesuffix(DRAWN),), original(folder), exact=True))
        else:
            claims.append(Claim((below, item.id), folder))
    return Reading(claims, problems)


def _put(target: Path, content: Path | bytes, *, copy: bool) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, bytes):
        target.write_bytes(content)
    elif copy:
        shutil.copyfile(content, target)
    else:
        target.symlink_to(content.resolve())

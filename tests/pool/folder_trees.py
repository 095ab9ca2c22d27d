"""Small folders of images for tests."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

from PIL import Image


def write_images(root: Path, names: Sequence[str], *, side: int = 4, same: Mapping[str, str] | None = None) -> Path:
    """Grey images of one size, each of another content unless ``same`` says whose content it has."""
    contents = {name: number for number, name in enumerate(names)}
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        number = contents[(same or {}).get(name, name)]
        image = Image.new("L", (side, side), number % 256)
        image.putpixel((0, 0), number // 256)
        image.save(path)
    return root


def write_table(path: Path, rows: Sequence[Sequence[str]]) -> str:
    """A CSV file with those rows; its path as settings name it."""
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    return str(path)

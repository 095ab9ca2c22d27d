"""Figure 5 from committed results: AUC and positive images found, for each test set; and figure 4's example lesions from the images."""

import statistics
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from askwell.errors import DatasetCorruptError, DatasetNotFoundError
from askwell.pool.datasets import load_dataset
from askwell.report.plots import MeasuredPanel, draw_measured_panels, draw_pictures
from askwell.reproduction.lesions import LesionPoint, auc_curves, positive_curves, read_lesions, splits_of
from askwell.reproduction.results import LESIONS

TITLES = {
    "text": "ISIC 2016 as the text has it, on a frozen trunk",
    "whole": "ISIC 2016, the whole network trained",
    "askwell": "ISIC 2016, our recipe, the paper's protocol",
    "official": "ISIC 2016, our recipe, the challenge's test images",
    "folds": "ISIC 2016, our recipe, folds of the training images",
}
EVERYTHING = "second-place"
BELOW = "850 of the 900 training images{test}. Means over {over}, bars of one standard error"
OFFICIAL = ", 354 of the 379 official test images"
EXAMPLES = {  # two benign and two malignant lesions of the training part
    "benign": ("ISIC_0000000", "ISIC_0000006"),
    "malignant": ("ISIC_0000002", "ISIC_0000004"),
}


def read_all(results: Path) -> dict[str, list[LesionPoint]]:
    """Preset -> rows, of every result of figure 5."""
    return {file.parent.name: read_lesions(file) for file in sorted((results / LESIONS).glob("*/curve.csv"))}


def draw_lesions(results: Path, figures: Path) -> list[Path]:
    """Draw every preset that has a result; returns what was written."""
    rows, written = read_all(results), list[Path]()
    for preset, title in TITLES.items():
        if preset in rows:
            own, levels = rows[preset], everything(rows.get(EVERYTHING, []))
            table = [_panels(own, split, levels) for split in splits_of(own)]
            if preset == "folds":
                table = [_panels(folds_apart(own), "all", {})]
            over = "folds (five, in two divisions)" if preset == "folds" else "seeds"
            below = BELOW.format(over=over, test=OFFICIAL if preset == "official" else "")
            name = figures / f"{LESIONS}-{preset}"
            written += draw_measured_panels(table, name, title=title, below=below, along="labels")
    return written


def draw_examples(figures: Path) -> list[Path]:
    """Figure 4: example lesions, where the images are at hand; they are not committed."""
    try:
        data = load_dataset("isic2016", image_size=256)
    except (DatasetNotFoundError, DatasetCorruptError):
        return []
    places = {name: place for place, name in enumerate(data.pool.ids)}
    pictures = {}
    if not all(f"isic2016/train/{name}" in places for names in EXAMPLES.values() for name in names):
        return []
    for kind, names in EXAMPLES.items():
        for name in names:
            (image,) = data.pool.images(torch.tensor([places[f"isic2016/train/{name}"]]))
            pictures[f"{kind}  ({name})"] = image.permute(1, 2, 0).numpy()
    figures.mkdir(parents=True, exist_ok=True)
    return [*draw_pictures(pictures, figures / "figure4", title="Example lesions", below="ISIC 2016, training part")]


def everything(rows: Sequence[LesionPoint]) -> dict[str, dict[int, float]]:
    """Split -> seed -> AUC of the second-placed team's optimiser and loss on the whole pool."""
    found: dict[str, dict[int, float]] = {}
    for row in rows:
        if row.point.auc is not None:
            found.setdefault(row.split, {})[row.point.seed] = row.point.auc
    return found


def standard_error(values: Sequence[float]) -> float:
    """Of a mean; 0 for a single value, which has none."""
    return statistics.stdev(values) / len(values) ** 0.5 if len(values) > 1 else 0.0


def _panels(rows: Sequence[LesionPoint], split: str, levels: dict[str, dict[int, float]]) -> list[MeasuredPanel]:
    initial = min(row.point.labels for row in rows if row.split == split)
    line = list(levels.get(split, {}).values())
    title = f"split {split}" if split.isdigit() else "" if split == "all" else f"{split} test images"
    drawn = (
        {"all labels, second place's optimiser and loss, same trunk": (statistics.fmean(line), standard_error(line))}
        if line
        else {}
    )
    return [
        MeasuredPanel(title, "AUC", auc_curves(rows, split), drawn, digits=2),
        MeasuredPanel(title, "positives acquired", positive_curves(rows, split, initial)),
    ]


def folds_apart(rows: Sequence[LesionPoint]) -> list[LesionPoint]:
    """Every fold of every repeat as a seed of its own, all of one test set called "all"."""
    folds = splits_of(rows)
    return [
        row._replace(split="all", point=replace(row.point, seed=row.point.seed * len(folds) + folds.index(row.split)))
        for row in rows
    ]

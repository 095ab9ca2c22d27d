"""Claim: with cached features a round of a melanoma campaign (850 images, T = 100; fit, measure, score, ask) takes less than 10 s.

The recipe is that of reproduce/gal2017/figure5-official.toml, the pool ISIC 2016's training images, 200 of which are measured on too, so
that the challenge's test images are not read. It begins with 50 labels, so that 800 images are scored. The first pass over the images is
timed too. Needs ASKWELL_DATA and ASKWELL_WEIGHTS.

    python benchmarks/melanoma_round.py [--small] [--repeats N] [--threads N] [--out FILE]
"""

import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from askwell.campaign.campaign import Campaign, resolved
from askwell.campaign.inputs import FEATURES
from askwell.campaign.workspace import Stage
from askwell.learning.features import feature_file, rate_text, write_features
from askwell.models.backbone import backbone_side
from askwell.pool.datasets import Dataset, load_dataset
from askwell.pool.images import LabelledImages
from askwell.pool.kept_classes import part_of
from askwell.reproduction.checkout import paper_directory
from askwell.reproduction.plans import read_plan
from measuring import argument_parser, conditions, parse, publish, table

ASKED = 10.0
LABELS = 50  # of the first round that is timed


def training_images(side: int, items: int) -> Dataset:
    """ISIC 2016's training images as pool, 200 of them as test set too: what a round costs does not depend on whose they are."""
    data = load_dataset("isic2016", image_size=side)
    kept = torch.arange(items)
    pool, labels = part_of(data.pool, kept), data.oracle.labels[:items]
    test = LabelledImages(part_of(pool, torch.arange(min(200, items))), labels[: min(200, items)], data.classes)
    return Dataset(data.name, data.classes, pool, test, data.oracle, data.source)


def main() -> None:
    """Features once, then as many rounds as there are repeats."""
    arguments = parse(argument_parser(__doc__, repeats=5))
    before = conditions(arguments.threads)
    settings = read_plan(paper_directory() / "figure5-official.toml").settings
    recipe = resolved(settings.recipe)
    assert recipe.backbone is not None, "the recipe has a backbone"
    data = training_images(backbone_side(recipe.backbone), 60 if arguments.small else 850)
    labels, query = (40, 4) if arguments.small else (LABELS, settings.query)
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary) / "campaign"
        for images in (data.pool, data.test.images):
            write_features(file := feature_file(place / FEATURES, recipe, images), recipe, images)
        first_pass = rate_text(feature_file(place / FEATURES, recipe, data.pool).note)
        values: dict[str, Any] = {"recipe": recipe, "strategy": settings.strategy[0], "samples": 100}
        values |= {"initial": labels, "initial_set": "random", "query": query, "seed": 0}
        seconds: list[float] = []
        with Campaign.create_from(place, values, data.pool, data.test) as campaign:
            campaign.run(data.oracle, 0)
            for number in range(1, arguments.repeats + 1):
                began = time.perf_counter()
                campaign.run(data.oracle, number, notify=_quiet)
                seconds.append(time.perf_counter() - began)
            curve = campaign.curve()[1:]
    report = before | {
        "items": len(data.pool),
        "samples": 100,
        "labels": labels,
        "query": query,
        "strategy": settings.strategy[0],
        "first_pass": first_pass.partition("; they")[0],
        "features_file": file.key,
        "round_seconds": seconds,
        "median": statistics.median(seconds),
        "asked": ASKED,
        "of_which_fit": [point.seconds_fit for point in curve],
        "of_which_score": [point.seconds_score for point in curve],
    }
    print(report["first_pass"])
    print(table(["", "seconds"], [["round, median", report["median"]], ["asked", ASKED]]))
    publish(report, arguments.out)


def _quiet(_: Stage) -> None:
    """Nothing is printed while a round is timed."""


if __name__ == "__main__":
    main()

"""What labelling by the page is worth: somebody who knows every answer labels ISIC 2016's training images by the page's own requests, one
a second, and a model is fitted to the first 100, 200 and 400 answers; measured on the challenge's 354 test images, beside random order.

`askwell label` really runs, with its worker in the background and whatever queue it has in force when a question is asked. Of the
answers every eighth is for measuring and never trained on; "random" has as many labels to train on, "random, all" all of them. The fits
are the worker's own recipe, three each, their mean AUC counted; the test images choose nothing. Campaigns that are in the output are not
run again. Needs ASKWELL_DATA and ASKWELL_WEIGHTS; seven minutes a seed.

    python benchmarks/simulated_person.py [--small] [--seeds N] [--pace SECONDS] [--out FILE]
"""

import argparse
import json
import os
import statistics
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

import torch
from sklearn.metrics import roc_auc_score
from torch import Tensor

from askwell.campaign.labelling import DEFAULT_BACKBONE, LabellingSettings
from askwell.campaign.learner import SAMPLES
from askwell.campaign.network import on_a_trunk
from askwell.campaign.settings import made_with
from askwell.learning.features import feature_file, read_features, write_features
from askwell.learning.recipe import Recipe
from askwell.learning.supervised import fit
from askwell.models.backbone import backbone_side
from askwell.pool.datasets import load_dataset
from askwell.posterior.mc_dropout import MCDropout
from askwell.probability import log_mean_exp
from labelling_clients import Command
from measuring import publish, table

LOOKS = (100, 200, 400)  # answers
FITS = 3
ARMS = ("page", "random", "random, all")
Given = list[tuple[str, bool]]  # of each answer: the image's file, and whether it is for measuring


def label_by_page(folder: Path, campaign: Path, truth: dict[str, int], answers: int, pace: float) -> dict[str, Any]:
    """Answer so many questions of a new campaign; what was asked, in order, and the rounds that were done by each look."""
    given: Given = []
    rounds: dict[int, int | None] = {}
    command = Command(folder, campaign, ["ann"], classes="benign,malignant").start()
    link = command.links["ann"]
    opener, address = urllib.request.build_opener(urllib.request.HTTPCookieProcessor()), link.partition("?")[0]

    def ask(path: str, body: dict[str, Any] | None = None) -> Any:
        headers = {"Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        with opener.open(urllib.request.Request(address + path, data, headers)) as reply:
            return json.load(reply)

    opener.open(link).read()
    while len(given) < answers:
        began = time.monotonic()
        question = ask("api/next")
        if question["id"] is None:  # the folder is being indexed
            time.sleep(0.2)
            continue
        name = ask(f"api/items/{question['id']}")["name"]
        time.sleep(max(0.0, began + pace - time.monotonic()))
        body = {"id": question["id"], "key": question["key"], "kind": "label", "label": f"c{1 + truth[name]}"}
        ask("api/answers", {**body, "seconds": pace})
        given.append((name, question["items"][0]["evaluation"]))
        if len(given) in LOOKS:
            rounds[len(given)] = ask("api/state")["round"]
    command.stop()
    return {"given": given, "rounds": rounds}


def chosen(arm: str, given: Given, order: list[str], answers: int) -> list[str]:
    """The images whose labels an arm trains on after so many answers."""
    asked = [name for name, measures in given[:answers] if not measures]
    return asked if arm == "page" else order[: len(asked) if arm == "random" else answers]


def main() -> None:
    """Label, then fit, then the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--small", action="store_true", help="one seed, 20 answers at four a second: shows that it runs"
    )
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--pace", type=float, default=1.0, help="seconds for an answer")
    parser.add_argument("--out", type=Path, help="where to write the JSON")
    arguments = parser.parse_args()
    looks, seeds, pace = ((20,), 1, 0.25) if arguments.small else (LOOKS, arguments.seeds, arguments.pace)
    folder = Path(os.environ["ASKWELL_DATA"]) / "isic2016" / "train"
    recipe = on_a_trunk(LabellingSettings(folder=str(folder), seed="", made_with=made_with(1)))
    assert recipe.backbone is not None, "it is a head on a trunk"
    data = load_dataset("isic2016", image_size=backbone_side(recipe.backbone))
    names = [f"{Path(item_id).name}.jpg" for item_id in data.pool.ids]
    truth = dict(zip(names, data.oracle.labels.tolist(), strict=True))
    report: dict[str, Any] = {"backbone": DEFAULT_BACKBONE, "pace_s": pace, "campaigns": []}
    if arguments.out is not None and arguments.out.exists():
        report = json.loads(arguments.out.read_text(encoding="utf-8"))
    for seed in range(len(report["campaigns"]), seeds):
        with tempfile.TemporaryDirectory() as temporary:
            found = label_by_page(folder, Path(temporary) / "campaign", truth, max(looks), pace)
        report["campaigns"].append({"seed": seed, **found})
        publish(report, arguments.out)
    report |= {"made_with": made_with(1).model_dump(), "pool": len(data.pool), "test": len(data.test.labels)}
    report["results"] = measure(report["campaigns"], recipe, data, names, looks)
    publish(report, arguments.out)
    rows = []
    for arm in ARMS:
        of_arm = [row for row in report["results"] if row["arm"] == arm]
        cells = [[row["auc"] for row in of_arm if row["answers"] == look] for look in looks]
        spread = [f"{statistics.mean(each):.3f} ({statistics.pstdev(each):.3f})" for each in cells]
        rows.append([arm, *spread])
    print(table(["AUC, mean (sd)", *(f"{look} answers" for look in looks)], rows))


def measure(
    campaigns: list[dict[str, Any]], recipe: Recipe, data: Any, names: list[str], looks: tuple[int, ...]
) -> list[dict[str, Any]]:
    """Every arm's AUC on the test images after so many answers, with the labels that it trained on."""
    place = {name: row for row, name in enumerate(names)}
    with tempfile.TemporaryDirectory() as temporary:
        files = [feature_file(Path(temporary), recipe, part) for part in (data.pool, data.test.images)]
        for file, part in zip(files, (data.pool, data.test.images), strict=True):
            write_features(file, recipe, part)
        pool, test = (
            read_features(file, part, files[0]) for file, part in zip(files, (data.pool, data.test.images), strict=True)
        )
        inputs, tested = pool.images(torch.arange(len(names))), test.images(torch.arange(len(data.test.labels)))
    found: list[dict[str, Any]] = []
    for campaign in campaigns:
        order = [
            names[row] for row in torch.randperm(len(names), generator=torch.Generator().manual_seed(campaign["seed"]))
        ]
        for look in looks:
            for arm in ARMS:
                rows = torch.tensor([place[name] for name in chosen(arm, campaign["given"], order, look)])
                labels = data.oracle.labels[rows]
                aucs = [auc(recipe, inputs[rows], labels, tested, data.test.labels, number) for number in range(FITS)]
                about = {"seed": campaign["seed"], "arm": arm, "answers": look, "trained_on": len(rows)}
                found.append({**about, "malignant": int(labels.sum()), "auc": statistics.mean(aucs), "each": aucs})
    return found


def auc(recipe: Recipe, inputs: Tensor, labels: Tensor, tested: Tensor, truth: Tensor, seed: int) -> float:
    """Of the mean probability over posterior samples."""
    model = fit(recipe, inputs, labels, classes=2, seed=seed)
    predictive = log_mean_exp(MCDropout(model, samples=SAMPLES, seed=seed).log_probs(tested).double())
    return float(roc_auc_score(truth.numpy(), predictive[:, 1].exp().numpy()))


if __name__ == "__main__":
    main()

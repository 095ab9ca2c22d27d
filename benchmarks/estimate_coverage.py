"""Claim: the accuracy that is estimated while one labels is right: its bias is below half a point, its intervals cover the truth.

A campaign is simulated as a person would run it: the pool's permutation is drawn, its reserved items are put aside, every eighth question
is the next of them, the others are the learner's, which asks for the smallest margins and is fitted anew after every 25 answers. What
is tested is the estimator, so the learner is the cheapest one that does all this: regularised least squares on raw descriptors (digits:
their 64 pixels; MNIST: 8x8 thumbnails; ISIC 2016: 60 principal components of 16x16 colour thumbnails).

The truth of a campaign is the share of images like the pool's that its model gets right, of those that took no part in its making: the
reserved ones, and all images of the data set outside the pool, which is drawn anew for every campaign. All 1,797 digits leave none
outside: there the truth is the mean over campaigns of the share of reserved images that models of as many answers get right, and that
the models of a time differ counts as error of the estimate.

Looked at after 100, 200 and 400 answers, when the learner has taken half the pool, and at two stopping times: when somebody stops because
the time-uniform interval's lower end has reached a goal, and when an enemy who knows the truth stops as soon as the interval misses it
(each interval has an enemy of its own; both give up when half the pool is taken). One line of CSV for each pool and time.

    python benchmarks/estimate_coverage.py [--campaigns 400] [--out FILE.csv] [--small]
"""

import argparse
import csv
import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import sklearn.datasets
import torch

from askwell.pool.reading import read_images
from askwell.report.estimation import Estimate, estimate_accuracy
from askwell.report.evaluation_sample import permutation, reserved

RESULTS = Path(__file__).resolve().parent / "results" / "estimate_coverage.csv"
EVERY = 8  # questions, of which the last is the next reserved item
FIT_EVERY = 25
INITIAL = 25  # of the learner's questions, at random, before there is a model
RIDGE = 0.1
LOOKS = (100, 200, 400)
HALF, GOAL, ENEMY = "half the pool", "stopped at a goal", "stopped by an enemy"
GOALS = {"digits": 0.8, "mnist": 0.75, "isic2016": 0.7}
INTERVALS = ("fixed", "any_time")


class Images(NamedTuple):
    """Descriptors [N, D] with a constant, and labels [N] in 0..C-1, of which a campaign's pool takes ``pool``."""

    name: str
    features: np.ndarray
    labels: np.ndarray
    pool: int


class Look(NamedTuple):
    """What a campaign says at one time, and what is so: the shares of right ones among images that took no part, the reserved ones, all of
    the pool, and those of the pool that nobody has labelled.
    """

    when: str
    answers: int
    estimate: Estimate
    outside: float
    reserved: float
    whole: float
    unlabelled: float


def digits(pool: int) -> Images:
    """scikit-learn's 1,797 digits."""
    images, labels = sklearn.datasets.load_digits(return_X_y=True)
    return _standardised("digits", images, labels, pool)


def mnist(pool: int) -> Images:
    """The first 6,000 training images of MNIST."""
    from askwell.pool.datasets import load_dataset

    data = load_dataset("mnist")
    pixels = data.pool.images(torch.arange(6_000)).double()
    small = torch.nn.functional.adaptive_avg_pool2d(pixels, 8).flatten(1).numpy()
    labels = [data.classes.index(name) for name in data.oracle.answer(data.pool.ids[:6_000])]
    return _standardised("mnist", small, np.array(labels), pool)


def isic(pool: int) -> Images:
    """ISIC 2016, training and test images together."""
    from askwell.pool.datasets import load_dataset

    data = load_dataset("isic2016", image_size=16)
    known = [data.classes.index(name) for name in data.oracle.answer(data.pool.ids)]
    parts = [read_images(images, torch.arange(len(images)), lambda _: None) for images in (data.pool, data.test.images)]
    labels = [
        np.array(each)[read.entries.numpy()]
        for each, read in zip((known, data.test.labels.tolist()), parts, strict=True)
    ]
    pixels = np.concatenate([read.images.flatten(1).double().numpy() for read in parts])
    pixels -= pixels.mean(axis=0)
    _, _, directions = np.linalg.svd(pixels, full_matrices=False)
    return _standardised("isic2016", pixels @ directions[:60].T, np.concatenate(labels), pool)


def _standardised(name: str, features: np.ndarray, labels: np.ndarray, pool: int) -> Images:
    spread = features.std(axis=0)
    scaled = (features - features.mean(axis=0)) / np.where(spread > 0, spread, 1) / math.sqrt(features.shape[1])
    return Images(name, np.hstack([scaled, np.ones((len(labels), 1))]), labels, pool)


def scores_of(images: Images, trained: list[int]) -> np.ndarray:
    """X (X'X + ridge)^-1 X'Y: the scores [N, C] of all images by least squares on those that are trained on."""
    targets = np.eye(images.labels.max() + 1)[images.labels[trained]]
    X = images.features[trained]
    return images.features @ np.linalg.solve(X.T @ X + RIDGE * np.eye(X.shape[1]), X.T @ targets)


class Campaign:
    """One simulated campaign: who is in the pool, what was asked, and the model's scores of all images."""

    def __init__(self, images: Images, seed: int) -> None:
        self.images, self.N = images, images.pool
        self.generator = np.random.default_rng([seed, 1])
        self.members = self.generator.permutation(len(images.labels))[: self.N]
        order = self.members[permutation(self.N, seed)]
        self.asked = order[: len(reserved(permutation(self.N, seed)).asked)]
        self.free = np.setdiff1d(self.members, self.asked)
        self.outside = np.setdiff1d(np.arange(len(images.labels)), self.free)
        self.waiting = self.generator.permutation(self.free)[:INITIAL].tolist()
        self.trained, self.measured = list[int](), list[int]()
        self.scores, self.right = np.empty(0), np.empty(0, bool)

    def ask(self, question: int) -> None:
        """The next question, counted from 1, with its answer, and the fit that may follow."""
        if question % EVERY == 0 and len(self.measured) < len(self.asked):
            self.measured.append(self.asked[len(self.measured)])
        else:
            if not self.waiting:
                self.waiting = self._smallest_margins()
            self.trained.append(self.waiting.pop(0))
        if question % FIT_EVERY == 0:
            self.scores = scores_of(self.images, self.trained)
            self.right = self.scores.argmax(axis=1) == self.images.labels

    def look(self, when: str, answers: int) -> Look:
        """What is estimated now, and the truth."""
        correct = self.right[self.measured].tolist()
        estimate = estimate_accuracy(["label"] * len(correct), correct, self.N)
        rest = np.setdiff1d(self.members, [*self.trained, *self.measured])
        shares = [float(self.right[which].mean()) for which in (self.outside, self.asked, self.members, rest)]
        return Look(when, answers, estimate, *shares)

    def _smallest_margins(self) -> list[int]:
        open_items = np.setdiff1d(self.free, self.trained)
        best = np.sort(self.scores[open_items], axis=1)
        margin = best[:, -1] - best[:, -2] + self.generator.uniform(0, 1e-9, len(open_items))
        return open_items[np.argsort(margin)[:FIT_EVERY]].tolist()


def looks_of(images: Images, seed: int, truths: Mapping[int, float] | None) -> Iterator[Look]:
    """One campaign's looks, in their order. truths are those of models of so many answers, where no image is outside the pool."""
    campaign, goal = Campaign(images, seed), GOALS[images.name]
    open_rules = {GOAL, *(f"{ENEMY} of {name}" for name in INTERVALS)}
    for answers in range(1, images.pool):
        campaign.ask(answers)
        done = 2 * len(campaign.trained) >= images.pool
        if answers < 2 * FIT_EVERY or not (done or answers in LOOKS or 0 in (answers % EVERY, answers % FIT_EVERY)):
            continue  # nothing to look at, or nothing new
        look = campaign.look(HALF if done else str(answers), answers)
        if truths is not None:
            look = look._replace(outside=truths[answers - answers % FIT_EVERY])
        misses = {f"{ENEMY} of {name}": not _covers(look, name) for name in INTERVALS}
        for rule in sorted(open_rules):
            if done or misses.get(rule, look.estimate.any_time.low > goal):
                open_rules.remove(rule)
                yield look._replace(when=rule)
        if answers in LOOKS or done:
            yield look
        if done:
            return


def truths_of(images: Images, seeds: range) -> dict[int, float] | None:
    """Number of answers at a fit -> mean share of reserved images that the models get right; None where images are outside the pool."""
    if images.pool < len(images.labels):
        return None
    shares: dict[int, list[float]] = {}
    for seed in seeds:
        campaign = Campaign(images, seed)
        for answers in range(1, images.pool):
            campaign.ask(answers)
            if answers % FIT_EVERY == 0:
                shares.setdefault(answers, []).append(float(campaign.right[campaign.asked].mean()))
            if 2 * len(campaign.trained) >= images.pool:
                break
    return {answers: float(np.mean(each)) for answers, each in shares.items()}


def _covers(look: Look, interval: str) -> bool:
    low, high = getattr(look.estimate, interval)
    return low <= look.outside <= high


def summary(images: Images, looks: list[Look]) -> dict[str, object]:
    """One line. The bias is also taken given the reserved items, of which the answers are a random sample: the same one, seen better."""
    error = np.array([look.estimate.accuracy - look.outside for look in looks])
    given = np.array([look.reserved - look.outside for look in looks])

    def mean(value: Callable[[Look], float]) -> float:
        return float(np.mean([value(look) for look in looks]))

    numbers = {
        "answers": mean(lambda look: look.answers),
        "evaluation_answers": mean(lambda look: look.estimate.n),
        "truth": mean(lambda look: look.outside),
        "bias": error.mean(),
        "bias_se": error.std(ddof=1) / math.sqrt(len(looks)),
        "bias_given_reserved": given.mean(),
        "bias_given_reserved_se": given.std(ddof=1) / math.sqrt(len(looks)),
        "wilson_coverage": mean(lambda look: _covers(look, "fixed")),
        "wilson_width": mean(lambda look: np.ptp(look.estimate.fixed)),
        "time_uniform_coverage": mean(lambda look: _covers(look, "any_time")),
        "time_uniform_width": mean(lambda look: np.ptp(look.estimate.any_time)),
        "whole_pool_accuracy": mean(lambda look: look.whole),
        "unlabelled_accuracy": mean(lambda look: look.unlabelled),
    }
    about = {"data": images.name, "pool": images.pool, "when": looks[0].when, "campaigns": len(looks)}
    return {**about, **{name: f"{value:.4f}" for name, value in numbers.items()}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--campaigns", type=int, default=400)
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--small", action="store_true", help="digits only, 20 campaigns, nothing written")
    options = parser.parse_args()
    sources = [(digits, 850)] if options.small else [(digits, 1797), (isic, 850), (digits, 850), (mnist, 1797)]
    seeds = range(20 if options.small else options.campaigns)
    rows = []
    for load, pool in sources:
        images = load(pool)
        truths = truths_of(images, seeds)
        by_time: dict[str, list[Look]] = {}
        for seed in seeds:
            for look in looks_of(images, seed, truths):
                by_time.setdefault(look.when, []).append(look)
        for when in (*map(str, LOOKS), HALF, GOAL, *(f"{ENEMY} of {name}" for name in INTERVALS)):
            rows.append(summary(images, by_time[when]))
            print(rows[-1], flush=True)
    if not options.small:
        with options.out.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)


if __name__ == "__main__":
    main()

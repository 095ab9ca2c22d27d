"""Claim: the paper's network trains in under half the time of a plain eager loop in fp32, to the same accuracy.

500 MNIST labels, as many of each class, 50 epochs in batches of 128, Adam at .001. Every repeat is another seed, of weights and batches,
for all contestants, and the plain loop has a process of its own; accuracy is that of weight scaling on the 10,000 test images. The
full form takes some 2 minutes.

    python benchmarks/training.py [--small] [--repeats N] [--threads N] [--out FILE]
"""

import statistics
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from apart import Apart
from askwell.learning.supervised import fit
from askwell.models.bcnn import bcnn
from askwell.pool.images import as_float
from askwell.posterior.point import Point
from measuring import argument_parser, conditions, parse, precisions, publish, ratios, table, take_turns, timed
from plain import timed_fit
from subjects import BATCH, CLASSES, PAPER, SHAPE, Subject, mnist_or_generated, some_labels

ASKED = {"bf16": 2.2}
REPEATS = 7
TEST_CHUNK = 1000


@dataclass
class Lesson:
    """The labelled images, and the test accuracies found, one for each seed."""

    subject: Subject
    images: Tensor
    labels: Tensor
    epochs: int
    apart: Apart
    accuracies: dict[str, list[float]] = field(default_factory=dict)

    def ours(self, precision: str) -> float:
        """askwell's fit, from the labels to the network."""
        recipe = PAPER.model_copy(update={"precision": precision, "epochs": self.epochs})
        seed = len(self.accuracies.setdefault(precision, []))
        return self._noted(precision, *timed(lambda: fit(recipe, self.images, self.labels, classes=CLASSES, seed=seed)))

    def plain(self) -> float:
        """The same by the plain loop, from fresh weights on."""
        seed = len(self.accuracies.setdefault("plain loop", []))
        torch.manual_seed(seed)
        network = bcnn(SHAPE, CLASSES)
        found = self.apart.call(timed_fit, network, self.images, self.labels, self.epochs, BATCH, seed)
        return self._noted("plain loop", *found)

    def _noted(self, name: str, seconds: float, network: nn.Module) -> float:
        self.accuracies[name].append(self._accuracy(network))
        return seconds

    def _accuracy(self, network: nn.Module) -> float:
        point, chunks = Point(network), self.subject.test_images.split(TEST_CHUNK)
        predicted = torch.cat([point.log_probs(as_float(chunk))[:, 0].argmax(dim=1) for chunk in chunks])
        return float((predicted == self.subject.test_labels).double().mean())


def spread_of(accuracies: Sequence[float]) -> dict[str, Any]:
    """Mean and standard deviation over seeds."""
    deviation = statistics.stdev(accuracies) if len(accuracies) > 1 else None
    return {"each": accuracies, "mean": statistics.fmean(accuracies), "standard_deviation": deviation}


def within_spread(ours: Sequence[float], plain: Sequence[float]) -> dict[str, Any]:
    """Whether the means differ by no more than one seed does from another: the pooled standard deviation of both."""
    difference = statistics.fmean(ours) - statistics.fmean(plain)
    if len(ours) < 2:
        return {"difference_of_means": difference, "pooled_deviation": None, "within_the_seeds_spread": None}
    pooled = ((statistics.variance(ours) + statistics.variance(plain)) / 2) ** 0.5
    return {
        "difference_of_means": difference,
        "pooled_deviation": pooled,
        "within_the_seeds_spread": abs(difference) <= pooled,
    }


def measure(lesson: Lesson, arguments: Namespace) -> dict[str, Any]:
    """Take turns, after one of each that is not counted; print the table."""
    fit(PAPER.model_copy(update={"epochs": 1}), lesson.images, lesson.labels, classes=CLASSES, seed=0)
    lesson.apart.call(timed_fit, bcnn(SHAPE, CLASSES), lesson.images, lesson.labels, 1, BATCH, 0)
    turns = {precision: partial(lesson.ours, precision) for precision in precisions()}
    seconds = take_turns(turns | {"plain loop": lesson.plain}, arguments.repeats)
    plain = lesson.accuracies["plain loop"]
    medians = {name: statistics.median(each) for name, each in seconds.items()}
    times = {name: ratios(seconds["plain loop"], seconds[name]) | {"asked": ASKED.get(name)} for name in turns}
    report = {
        "images": lesson.subject.source,
        "labels": len(lesson.labels),
        "epochs": lesson.epochs,
        "batch": BATCH,
        "small": arguments.small,
        "seconds": seconds,
        "medians": medians,
        "images_per_second": {name: len(lesson.labels) * lesson.epochs / value for name, value in medians.items()},
        "times_ours": times,
        "accuracy": {name: spread_of(each) for name, each in lesson.accuracies.items()},
        "against_plain": {name: within_spread(lesson.accuracies[name], plain) for name in turns},
    }
    accuracy = report["accuracy"]
    headers = ["", "seconds", "plain loop x", "test accuracy", "deviation"]
    rows = [
        [name, medians[name], times.get(name, {}).get("median"), *list(accuracy[name].values())[1:]] for name in medians
    ]
    print(table(headers, rows))
    return report


def main() -> None:
    """Alternate, compare, report."""
    arguments = parse(argument_parser(__doc__, repeats=REPEATS))
    before = conditions(arguments.threads)
    labels, epochs = (100, 10) if arguments.small else (500, 50)
    subject = mnist_or_generated(60_000, 1000 if arguments.small else 10_000)
    chosen = some_labels(subject, labels)
    with Apart(arguments.threads) as apart:
        lesson = Lesson(subject, subject.images[chosen], subject.labels[chosen], epochs, apart)
        report = before | measure(lesson, arguments)
    publish(report, arguments.out)


if __name__ == "__main__":
    main()

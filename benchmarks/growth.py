"""Claim: scoring is linear in the pool's size, and its cost, and training's, grow as the FLOP model says.

The paper's network on generated images: scoring (BALD) against the size of the pool N, against T and against the number of classes C,
and training against the number of labels. Beside each measured time stands that of the FLOP model at the rate of products
measured in the same run, and the fraction of that rate that was reached. N and T are kept where this can be paid: T = 10 for N up to
300,000, or 1,000,000 with --million. The full form takes some 6 minutes, with --million some 10. plots.py draws the JSON.

    python benchmarks/growth.py [--small] [--million] [--repeats N] [--threads N] [--out FILE]
"""

import statistics
from collections import defaultdict
from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch

from askwell.acquisition import bald
from askwell.learning.supervised import fit
from askwell.models.bcnn import HIDDEN_UNITS, bcnn
from askwell.posterior.mc_dropout import MCDropout
from askwell.scoring.local import score_pool
from flop_model import (
    INPUTS,
    PREFIX_FLOPS,
    Limits,
    fraction_of_rate,
    head_flops,
    kept_by_masks,
    measure_limits,
    seconds_at,
)
from measuring import argument_parser, conditions, parse, precisions, publish, table, take_turns, timed
from subjects import CLASSES, PAPER, SHAPE, GeneratedPool, generated

EPOCHS = 10
TRAINING_FLOPS = 3 * (
    PREFIX_FLOPS + 2 * INPUTS * HIDDEN_UNITS + 2 * HIDDEN_UNITS * CLASSES
)  # forward, and twice that backward
ASKED_SLOPE = {"least": 0.9, "most": 1.1}
AXES = ("items", "samples", "classes", "labels")


class Point(NamedTuple):
    """What is measured once: which of the four axes it belongs to, and its place on all of them (labels: training)."""

    axis: str
    precision: str
    items: int = 0
    samples: int = 0
    classes: int = CLASSES
    labels: int = 0

    def __str__(self) -> str:
        return f"{getattr(self, self.axis)} {self.axis}, {self.precision}"

    def seconds(self) -> float:
        """Of one scoring, from the network to the scores, or of one training."""
        if self.axis == "labels":
            subject = generated(self.labels, 0)
            recipe = PAPER.model_copy(update={"precision": self.precision, "epochs": EPOCHS})
            return timed(lambda: fit(recipe, subject.images, subject.labels, classes=CLASSES, seed=0))[0]
        torch.manual_seed(0)
        network, pool = bcnn(SHAPE, self.classes), GeneratedPool.of(self.items)
        return timed(lambda: self._score(network, pool))[0]

    def _score(self, network: torch.nn.Module, pool: GeneratedPool) -> None:
        posterior = MCDropout(network, samples=self.samples, seed=0, precision=self.precision)
        score_pool(posterior, pool, torch.arange(len(pool)), bald, classes=self.classes)

    def model(self, limits: Limits, seconds: float) -> dict[str, float]:
        """The FLOP model's seconds, and the fraction of the rate of products that was reached."""
        if self.axis == "labels":
            flops = EPOCHS * self.labels * TRAINING_FLOPS
            return {"model_seconds": flops / limits.rate, "fraction_of_rate": flops / seconds / limits.rate}
        heads = head_flops(kept_by_masks(0, self.samples), self.classes)
        return {
            "model_seconds": seconds_at(limits, self.items, heads),
            "fraction_of_rate": fraction_of_rate(limits, seconds, self.items, heads),
        }


def points_to_measure(*, small: bool, million: bool) -> list[Point]:
    """All places on the four axes, in every precision."""
    sizes = (2000, 4000, 8000) if small else (10_000, 30_000, 100_000, 300_000, *((1_000_000,) if million else ()))
    draws = (5, 10, 20) if small else (10, 20, 50, 100, 200)
    classes = (10, 100) if small else (10, 100, 1000)
    labels = (20, 100) if small else (20, 50, 100, 200, 500, 1000, 2000)
    N = 1000 if small else 10_000
    points: list[Point] = []
    for precision in precisions():
        points += [Point("items", precision, items=size, samples=5 if small else 10) for size in sizes]
        points += [Point("samples", precision, items=N, samples=T) for T in draws]
        points += [Point("classes", precision, items=N // 2, samples=5 if small else 20, classes=C) for C in classes]
        points += [Point("labels", precision, labels=count) for count in labels]
    return points


def slope(sizes: Sequence[float], seconds: Sequence[float]) -> float:
    """Of log seconds over log size, by least squares: 1 where the time is linear."""
    return float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])


def main() -> None:
    """Measure, print, write."""
    parser = argument_parser(__doc__, repeats=2)
    parser.add_argument("--million", action="store_true", help="a pool of 1,000,000 too")
    arguments = parse(parser)
    before = conditions(arguments.threads)
    points = points_to_measure(small=arguments.small, million=arguments.million)
    limits: defaultdict[str, list[Limits]] = defaultdict(list)
    torch.manual_seed(0)
    network, images = bcnn(SHAPE, CLASSES), generated(512 if arguments.small else 2048, 0).images

    def at_the_limit(precision: str) -> float:
        seconds, found = timed(lambda: measure_limits(network, images, precision))
        limits[precision].append(found)
        return seconds

    points[0].seconds()  # the first of a process is slower, and not counted
    turns = {f"limits, {precision}": partial(at_the_limit, precision) for precision in precisions()}
    seconds = take_turns(turns | {str(point): point.seconds for point in points}, arguments.repeats)
    middle = {
        precision: Limits(*(statistics.median(values) for values in zip(*found, strict=True)))
        for precision, found in limits.items()
    }
    measured = [report_of(point, seconds[str(point)], middle[point.precision]) for point in points]
    report: dict[str, Any] = before | {
        "small": arguments.small,
        "epochs": EPOCHS,
        "limits": {
            precision: {"gflops_per_second": each.rate / 1e9, "prefix_microseconds": 1e6 * each.prefix_seconds}
            for precision, each in middle.items()
        },
        "points": measured,
        "slope_over_items": {precision: slope_over_items(measured, precision) for precision in precisions()},
        "slope_asked": ASKED_SLOPE,
    }
    headers = ["", "seconds", "FLOP model", "times", "fraction of the rate"]
    columns = ("name", "median", "model_seconds", "times_model", "fraction_of_rate")
    print(table(headers, [[each[column] for column in columns] for each in measured]))
    print(f"slope of log seconds over log N: {report['slope_over_items']}")
    publish(report, arguments.out)


def report_of(point: Point, seconds: Sequence[float], limits: Limits) -> dict[str, Any]:
    """The point with its times and the model's."""
    median = statistics.median(seconds)
    model = point.model(limits, median)
    times = {"seconds": list(seconds), "median": median, "times_model": median / model["model_seconds"]}
    return {"name": str(point), **point._asdict(), **times, **model}


def slope_over_items(measured: Sequence[dict[str, Any]], precision: str) -> float:
    """Over the points of that axis."""
    chosen = [each for each in measured if each["axis"] == "items" and each["precision"] == precision]
    return slope([each["items"] for each in chosen], [each["median"] for each in chosen])


if __name__ == "__main__":
    main()

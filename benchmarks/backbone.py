"""Claim: a backbone whose only dropout is in its head takes about one pass, not T: VGG16, T = 20, 64 images of 224x224.

torchvision's VGG16 with random weights. The plain loop has a process of its own, is at the faster memory format and runs a few of the T
passes, which are all alike; their time is multiplied. Equal masks are compared in the tests; here the mean probabilities, against the
differences between disjoint samples of our own. The full form takes some 3 minutes.

    python benchmarks/backbone.py [--small] [--repeats N] [--threads N] [--out FILE]
"""

import statistics
from argparse import Namespace
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torchvision.models import vgg16

from apart import Apart
from askwell.posterior.mc_dropout import MCDropout
from askwell.probability import LogProbs, log_mean_exp
from measuring import argument_parser, conditions, parse, precisions, publish, ratios, table, take_turns, timed
from plain import PlainSetting, timed_passes

ASKED = {"fp32": 15}
PASSES = 2  # of the plain loop's T
BATCH = 16  # images at once in the plain loop; the passes are long, so that this hardly matters
ALLOWED = 1.5  # times the mean difference between two disjoint pairs of our own samples


@dataclass
class Backbone:
    """The network, the images, and what was found last."""

    network: nn.Module
    images: Tensor
    samples: int
    passes: int
    apart: Apart
    found: dict[str, LogProbs] = field(default_factory=dict)

    def ours(self, precision: str) -> float:
        """All samples, from the network on."""
        seconds, self.found[precision] = timed(
            lambda: MCDropout(self.network, samples=self.samples, seed=0, precision=precision, batch=32).log_probs(
                self.images.float() / 255
            )
        )
        return seconds

    def plain(self, channels_last: bool) -> float:
        """A few passes, times what is left of T."""
        setting = PlainSetting(BATCH, channels_last)
        seconds, found = self.apart.call(timed_passes, self.network, self.images, self.passes, setting)
        self.found["plain loop"] = found
        return seconds * self.samples / self.passes

    def fastest_format(self) -> dict[bool, float]:
        """The seconds of one pass of a batch, channels last or not, the faster first; the first pass is not counted."""
        found: dict[bool, float] = {}
        for channels_last in (False, True):
            setting = PlainSetting(BATCH, channels_last)
            for images in (self.images[:2], self.images[:BATCH]):
                found[channels_last], _ = self.apart.call(timed_passes, self.network, images, 1, setting)
        return dict(sorted(found.items(), key=lambda entry: entry[1]))

    def agreement(self) -> dict[str, Any]:
        """Mean differences of mean probabilities, all means over as few samples as the plain loop has."""
        own = self.found["fp32"].split(self.passes, dim=1)
        spread = _difference(own[0], own[1])
        theirs = _difference(own[0], self.found["plain loop"])
        bf16 = (
            {"bf16_to_fp32": _difference(own[0], self.found["bf16"][:, : self.passes])} if "bf16" in self.found else {}
        )
        return {
            "samples": self.passes,
            "plain_to_ours": theirs,
            "between_own": spread,
            "within_monte_carlo_error": theirs <= ALLOWED * spread,
            **bf16,
        }


def _difference(left: LogProbs, right: LogProbs) -> float:
    means = [log_mean_exp(log_probs.double()).exp() for log_probs in (left, right)]
    return float((means[0] - means[1]).abs().mean())


def measure(backbone: Backbone, arguments: Namespace) -> dict[str, Any]:
    """Take turns, compare; print the table."""
    formats = backbone.fastest_format()
    fastest = next(iter(formats))
    turns = {precision: partial(backbone.ours, precision) for precision in precisions()}
    seconds = take_turns(turns | {"plain loop": partial(backbone.plain, fastest)}, arguments.repeats)
    medians = {name: statistics.median(each) for name, each in seconds.items()}
    times = {name: ratios(seconds["plain loop"], seconds[name]) | {"asked": ASKED.get(name)} for name in turns}
    report = {
        "items": len(backbone.images),
        "side": backbone.images.shape[-1],
        "samples": backbone.samples,
        "small": arguments.small,
        "plain_passes_measured": PASSES,
        "plain_channels_last": fastest,
        "formats_tried": {"channels last" if last else "channels first": value for last, value in formats.items()},
        "seconds": seconds,
        "medians": medians,
        "times_ours": times,
        "agreement": backbone.agreement(),
    }
    rows = [[name, medians[name], times[name]["median"] if name in times else None] for name in medians]
    print(table(["", "seconds", "plain loop x"], rows))
    print(report["agreement"])
    return report


def main() -> None:
    """Alternate, compare, report."""
    parser = argument_parser(__doc__, repeats=3)
    arguments = parse(parser)
    before = conditions(arguments.threads)
    side, items, samples = (64, 8, 8) if arguments.small else (224, 64, 20)
    torch.manual_seed(0)
    images = torch.randint(0, 256, (items, 3, side, side), dtype=torch.uint8)
    with Apart(arguments.threads) as apart:
        backbone = Backbone(vgg16(weights=None).eval(), images, samples, PASSES, apart)
        report = before | measure(backbone, arguments)
    publish(report, arguments.out)


if __name__ == "__main__":
    main()

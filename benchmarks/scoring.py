"""Claim: 60,000 images with T = 100 samples of the paper's network, scored by BALD, in a small fraction of the others' time.

Ours, always on all images, from the trained network to the scores: full sampling and adaptive sampling (the 10 best), in fp32 and bf16.
Theirs on a part of the images (their time is linear in them, which is checked) times the rest: the plain loop of T full passes, Baal
and batchbald_redux, with the same weights, images and T. In every repeat the machine's own limits are measured too: see flop_model.py.
Agreement, and the memory above the imports, are in the same report. The full form takes some 11 minutes on two idle cores, with a
third repeat 14, with --whole some 80.

    python benchmarks/scoring.py [--small] [--repeats N] [--threads N] [--peer-items N] [--whole] [--out FILE]
"""

import statistics
import tempfile
from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from agreement import overlap, own_moments, own_spread
from apart import Apart
from askwell.acquisition import bald
from askwell.learning.precision import resolve_precision
from askwell.pool.images import Pool, as_pool
from askwell.posterior.mc_dropout import MCDropout
from askwell.scoring.adaptive import AdaptiveScores, score_adaptively
from askwell.scoring.local import score_pool
from flop_model import Limits, fraction_of_rate, head_flops, kept_by_masks, measure_limits, seconds_at
from measuring import (
    Seconds,
    argument_parser,
    conditions,
    parse,
    positive,
    precisions,
    publish,
    table,
    take_turns,
    timed,
)
from peers import start_peers, write_files
from sampling_peers import PlainLoop, Theirs, Tuning, scorers
from scoring_memory import above_imports
from subjects import CLASSES, mnist_or_generated, trained

SEEDS = 4  # of our own masks; every pair says what Monte-Carlo error is
ASKED_OF_MODEL = 1.4


@dataclass
class Ours:
    """Our contestants, and what they found last; every posterior is made anew, as in a round of a campaign."""

    network: nn.Module
    pool: Pool
    samples: int
    found: dict[str, Any] = field(default_factory=dict)
    limits: dict[str, list[Limits]] = field(default_factory=lambda: {precision: [] for precision in precisions()})

    def full(self, precision: str) -> Tensor:
        """Scores of all images, with the masks of seed 0."""
        posterior = MCDropout(self.network, samples=self.samples, seed=0, precision=precision)
        return score_pool(posterior, self.pool, torch.arange(len(self.pool)), bald, classes=CLASSES)

    def adaptive(self, precision: str, k: int = 10) -> AdaptiveScores:
        """The same masks; the rough scores are in bf16, as in a campaign, where the processor multiplies it."""
        posterior = MCDropout(self.network, samples=self.samples, seed=0, precision=precision)
        positions, rough = torch.arange(len(self.pool)), resolve_precision("auto", "cpu")
        return score_adaptively(posterior, self.pool, positions, bald, k=k, classes=CLASSES, first_precision=rough)

    def turns(self, images: Tensor) -> dict[str, Callable[[], float]]:
        """In each precision the machine's limits, full and adaptive sampling."""
        turns: dict[str, Callable[[], float]] = {}
        for precision in precisions():
            turns[f"limits, {precision}"] = partial(self._measure_limits, images, precision)
            turns[precision] = partial(self._timed, precision, partial(self.full, precision))
            turns[f"adaptive {precision}"] = partial(
                self._timed, f"adaptive {precision}", partial(self.adaptive, precision)
            )
        return turns

    def _timed(self, name: str, score: Callable[[], Any]) -> float:
        seconds, self.found[name] = timed(score)
        return seconds

    def _measure_limits(self, images: Tensor, precision: str) -> float:
        seconds, limits = timed(lambda: measure_limits(self.network, images, precision))
        self.limits[precision].append(limits)
        return seconds


def chosen_alike(ours: Ours) -> dict[str, Any]:
    """bf16 and adaptive sampling against full fp32 with the same masks: overlaps of the best. The 100 best are sought apart."""
    report: dict[str, Any] = {}
    for name, result in ours.found.items():
        if isinstance(result, AdaptiveScores):
            hundred = ours.adaptive(name.split()[1], k=100)
            report[name] = {
                "top_10": overlap(ours.found["fp32"], _spread(result, len(ours.pool)), 10),
                "top_100": overlap(ours.found["fp32"], _spread(hundred, len(ours.pool)), 100),
                "scored_fully": len(result.entries),
                "first_samples": result.first_samples,
            }
        elif name != "fp32":
            report[name] = {f"top_{k}": overlap(ours.found["fp32"], result, k) for k in (10, 100)}
    return report


def _spread(found: AdaptiveScores, items: int) -> Tensor:
    """Minus infinity for those without a full score."""
    return torch.full((items,), -torch.inf, dtype=torch.float64).index_copy(0, found.entries, found.scores.double())


def against_model(seconds: Seconds, ours: Ours) -> dict[str, Any]:
    """Ours as a multiple of the model's time, repeat by repeat; with live rows and columns, and with live rows only."""
    report: dict[str, Any] = {}
    kept, items = kept_by_masks(0, ours.samples), len(ours.pool)
    both, rows = head_flops(kept, CLASSES), head_flops(kept, CLASSES, all_inputs=True)
    for precision, measured in ours.limits.items():
        pairs = list(zip(seconds[precision], measured, strict=True))
        each = [own / seconds_at(limit, items, both) for own, limit in pairs]
        report[precision] = {
            "gflops_per_second": [limit.rate / 1e9 for limit in measured],
            "prefix_microseconds": [1e6 * limit.prefix_seconds for limit in measured],
            "model_seconds": [seconds_at(limit, items, both) for limit in measured],
            "ours_to_model": {"each": each, "median": statistics.median(each), "asked": ASKED_OF_MODEL},
            "ours_to_model_with_all_inputs": statistics.median(
                own / seconds_at(limit, items, rows) for own, limit in pairs
            ),
            "fraction_of_rate": statistics.median(fraction_of_rate(limit, own, items, both) for own, limit in pairs),
        }
    return report


def print_ratios(report: dict[str, Any]) -> None:
    """Who takes how long for all images, and how many times ours that is."""
    ours = list(report["ours"])
    rows = [[name, report["ours"][name]["median"], *[None] * len(ours)] for name in ours]
    for name, peer in report["theirs"].items():
        rows.append([name, peer["median_whole"], *(peer["times_ours"][own]["median"] for own in ours)])
    print(table(["", "seconds", *(f"x {own}" for own in ours)], rows))
    for precision, model in report["flop_model"].items():
        print(f"{precision}: {model['ours_to_model']['median']:.2f} times the FLOP model")
    for name, mega in report["megabytes_above_imports"].items():
        print(f"{name}: {mega:.0f} MB above the imports")
    for name, peer in report["theirs"].items():
        print(f"{name}: {'agrees' if peer['agreement']['within_monte_carlo_error'] else 'DOES NOT AGREE'}")


def measure(arguments: Namespace, scratch: Path, stack: ExitStack) -> dict[str, Any]:
    """Alternate, then compare what was found."""
    before = conditions(arguments.threads)
    subject = mnist_or_generated(arguments.items, 0)
    ours = Ours(trained(subject), as_pool(subject.images), arguments.samples)
    files = write_files(scratch, ours.network, images=subject.images)
    peers, about = start_peers(["baal", "batchbald_redux"], files, scratch, arguments.threads, stack)
    plain_loop = PlainLoop(stack.enter_context(Apart(arguments.threads)), ours.network, subject.images)
    others, tried = scorers(plain_loop, ours.samples, peers, scratch, arguments.tuning)
    theirs = Theirs(others, len(ours.pool) if arguments.whole else arguments.peer_items)
    some = as_pool(subject.images[: theirs.items])
    seeds = [
        own_moments(MCDropout(ours.network, samples=ours.samples, seed=seed), some, classes=CLASSES)
        for seed in range(SEEDS)
    ]
    seconds = take_turns(ours.turns(subject.images[: arguments.limit_images]) | theirs.turns(), arguments.repeats)
    return before | {
        "peers": about,
        "images": subject.source,
        "items": len(ours.pool),
        "samples": ours.samples,
        "small": arguments.small,
        "ours": {name: {"seconds": seconds[name], "median": statistics.median(seconds[name])} for name in ours.found},
        "theirs": theirs.report(seconds, list(ours.found), len(ours.pool), seeds, check=not arguments.whole),
        "settings_tried": tried,
        "between_own_seeds": own_spread(seeds),
        "same_masks_as_fp32": chosen_alike(ours),
        "flop_model": against_model(seconds, ours),
        "megabytes_above_imports": memory_of(
            ours, list(ours.found)[: 1 if arguments.small else None], files, scratch, arguments.threads
        ),
    }


def memory_of(
    ours: Ours, names: Sequence[str], files: Mapping[str, Path], scratch: Path, threads: int
) -> dict[str, float]:
    """Of a fresh process for each of those of our contestants."""
    weights = scratch / "weights.safetensors"
    save_file({name: value.contiguous() for name, value in ours.network.state_dict().items()}, weights)
    return {name: above_imports(name, files["images"], weights, ours.samples, threads) for name in names}


def main() -> None:
    """Measure, print, write."""
    parser = argument_parser(__doc__, repeats=2)
    parser.add_argument("--items", type=positive, help="60,000, or 2,000 if small")
    parser.add_argument("--peer-items", type=positive, help="images that the others score; 2,000, or 200 if small")
    parser.add_argument("--whole", action="store_true", help="the others score all images, in one repeat")
    arguments = parse(parser)
    small = arguments.small
    arguments.items = arguments.items or (2000 if small else 60_000)
    arguments.peer_items = arguments.peer_items or (200 if small else 2000)
    arguments.peer_items = min(arguments.peer_items, arguments.items)
    arguments.samples, arguments.limit_images = (25, 512) if small else (100, 2048)
    arguments.tuning = Tuning(64, 1) if small else Tuning(256, 2)
    arguments.repeats = 1 if arguments.whole else arguments.repeats
    with tempfile.TemporaryDirectory() as scratch, ExitStack() as stack:
        report = measure(arguments, Path(scratch), stack)
    print_ratios(report)
    publish(report, arguments.out)


if __name__ == "__main__":
    main()

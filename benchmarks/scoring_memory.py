"""Claim: scoring 1,000,000 items (T = 100, bald, top 100) keeps peak memory under the import baseline + 300 MB.

The items are generated when they are asked for, so that the pool itself takes no memory; the network is the paper's, at 28x28x1 and 10
classes. Prints the figures and writes them as JSON with settings, versions and hardware.

    python benchmarks/scoring_memory.py [--small] [--precision bf16] [--items N] [--threads N] [--out FILE]
"""

import argparse
import json
import platform
import resource
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from askwell.acquisition import bald
from askwell.campaign.settings import made_with
from askwell.models.bcnn import bcnn
from askwell.pool.ids import NumberedIds
from askwell.posterior.mc_dropout import MCDropout
from askwell.scoring.local import score_pool
from askwell.selection import top_k

MEGABYTE = 10**6
ALLOWED_MEGABYTES = 300


def peak_bytes() -> int:
    """The largest resident set of this process so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


@dataclass(frozen=True)
class GeneratedPool:
    """Images computed from their positions: waves whose frequencies differ from item to item."""

    ids: Sequence[str]
    image_shape: tuple[int, int, int] = (1, 28, 28)

    def __len__(self) -> int:
        return len(self.ids)

    def images(self, positions: Tensor) -> Tensor:
        """uint8 [n, 1, 28, 28]."""
        pixels = torch.arange(28 * 28)
        phase = (positions[:, None] % 9973 + 7) * (pixels[None, :] + 1) % 1021
        return (127.5 + 127.5 * (phase.float() * (6.2831853 / 1021)).sin()).byte().view(-1, *self.image_shape)


def main() -> None:
    """Score, select, report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true", help="20,000 items instead of 1,000,000")
    parser.add_argument("--items", type=int)
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="fp32")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--out", type=Path, default=None)
    arguments = parser.parse_args()
    items = arguments.items or (20_000 if arguments.small else 1_000_000)
    torch.set_num_threads(arguments.threads)
    baseline = peak_bytes()

    torch.manual_seed(0)
    posterior = MCDropout(bcnn((1, 28, 28), 10), samples=100, seed=0, precision=arguments.precision)
    pool = GeneratedPool(NumberedIds("generated-", items, len(str(items))))
    began = time.perf_counter()
    scores = score_pool(posterior, pool, torch.arange(items), bald, classes=10)
    best = top_k(scores, 100, generator=torch.Generator().manual_seed(0))
    seconds = time.perf_counter() - began

    result = {
        "items": items,
        "samples": 100,
        "precision": arguments.precision,
        "baseline_mb": round(baseline / MEGABYTE, 1),
        "peak_mb": round(peak_bytes() / MEGABYTE, 1),
        "above_baseline_mb": round((peak_bytes() - baseline) / MEGABYTE, 1),
        "allowed_mb": ALLOWED_MEGABYTES,
        "seconds": round(seconds, 1),
        "best": [pool.ids[position] for position in best[:3].tolist()],
        "made_with": made_with(arguments.threads).model_dump(),
        "machine": platform.platform(),
    }
    print(json.dumps(result, indent=2))
    if arguments.out is not None:
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        arguments.out.write_text(json.dumps(result, indent=2) + "\n")
    if result["above_baseline_mb"] > ALLOWED_MEGABYTES:
        sys.exit("peak memory is above the claim")


if __name__ == "__main__":
    main()

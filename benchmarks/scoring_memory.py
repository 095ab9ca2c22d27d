"""Claim: scoring keeps peak memory under that of the imports + 300 MB, for 60,000 images held as uint8 and for 1,000,000 computed ones.

One process scores once (bald) and prints how far its peak lies above what it held after the imports. scoring.py runs this with MNIST
and the trained network; alone it takes images that are computed when they are asked for, so that the pool takes no memory.
The full form takes some 5 minutes in bf16, 9 in fp32, 2 to 3 adaptively.

    python benchmarks/scoring_memory.py [--small] [--mode bf16] [--items N] [--threads N] [--out FILE]
"""

import json
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from torch import nn

from askwell.acquisition import bald
from askwell.learning.precision import resolve_precision
from askwell.models.bcnn import bcnn
from askwell.pool.images import Pool, as_pool
from askwell.posterior.mc_dropout import MCDropout
from askwell.scoring.adaptive import score_adaptively
from askwell.scoring.local import score_pool
from askwell.selection import top_k
from measuring import argument_parser, conditions, parse, positive, publish, timed
from subjects import CLASSES, SHAPE, GeneratedPool

MEGABYTE = 10**6
ALLOWED_MEGABYTES = 300
MODES = ("fp32", "bf16", "adaptive fp32", "adaptive bf16")


def above_imports(mode: str, images: Path, weights: Path, samples: int, threads: int) -> float:
    """Megabytes, of a fresh process that scores these images with this network."""
    options = {"mode": mode, "images": images, "weights": weights, "samples": samples, "threads": threads}
    arguments = [text for name, value in options.items() for text in (f"--{name}", str(value))]
    command = [sys.executable, str(Path(__file__)), *arguments]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    if answer.returncode:  # what was measured before must not be lost for it
        print(answer.stderr or answer.stdout, file=sys.stderr)
        return float("nan")
    return json.loads(answer.stdout.splitlines()[0])["above_imports_mb"]


def resident_bytes(line: str) -> int:
    """VmHWM, the most that this process has held so far, or VmRSS, what it holds now.

    Where there is no /proc both are the former. There it is not asked for as ru_maxrss, which begins with the parent's memory.
    """
    status = Path("/proc/self/status")
    if not status.exists():
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else 1024 * peak
    found = next(each for each in status.read_text(encoding="ascii").splitlines() if each.startswith(line))
    return 1024 * int(found.split()[1])


def scoring(mode: str, network: nn.Module, pool: Pool, samples: int) -> Callable[[], object]:
    """A call that finds the 100 best, or adaptively the 10 best, as in scoring.py."""
    precision, positions = mode.split()[-1], torch.arange(len(pool))

    def score() -> object:
        posterior = MCDropout(network, samples=samples, seed=0, precision=precision)
        if mode.startswith("adaptive"):
            rough = resolve_precision("auto", "cpu")
            return score_adaptively(posterior, pool, positions, bald, k=10, classes=CLASSES, first_precision=rough)
        scores = score_pool(posterior, pool, positions, bald, classes=CLASSES)
        return top_k(scores, 100, generator=torch.Generator().manual_seed(0))

    return score


def main() -> None:
    """Score, report."""
    parser = argument_parser(__doc__, repeats=1)
    parser.add_argument("--mode", choices=MODES, default="bf16")
    parser.add_argument("--items", type=positive, help="computed images; 1,000,000, or 20,000 if small")
    parser.add_argument("--samples", type=positive, help="T; 100, or 25 if small")
    parser.add_argument("--images", type=Path, help="uint8 images as npy instead")
    parser.add_argument("--weights", type=Path, help="of the paper's network, as safetensors; fresh ones unless given")
    arguments = parse(parser)
    about, held = conditions(arguments.threads), resident_bytes("VmRSS")
    torch.manual_seed(0)
    network = bcnn(SHAPE, CLASSES)
    if arguments.weights is not None:
        network.load_state_dict(load_file(arguments.weights))
    items = arguments.items or (20_000 if arguments.small else 1_000_000)
    pool = GeneratedPool.of(items) if arguments.images is None else as_pool(np.load(arguments.images))
    samples = arguments.samples or (25 if arguments.small else 100)
    seconds, _ = timed(scoring(arguments.mode, network, pool, samples))
    peak = resident_bytes("VmHWM")
    report: dict[str, Any] = {
        "items": len(pool),
        "samples": samples,
        "mode": arguments.mode,
        "after_imports_mb": held / MEGABYTE,
        "peak_mb": peak / MEGABYTE,
        "above_imports_mb": (peak - held) / MEGABYTE,
        "allowed_mb": ALLOWED_MEGABYTES,
        "seconds": seconds,
    }
    print(json.dumps(report))
    publish(about | report, arguments.out)
    if report["above_imports_mb"] > ALLOWED_MEGABYTES:
        print("peak memory is above the claim", file=sys.stderr)


if __name__ == "__main__":
    main()

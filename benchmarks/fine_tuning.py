"""Claim: section 5.5's VGG16 is fine-tuned whole, at batch 8 and 224 x 224, on a laptop: seconds of a step, of scoring, and peak memory.

A checkpoint under torchvision's names (random weights: the real ones are 528 MB) is loaded, all layers are trained with the section's
decay by the SGD of the code it builds on, and the network is scored with T = 20, its convolutions once. There is no peer. Seconds of
the processor stand beside those of the clock, which other work on the machine lengthens. The full form takes some 4 minutes.

    python benchmarks/fine_tuning.py [--small] [--repeats N] [--threads N] [--out FILE]
"""

import itertools
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch

from askwell.learning.recipe import Recipe
from askwell.learning.supervised import fit
from askwell.posterior.mc_dropout import MCDropout
from measuring import argument_parser, conditions, parse, publish, table
from scoring_memory import MEGABYTE, resident_bytes

BATCH, SAMPLES = 8, 20
CHECKPOINT = "import sys, torch, torchvision.models as tv; torch.save(tv.vgg16().state_dict(), sys.argv[1])"


def recipe(weights: Path, side: int, steps: int) -> Recipe:
    """Of section 5.5, for a number of steps."""
    return Recipe.model_validate(
        {
            "backbone": {"name": "vgg16", "weights": str(weights), "head": "own", "side": side},
            "optimizer": "sgd",
            "momentum": 0.1,
            "schedule": "constant",
            "steps": steps,
            "batch_size": BATCH,
            "weight_decay": {"form": "length_scale", "value": 0.5},
            "device": "cpu",
        }
    )


def lasted(call: Callable[[], object]) -> tuple[float, float]:
    """Seconds of the clock and of the processor."""
    clock, processor = time.perf_counter(), time.process_time()
    call()
    return time.perf_counter() - clock, time.process_time() - processor


def step_seconds(weights: Path, images: torch.Tensor, steps: int) -> tuple[float, float]:
    """Of one step, without what a fit does once: the clock's median over steps but the first, and the processor's over all of them."""
    labels, clock, processor = torch.arange(len(images)) % 2, [], []

    def note(*_: int) -> None:
        clock.append(time.perf_counter())
        processor.append(time.process_time())

    fit(recipe(weights, images.shape[-1], steps + 1), images, labels, classes=2, seed=0, progress=note)
    each = [later - earlier for earlier, later in itertools.pairwise(clock)]
    return statistics.median(each), (processor[-1] - processor[0]) / steps


def main() -> None:
    """Train, score, say how long and how much memory."""
    arguments = parse(argument_parser(__doc__, repeats=3))
    before = conditions(arguments.threads)
    side = 64 if arguments.small else 224
    torch.manual_seed(0)
    images = torch.randint(0, 256, (BATCH, 3, side, side), dtype=torch.uint8)
    with tempfile.TemporaryDirectory() as directory:
        weights = Path(directory) / "vgg16.pth"
        subprocess.run([sys.executable, "-c", CHECKPOINT, str(weights)], check=True)
        imports = resident_bytes("VmRSS")
        step = step_seconds(weights, images, arguments.repeats)
        trained = resident_bytes("VmHWM")
        network = fit(recipe(weights, side, 1), images, torch.arange(BATCH) % 2, classes=2, seed=0)
        posterior = MCDropout(network, samples=SAMPLES, batch=BATCH)
        score = lasted(lambda: posterior.log_probs(images.float() / 255))
    report = before | {
        "side": side,
        "batch": BATCH,
        "samples": SAMPLES,
        "small": arguments.small,
        "step_seconds": {"clock": step[0], "processor": step[1]},
        "score_seconds": {"clock": score[0], "processor": score[1]},
        "peak_mb": trained / MEGABYTE,
        "above_imports_mb": (trained - imports) / MEGABYTE,
    }
    print(table(["", "clock, s", "processor, s"], [["a step", *step], [f"scoring, T = {SAMPLES}", *score]]))
    print(f"peak while training: {report['peak_mb']:.0f} MB, {report['above_imports_mb']:.0f} MB above the imports")
    publish(report, arguments.out)


if __name__ == "__main__":
    main()

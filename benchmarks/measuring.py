"""What every benchmark shares: its arguments, contestants that take turns, and a report that says on what it was measured."""

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

import torch

from askwell.campaign.settings import made_with
from askwell.learning.precision import resolve_precision

Result = TypeVar("Result")
Seconds = dict[str, list[float]]  # contestant -> seconds of each repeat


def argument_parser(description: str | None, *, repeats: int) -> argparse.ArgumentParser:
    """The arguments that all claims take; ``description`` states the claim and the length of the full form."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true", help="small sizes: shows that it runs, not how fast")
    parser.add_argument(
        "--repeats", type=positive, help=f"turns of every contestant; {repeats} unless given, 1 if small"
    )
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="of every contestant")
    parser.add_argument("--out", type=Path, help="where to write the JSON")
    parser.set_defaults(full_repeats=repeats)
    return parser


def positive(text: str) -> int:
    """A whole number of at least 1."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected at least 1, found {number}")
    return number


def parse(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """The arguments, with the number of repeats settled and torch's threads set."""
    arguments = parser.parse_args()
    arguments.repeats = arguments.repeats or (1 if arguments.small else arguments.full_repeats)
    torch.set_num_threads(arguments.threads)
    return arguments


def precisions() -> tuple[str, ...]:
    """bf16 only where the processor multiplies it."""
    return ("fp32",) if resolve_precision("auto", "cpu") == "fp32" else ("fp32", "bf16")


def timed(call: Callable[[], Result]) -> tuple[float, Result]:
    """How long a call takes, and what it returns."""
    began = time.perf_counter()
    result = call()
    return time.perf_counter() - began, result


def take_turns(contestants: Mapping[str, Callable[[], float]], repeats: int) -> Seconds:
    """The seconds that every contestant says it took, one after the other and then again, so that all meet the same machine."""
    seconds: Seconds = {name: [] for name in contestants}
    for repeat in range(repeats):
        for name, contestant in contestants.items():
            seconds[name].append(contestant())
            print(f"  repeat {repeat + 1} of {repeats}: {name} {seconds[name][-1]:.2f} s", flush=True)
    return seconds


def ratios(theirs: Sequence[float], ours: Sequence[float]) -> dict[str, Any]:
    """How many times longer they took: in every repeat, and the median."""
    each = [peer / own for peer, own in zip(theirs, ours, strict=True)]
    return {"each": each, "median": statistics.median(each)}


def conditions(threads: int) -> dict[str, Any]:
    """Hardware, threads and versions. The load is that of the last minute, so ask for it before measuring."""
    return {
        "made_with": made_with(threads).model_dump(),
        "versions": {name: version(name) for name in ("torchvision", "numpy")},
        "machine": platform.platform(),
        "processor": _processor(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "load_average": round(os.getloadavg()[0], 2),
    }


def publish(report: Mapping[str, Any], out: Path | None) -> None:
    """Write the report as JSON, with four significant digits."""
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps(rounded(report), indent=2) + "\n", encoding="utf-8")
        print(f"written to {out}")


def rounded(value: Any) -> Any:
    """The same with every fraction at four significant digits."""
    if isinstance(value, Mapping):
        return {str(name): rounded(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(each) for each in value]
    return float(f"{value:.4g}") if isinstance(value, float) else value


def table(headers: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Columns of text, the first one to the left, the others to the right."""
    cells = [[_cell(value) for value in row] for row in (headers, *rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [
        "  ".join(
            [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        )
        for row in cells
    ]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])


def _cell(value: object) -> str:
    if value is None:
        return "-"
    return (
        f"{value:.3g}"
        if isinstance(value, float) and abs(value) < 1000
        else f"{value:.0f}"
        if isinstance(value, float)
        else str(value)
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")

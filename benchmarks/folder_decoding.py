"""Claim: a folder streams through FolderPool no slower than through torchvision's ImageFolder and DataLoader at their best setting.

Two folders: MNIST written out as PNGs in nested folders (the same pixels are asked of both), and the JPEGs of ISIC 2016's training part at
64x64. torchvision's settings are a grid of workers, batch sizes and prefetching; each has three passes, and the four fastest come to the
final, where whole passes of all contestants alternate, so that whatever else the machine does meets them all. Processes are started before
the clock. Prints the figures and writes them as JSON with settings, versions and hardware.

    python benchmarks/folder_decoding.py [--small] [--repeats N] [--out FILE]
"""

import argparse
import json
import os
import platform
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import PIL
import torch
import torchvision
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Subset
from torchvision.datasets import ImageFolder
from torchvision.transforms import v2

from askwell.campaign.settings import made_with
from askwell.pool.datasets import load_dataset
from askwell.pool.decoders import available_processors
from askwell.pool.decoding import ImageForm, choose_form
from askwell.pool.folder import FolderPool
from askwell.pool.listing import list_images
from askwell.pool.reading import read_ahead

CHUNK = 1400  # images that scoring asks for at once
TRIES, FINALISTS = 3, 4
TRIED = 10_000  # images of a pass that looks for the best setting
LARGEST_MEAN_DIFFERENCE = 1.5  # of 255, between JPEGs decoded at a smaller scale and resized, and resized only

Pass = Callable[[], Iterator[Tensor]]


def write_digits(root: Path, small: bool) -> None:
    """A data set's pool and test images as PNGs: a folder per class, in it one per 500 images, the same names in each."""
    data = load_dataset("digits" if small else "mnist")
    for part, pool in (("pool", data.pool), ("test", data.test.images)):
        for start in range(0, len(pool), 500):
            for number, image in enumerate(pool.images(torch.arange(start, min(start + 500, len(pool)))).numpy()):
                folder = root / f"{number % 10}" / part / f"{start // 500:03d}"
                folder.mkdir(parents=True, exist_ok=True)
                Image.fromarray(image[0]).save(folder / f"{number:03d}.png")


class Setting(NamedTuple):
    """How torchvision's loader works; ``prefetched`` batches for each worker, None without workers."""

    workers: int
    batch: int
    prefetched: int | None


GRID = [
    Setting(workers, batch, prefetched)
    for workers in (0, 1, 2, 4)
    for batch in (64, 256, 1024)
    for prefetched in ((2, 8) if workers else (None,))
]


def passes(dataset: Any, setting: Setting) -> Pass:
    """Passes over a torchvision data set by a loader whose workers stay from one to the next."""
    loader = DataLoader(
        dataset,
        batch_size=setting.batch,
        num_workers=setting.workers,
        prefetch_factor=setting.prefetched,
        persistent_workers=setting.workers > 0,
    )
    return lambda: (images for images, _ in loader)


def seconds(one_pass: Pass) -> float:
    """How long a pass takes."""
    began = time.perf_counter()
    for _ in one_pass():
        pass
    return time.perf_counter() - began


def best_settings(dataset: ImageFolder, grid: Sequence[Setting]) -> list[Setting]:
    """The fastest settings of the grid, by the best of a few passes over some of the images; the first is not counted."""
    some = Subset(dataset, range(min(TRIED, len(dataset))))
    found: list[tuple[float, Setting]] = []
    for setting in grid:
        one_pass = passes(some, setting)
        seconds(one_pass)
        found.append((min(seconds(one_pass) for _ in range(TRIES)), setting))
        print(f"  {found[-1][0]:7.2f} s  {setting}", flush=True)
    return [setting for _, setting in sorted(found, key=lambda entry: entry[0])[:FINALISTS]]


def difference(ours: Pass, theirs: Pass) -> tuple[float, int]:
    """The mean and the largest difference between the pixels of two passes."""
    total = count = largest = 0
    left, right = torch.cat(list(ours())), torch.cat(list(theirs()))
    for mine, peer in zip(left.split(CHUNK), right.split(CHUNK), strict=True):
        gap = (mine.short() - peer.short()).abs()
        total, count, largest = total + int(gap.sum()), count + gap.numel(), max(largest, int(gap.max()))
    return total / count, largest


def torchvision_folder(name: str, root: Path, form: ImageForm, scratch: Path) -> ImageFolder:
    """The same images through torchvision, in the same form; its loader wants them in the folder of a class."""
    (scratch / name).mkdir()
    (scratch / name / "images").symlink_to(root.resolve())
    grey: list[Any] = [v2.Grayscale()] if form.channels == 1 else []
    resize: list[Any] = [] if name == "digits" else [v2.Resize((form.size, form.size))]
    return ImageFolder(str(scratch / name), v2.Compose([*grey, *resize, v2.PILToTensor()]))


def alternate(contestants: Sequence[Pass], repeats: int) -> list[list[float]]:
    """The seconds of every pass of each contestant, who take turns; a pass of each is not counted."""
    for one_pass in contestants:
        seconds(one_pass)
    rounds = [[seconds(one_pass) for one_pass in contestants] for _ in range(repeats)]
    return [list(times) for times in zip(*rounds, strict=True)]


def compare(name: str, root: Path, grid: Sequence[Setting], repeats: int, scratch: Path) -> dict[str, Any]:
    """Both on the images below a folder."""
    began = time.perf_counter()
    listed = list_images(root)
    listing = time.perf_counter() - began
    form = choose_form(listed.root, listed.items, size=None, channels="auto", fit="squash")
    dataset = torchvision_folder(name, root, form, scratch)
    places = {item.path: place for place, item in enumerate(listed.items)}
    order = torch.tensor([places[os.path.relpath(path, scratch / name / "images")] for path, _ in dataset.samples])
    pool = FolderPool(listed.root, listed.items, form)

    def ours() -> Iterator[Tensor]:
        return (read.images for read in read_ahead(pool, order.split(CHUNK)))

    first = seconds(ours)
    print(f"{name}: {len(order)} images, {form}; torchvision on {min(TRIED, len(order))} of them:", flush=True)
    settings = best_settings(dataset, grid)
    theirs = [passes(dataset, setting) for setting in settings]
    mean, largest = difference(ours, theirs[0])
    mine, *others = alternate([ours, *theirs], repeats)
    pool.close()
    peer, setting = min(zip(others, settings, strict=True), key=lambda entry: statistics.median(entry[0]))
    return {
        "images": len(order),
        "form": form._asdict(),
        "seconds_listing": round(listing, 3),
        "seconds_first_pass_with_start": round(first, 2),
        "seconds_ours": [round(value, 3) for value in mine],
        "seconds_torchvision": [round(value, 3) for value in peer],
        "torchvision": setting._asdict(),
        "median_ours": round(statistics.median(mine), 3),
        "median_torchvision": round(statistics.median(peer), 3),
        "ratio": round(statistics.median(left / right for left, right in zip(mine, peer, strict=True)), 3),
        "mean_difference": round(mean, 3),
        "largest_difference": largest,
    }


def main() -> None:
    """Compare, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true", help="scikit-learn's digits only, one repeat, few settings")
    parser.add_argument("--repeats", type=int)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore", "This DataLoader will create", UserWarning)  # that is part of what is tried
    repeats = arguments.repeats or (1 if arguments.small else 7)
    grid = GRID[::5] if arguments.small else GRID
    results: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as scratch:
        digits = Path(scratch) / "written"
        write_digits(digits, arguments.small)
        results["digits"] = compare("digits", digits, grid, repeats, Path(scratch))
        photographs = Path(os.environ.get("ASKWELL_DATA", "")) / "isic2016" / "train"
        if not arguments.small and photographs.is_dir():
            results["isic2016"] = compare("isic2016", photographs, grid, repeats, Path(scratch))
    report = {
        "results": results,
        "processors": available_processors(),
        "load_average": os.getloadavg()[0],
        "made_with": made_with(torch.get_num_threads()).model_dump(),
        "versions": {"torchvision": torchvision.__version__, "pillow": PIL.__version__, "numpy": np.__version__},
        "machine": platform.platform(),
    }
    print(json.dumps(report, indent=2))
    if arguments.out is not None:
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        arguments.out.write_text(json.dumps(report, indent=2) + "\n")
    for name, result in results.items():
        print(f"{name}: {result['median_ours']} s against {result['median_torchvision']} s, ratio {result['ratio']}")
    if results["digits"]["largest_difference"] or any(
        result["mean_difference"] > LARGEST_MEAN_DIFFERENCE for result in results.values()
    ):
        sys.exit("the pixels differ")


if __name__ == "__main__":
    main()

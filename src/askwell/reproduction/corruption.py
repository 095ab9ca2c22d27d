"""Noise that no question can remove: labels that are wrong, and images that are two digits at once."""

from typing import NamedTuple

import torch

from askwell.campaign.seeds import derive_seed
from askwell.pool.arrays import ArrayPool
from askwell.pool.datasets import Dataset
from askwell.pool.ids import ListedIds
from askwell.pool.images import as_float
from askwell.pool.oracle import DatasetOracle
from askwell.pool.splits import uniform_split
from askwell.reproduction.plans import Corruption

MIXING = (0.4, 0.6)  # share of the first of two digits in a mixture
WHITE = 255


class Corrupted(NamedTuple):
    """A data set with noise in its pool, and the ids of the noisy items; its test images are as they were."""

    data: Dataset
    noisy: frozenset[str]


def corrupted(data: Dataset, corruption: Corruption, share: float, seed: int) -> Corrupted:
    """The data set with wrong labels ("noise") or with mixtures ("ambiguous"), the same ones for every strategy of a seed."""
    generator = torch.Generator().manual_seed(derive_seed(seed, f"corruption {corruption}"))
    return {"noise": with_wrong_labels, "ambiguous": with_mixtures}[corruption](data, share, generator)


def with_wrong_labels(data: Dataset, share: float, generator: torch.Generator) -> Corrupted:
    """The oracle answers another class, each of the others equally likely, for a share of the pool's items drawn at random."""
    labels, C = _labels(data), len(data.classes)
    wrong = uniform_split(len(labels), round(share * len(labels)), generator=generator)
    labels[wrong] = (labels[wrong] + torch.randint(1, C, (len(wrong),), generator=generator)) % C
    oracle = DatasetOracle(data.pool.ids, labels, data.classes)
    return Corrupted(_with(data, ArrayPool(_pixels(data), data.pool.ids), oracle), _ids(data, wrong))


def with_mixtures(data: Dataset, share: float, generator: torch.Generator) -> Corrupted:
    """The pool and, against its size, a share of mixtures a x + (1 - a) y of its images of two classes, a uniform on [.4, .6].

    The oracle names one of the two classes, either equally likely. Mixtures are called "ambiguous/00042" and stand behind the others.
    """
    labels, pixels = _labels(data), _pixels(data)
    count = round(share * len(labels))
    first = torch.randint(len(labels), (count,), generator=generator)
    second = torch.randint(len(labels), (count,), generator=generator)
    while bool((same := labels[first] == labels[second]).any()):
        second[same] = torch.randint(len(labels), (int(same.sum()),), generator=generator)
    low, high = MIXING
    a = low + (high - low) * torch.rand(count, 1, 1, 1, generator=generator)
    mixtures = (a * as_float(pixels[first]) + (1 - a) * as_float(pixels[second])).mul(WHITE).round().to(torch.uint8)
    answers = torch.where(torch.rand(count, generator=generator) < 0.5, labels[first], labels[second])
    names = tuple(f"ambiguous/{number:05d}" for number in range(count))
    ids = ListedIds((*data.pool.ids, *names))
    oracle = DatasetOracle(ids, torch.cat([labels, answers]), data.classes)
    return Corrupted(_with(data, ArrayPool(torch.cat([pixels, mixtures]), ids), oracle), frozenset(names))


def _labels(data: Dataset) -> torch.Tensor:
    return torch.tensor([data.classes.index(name) for name in data.oracle.answer(data.pool.ids)], dtype=torch.int64)


def _pixels(data: Dataset) -> torch.Tensor:
    return data.pool.images(torch.arange(len(data.pool)))


def _ids(data: Dataset, positions: torch.Tensor) -> frozenset[str]:
    return frozenset(data.pool.ids[int(position)] for position in positions)


def _with(data: Dataset, pool: ArrayPool, oracle: DatasetOracle) -> Dataset:
    return Dataset(data.name, data.classes, pool, data.test, oracle, f"{data.source}; its pool made noisy")

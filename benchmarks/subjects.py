"""What is measured on: MNIST or generated images, and the paper's network trained on 100 labels."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from askwell.errors import DatasetNotFoundError
from askwell.learning.recipe import Recipe
from askwell.learning.supervised import fit
from askwell.pool.datasets import load_dataset
from askwell.pool.ids import NumberedIds
from askwell.pool.splits import balanced_split

CLASSES, SHAPE = 10, (1, 28, 28)
BATCH = 128
PAPER = Recipe(schedule="constant", epochs=50, batch_size=BATCH, device="cpu")  # how the paper's code trains, in fp32
DISTINCT = 997  # images are shifted copies of so many


class Subject(NamedTuple):
    """uint8 images [N, 1, 28, 28] and their labels [N], for the pool and for testing."""

    images: Tensor
    labels: Tensor
    test_images: Tensor
    test_labels: Tensor
    source: str


@dataclass(frozen=True)
class GeneratedPool:
    """Images computed from their positions, so that the pool itself takes no memory: waves of ten kinds, and a shift of their greys."""

    ids: Sequence[str]
    image_shape: tuple[int, int, int] = SHAPE

    @classmethod
    def of(cls, items: int) -> "GeneratedPool":
        """A pool of that many."""
        return cls(NumberedIds("generated-", items, len(str(items))))

    def __len__(self) -> int:
        return len(self.ids)

    def images(self, positions: Tensor) -> Tensor:
        """uint8 [n, 1, 28, 28]."""
        shift = (positions // DISTINCT).to(torch.uint8)
        return _waves()[positions % DISTINCT] + shift[:, None, None, None]


def mnist_or_generated(items: int, test_items: int) -> Subject:
    """The first of MNIST's pool and test images; generated ones where MNIST is not to be had."""
    try:
        data = load_dataset("mnist")
    except DatasetNotFoundError:
        print("MNIST is not to be had (set ASKWELL_DATA); generated images are taken instead.")
        return generated(items, test_items)
    positions, test_positions = torch.arange(min(items, 60_000)), torch.arange(min(test_items, 10_000))
    images, labels = data.pool.images(positions), data.oracle.labels[positions]
    test = data.test.images.images(test_positions)
    return Subject(images, labels, test, data.test.labels[test_positions], "MNIST")


def generated(items: int, test_items: int) -> Subject:
    """Images whose label is the kind of their wave."""
    positions = torch.arange(items + test_items)
    images, labels = GeneratedPool.of(len(positions)).images(positions), positions % DISTINCT % CLASSES
    return Subject(images[:items], labels[:items], images[items:], labels[items:], "generated")


def some_labels(subject: Subject, count: int) -> Tensor:
    """Positions of so many of the pool, as many of each class."""
    return balanced_split(subject.labels, count, classes=CLASSES, generator=torch.Generator().manual_seed(0))


def trained(subject: Subject, labels: int = 100) -> nn.Module:
    """The paper's network, trained in the way of the paper's code."""
    chosen = some_labels(subject, labels)
    return fit(PAPER, subject.images[chosen], subject.labels[chosen], classes=CLASSES, seed=0)


def prefix_of(network: nn.Module) -> nn.Sequential:
    """A copy of the layers before the first dropout."""
    layers = list(copy.deepcopy(network).children())
    first = next(position for position, layer in enumerate(layers) if isinstance(layer, nn.Dropout))
    return nn.Sequential(*layers[:first]).eval()


def _waves() -> Tensor:
    """uint8 [DISTINCT, 1, 28, 28]: the kind is the wave's direction, the phase and length differ within it."""
    number = torch.arange(DISTINCT, dtype=torch.float32)[:, None, None]
    axis = torch.arange(28, dtype=torch.float32)
    angle = (number % CLASSES) * (torch.pi / CLASSES)
    across = angle.cos() * axis[None, :, None] + angle.sin() * axis[None, None, :]
    waves = (across * (0.4 + 0.4 * (number * 0.618 % 1)) + number * 2.4).sin()
    return (127.5 + 127.5 * waves).to(torch.uint8)[:, None]

"""Two digits as the nodes of a graph: the training images that MBR may ask about, and the campaigns' own initial ones among them."""

from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from jaxtyping import Float32, Int64
from torch import Tensor

from askwell.campaign.seeds import derive_seed
from askwell.pool.datasets import Dataset
from askwell.pool.images import as_float
from askwell.pool.splits import balanced_split, uniform_split


@final
@dataclass(frozen=True, eq=False)
class PairNodes:
    """Training images sorted by class (the lower digit first) and then by the pool's order, and the test images.

    images [N, channels, height, width] in 0..1, labels [N] 0 or 1, ids [N]; initial: positions of the labels to begin with
    """

    images: Float32[Tensor, "N channels height width"]
    labels: Int64[np.ndarray, " N"]
    ids: tuple[str, ...]
    initial: tuple[int, ...]
    test_images: Float32[Tensor, "M channels height width"]
    test_labels: Int64[Tensor, " M"]
    classes: tuple[str, ...]


def pair_nodes(data: Dataset, *, nodes: int, initial: int, seed: int) -> PairNodes:
    """The initial items of every campaign of that seed, and others at random up to ``nodes`` (or the whole pool)."""
    labels = torch.tensor([data.classes.index(name) for name in data.oracle.answer(data.pool.ids)], dtype=torch.int64)
    first = balanced_split(labels, initial, classes=len(data.classes), generator=_generator(seed, "initial"))
    rest = torch.ones(len(labels), dtype=torch.bool)
    rest[first] = False
    others = rest.nonzero().flatten()
    count = min(max(0, nodes - len(first)), len(others))
    drawn = others[uniform_split(len(others), count, generator=_generator(seed, "graph nodes"))]
    positions = torch.cat([first, drawn]).sort().values
    positions = positions[labels[positions].argsort(stable=True)]
    place = {position: node for node, position in enumerate(positions.tolist())}
    return PairNodes(
        images=as_float(data.pool.images(positions)),
        labels=labels[positions].numpy(),
        ids=tuple(data.pool.ids[int(position)] for position in positions),
        initial=tuple(place[position] for position in first.tolist()),
        test_images=as_float(data.test.images.images(torch.arange(len(data.test)))),
        test_labels=data.test.labels,
        classes=data.classes,
    )


def _generator(seed: int, purpose: str) -> torch.Generator:
    return torch.Generator().manual_seed(derive_seed(seed, purpose))

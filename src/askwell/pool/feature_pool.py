"""A pool whose images have been read once, by a trunk that does not change: its features, from a memory-mapped file."""

from collections.abc import Mapping, Sequence
from typing import Any, final

import numpy as np
import torch
from jaxtyping import Float, Float32, Int
from torch import Tensor

from askwell.errors import UnreadableImagesError
from askwell.pool.arrays import check_positions
from askwell.pool.images import Pool
from askwell.pool.reading import HashedPool, new_hashes


@final
class FeaturePool:
    """Features of the items of another pool, under its ids, as images [features, views, 1].

    features is [N, views, D] (a memory map is not read into memory); centre and scale [D], where given, are taken off and divided by.
    Images that could not be read are unreadable here too.
    """

    def __init__(
        self,
        whole: Pool,
        features: np.ndarray[Any, np.dtype[Any]],
        unreadable: Mapping[int, str],
        centre: Float[Tensor, " D"] | None = None,
        scale: Float[Tensor, " D"] | None = None,
    ) -> None:
        self._whole = whole
        self._features = features
        self._unreadable = dict(unreadable)
        self._centre, self._scale = centre, scale

    @property
    def ids(self) -> Sequence[str]:
        """The ids of the other pool."""
        return self._whole.ids

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(features, views, 1)."""
        _, views, features = self._features.shape
        return features, views, 1

    def __len__(self) -> int:
        return len(self._features)

    def images(self, positions: Int[Tensor, " n"]) -> Float32[Tensor, "n features views 1"]:
        """The features at those positions; UnreadableImagesError where an image could not be read."""
        check_positions(positions, len(self))
        asked: list[int] = positions.cpu().tolist()
        reasons = {position: self._unreadable[position] for position in asked if position in self._unreadable}
        if reasons:
            raise UnreadableImagesError(reasons, self.ids[int(next(iter(reasons)))])
        features = torch.from_numpy(np.asarray(self._features[positions.cpu().numpy()], dtype=np.float32))
        if self._centre is not None and self._scale is not None:
            features = (features - self._centre) / self._scale
        return features.permute(0, 2, 1)[..., None].contiguous()

    def expect(self, hashes: Mapping[int, str]) -> None:
        """Hold the other pool's files to contents read before."""
        if isinstance(self._whole, HashedPool):
            self._whole.expect(hashes)

    def new_hashes(self) -> dict[int, str]:
        """What the other pool has read for the first time."""
        return new_hashes(self._whole)

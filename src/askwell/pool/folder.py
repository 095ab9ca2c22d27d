"""A folder of images as a pool: decoded when asked for, by several processes, and not kept."""

import os
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import final

import numpy as np
import torch
from jaxtyping import Int, UInt8
from torch import Tensor

from askwell.errors import DatasetNotFoundError, UnreadableImagesError
from askwell.pool.arrays import check_positions
from askwell.pool.decoder_process import DIGEST
from askwell.pool.decoders import Decoders
from askwell.pool.decoding import ImageForm
from askwell.pool.ids import ListedIds
from askwell.pool.image_formats import GONE
from askwell.pool.listing import ListedImage

PROBED, MOST_GONE = 256, 0.5  # files looked for when one is gone, and the share of them that means the disk is
CHANGED = "its content has changed since it was first read"


@final
class FolderPool:
    """The images of some items below a folder, all in one form; nothing is decoded before it is asked for.

    hashes are the sha256 of contents that were read before, by position: a file that differs is unreadable, as is one
    that changes while the pool is in use. ``workers`` processes decode, one for each processor unless given; they end
    with ``close`` or with the pool. Threads take turns.
    """

    def __init__(
        self,
        root: Path,
        items: Sequence[ListedImage],
        form: ImageForm,
        *,
        hashes: Mapping[int, str] | None = None,
        workers: int | None = None,
    ) -> None:
        self._root = Path(root).expanduser().absolute()
        self._files = [(item.path, item.page) for item in items]
        self._ids = ListedIds(tuple(item.id for item in items))
        self._form = form
        self._decoders = Decoders(self._root, form, workers)
        self._lock = threading.Lock()
        self._unreadable: dict[int, str] = {}
        self._digests = np.zeros((len(items), DIGEST), np.uint8)
        self._is_known, self._is_new = np.zeros(len(items), bool), np.zeros(len(items), bool)
        self.expect(hashes or {})
        self._is_new |= self._is_known

    def expect(self, hashes: Mapping[int, str]) -> None:
        """Hold images to contents read before, sha256 by position: one that differs, now or later, is unreadable."""
        with self._lock:
            for position, digest in hashes.items():
                expected = np.frombuffer(bytes.fromhex(digest), np.uint8)
                if self._is_known[position] and (self._digests[position] != expected).any():
                    self._unreadable[position] = CHANGED
                self._digests[position] = expected
                self._is_known[position], self._is_new[position] = True, False

    @property
    def ids(self) -> Sequence[str]:
        """The id of every item, in the order of the positions."""
        return self._ids

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(channels, height, width) of every image."""
        return self._form.shape

    def __len__(self) -> int:
        return len(self._files)

    def images(self, positions: Int[Tensor, " n"]) -> UInt8[Tensor, "n channels height width"]:
        """The images at those positions, uint8 on the CPU.

        Raises UnreadableImagesError for those that cannot be read: for those already known, before anything is
        decoded; else for all of them. DatasetNotFoundError when it is the whole folder that is gone.
        """
        check_positions(positions, len(self))
        with self._lock:
            asked, rows = np.unique(positions.cpu().numpy(), return_inverse=True)
            if len(asked) == len(positions):
                asked, rows = positions.cpu().numpy(), None
            self._refuse_unreadable(asked)
            pixels = self._decode(asked)
            self._refuse_unreadable(asked)
        return torch.from_numpy(pixels if rows is None else pixels[rows])

    def new_hashes(self) -> dict[int, str]:
        """The sha256 of each file's content, by position, of what was decoded for the first time since the last call, and at
        the first call of what was known from the beginning.
        """
        with self._lock:
            positions = np.flatnonzero(self._is_new)
            self._is_new[positions] = False
            return {position: self._digests[position].tobytes().hex() for position in positions.tolist()}

    def close(self) -> None:
        """End the processes that decode; they start again when images are asked for."""
        self._decoders.close()

    def _decode(self, asked: np.ndarray) -> np.ndarray:
        """The pixels at those positions, and in ``_unreadable`` why there are none."""
        pixels = np.empty((len(asked), *self.image_shape), np.uint8)
        digests = np.empty((len(asked), DIGEST), np.uint8)
        reasons = self._decoders.decode([self._files[position] for position in asked.tolist()], pixels, digests)
        if GONE in reasons.values():
            self._check_folder()
        readable = np.ones(len(asked), bool)
        readable[list(reasons)] = False
        known = self._is_known[asked]
        changed = readable & known & (digests != self._digests[asked]).any(axis=1)
        self._unreadable.update({int(asked[place]): reason for place, reason in reasons.items()})
        self._unreadable.update(dict.fromkeys(asked[changed].tolist(), CHANGED))
        first = asked[readable & ~known]
        self._digests[first] = digests[readable & ~known]
        self._is_known[first] = self._is_new[first] = True
        return pixels

    def _refuse_unreadable(self, asked: np.ndarray) -> None:
        reasons = {position: self._unreadable[position] for position in asked.tolist() if position in self._unreadable}
        if reasons:
            raise UnreadableImagesError(reasons, self._ids[int(next(iter(reasons)))])

    def _check_folder(self) -> None:
        """Raise DatasetNotFoundError when not some files but their folder is gone, or most of a sample of them: a disk that
        was taken away says nothing on images.
        """
        try:
            with os.scandir(self._root) as entries:
                missing = next(entries, None) is None
        except OSError:
            missing = True
        if missing:
            raise DatasetNotFoundError(
                f"expected the images in {str(self._root)!r}, found no such folder or an empty one; put it back, "
                "or name the place it was moved to."
            )
        sample = [self._files[place][0] for place in np.linspace(0, len(self._files) - 1, PROBED).astype(int).tolist()]
        absent = sum(not (self._root / path).exists() for path in set(sample))
        if absent > MOST_GONE * len(set(sample)):
            raise DatasetNotFoundError(
                f"expected the images in {str(self._root)!r}, found {absent} of {len(set(sample))} that were looked for "
                "gone; put them back, or name the place they were moved to."
            )

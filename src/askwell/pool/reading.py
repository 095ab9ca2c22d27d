"""Reading a pool's images while others are computed on, and setting aside those that cannot be read."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Int, Shaped
from torch import Tensor

from askwell.errors import UnreadableImagesError
from askwell.pool.images import Pool

SetAside = Callable[[Mapping[int, str]], object]  # told why images cannot be read, by position in the pool


@runtime_checkable
class HashedPool(Protocol):
    """A pool of files, which knows the content of what it has read."""

    def expect(self, hashes: Mapping[int, str]) -> None:
        """Hold images to contents read before: one that differs is unreadable."""
        ...

    def new_hashes(self) -> dict[int, str]:
        """sha256 of each file's content, by position, of what was read for the first time since the last call."""
        ...


class Read(NamedTuple):
    """Images [n, channels, height, width], and which of the positions asked for they are: entries [n], ascending."""

    entries: Int[Tensor, " n"]
    images: Shaped[Tensor, "n channels height width"]


def read_images(pool: Pool, positions: Int[Tensor, " m"], set_aside: SetAside | None = None) -> Read:
    """The images at those positions. ``set_aside`` hears of those that cannot be read, and they are left out.

    Without set_aside the pool's UnreadableImagesError is raised.
    """
    entries = torch.arange(len(positions))
    while True:
        try:
            return Read(entries, pool.images(positions[entries]))
        except UnreadableImagesError as error:
            if set_aside is None:
                raise
            set_aside(error.reasons)
            entries = entries[[position not in error.reasons for position in positions[entries].tolist()]]


def read_ahead(pool: Pool, parts: Sequence[Tensor], set_aside: SetAside | None = None) -> Iterator[Read]:
    """``read_images`` of each part in turn; the next part is read while the caller works on this one."""
    with ThreadPoolExecutor(1, thread_name_prefix="read-ahead") as reader:
        waiting = [reader.submit(read_images, pool, part, set_aside) for part in parts[:1]]
        for part in [*parts[1:], None]:
            if not waiting:
                return
            read = waiting.pop().result()
            if part is not None:
                waiting.append(reader.submit(read_images, pool, part, set_aside))
            yield read


def new_hashes(pool: Pool) -> dict[int, str]:
    """The content hashes of what a pool of files has read since the last call; of other pools nothing."""
    return pool.new_hashes() if isinstance(pool, HashedPool) else {}

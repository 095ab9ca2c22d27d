"""Reading ahead, and setting aside what cannot be read."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
import torch
from torch import Tensor

from askwell.errors import UnreadableImagesError
from askwell.pool.images import as_pool
from askwell.pool.reading import new_hashes, read_ahead, read_images

IMAGES = torch.arange(20, dtype=torch.uint8).reshape(20, 1, 1, 1)


@dataclass
class BrokenPool:
    """Twenty images, some of which cannot be read; it remembers what it was asked for, and by which thread."""

    broken: frozenset[int] = frozenset()
    ids: Sequence[str] = tuple(f"item-{number}" for number in range(20))
    image_shape: tuple[int, int, int] = (1, 1, 1)
    asked: list[tuple[int, ...]] = field(default_factory=list)
    threads: set[int] = field(default_factory=set)

    def __len__(self) -> int:
        return 20

    def images(self, positions: Tensor) -> Tensor:
        self.asked.append(tuple(positions.tolist()))
        self.threads.add(threading.get_ident())
        bad = [position for position in positions.tolist() if position in self.broken]
        if bad:
            raise UnreadableImagesError(dict.fromkeys(bad, "cut off"), self.ids[bad[0]])
        return IMAGES[positions]


def test_what_cannot_be_read_is_left_out_and_said():
    pool, said = BrokenPool(frozenset({3, 5})), dict[int, str]()
    read = read_images(pool, torch.tensor([7, 3, 2, 5]), said.update)
    assert read.entries.tolist() == [0, 2]
    assert read.images.flatten().tolist() == [7, 2]
    assert said == {3: "cut off", 5: "cut off"}
    with pytest.raises(UnreadableImagesError, match=r"found 'item-3' .cut off. and 1 more"):
        read_images(pool, torch.tensor([7, 3, 2, 5]))


def test_nothing_is_left_when_nothing_can_be_read():
    read = read_images(BrokenPool(frozenset({3})), torch.tensor([3]), dict[int, str]().update)
    assert read.entries.tolist() == []
    assert read.images.shape == (0, 1, 1, 1)


@pytest.mark.parametrize("size", [1, 3, 20, 50])
def test_reading_ahead_gives_the_same_in_the_same_order(size: int):
    pool, said = BrokenPool(frozenset({0, 4, 19})), dict[int, str]()
    parts = torch.arange(20).split(size)
    reads = list(read_ahead(pool, parts, said.update))
    assert len(reads) == len(parts)
    values = [value for read in reads for value in read.images.flatten().tolist()]
    assert values == [value for value in range(20) if value not in {0, 4, 19}]
    assert threading.get_ident() not in pool.threads


def test_one_part_is_read_ahead_and_no_more():
    pool = BrokenPool()
    stream = read_ahead(pool, torch.arange(20).split(5))
    next(stream)
    stream.close()
    assert len(pool.asked) == 2, "the one handed out and the one after it"


def test_there_may_be_nothing_to_read():
    assert list(read_ahead(BrokenPool(), ())) == []


def test_an_error_comes_through():
    with pytest.raises(UnreadableImagesError):
        list(read_ahead(BrokenPool(frozenset({12})), torch.arange(20).split(5)))


def test_only_pools_of_files_have_hashes():
    assert new_hashes(as_pool(IMAGES)) == {}

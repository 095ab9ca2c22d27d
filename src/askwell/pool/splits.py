"""Which items to start with? Pure draws of positions, without repeats, in random order."""

from collections.abc import Sequence

import torch
from jaxtyping import Int
from torch import Tensor

from askwell.errors import ShapeError, UsageError
from askwell.pool.images import check_labels


def uniform_split(count_of_items: int, k: int, *, generator: torch.Generator) -> Int[Tensor, " k"]:
    """k of the positions 0..count_of_items-1, every set of k equally likely; UsageError unless 0 <= k <= that count."""
    _check_size(count_of_items, k)
    return _permutation(count_of_items, generator)[:k]


def balanced_split(labels: Int[Tensor, " N"], k: int, *, classes: int, generator: torch.Generator) -> Int[Tensor, " k"]:
    """k positions spread evenly over the classes: k // C of each, and one more of some classes drawn at random.

    labels [N] are in 0..classes-1. A class with fewer items than its share gives all it has, and the others share the
    rest evenly. Gal et al. (2017), section 5.1, start from 20 such images.

    Raises ShapeError for labels that are not one axis of integers, UsageError for labels outside 0..classes-1 or unless
    0 <= k <= N.
    """
    _check_labels(labels, classes)
    _check_size(len(labels), k)
    shares = _even_shares(labels.cpu().long().bincount(minlength=classes), k, generator)
    return _drawn_of_each(labels, shares, generator)


def counted_split(labels: Int[Tensor, " N"], counts: Sequence[int], *, generator: torch.Generator) -> Int[Tensor, " k"]:
    """counts[c] positions of each class c, drawn at random: 80 benign and 20 malignant images, say (Gal et al. 2017, section 5.5).

    Raises ShapeError or UsageError as ``balanced_split`` does, and UsageError for a class with fewer items than asked for.
    """
    _check_labels(labels, len(counts))
    available = labels.cpu().long().bincount(minlength=len(counts))
    for number, (asked, there) in enumerate(zip(counts, available.tolist(), strict=True)):
        if not 0 <= asked <= there:
            raise UsageError(f"expected to draw between 0 and all {there} items of class {number}, found {asked}.")
    return _drawn_of_each(labels, torch.tensor(counts, dtype=torch.int64), generator)


def _drawn_of_each(
    labels: Int[Tensor, " N"], shares: Int[Tensor, " C"], generator: torch.Generator
) -> Int[Tensor, " k"]:
    """So many positions of each class, in random order."""
    labels = labels.cpu().long()
    available = labels.bincount(minlength=len(shares))
    shuffled = _permutation(len(labels), generator)
    by_class = shuffled[labels[shuffled].argsort(stable=True)]
    first_of_class = available.cumsum(0) - available
    rank_in_class = torch.arange(len(labels)) - first_of_class[labels[by_class]]
    chosen = by_class[rank_in_class < shares[labels[by_class]]]
    return chosen[_permutation(len(chosen), generator)]


def grouped_split(groups: Sequence[str], k: int, *, generator: torch.Generator) -> Int[Tensor, " m"]:
    """Positions of whole groups, drawn one after the other until there are at least k items: k <= m <= N.

    groups [N] names each item's group; every order of the groups is equally likely. Where every item is a group of its own
    this is ``uniform_split(N, k)``, for the same generator.

    Raises UsageError unless 0 <= k <= N.
    """
    _check_size(len(groups), k)
    members: dict[str, list[int]] = {}
    for position, group in enumerate(groups):
        members.setdefault(group, []).append(position)
    positions = list(members.values())
    chosen: list[int] = []
    for drawn in _permutation(len(positions), generator).tolist():
        if len(chosen) >= k:
            break
        chosen += positions[drawn]
    return torch.tensor(chosen, dtype=torch.int64)


def _even_shares(available: Int[Tensor, " C"], k: int, generator: torch.Generator) -> Int[Tensor, " C"]:
    """How many to take of each class, at most what is available, k in all."""
    shares = torch.zeros_like(available)
    while (rest := k - int(shares.sum())) > 0:
        unfinished = (shares < available).nonzero().flatten()
        if rest < len(unfinished):
            shares[unfinished[_permutation(len(unfinished), generator)[:rest]]] += 1
        else:
            shares[unfinished] = torch.minimum(shares + rest // len(unfinished), available)[unfinished]
    return shares


def _check_labels(labels: Tensor, classes: int) -> None:
    if labels.ndim != 1 or labels.is_floating_point() or classes < 1:
        raise ShapeError(
            f"expected integer labels [N] and classes >= 1, found {labels.dtype} {list(labels.shape)} and {classes}."
        )
    check_labels(labels, classes)


def _check_size(count_of_items: int, k: int) -> None:
    if not 0 <= k <= count_of_items:
        raise UsageError(f"expected to draw between 0 and all {count_of_items} items, found k = {k}.")


def _permutation(count: int, generator: torch.Generator) -> Int[Tensor, " count"]:
    return torch.randperm(count, generator=generator, device=generator.device).cpu()

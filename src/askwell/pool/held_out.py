"""Which items are kept for measuring? A share of each class, drawn by a seed of its own, whole groups only."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Sequence

from askwell.errors import UsageError


def held_out(labels: Sequence[str], groups: Sequence[str], share: float, seed: int) -> list[int]:
    """The positions of the test items: of each class about that share, at least one and never all; whole groups.

    The groups are gone through in an order drawn by the seed, and one is taken when more of its items are still wanted
    than are not, unless it holds the last items of a class. The order depends on the seed and the groups' names only, so
    that another image hardly changes the rest.

    Raises UsageError when no group can be taken.
    """
    counts = Counter(labels)
    wanted = {label: min(max(round(share * count), 1), count - 1) for label, count in counts.items()}
    members: dict[str, list[int]] = defaultdict(list)
    for position, group in enumerate(groups):
        members[group].append(position)
    left, taken = counts.copy(), []
    for group in sorted(members, key=lambda name: _drawn(name, seed)):
        brought = Counter(labels[position] for position in members[group])
        useful = sum(min(count, wanted[label]) for label, count in brought.items())
        if 2 * useful > len(members[group]) and all(left[label] > count for label, count in brought.items()):
            taken += members[group]
            left -= brought
            wanted = {label: max(count - brought[label], 0) for label, count in wanted.items()}
    if not taken:
        largest = max(map(len, members.values()))
        raise UsageError(
            f"expected several groups in a class, small enough to keep a share of {share:g} of {len(labels)} images for "
            f"measuring, found {len(members)} of up to {largest} images; give a test folder, a larger share or another group_by."
        )
    return sorted(taken)


def _drawn(group: str, seed: int) -> bytes:
    return hashlib.sha256(f"{seed} {group}".encode(errors="backslashreplace")).digest()

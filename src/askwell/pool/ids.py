"""Stable names of items: the same in memory, in the store, on the web page and in every export. Imports no torch."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import final, overload

from askwell.errors import UsageError


@final
@dataclass(frozen=True, repr=False)
class NumberedIds(Sequence[str]):
    """The ids prefix0000, prefix0001, ... of ``length`` items, written when read, so that a million take no memory.

    ``width`` is the least number of digits; longer numbers are written in full.
    """

    prefix: str
    length: int
    width: int

    def __len__(self) -> int:
        return self.length

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[str]: ...
    def __getitem__(self, index: int | slice) -> str | Sequence[str]:
        numbers = range(self.length)[index]
        return self._name(numbers) if isinstance(numbers, int) else tuple(self._name(number) for number in numbers)

    def __iter__(self) -> Iterator[str]:
        return (self._name(number) for number in range(self.length))

    def __contains__(self, value: object) -> bool:
        return self._number(value) is not None

    def __repr__(self) -> str:
        return f"NumberedIds({self.prefix!r}, length={self.length}, width={self.width})"

    def position(self, item_id: str) -> int:
        """The position of that id; UsageError when there is none."""
        number = self._number(item_id)
        if number is None:
            raise _unknown(item_id, self)
        return number

    def _name(self, number: int) -> str:
        return f"{self.prefix}{number:0{self.width}d}"

    def _number(self, value: object) -> int | None:
        if not isinstance(value, str) or not value.startswith(self.prefix):
            return None
        digits = value[len(self.prefix) :]
        if not (digits.isascii() and digits.isdigit()) or len(digits) > max(self.width, len(str(self.length))):
            return None
        number = int(digits)
        return number if number < self.length and self._name(number) == value else None


@final
@dataclass(frozen=True, repr=False)
class ListedIds(Sequence[str]):
    """Ids as they were given: distinct, non-empty strings. Raises UsageError for anything else."""

    names: tuple[str, ...]

    def __post_init__(self) -> None:
        for position, name in enumerate(self.names):
            if not isinstance(name, str) or not name:
                raise UsageError(f"expected ids to be non-empty strings, found {name!r} at position {position}.")
        if len(self._positions) != len(self.names):
            second = next(position for position, name in enumerate(self.names) if self._positions[name] != position)
            raise UsageError(
                f"expected every id once, found {self.names[second]!r} twice; give every item an id of its own."
            )

    def __len__(self) -> int:
        return len(self.names)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[str]: ...
    def __getitem__(self, index: int | slice) -> str | Sequence[str]:
        return self.names[index]

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __contains__(self, value: object) -> bool:
        return value in self._positions

    def __repr__(self) -> str:
        return f"ListedIds({len(self.names)} ids)"

    def position(self, item_id: str) -> int:
        """The position of that id; UsageError when there is none."""
        if item_id not in self._positions:
            raise _unknown(item_id, self)
        return self._positions[item_id]

    @cached_property
    def _positions(self) -> dict[str, int]:
        return {name: position for position, name in enumerate(self.names)}


def as_ids(ids: Sequence[str] | None, count: int) -> Sequence[str]:
    """The ids of ``count`` items: those given, or "item-0042", ... padded to the width of ``count`` when none are.

    Raises UsageError when there are more or fewer ids than items, or one of them occurs twice or is not a non-empty
    string.
    """
    if ids is None:
        return NumberedIds("item-", count, width=len(str(count)))
    if isinstance(ids, str) or len(ids) != count:
        found = f"the string {ids!r}" if isinstance(ids, str) else f"{len(ids)} ids"
        raise UsageError(f"expected one id for each of {count} items, found {found}.")
    return ids if isinstance(ids, NumberedIds | ListedIds) else ListedIds(tuple(ids))


def position_lookup(ids: Sequence[str]) -> Callable[[str], int]:
    """The function from an id to its position; it raises UsageError for an id that is not among ``ids``."""
    known = as_ids(ids, len(ids))
    assert isinstance(known, NumberedIds | ListedIds), "as_ids returns one of the two"
    return known.position


def _unknown(item_id: object, ids: Sequence[str]) -> UsageError:
    example = f", such as {ids[0]!r}" if len(ids) else ""
    return UsageError(f"expected the id of one of the {len(ids)} items{example}, found {item_id!r}.")

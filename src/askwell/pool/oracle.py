"""Who answers: a person on the labelling page, or a data set whose labels are known."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, final, runtime_checkable

from jaxtyping import Int
from torch import Tensor

from askwell.errors import ShapeError
from askwell.pool.ids import as_ids, position_lookup
from askwell.pool.images import LabelledImages, as_labels, check_classes, check_labels, named_classes


@runtime_checkable
@runtime_checkable
class Oracle(Protocol):
    """Anyone who can be asked for labels."""

    def answer(self, ids: Sequence[str]) -> Sequence[str]:
        """The class name of each of those items, in their order."""
        ...


@final
@dataclass(frozen=True, eq=False)
class DatasetOracle:
    """Answers from known labels [N]: positions in ``classes``, in the order of ``ids``.

    Raises ShapeError unless there is one label for each id, UsageError for ids, labels or classes that make no data
    set.
    """

    ids: Sequence[str]
    labels: Int[Tensor, " N"]
    classes: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.labels.shape != (len(self.ids),):
            raise ShapeError(f"expected one label for each of {len(self.ids)} ids, found {list(self.labels.shape)}.")
        check_classes(self.classes)
        check_labels(self.labels, len(self.classes))
        _ = self._position  # duplicate ids are refused now, not at the first question

    def answer(self, ids: Sequence[str]) -> list[str]:
        """The class name of each of those items, in their order; UsageError for an id that is not in the data set."""
        return [self.classes[int(self.labels[self._position(item_id)])] for item_id in ids]

    @cached_property
    def _position(self) -> Callable[[str], int]:
        return position_lookup(self.ids)


def oracle(labels: object, *, ids: Sequence[str] | None = None, classes: Sequence[str] | None = None) -> DatasetOracle:
    """The oracle that knows those labels: labelled images, or N integers for the items of ``as_pool(images, ids=ids)``.

    classes are the labels' names, "0" to the highest label unless given. Raises what ``as_labelled`` raises.
    """
    if isinstance(labels, LabelledImages):
        return DatasetOracle(labels.images.ids, labels.labels, labels.classes)
    known = as_labels(labels)
    return DatasetOracle(as_ids(ids, len(known)), known, named_classes(classes, known))

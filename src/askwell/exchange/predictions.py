"""What a model says of items: the probability of each class, and its uncertainty in nats, as CSV out and in."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from askwell.errors import UsageError
from askwell.exchange.csv_labels import guarded, read_table, unguarded, write_table

PREFIX = "p:"  # of the columns that hold a class's probability
FIRST = ("id", "prediction")
UNCERTAINTIES = ("total", "aleatoric", "epistemic")


class Prediction(NamedTuple):
    """An item's class probabilities, means over posterior samples, and the three uncertainties in nats.

    total is the entropy of the mean probabilities; aleatoric, the mean entropy over samples, is in the images and stays; epistemic, what
    is between them (the mutual information, BALD), is what more labels would remove.
    """

    id: str
    probabilities: Mapping[str, float]
    total: float
    aleatoric: float
    epistemic: float

    @property
    def label(self) -> str:
        """The most probable class, the first of equals."""
        return max(self.probabilities, key=lambda name: self.probabilities[name])


def write_predictions(path: Path, classes: Sequence[str], predictions: Iterable[Prediction]) -> None:
    """Replace the file atomically; columns id, prediction, p:CLASS for each class, total, aleatoric, epistemic. Text as in labels."""
    rows = [[*FIRST, *(PREFIX + name for name in classes), *UNCERTAINTIES]]
    for each in predictions:
        numbers = [*(each.probabilities[name] for name in classes), *(getattr(each, name) for name in UNCERTAINTIES)]
        rows.append([guarded(each.id), guarded(each.label), *(repr(float(number)) for number in numbers)])
    write_table(path, rows)


def read_predictions(path: Path) -> list[Prediction]:
    """The predictions in such a file; UsageError for another one."""
    rows = read_table(path)
    header = rows[0] if rows else []
    named = header[len(FIRST) : -len(UNCERTAINTIES)]
    if tuple(header[:2]) != FIRST or tuple(header[-3:]) != UNCERTAINTIES or not all(map(_is_probability, named)):
        raise UsageError(
            f"expected predictions as askwell predict writes them in {path}, found the columns {', '.join(header[:6])}; "
            "make them with askwell predict."
        )
    found = []
    for number, row in enumerate(rows[1:], start=2):
        try:
            values = [float(cell) for cell in row[len(FIRST) :]]
            probabilities = dict(zip((name.removeprefix(PREFIX) for name in named), values[:-3], strict=True))
        except ValueError:
            raise UsageError(
                f"expected {len(header) - 2} numbers in row {number} of {path}, found {row[2:]}."
            ) from None
        found.append(Prediction(unguarded(row[0]), probabilities, *values[-3:]))
    return found


def _is_probability(column: str) -> bool:
    return column.startswith(PREFIX)

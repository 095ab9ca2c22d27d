"""The rows that go into ``LabellingStore`` and come out of it."""

from collections.abc import Mapping
from typing import NamedTuple


class NewItem(NamedTuple):
    """An image that was found: its id, its path below the root as the system spells it, and its page in the file."""

    id: str
    path: str
    page: int = 0


class Question(NamedTuple):
    """An item that an annotator is shown, under a key of its own; evaluation: one of the random sample."""

    position: int
    key: str
    evaluation: bool


class Answer(NamedTuple):
    """What an annotator says of an item: kind "label" (with a class), "skip", "unsure" or "bad"."""

    position: int
    key: str
    kind: str
    class_id: str | None = None
    seconds: float | None = None


class Recorded(NamedTuple):
    """The answer's place in the order of all events, and how many answers its annotator can take back from there."""

    sequence: int
    undo_depth: int


class Said(NamedTuple):
    """An item's current answer; class_id is that of the class as it is now."""

    sequence: int
    position: int
    kind: str
    class_id: str | None
    annotator: str
    time: float


class ItemFile(NamedTuple):
    """Where an item's image is: its id, and the path (as the system spells it, in bytes) and page below the root."""

    id: str
    path: bytes
    page: int


class Ranked(NamedTuple):
    """An item in a new ranked queue: its score, and in JSON what the model thought of it, if there is a model."""

    position: int
    score: float | None = None
    why: str | None = None


class Released(NamedTuple):
    """When the sample for measuring was given to training: after how many rounds, and after which answer event."""

    rounds: int
    sequence: int


class Guess(NamedTuple):
    """What a model thought of an item, in JSON, and in which round; an item that was asked before there was a model has no guess.

    source: why it is asked: "random", "cold_start", "model", or "measuring" for one of the sample.
    """

    why: str | None
    source: str
    round: int | None


class Standing(NamedTuple):
    """Counts of the moment: items in all, answers by kind, labels by class (as it is now), seconds per answer of late, the latest round.

    not_asked: items without an answer that nobody is asked about, broken or withheld.
    """

    items: int
    kinds: Mapping[str, int]
    labels: Mapping[str, int]
    seconds_per_answer: float | None
    round: int | None
    not_asked: int

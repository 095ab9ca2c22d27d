"""The rows that go into the store and come out of it."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple


class Chosen(NamedTuple):
    """An item to ask about: its position in the pool, and if it was scored its score and the posterior samples T of that."""

    position: int
    score: float | None = None
    samples: int | None = None


class Asked(NamedTuple):
    """An item that a round asks about: its position in the pool, its id, its role, and its score and T if it was scored."""

    round: int
    rank: int
    position: int
    id: str
    role: str
    score: float | None
    samples: int | None


class LabelEvent(NamedTuple):
    """What an annotator said of an item; ``label`` is None unless kind is "label"."""

    position: int
    kind: str
    label: str | None
    annotator: str
    duration: float | None = None


class RoundRecord(NamedTuple):
    """A finished fit: the labels it saw, how long it took, where its weights are, and what was measured of it.

    ``details`` is JSON text, written with the round and read back by ``CampaignStore.evaluation_details`` alone, as it may be long.
    """

    round: int
    labels: int
    seconds_fit: float
    model_file: str
    model_hash: str
    metrics: Mapping[str, float | None]
    details: str | None = None


def current_labels(events: Iterable[LabelEvent]) -> dict[int, str]:
    """Position -> label after all events, in their order: the last word counts, an undo takes back the one before it."""
    said: dict[int, list[LabelEvent]] = {}
    for label_event in events:
        history = said.setdefault(label_event.position, [])
        if label_event.kind == "undo":
            if history:
                history.pop()
        else:
            history.append(label_event)
    return {
        position: history[-1].label for position, history in said.items() if history and history[-1].label is not None
    }

"""How good each saved model is, by today's answers to the random sample; nothing here is ever trained on."""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from askwell.report.estimation import Answer, Estimate, estimate_accuracy
from askwell.store.labelling import LabellingStore

ANNOTATOR = ""  # counts of the pool are nobody's


class _Asked(NamedTuple):
    position: int
    kind: Answer
    class_id: str | None


def measured(store: LabellingStore) -> dict[str, str]:
    """The status "estimate" (of the latest model) and "curve" (of all), as JSON; "null" and "[]" before there is anything to say."""
    prefix, population = _prefix(store), store.standing(ANNOTATOR).items
    meaning = store.classes().meaning
    estimate, curve = None, []
    for number, labels, text in store.predictions():
        found = _estimate(prefix, json.loads(text), meaning, population)
        if found is None or found.accuracy is None:
            continue
        low, high = found.fixed
        curve.append([labels, found.accuracy, low, high])
        estimate = {
            **{"accuracy": found.accuracy, "low": low, "high": high, "n": found.n, "model_round": number},
            **{"skipped": found.skipped, "unsure": found.unsure, "any_time": list(found.any_time)},
        }
    return {"estimate": json.dumps(estimate), "curve": json.dumps(curve)}


def _prefix(store: LabellingStore) -> list[_Asked]:
    """The sample up to its first item without an answer: any prefix is a random sample, and what somebody picked from it is not."""
    asked = []
    for position, kind, class_id in store.sample_answers():
        if kind is None:
            break
        asked.append(_Asked(position, kind, class_id))  # pyright: ignore[reportArgumentType] - the store knows four kinds
    return asked


def _estimate(
    prefix: list[_Asked], predictions: Mapping[str, Any], meaning: Mapping[str, str], population: int
) -> Estimate | None:
    classes = [meaning.get(name, name) for name in predictions["classes"]]
    probabilities = predictions["probabilities"]
    readable = [asked for asked in prefix if asked.kind != "label" or str(asked.position) in probabilities]
    if not any(asked.kind == "label" for asked in readable):
        return None
    correct = [_right(asked, classes, probabilities) if asked.kind == "label" else None for asked in readable]
    return estimate_accuracy([asked.kind for asked in readable], correct, population)


def _right(asked: _Asked, classes: list[str], probabilities: Mapping[str, list[float]]) -> bool:
    """Whether the likeliest class, with merged ones taken together, is the answer's."""
    together: dict[str, float] = dict.fromkeys(classes, 0.0)
    for name, value in zip(classes, probabilities[str(asked.position)], strict=True):
        together[name] += value
    return max(together, key=lambda name: together[name]) == asked.class_id

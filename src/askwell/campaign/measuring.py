"""How good each saved model is, by today's answers to the random sample; nothing here is ever trained on."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from askwell.report.estimation import Answer, Estimate, estimate_accuracy, estimate_auc
from askwell.store.labelling import LabellingStore

ANNOTATOR = ""  # counts of the pool are nobody's


class _Asked(NamedTuple):
    position: int
    kind: Answer
    class_id: str | None


def measured(store: LabellingStore) -> dict[str, str]:
    """The status "estimate" (of the latest model) and "curve" (of all), as JSON; "null" and "[]" before there is anything to say.

    Once the sample was given to training, models that may have learned from it are not measured: the estimate is of the last one before,
    and "final".
    """
    released = store.released()
    prefix, population = _longest_prefix(store)
    meaning = store.classes().meaning
    current = [each.id for each in store.classes().current if not each.retired]
    estimate: dict[str, Any] | None = None
    curve: list[Any] = []
    latest: tuple[int, Any] | None = None
    for number, labels, text in store.predictions():
        if released is not None and number >= released.rounds:
            break
        found = _estimate(prefix, json.loads(text), meaning, population)
        if found is None or found.accuracy is None:
            continue
        low, high = found.fixed
        curve.append([labels, found.accuracy, low, high])
        estimate = {
            **{"accuracy": found.accuracy, "low": low, "high": high, "n": found.n, "model_round": number},
            **{"skipped": found.skipped, "unsure": found.unsure, "any_time": list(found.any_time)},
            **{"population": found.population, "all_wrong": found.all_wrong, "all_right": found.all_right},
            "final": released is not None,
        }
        latest = (number, json.loads(text))
    if estimate is not None and latest is not None and len(current) == 2:
        estimate["auc"] = _auc(prefix, latest[1], meaning, current, latest[0])
    return {"estimate": json.dumps(estimate), "curve": json.dumps(curve)}


def _longest_prefix(store: LabellingStore) -> tuple[list[_Asked], int]:
    """What was asked of the sample, and of how many items it is a random sample.

    Where items were found later, some of them come early in the order and are still to be asked; until then the sample of the items that
    there were at first says more.
    """
    answers, items, first = store.sample_answers(), store.standing(ANNOTATOR).items, store.sample_population()
    whole = _prefix(answers)
    if first is None or first == items:
        return whole, items
    original = _prefix([answer for answer in answers if answer[0] < first])
    return (original, first) if len(original) > len(whole) else (whole, items)


def _prefix(answers: Sequence[tuple[int, str | None, str | None]]) -> list[_Asked]:
    """Up to the first item without an answer: any prefix is a random sample, and what somebody picked from it is not."""
    asked = []
    for position, kind, class_id in answers:
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


def _auc(
    prefix: list[_Asked], predictions: Mapping[str, Any], meaning: Mapping[str, str], classes: list[str], seed: int
) -> dict[str, float] | None:
    """Of two classes, the second against the first; None before ten answers of each."""
    given = [meaning.get(name, name) for name in predictions["classes"]]
    probabilities = predictions["probabilities"]
    usable = [asked for asked in prefix if asked.class_id in classes and str(asked.position) in probabilities]
    if set(given) != set(classes):
        return None
    scores = [_together(given, probabilities[str(asked.position)])[classes[1]] for asked in usable]
    found = estimate_auc(scores, [asked.class_id == classes[1] for asked in usable], seed=seed)
    return None if found is None else {"value": found.auc, "low": found.interval.low, "high": found.interval.high}


def _right(asked: _Asked, classes: list[str], probabilities: Mapping[str, list[float]]) -> bool:
    """Whether the likeliest class, with merged ones taken together, is the answer's."""
    together = _together(classes, probabilities[str(asked.position)])
    return max(together, key=lambda name: together[name]) == asked.class_id


def _together(classes: list[str], probabilities: Sequence[float]) -> dict[str, float]:
    """The probability of each class, with merged ones taken together."""
    together: dict[str, float] = dict.fromkeys(classes, 0.0)
    for name, value in zip(classes, probabilities, strict=True):
        together[name] += value
    return together

"""What the page says of a model: its accuracy and AUC on the random sample, of the pool that the sample is of."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from askwell.campaign.measuring import measured
from askwell.store.classes import ClassChange
from askwell.store.labelling import LabellingStore
from askwell.store.labelling_records import Answer, Guess, NewItem, Ranked
from askwell.store.records import RoundRecord
from askwell.store.states import RELEASED

SEED = "seed"


def malignant(position: int) -> bool:
    return position % 3 == 0


@pytest.fixture
def store(tmp_path: Path) -> Iterator[LabellingStore]:
    """A pool of 200 with a sample of 40 and two classes; the model's scores are half right."""
    with LabellingStore(tmp_path / "campaign.db") as store:
        for name in ("benign", "malignant"):
            store.change_classes("ann", ClassChange("add", name=name), name)
        add(store, 0, 200)
        store.draw_sample(40, SEED)
        yield store


def add(store: LabellingStore, first: int, count: int) -> None:
    store.add_items([NewItem(f"{at}.png", f"{at}.png") for at in range(first, first + count)], SEED)


def scores(positions: list[int]) -> dict[int, float]:
    """Of the class malignant."""
    noise = np.random.default_rng(0).normal(size=400)
    return {at: float(1 / (1 + np.exp(-noise[at] - malignant(at)))) for at in positions}


def commit_fit(store: LabellingStore) -> None:
    sample = [position for position, _, _ in store.sample_answers()]
    probabilities = {str(at): [1 - score, score] for at, score in scores(sample).items()}
    number = store.rounds_done()
    record = RoundRecord(number, 50, 1.0, f"models/{number}.safetensors", "0" * 64, {})
    store.commit_fit(record, json.dumps({"classes": ["c1", "c2"], "probabilities": probabilities}))


def answer_sample(store: LabellingStore, most: int) -> list[int]:
    """Questions in their order, until so many of the sample have an answer; those others are asked are unsure."""
    answered: list[int] = []
    while len(answered) < most and (questions := store.questions("ann")):
        first = questions[0]
        kind, label = ("label", f"c{1 + malignant(first.position)}") if first.evaluation else ("unsure", None)
        store.answer("ann", Answer(first.position, first.key, kind, label))
        if first.evaluation:
            answered.append(first.position)
    return answered


def said(store: LabellingStore):
    return json.loads(measured(store)["estimate"])


def test_accuracy_and_auc_are_those_of_the_sample_that_is_answered(store: LabellingStore):
    commit_fit(store)
    assert said(store) is None
    answered = answer_sample(store, 12)
    assert said(store)["auc"] is None, "not ten of each class yet"
    answered += answer_sample(store, 28)
    found, given = said(store), scores(answered)
    truth = [malignant(at) for at in answered]
    assert sum(truth) >= 10
    assert (found["n"], found["population"], found["model_round"]) == (40, 200, 0)
    assert found["accuracy"] == pytest.approx(np.mean([(given[at] > 0.5) == malignant(at) for at in answered]))
    assert found["auc"]["value"] == pytest.approx(roc_auc_score(truth, [given[at] for at in answered]))
    assert found["auc"]["low"] < found["auc"]["value"] < found["auc"]["high"]
    store.change_classes("ann", ClassChange("merge", class_id="c1", into="c2"), "merge")
    after = said(store)
    assert (after["accuracy"], after.get("auc")) == (1.0, None), "with one class left everything is right"


def test_a_pool_that_grew_is_measured_once_what_came_into_the_sample_is_answered(store: LabellingStore):
    """Until then the answers are a random sample of the pool as it was, and the estimate says so."""
    before = answer_sample(store, 40)
    commit_fit(store)
    add(store, 200, 100)
    commit_fit(store)
    grown = [position for position, _, _ in store.sample_answers()]
    assert set(before) <= set(grown), "what was answered stays"
    found = said(store)
    assert (found["n"], found["population"], found["model_round"]) == (40, 200, 1)
    late = answer_sample(store, len(grown))
    assert late
    assert set(late) == set(grown) - set(before)
    assert all(at >= 200 for at in late)
    found = said(store)
    assert (found["n"], found["population"]) == (len(grown), 300)


def test_once_the_sample_is_given_to_training_no_later_model_is_measured(store: LabellingStore):
    """Nor is anything that was answered afterwards, when guesses could be seen; a correction of an earlier answer still counts."""
    commit_fit(store)
    answered = answer_sample(store, 20)
    before = said(store)
    assert (before["final"], before["n"]) == (False, 20)
    store.release_sample(SEED)
    commit_fit(store)
    while questions := store.questions("ann"):
        store.answer("ann", Answer(questions[0].position, questions[0].key, "label", "c1"))
    assert said(store) == {**before, "final": True}
    assert [point[0] for point in json.loads(measured(store)["curve"])] == [50], "one point, of the model before"
    corrected = next(at for at in answered if not malignant(at))
    _, current = store.item(corrected)
    assert current is not None
    store.edit("ann", Answer(corrected, "corrected", "label", "c2"), current.sequence)
    assert (said(store)["n"], said(store)["accuracy"] != before["accuracy"]) == (20, True)


def test_a_sample_that_was_given_to_training_nobody_knows_when_measures_nothing(store: LabellingStore):
    """As an earlier askwell wrote it down."""
    answer_sample(store, 20)
    commit_fit(store)
    store.remember(RELEASED, "yes")
    assert (said(store), json.loads(measured(store)["curve"])) == (None, [])


def test_the_accuracy_with_what_is_missing_all_wrong_or_all_right_is_said(store: LabellingStore):
    commit_fit(store)
    answer_sample(store, 20)
    while not (questions := store.questions("ann"))[0].evaluation:
        store.answer("ann", Answer(questions[0].position, questions[0].key, "unsure"))
    store.answer("ann", Answer(questions[0].position, questions[0].key, "unsure"))
    found = said(store)
    right = round(found["accuracy"] * 20)
    assert (found["unsure"], found["all_wrong"], found["all_right"]) == (
        1,
        pytest.approx(right / 21),
        pytest.approx((right + 1) / 21),
    )
    low, high = found["any_time"]
    assert low < found["low"] < found["high"] < high


def test_the_guess_of_a_measuring_image_is_the_last_models_once_it_has_an_answer(store: LabellingStore):
    first = store.questions("ann")[0].position
    (at,) = answer_sample(store, 1)
    assert store.guess(at) == Guess(None, "measuring", None), "no model yet"
    commit_fit(store)
    found = store.guess(at)
    assert found is not None
    assert (found.source, found.round) == ("measuring", 0)
    why = json.loads(found.why or "")
    score = scores([at])[at]
    assert [each["mean"] for each in why["probabilities"]] == pytest.approx([1 - score, score])
    assert {each["low"] for each in why["probabilities"]} == {None}
    assert why["total"] == pytest.approx(-score * np.log(score) - (1 - score) * np.log(1 - score), abs=1e-4)
    asked_before = store.guess(first)
    assert asked_before is not None
    assert asked_before.source == "random"
    waiting = next(position for position, kind, _ in store.sample_answers() if kind is None)
    assert store.guess(waiting) is None


def test_why_an_image_was_asked_before_there_was_a_model_stays_known(store: LabellingStore):
    store.commit_queue([Ranked(at) for at in store.candidates()[:30]], "cold_start")
    first = store.questions("ann")[0]
    store.answer("ann", Answer(first.position, first.key, "label", "c1"))
    commit_fit(store)
    store.commit_queue([Ranked(store.candidates()[-1], 0.5, "{}")], "model", 0)
    found = store.guess(first.position)
    assert found is not None
    assert (found.why, found.source) == (None, "cold_start")

"""Metrics against hand computation and scikit-learn."""

import json
import math
import statistics
from collections import Counter
from collections.abc import Callable

import pytest
import torch
from sklearn.metrics import log_loss, roc_auc_score

from askwell.scoring.evaluation import accuracy_standard_error, details, evaluate, expected_calibration_error


def random_predictions(classes: int, count: int = 400) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(classes)
    predictive = (2 * torch.randn(count, classes, generator=generator, dtype=torch.float64)).log_softmax(-1)
    return predictive, torch.randint(0, classes, (count,), generator=generator)


@pytest.mark.parametrize("classes", [2, 10])
def test_against_scikit_learn(classes: int):
    predictive, labels = random_predictions(classes)
    found = evaluate(predictive, labels)
    probabilities = predictive.exp().numpy()
    assert found.accuracy == float((probabilities.argmax(1) == labels.numpy()).mean())
    assert found.nll == pytest.approx(log_loss(labels.numpy(), probabilities, labels=range(classes)), abs=1e-12)
    if classes == 2:
        assert found.auc == pytest.approx(roc_auc_score(labels.numpy(), probabilities[:, 1]), abs=1e-12)
    else:
        assert found.auc is None


def test_calibration_error_against_a_plain_loop():
    predictive, labels = random_predictions(5)
    bins: dict[int, list[tuple[float, float]]] = {}
    for row, label in zip(predictive.exp().tolist(), labels.tolist(), strict=True):
        confidence = max(row)
        bins.setdefault(min(14, int(confidence * 15)), []).append((confidence, float(row.index(confidence) == label)))
    expected = sum(abs(sum(c for c, _ in pairs) - sum(a for _, a in pairs)) for pairs in bins.values()) / len(labels)
    assert expected_calibration_error(predictive, labels) == pytest.approx(expected, abs=1e-12)


def test_known_cases():
    certain = torch.tensor([[1.0, 0.0], [1.0, 0.0]], dtype=torch.float64).log()
    right = evaluate(certain, torch.tensor([0, 0]))
    assert (right.accuracy, right.nll, right.ece, right.auc) == (1.0, 0.0, 0.0, None)  # one class only: no AUC
    wrong = evaluate(certain, torch.tensor([0, 1]))
    assert (wrong.accuracy, wrong.nll, wrong.ece, wrong.auc) == (0.5, math.inf, 0.5, 0.5)


@pytest.mark.parametrize("classes", [2, 5])
def test_confusion_counts_every_item_once(classes: int):
    predictive, labels = random_predictions(classes)
    found = details(predictive, labels)
    rows = [row.index(max(row)) for row in predictive.tolist()]
    expected = Counter(zip(labels.tolist(), rows, strict=True))
    assert {(truth, predicted): count for truth, predicted, count in found.confusion} == expected
    assert all(count > 0 for _, _, count in found.confusion)
    right = sum(count for truth, predicted, count in found.confusion if truth == predicted)
    assert right / found.items == evaluate(predictive, labels).accuracy
    assert (found.items, found.groups) == (400, 400)


def test_the_bins_give_the_calibration_error():
    predictive, labels = random_predictions(5)
    bins = details(predictive, labels).calibration
    assert len(bins) == 15
    assert sum(count for count, _, _ in bins) == 400
    error = sum(n * abs(accuracy - sure) for n, sure, accuracy in bins if n) / 400  # pyright: ignore
    assert error == pytest.approx(expected_calibration_error(predictive, labels), abs=1e-12)
    for place, (count, sure, accuracy) in enumerate(bins):
        if count == 0:
            assert (sure, accuracy) == (None, None)
        else:
            assert sure is not None
            assert place / 15 <= sure <= (place + 1) / 15
    assert any(count == 0 for count, _, _ in bins), "five classes are never less than 20 % sure"


def test_certainty_falls_into_the_last_bin():
    certain = torch.tensor([[1.0, 0.0], [1.0, 0.0]], dtype=torch.float64).log()
    assert details(certain, torch.tensor([0, 1])).calibration[-1] == (2, 1.0, 0.5)


def test_standard_error_of_single_items_is_the_binomial_one():
    correct = torch.tensor([True] * 37 + [False] * 13)
    binomial = math.sqrt(0.74 * 0.26 / 50)
    assert accuracy_standard_error(correct) == pytest.approx(binomial, rel=1e-12)
    assert accuracy_standard_error(correct, [f"{i}" for i in range(50)]) == pytest.approx(binomial, rel=1e-12)


def test_standard_error_of_groups_by_hand():
    # groups of 3 (all right), 2 (one right), 1 (wrong): accuracy 4 / 6, residual sums 3/3, -1/3, -2/3
    correct = torch.tensor([True, True, True, True, False, False])
    expected = math.sqrt(3 / 2 * 5 / 6 * (1 + 1 / 9 + 4 / 9) / 36)
    assert accuracy_standard_error(correct, ["a", "a", "a", "b", "b", "c"]) == pytest.approx(expected, rel=1e-12)
    shuffled = accuracy_standard_error(correct[[3, 0, 5, 1, 4, 2]], ["b", "a", "c", "a", "b", "a"])
    assert shuffled == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("correct", "groups"), [([True, True], None), ([False], None), ([True, False, True], ["a", "a", "a"])]
)
def test_no_standard_error_where_it_would_mean_nothing(correct: list[bool], groups: list[str] | None):
    assert accuracy_standard_error(torch.tensor(correct), groups) is None


def test_standard_error_is_the_spread_of_the_accuracy_over_samples_of_groups():
    """40 groups of 5 whose items are nearly all right or nearly all wrong: the binomial formula says half of the truth."""
    generator = torch.Generator().manual_seed(0)
    names = [f"group {i // 5}" for i in range(200)]
    accuracies: list[float] = []
    clustered: list[float] = []
    binomial: list[float] = []
    for _ in range(300):
        easy = torch.rand(40, generator=generator) < 0.7
        chance = torch.where(easy, 0.95, 0.1).repeat_interleave(5)
        correct = torch.rand(200, generator=generator) < chance
        accuracies.append(float(correct.double().mean()))
        clustered.append(accuracy_standard_error(correct, names) or 0.0)
        binomial.append(accuracy_standard_error(correct) or 0.0)
    truth = statistics.stdev(accuracies)
    assert statistics.fmean(clustered) == pytest.approx(truth, rel=0.12)  # three times the 4 % that 300 samples leave
    assert statistics.fmean(binomial) < 0.6 * truth


def test_details_as_json():
    predictive = torch.tensor([[0.9, 0.1], [0.6, 0.4], [0.3, 0.7]], dtype=torch.float64).log()
    found = details(predictive, torch.tensor([0, 1, 1]), ["a", "a", "b"])
    told = json.loads(json.dumps(found.as_json(), allow_nan=False))
    plain = ["items", "groups", "accuracy_se", "confusion", "calibration"]
    assert list(told) == [*plain, "balanced_accuracy", "two_classes", "collapsed"]
    assert told["two_classes"] == {"prevalence": 2 / 3, "average_precision": 1.0, "sensitivity": 1.0}
    assert (told["balanced_accuracy"], told["collapsed"]) == (0.75, None)
    assert (told["items"], told["groups"]) == (3, 2)
    assert told["confusion"] == [[0, 0, 1], [1, 0, 1], [1, 1, 1]]
    assert told["accuracy_se"] == found.accuracy_se
    assert told["calibration"][9] == [1, pytest.approx(0.6), 0.0]
    assert told["calibration"][0] == [0, None, None]


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        ("torch.zeros(0, 2), torch.zeros(0).long()", "found 0 predictions, 0 labels"),
        ("torch.zeros(2, 2), torch.zeros(3).long()", "found 2 predictions, 3 labels"),
        ("torch.zeros(2, 2), torch.zeros(2).long(), ['a']", "found 2 predictions, 2 labels, 1 groups"),
    ],
)
def test_wrong_lengths_are_refused(plain_error: Callable[[str], str], arguments: str, found: str):
    said = plain_error(f"import torch; from askwell.scoring.evaluation import details; details({arguments})")
    assert said == f"ShapeError: expected one label (and one group, if any) for each of 1 or more predictions, {found}."

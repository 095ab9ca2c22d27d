"""What accuracy hides: against plain loops, known cases, and the artefact that misled the paper."""

import pytest
import torch

from askwell.scoring.evaluation import details
from askwell.scoring.imbalance import (
    average_precision,
    balanced_accuracy,
    collapsed_class,
    sensitivity_at,
    trapezoid_precision,
    two_classes,
)

GENERATOR = torch.Generator().manual_seed(4)
SCORES = torch.randint(0, 12, (60,), generator=GENERATOR).double().tolist()  # many ties
TRUTH = (torch.rand(60, generator=GENERATOR) < 0.3).long().tolist()


def precision_and_recall(threshold: float) -> tuple[float, float]:
    taken = [truth for score, truth in zip(SCORES, TRUTH, strict=True) if score >= threshold]
    return sum(taken) / len(taken), sum(taken) / sum(TRUTH)


def test_average_precision_against_a_plain_loop():
    total, before = 0.0, 0.0
    for threshold in sorted(set(SCORES), reverse=True):
        precision, recall = precision_and_recall(threshold)
        total += (recall - before) * precision
        before = recall
    assert average_precision(SCORES, TRUTH) == pytest.approx(total, abs=1e-12)


def test_the_trapezoid_against_a_plain_loop():
    total, before = 0.0, (1.0, 0.0)
    for threshold in sorted(set(SCORES), reverse=True):
        precision, recall = precision_and_recall(threshold)
        total += (recall - before[1]) * (precision + before[0]) / 2
        before = (precision, recall)
    assert trapezoid_precision(SCORES, TRUTH) == pytest.approx(total, abs=1e-12)


@pytest.mark.parametrize("prevalence", [0.05, 0.2, 0.5])
def test_a_constant_predictor_scores_the_prevalence_and_the_trapezoid_flatters_it(prevalence: float):
    """On the paper's balanced test set the trapezoid gives "everything is benign" .75, more than the challenge's winner had (.637)."""
    truth = [1] * round(200 * prevalence) + [0] * round(200 * (1 - prevalence))
    assert average_precision([0.1] * 200, truth) == pytest.approx(prevalence, abs=1e-12)
    assert trapezoid_precision([0.1] * 200, truth) == pytest.approx((1 + prevalence) / 2, abs=1e-12)


def test_sensitivity_at_a_specificity_against_every_threshold():
    negatives = TRUTH.count(0)
    allowed = [
        sum(truth for score, truth in zip(SCORES, TRUTH, strict=True) if score >= threshold) / sum(TRUTH)
        for threshold in [*SCORES, 99.0]
        if sum(1 - truth for score, truth in zip(SCORES, TRUTH, strict=True) if score >= threshold) <= 0.2 * negatives
    ]
    assert sensitivity_at(SCORES, TRUTH, 0.8) == pytest.approx(max(allowed), abs=1e-12)
    assert sensitivity_at([0.5] * 4, [0, 1, 0, 1], 0.95) == 0.0
    assert sensitivity_at([0.9, 0.1, 0.8, 0.2], [1, 0, 1, 0], 0.95) == 1.0


def test_balanced_accuracy_is_the_mean_over_classes():
    labels, predicted = torch.tensor([0, 0, 0, 1, 2, 2]), torch.tensor([0, 0, 1, 1, 0, 2])
    assert balanced_accuracy(predicted, labels) == pytest.approx((2 / 3 + 1 + 1 / 2) / 3)
    assert balanced_accuracy(torch.zeros(10).long(), torch.tensor([0] * 9 + [1])) == 0.5


def test_a_collapsed_fit_is_noticed():
    one = torch.zeros(5).long()
    assert collapsed_class(one, torch.tensor([0, 0, 1, 0, 1])) == 0
    assert collapsed_class(one, torch.zeros(5).long()) is None  # nothing else was there to be found
    assert collapsed_class(torch.tensor([0, 0, 1, 0, 0]), torch.tensor([0, 0, 1, 0, 1])) is None
    unsure = torch.tensor([[0.6, 0.4], [0.51, 0.49], [0.9, 0.1]], dtype=torch.float64).log()
    found = details(unsure, torch.tensor([1, 1, 0]))
    assert found.collapsed == 0
    assert found.two_classes is not None
    assert (
        found.two_classes.average_precision == 1.0
    )  # though all are called benign, the malignant ones are ranked first


def test_other_numbers_of_classes_have_none_of_it():
    three = torch.full((4, 3), 1 / 3, dtype=torch.float64).log()
    assert two_classes(three, torch.tensor([0, 1, 2, 0])) is None
    assert two_classes(three[:, :2], torch.zeros(4).long()) is None

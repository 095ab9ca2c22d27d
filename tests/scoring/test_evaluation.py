"""Metrics against hand computation and scikit-learn."""

import math

import pytest
import torch
from sklearn.metrics import log_loss, roc_auc_score

from askwell.scoring.evaluation import evaluate, expected_calibration_error


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

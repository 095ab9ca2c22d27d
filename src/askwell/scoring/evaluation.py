"""How good are the predictions? Numbers from predictive log-probabilities and the true labels."""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from sklearn.metrics import roc_auc_score
from torch import Tensor

CALIBRATION_BINS = 15


class Evaluation(NamedTuple):
    """Measured on held-out items; fractions between 0 and 1, nll in nats, auc None unless there are two classes, both present."""

    accuracy: float
    nll: float
    ece: float
    auc: float | None


def evaluate(predictive: Float[Tensor, "N C"], labels: Int[Tensor, " N"]) -> Evaluation:
    """Accuracy, mean negative log-likelihood, expected calibration error and (for two classes) area under the ROC curve.

    predictive holds log p(y | x, D) in float64. A true class of probability 0 makes the nll infinite, as it should.
    """
    return Evaluation(
        accuracy=float((predictive.argmax(dim=-1) == labels).double().mean()),
        nll=float(-predictive.gather(1, labels[:, None]).mean()),
        ece=expected_calibration_error(predictive, labels),
        auc=_two_class_auc(predictive, labels),
    )


def expected_calibration_error(predictive: Float[Tensor, "N C"], labels: Int[Tensor, " N"]) -> float:
    """sum_b (n_b / N) |accuracy_b - confidence_b| over 15 equal-width bins of the confidence (Guo et al. 2017)."""
    confidence, predicted = predictive.exp().max(dim=-1)
    bins = (confidence * CALIBRATION_BINS).long().clamp(max=CALIBRATION_BINS - 1)
    excess = (predicted == labels).double() - confidence.double()
    per_bin = torch.zeros(CALIBRATION_BINS, dtype=torch.float64).index_add_(0, bins, excess)
    return float(per_bin.abs().sum()) / len(labels)


def _two_class_auc(predictive: Float[Tensor, "N C"], labels: Int[Tensor, " N"]) -> float | None:
    if predictive.shape[1] != 2 or len(labels.unique()) < 2:
        return None
    return float(roc_auc_score(labels.numpy(), predictive[:, 1].exp().numpy()))

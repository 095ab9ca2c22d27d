"""The two types everything passes around, and the few formulas everything shares.

Legend for every shape in askwell: N items, T posterior samples, C classes. ``log_probs`` are log-softmax outputs, so
logsumexp over C is 0; nothing here accepts logits or probabilities. Entropies are in nats.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from askwell.errors import ShapeError

LogProbs = Float[Tensor, "N T C"]  # log-softmax outputs, one row per item and posterior sample
Scores = Float[Tensor, " N"]  # higher = ask sooner

NORMALISATION_TOLERANCE = (
    1e-2  # of |logsumexp over C|; log_probs rounded to bf16 are off by up to 5 of its eps, so they get that
)


def check_log_probs(log_probs: LogProbs) -> None:
    """Raise ShapeError unless log_probs is a floating [N, T, C] tensor with T >= 1, C >= 2 that holds log-probabilities.

    Normalisation is looked at for the first item only: that is where logits or probabilities passed by mistake show.
    """
    if log_probs.ndim != 3 or not log_probs.is_floating_point():
        raise ShapeError(
            f"expected floating log_probs [N, T, C], found {log_probs.dtype} {list(log_probs.shape)}; "
            "pass log-softmax outputs with one axis for items, one for posterior samples and one for classes."
        )
    _, samples, classes = log_probs.shape
    if samples < 1 or classes < 2:
        raise ShapeError(
            f"expected at least 1 posterior sample and 2 classes in log_probs [N, T, C], found {list(log_probs.shape)}."
        )
    tolerance = max(NORMALISATION_TOLERANCE, 5 * torch.finfo(log_probs.dtype).eps)
    if bool((log_probs[:1].double().logsumexp(dim=-1).abs() > tolerance).any()):
        raise ShapeError(
            "expected log-probabilities (logsumexp over the class axis is 0), found rows that do not sum to 1; "
            "apply log_softmax over the last axis first."
        )


def log_mean_exp(log_probs: Float[Tensor, "N T C"]) -> Float[Tensor, "N C"]:
    """log of the mean over T of exp(log_probs): the predictive distribution p(y | x, D), in log space.

    (1/T) sum_t p(y = c | x, w_t), the Monte-Carlo integral of Gal et al. (2017), section 3. A class to which every sample gives
    probability 0 stays at -inf.
    """
    return log_probs.logsumexp(dim=1) - math.log(log_probs.shape[1])


def entropy(log_probs: Float[Tensor, "*rows C"]) -> Float[Tensor, "*rows"]:
    """H = - sum_c p_c log p_c over the last axis, in nats; 0 log 0 is 0."""
    return entropy_of_probs(log_probs.exp())


def entropy_of_probs(probs: Float[Tensor, "*rows C"]) -> Float[Tensor, "*rows"]:
    """The same of probabilities, where those are at hand."""
    return torch.special.entr(probs).sum(dim=-1)


def mean_probs(log_probs: LogProbs) -> Float[Tensor, "N C"]:
    """The predictive probabilities, mean over T of exp(log_probs), accumulated in float64."""
    return log_probs.double().exp().mean(dim=1)

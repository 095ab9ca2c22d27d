"""Least confidence."""

from askwell.acquisition.variation_ratios import variation_ratios
from askwell.probability import LogProbs, Scores


def least_confidence(log_probs: LogProbs) -> Scores:
    """Lack of confidence in the most probable class, scaled so that 1 is a uniform prediction for any number of classes.

        C / (C - 1) * (1 - max_c p_c)

    log_probs [N, T, C] -> scores [N], 0 <= score <= 1; ranks exactly as ``variation_ratios``. Raises ShapeError for anything but
    log-probabilities. Lewis and Gale (1994); Culotta and McCallum (2005).
    """
    scores = variation_ratios(log_probs)  # checks log_probs, so there are at least 2 classes
    classes = log_probs.shape[-1]
    return scores * (classes / (classes - 1))

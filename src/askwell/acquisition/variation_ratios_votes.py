"""Variation ratios, as the paper's code counts them."""

import torch

from askwell.probability import LogProbs, Scores, check_log_probs


def variation_ratios_votes(log_probs: LogProbs) -> Scores:
    """The share of posterior samples that do not vote for the modal class.

        1 - (1/T) max_c #{t : argmax p_t = c}

    log_probs [N, T, C] -> scores [N], one of the T values 0, 1/T, ...: many items tie, and ``top_k`` breaks the ties at random.
    A sample that is torn between classes votes for the first of them; a NaN anywhere in an item makes its score NaN.
    Raises ShapeError for anything but log-probabilities. Freeman (1965); the vote form is that of Gal (2016), section 3.3.1.
    """
    check_log_probs(log_probs)
    samples, classes = log_probs.shape[1:]
    votes = torch.nn.functional.one_hot(log_probs.argmax(dim=-1), classes).sum(dim=1)
    scores = 1.0 - votes.amax(dim=-1).double() / samples
    return scores.masked_fill(log_probs.isnan().flatten(1).any(dim=1), torch.nan)

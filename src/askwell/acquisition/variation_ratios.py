"""Variation ratios, as the paper's text defines them."""

from askwell.probability import LogProbs, Scores, check_log_probs, mean_probs


def variation_ratios(log_probs: LogProbs) -> Scores:
    """The probability that the predictive distribution leaves to all classes but the most probable one.

        1 - max_c p_c,   p = (1/T) sum_t p_t

    log_probs [N, T, C] -> scores [N], 0 <= score <= 1 - 1/C. The paper's code counts votes instead: ``variation_ratios_votes``.
    Raises ShapeError for anything but log-probabilities. Freeman (1965); Gal et al. (2017), section 4, item 3.
    """
    check_log_probs(log_probs)
    return 1.0 - mean_probs(log_probs).amax(dim=-1)

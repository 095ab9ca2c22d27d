"""Predictive entropy."""

from askwell.probability import LogProbs, Scores, check_log_probs, entropy, log_mean_exp


def max_entropy(log_probs: LogProbs) -> Scores:
    """Entropy of the predictive distribution, whatever it comes from: noise in the data or ignorance of the weights.

        H[y | x] = - sum_c p_c log p_c,   p = (1/T) sum_t p_t

    log_probs [N, T, C] -> scores [N] in nats, 0 <= score <= log C. Raises ShapeError for anything but log-probabilities.
    Shannon (1948); Gal et al. (2017), section 4, item 1.
    """
    check_log_probs(log_probs)
    return entropy(log_mean_exp(log_probs.double()))

"""Bayesian active learning by disagreement."""

from askwell.probability import LogProbs, Scores, check_log_probs, entropy_of_probs


def bald(log_probs: LogProbs) -> Scores:
    """Mutual information between the label and the network's weights: what the label would tell about the weights.

        I[y; w | x] = H[ (1/T) sum_t p_t ] - (1/T) sum_t H[p_t]

    log_probs [N, T, C] -> scores [N] in nats, 0 <= score <= log min(T, C). The two terms are nearly equal, so both are accumulated
    in float64; rounding below 0 is set to 0, NaN is passed on. The estimate rises with T: never compare items scored at different T.

    Raises ShapeError for anything but log-probabilities. Houlsby et al. (2011); Gal et al. (2017), section 4, item 2.
    """
    check_log_probs(log_probs)
    probs = log_probs.double().exp()
    return (entropy_of_probs(probs.mean(dim=1)) - entropy_of_probs(probs).mean(dim=1)).clamp_min(0.0)

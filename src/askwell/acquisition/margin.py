"""Best versus second best."""

from askwell.probability import LogProbs, Scores, check_log_probs, mean_probs


def margin(log_probs: LogProbs) -> Scores:
    """How close the second most probable class comes to the first.

        p_(2) - p_(1),   p = (1/T) sum_t p_t, sorted downwards

    log_probs [N, T, C] -> scores [N], -1 <= score <= 0; 0 is a tie between two classes. Raises ShapeError for anything but
    log-probabilities. Scheffer, Decomain and Wrobel (2001); Joshi et al. (2009) call it best-versus-second-best.
    """
    check_log_probs(log_probs)
    best, second = mean_probs(log_probs).topk(2, dim=-1).values.unbind(dim=-1)
    return second - best

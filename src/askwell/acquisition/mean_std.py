"""Mean standard deviation."""

from askwell.probability import LogProbs, Scores, check_log_probs


def mean_std(log_probs: LogProbs) -> Scores:
    """How much the posterior samples' probabilities spread, averaged over the classes.

        (1/C) sum_c sqrt( E_t[p_c^2] - E_t[p_c]^2 )

    log_probs [N, T, C] -> scores [N], 0 <= score <= 1/2. The population form (divide by T), computed from deviations so that it does
    not cancel. Raises ShapeError for anything but log-probabilities. Kampffmeyer et al. (2016); Gal et al. (2017), section 4, item 4.
    """
    check_log_probs(log_probs)
    probs = log_probs.double().exp()
    return (probs - probs.mean(dim=1, keepdim=True)).square().mean(dim=1).sqrt().mean(dim=-1)

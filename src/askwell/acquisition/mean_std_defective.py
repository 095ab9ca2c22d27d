"""Mean STD with the defect of the code behind the paper: no acquisition function, only there to show what the defect does."""

import torch

from askwell.acquisition.mean_std import mean_std
from askwell.probability import LogProbs, Scores, check_log_probs


def mean_std_defective(log_probs: LogProbs) -> Scores:
    """Mean STD of one posterior sample taken T times, which is 0: every item ties, and ``top_k`` asks at random.

        (1/C) sum_c sqrt( E_t[p_c^2] - E_t[p_c]^2 )   with p^t = p^1 for every t

    log_probs [N, T, C] -> scores [N], all 0 (NaN for items with a NaN). The code behind Gal et al. (2017) reads the same sample at
    every t; ask with ``mean_std`` instead. Raises ShapeError for anything but log-probabilities.
    """
    check_log_probs(log_probs)
    scores = mean_std(log_probs[:, :1])
    return scores.masked_fill(log_probs.isnan().flatten(1).any(dim=1), torch.nan)

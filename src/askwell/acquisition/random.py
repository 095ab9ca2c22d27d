"""The baseline: ask at random."""

import torch

from askwell.probability import LogProbs, Scores, check_log_probs


def random(log_probs: LogProbs, *, generator: torch.Generator) -> Scores:
    """Uniform draws from [0, 1), one per item, whatever the network says.

    log_probs [N, T, C] -> scores [N]; only N is read. Raises ShapeError for anything but log-probabilities.
    Gal et al. (2017), section 4, item 5.
    """
    check_log_probs(log_probs)
    draws = torch.rand(log_probs.shape[0], generator=generator, dtype=torch.float64, device=generator.device)
    return draws.to(log_probs.device)

"""Stochastic batches: scores to a power, sampled without replacement."""

import math

import torch
from jaxtyping import Int
from torch import Tensor

from askwell.errors import ShapeError
from askwell.probability import Scores
from askwell.selection.top_k import top_k


def power(scores: Scores, k: int, *, generator: torch.Generator, beta: float = 1.0) -> Int[Tensor, " k"]:
    """Indices [min(k, N)] drawn without replacement with probability proportional to score^beta.

        top k of  beta log s_i + g_i,   g_i ~ Gumbel(0, 1)

    The k best of one round are often near-duplicates; the noise stands for how the scores would change as the batch's other labels come
    in. beta = 0 is uniform, large beta approaches ``top_k``. Items of score 0 come last, in random order. The draw is the same for any
    positive multiple of the scores.

    Raises ShapeError for negative scores (use an acquisition function that is a quantity of information, as bald), or beta < 0 or infinite,
    NonFiniteError for NaN. Kirsch et al. (2023), "Stochastic batch acquisition".
    """
    if scores.ndim != 1 or not 0 <= beta < math.inf:
        raise ShapeError(f"expected scores [N] and a finite beta >= 0, found {list(scores.shape)} and beta = {beta}.")
    if bool((scores < 0).any()):
        raise ShapeError(f"expected scores >= 0, found a lowest score of {float(scores.min()):.4g}.")
    uniform = torch.rand(len(scores), generator=generator, dtype=torch.float64, device=generator.device)
    gumbel = -(-uniform.clamp_min(torch.finfo(torch.float64).tiny).log()).log()
    uniform_weight = torch.zeros_like(scores, dtype=torch.float64).masked_fill(scores.isnan(), torch.nan)
    weight = beta * scores.double().log() if beta > 0 else uniform_weight
    return top_k(weight + gumbel.to(scores.device), k, generator=generator)

"""Do two ways of sampling answer alike? Differences of their estimates, beside those that another seed makes."""

from collections.abc import Sequence
from itertools import combinations
from typing import Any, NamedTuple

import torch
from scipy.stats import rankdata
from torch import Tensor

from askwell.acquisition import bald
from askwell.pool.images import Pool
from askwell.posterior.mc_dropout import MCDropout
from askwell.probability import log_mean_exp
from askwell.scoring.local import stream_log_probs

ALLOWED = 1.25  # times the largest difference between two of our own seeds


class Moments(NamedTuple):
    """What T samples say about N images: the mean predictive probabilities [N, C] and the scores [N]."""

    probabilities: Tensor
    scores: Tensor


def own_moments(posterior: MCDropout, pool: Pool, *, classes: int) -> Moments:
    """Ours, with BALD as the score."""
    chunks = [
        (log_mean_exp(chunk.log_probs.double()).exp(), bald(chunk.log_probs))
        for chunk in stream_log_probs(posterior, pool, torch.arange(len(pool)), classes=classes)
    ]
    probabilities, scores = zip(*chunks, strict=True)
    return Moments(torch.cat(probabilities), torch.cat(scores))


def overlap(left: Tensor, right: Tensor, k: int) -> float | None:
    """The fraction of the k best by one that are among the k best by the other; None where there are not more than k."""
    if len(left) <= k:
        return None
    best = [set(scores.topk(k).indices.tolist()) for scores in (left, right)]
    return len(best[0] & best[1]) / k


def compare(left: Moments, right: Moments) -> dict[str, Any]:
    """Mean absolute differences of probabilities and scores, rank correlation, and overlaps of the best."""
    return {
        "probability_difference": float((left.probabilities - right.probabilities).abs().mean()),
        "score_difference": float((left.scores - right.scores).abs().mean()),
        "spearman": _spearman(left.scores, right.scores),
        "top_10": overlap(left.scores, right.scores, 10),
        "top_100": overlap(left.scores, right.scores, 100),
    }


def own_spread(seeds: Sequence[Moments]) -> dict[str, Any]:
    """What another seed changes: every pair of seeds compared; of each figure the least, the mean and the largest."""
    pairs = [compare(left, right) for left, right in combinations(seeds, 2)]
    spread: dict[str, Any] = {}
    for name in pairs[0]:
        values = [pair[name] for pair in pairs if pair[name] is not None]
        spread[name] = (
            {"least": min(values), "mean": sum(values) / len(values), "most": max(values)} if values else None
        )
    return spread


def agrees(found: dict[str, Any], spread: dict[str, Any]) -> bool:
    """Whether both differences are within Monte-Carlo error: not above 1.25 times the largest between two own seeds."""
    names = ("probability_difference", "score_difference")
    return all(found[name] <= ALLOWED * spread[name]["most"] for name in names)


def _spearman(left: Tensor, right: Tensor) -> float:
    ranks = [torch.from_numpy(rankdata(scores.numpy())) for scores in (left, right)]
    return float(torch.corrcoef(torch.stack(ranks))[0, 1])

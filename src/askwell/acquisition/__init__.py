"""How informative would each image's label be? One score per file, all in one table.

An acquisition function takes log_probs [N, T, C] and returns scores [N], higher = ask sooner. It is pure: no logging, no files, no
device moves; ``random`` takes its generator as an argument.
"""

from collections.abc import Callable, Mapping

from askwell.acquisition.bald import bald
from askwell.acquisition.least_confidence import least_confidence
from askwell.acquisition.margin import margin
from askwell.acquisition.max_entropy import max_entropy
from askwell.acquisition.mean_std import mean_std
from askwell.acquisition.mean_std_defective import mean_std_defective
from askwell.acquisition.random import random
from askwell.acquisition.variation_ratios import variation_ratios
from askwell.acquisition.variation_ratios_votes import variation_ratios_votes
from askwell.probability import Scores

ACQUISITIONS: Mapping[str, Callable[..., Scores]] = {
    "bald": bald,
    "max_entropy": max_entropy,
    "variation_ratios": variation_ratios,
    "variation_ratios_votes": variation_ratios_votes,
    "mean_std": mean_std,
    "mean_std_defective": mean_std_defective,
    "margin": margin,
    "least_confidence": least_confidence,
    "random": random,
}

__all__ = [
    "ACQUISITIONS",
    "bald",
    "least_confidence",
    "margin",
    "max_entropy",
    "mean_std",
    "mean_std_defective",
    "random",
    "variation_ratios",
    "variation_ratios_votes",
]

"""What a user may name as a strategy: posterior x acquisition x selection, in one literal table. Imports no torch."""

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from askwell.errors import UnknownNameError


class Strategy(NamedTuple):
    """How a round's query is chosen. ``posterior`` None means that no network is asked."""

    description: str
    acquisition: str
    selection: str = "top_k"
    posterior: Literal["mc_dropout", "point"] | None = "mc_dropout"


STRATEGIES: Mapping[str, Strategy] = {
    "bald": Strategy("mutual information between label and weights (Houlsby 2011)", "bald"),
    "max_entropy": Strategy("entropy of the predictive distribution (Shannon 1948)", "max_entropy"),
    "variation_ratios": Strategy(
        "1 - the largest mean probability, as the paper writes it (Freeman 1965)", "variation_ratios"
    ),
    "mean_std": Strategy("standard deviation of the samples' probabilities, mean over classes", "mean_std"),
    "mean_std_defective": Strategy(
        "not for use: mean_std with the defect of the paper's code, which makes every score 0", "mean_std_defective"
    ),
    "random": Strategy("the baseline: uniform over the pool; asks no network", "random", posterior=None),
    "power_bald": Strategy(
        "BALD with Gumbel noise, so that a batch is not one image ten times (Kirsch 2023)", "bald", "power"
    ),
    "variation_ratios_votes": Strategy(
        "share of samples not voting for the mode, as the paper's code counts", "variation_ratios_votes"
    ),
    "margin": Strategy("best versus second-best mean probability (Joshi 2009)", "margin"),
    "least_confidence": Strategy("1 - the largest mean probability, scaled to 0..1", "least_confidence"),
    "point_max_entropy": Strategy(
        "the deterministic network's entropy (section 5.2)", "max_entropy", posterior="point"
    ),
    "point_variation_ratios": Strategy(
        "the deterministic network's variation ratio (section 5.2)", "variation_ratios", posterior="point"
    ),
    "point_bald": Strategy("identically 0 for a point: random in disguise (section 5.2)", "bald", posterior="point"),
}

PAPER_STRATEGIES = ("bald", "variation_ratios", "max_entropy", "mean_std", "random")


VOTES = "variation_ratios_votes"  # so coarse at small T that everything could still be among the best


def whole_pool_strategies(names: Sequence[str]) -> list[str]:
    """Those of the strategies that need all posterior samples of every item: see ``samples = "adaptive"``."""
    sampled = [(name, STRATEGIES[name]) for name in names if STRATEGIES[name].posterior == "mc_dropout"]
    return [name for name, each in sampled if each.selection != "top_k" or each.acquisition == VOTES]


def strategy_named(name: str) -> Strategy:
    """The table's entry; UnknownNameError offers the nearest names."""
    if name not in STRATEGIES:
        raise UnknownNameError("strategy", name, STRATEGIES)
    return STRATEGIES[name]

"""Adaptive sampling: few posterior samples for every item, all of them for those that can still be among the k best.

Every item is first scored roughly, with the first t of the T samples. The best of these are scored again with all T; how far the two
scores of those lie apart says how far they may for the others. With x the rough and y the full score of the n items that have both,

    y = x + a + b x + e,   e ~ N(0, s^2),   a, b by least squares, s from the lower half of them by x,

and S the k-th highest y so far, an item with the rough score x alone is among the k best with probability about

    P(y > S) = Phi( (x + a + b x - S) / s ).

More items are scored with all T, best x first, until these probabilities sum up to at most ``MISSED`` over the items that are left: so
that is, where the model holds, the most that the probability of choosing otherwise than all T would can be (Boole's inequality).
What it is on real campaigns is in docs/adaptive.md. Only full scores are compared with one another.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from askwell.errors import SettingsError
from askwell.pool.images import Pool
from askwell.pool.reading import SetAside
from askwell.posterior.mc_dropout import MCDropout
from askwell.probability import LogProbs, Scores
from askwell.scoring.local import MEMORY_BYTES, Progress, score_pool

FIRST_SAMPLES = (
    20  # t; with the paper's network 10 would be a tenth cheaper, and leave six times as many items to score fully
)
FEWEST = 1000  # items with both scores to begin with, or ten for each that is asked: a, b and s are learnt from them
MISSED = 0.05
STEP = 1.25  # by this factor at least the items with a full score grow, so that there are few passes


class AdaptiveScores(NamedTuple):
    """Some of the positions, by entry [m], ascending, and their scores [m], all from ``samples`` posterior samples.

    The k best of the pool are among them. first_samples is t, or ``samples`` where every item was scored so at once.
    """

    entries: Int[Tensor, " m"]
    scores: Scores
    samples: int
    first_samples: int


def score_adaptively(
    posterior: MCDropout,
    pool: Pool,
    positions: Int[Tensor, " N"],
    acquisition: Callable[[LogProbs], Scores],
    *,
    k: int,
    classes: int,
    first_precision: str | None = None,
    memory_bytes: int = MEMORY_BYTES,
    progress: Progress | None = None,
    set_aside: SetAside | None = None,
) -> AdaptiveScores:
    """Score enough of the items at ``positions`` to know the ``k`` best by all of the posterior's samples.

    acquisition      a score that settles as T grows: bald, max_entropy, variation_ratios, mean_std, margin, least_confidence
    first_precision  of the rough scores; "bf16" halves their cost where the processor multiplies it, and the others are as ever

    Items whose image cannot be read are in no entry; ``set_aside`` is told of them, and without it they raise UnreadableImagesError.
    Raises SettingsError for k < 1.
    """
    if k < 1:
        raise SettingsError(f"expected to look for at least 1 item, found k = {k}.")
    done = 0

    def scores(drawn: MCDropout, entries: Tensor) -> Scores:
        """In the entries' order, though the pool is read in its own; NaN for images that cannot be read."""
        nonlocal done
        ascending, order = entries.sort()
        found = score_pool(
            drawn,
            pool,
            positions[ascending],
            acquisition,
            classes=classes,
            memory_bytes=memory_bytes,
            progress=None if progress is None else partial(_onward, progress, done),
            set_aside=set_aside,
        )
        done += len(entries)
        return torch.empty_like(found).index_copy_(0, order, found)

    everything, T = torch.arange(len(positions)), posterior.samples
    if len(positions) <= max(FEWEST, 10 * k) or T <= FIRST_SAMPLES:
        return _readable(everything, scores(posterior, everything), T, T)
    rough = scores(posterior.first(FIRST_SAMPLES, precision=first_precision), everything)
    return _readable(*settle(rough, partial(scores, posterior), k), T, FIRST_SAMPLES)


def settle(
    rough: Float[Tensor, " N"], score_fully: Callable[[Tensor], Tensor], k: int
) -> tuple[Int[Tensor, " n"], Float[Tensor, " n"]]:
    """Which entries must be scored fully to know the k best, best rough score first, and their full scores [n]; NaN as in rough.

    ``score_fully`` turns entries [m] into their full scores [m]. Entries whose rough score is NaN are left out.
    """
    order = rough.nan_to_num(-math.inf).argsort(descending=True, stable=True)[: int((~rough.isnan()).sum())]
    full, wanted = rough.new_empty(0), max(FEWEST, 10 * k)
    while len(full) < len(order):
        full = torch.cat([full, score_fully(order[len(full) : wanted])])
        reachable = count_reachable(rough[order], full, k)
        if reachable == 0:
            break
        wanted = max(len(full) + reachable, math.ceil(STEP * len(full)))
    return order[: len(full)], full


def count_reachable(rough: Float[Tensor, " N"], full: Float[Tensor, " n"], k: int) -> int:
    """How many of the items n ... N - 1 must be scored fully before the others' probabilities sum up to at most MISSED.

    rough [N] descends; full [n] belongs to the first n of it, and is NaN for images that turned out unreadable.
    """
    known = ~full.isnan()
    x, y, rest = rough[: len(full)][known], full[known], rough[len(full) :]
    if len(y) < max(k, 2):
        return len(rest)
    slope, intercept, spread = _line(x, y)
    reach = (intercept + slope * rest - y.topk(k).values[-1]) / spread
    still = torch.special.ndtr(reach).flip(0).cumsum(0).flip(0)  # what the items from here on sum up to
    return int((still > MISSED).sum())


def _readable(entries: Tensor, scores: Scores, samples: int, first_samples: int) -> AdaptiveScores:
    entries, order = entries[~scores.isnan()].sort()
    return AdaptiveScores(entries, scores[~scores.isnan()][order], samples, first_samples)


def _onward(progress: Progress, before: int, done: int, total: int) -> None:
    progress(before + done, before + total)


def _line(x: Float[Tensor, " n"], y: Float[Tensor, " n"]) -> tuple[float, float, float]:
    """Slope and intercept of y over x by least squares, and the root mean square error over the lower half of x, which descends."""
    centred = x - x.mean()
    variance = float(centred.square().mean())
    slope = float((centred * y).mean()) / variance if variance > 0 else 1.0
    intercept = float(y.mean() - slope * x.mean())
    errors = y - intercept - slope * x
    spread = math.sqrt(float(errors[len(errors) // 2 :].square().mean()))
    rounding = 16 * torch.finfo(x.dtype).eps * float(y.abs().max())  # less than that tells no items apart
    return slope, intercept, max(spread, rounding, torch.finfo(x.dtype).tiny)

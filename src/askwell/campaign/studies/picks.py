"""How a round's pick changes with T, with the masks, and with scoring a part of the pool only.

Gal et al.'s code scores a random 2,000 of the pool in every round. That gives up score and, as near-duplicates are thinned out with
everything else, brings diversity that the acquisition function has no part in. Here it is measured.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from askwell.campaign.seeds import derive_seed
from askwell.campaign.steps import MIB
from askwell.campaign.studies.agreement import overlap, rank_correlation
from askwell.campaign.workspace import Workspace
from askwell.pool.images import as_float
from askwell.pool.reading import read_images
from askwell.probability import LogProbs, Scores
from askwell.scoring.local import Posterior, predict_log_probs, stream_log_probs
from askwell.selection import top_k

PART = 2000
LARGE_POOL = 20_000  # below it the part is a tenth of the pool
DRAWS = 10

Acquisitions = Mapping[str, Callable[[LogProbs], Scores]]


class Scored(NamedTuple):
    """Items by position [N], and their scores [N] in float64: samples T -> acquisition function -> scores."""

    positions: Tensor
    scores: Mapping[int, Mapping[str, Tensor]]


class Change(NamedTuple):
    """Another way of scoring against the reference: the share of its pick that is kept, and the rank correlation over the pool.

    The correlation is None where a score is the same for all items.
    """

    overlap: float
    rank_correlation: float | None


class Spread(NamedTuple):
    """How different the images of one pick are, as the mean over its pairs; None for a pick of one.

    probabilities   total variation between mean probabilities, 0 ... 1
    pixels          root mean square difference of the network's input
    """

    probabilities: float | None
    pixels: float | None


@dataclass(frozen=True)
class PartOfPool:
    """Picks from random parts of the pool against the pick from all of it; means over the draws.

    overlap      share of the whole pool's pick that is in the part's; size / unasked is to be expected, as the best of all are the best
                 of any part they are in
    score_whole, score_part   mean score of the pick
    """

    size: int
    overlap: float
    score_whole: float
    score_part: float
    spread_whole: Spread
    spread_part: Spread
    spread_random: Spread


@dataclass(frozen=True)
class PickChanges:
    """Everything about one acquisition function's pick: by T, for each of the other masks, and from parts of the pool."""

    samples: Mapping[int, Change]
    masks: tuple[Change, ...]
    part: PartOfPool


def scored(
    workspace: Workspace,
    posterior: Posterior,
    positions: Tensor,
    acquisitions: Acquisitions,
    samples: Sequence[int],
    progress: Callable[[int, int], None],
) -> Scored:
    """Score the items with every acquisition function and number of samples in one pass: T samples are the first T of more.

    Items whose image cannot be read are left out.
    """
    scores = {
        T: {name: torch.full((len(positions),), torch.nan, dtype=torch.float64) for name in acquisitions}
        for T in samples
    }
    readable = torch.zeros(len(positions), dtype=torch.bool)
    settings = workspace.settings
    for chunk in stream_log_probs(
        posterior,
        workspace.pool,
        positions,
        classes=len(settings.classes),
        memory_bytes=settings.memory_mb * MIB,
        progress=progress,
        set_aside=lambda _: None,
    ):
        readable[chunk.entries] = True
        for T, by_name in scores.items():
            for name, acquisition in acquisitions.items():
                by_name[name][chunk.entries] = acquisition(chunk.log_probs[:, :T]).to(by_name[name])
    kept = {T: {name: values[readable] for name, values in by_name.items()} for T, by_name in scores.items()}
    return Scored(positions[readable], kept)


def picked(workspace: Workspace, scores: Tensor, round_number: int) -> Tensor:
    """The top k, k the campaign's query: as the campaign's own selection of the round if that is top_k, ties and all."""
    return top_k(scores, workspace.settings.query, generator=workspace.generator("selection", round_number))


def change(workspace: Workspace, reference: Tensor, other: Tensor, round_number: int) -> Change:
    """What the pick and the order become with other scores of the same items."""
    picks = [picked(workspace, scores, round_number).numpy() for scores in (reference, other)]
    correlation = float(rank_correlation(reference.numpy(), other.numpy()))
    return Change(overlap(*picks), None if np.isnan(correlation) else correlation)


def part_size(unasked: int, query: int) -> int:
    """How many of the unasked items a part has: 2,000, or a tenth of a pool below 20,000, but enough for a query."""
    wanted = PART if unasked >= LARGE_POOL else unasked // 10
    return min(unasked, max(wanted, query))


class Parts(NamedTuple):
    """Random parts of the unasked items, as entries of them, and how different randomly picked images are."""

    entries: tuple[Tensor, ...]
    spread: Spread


def random_parts(workspace: Workspace, posterior: Posterior, positions: Tensor, seed: int) -> Parts:
    """The parts that every acquisition function is tried on, and random picks of a query as the yardstick of their spread."""
    query = min(workspace.settings.query, len(positions))
    size = part_size(len(positions), query)
    entries, picks = [], []
    for draw in range(DRAWS):
        generator = torch.Generator().manual_seed(derive_seed(seed, "diagnose part", draw))
        order = torch.randperm(len(positions), generator=generator)
        entries.append(order[:size].sort().values)
        picks.append(positions[order[-query:]])
    return Parts(tuple(entries), _mean_spread(spreads(workspace, posterior, picks)))


def part_of_pool(
    workspace: Workspace, posterior: Posterior, positions: Tensor, scores: Tensor, parts: Parts, round_number: int
) -> PartOfPool:
    """Pick from every part by scores [N] of the items at positions [N], and compare with the pick from all of them."""
    whole = picked(workspace, scores, round_number)
    picks = [entries[picked(workspace, scores[entries], round_number)] for entries in parts.entries]
    first, *others = spreads(workspace, posterior, [positions[pick] for pick in (whole, *picks)])
    return PartOfPool(
        size=len(parts.entries[0]),
        overlap=fmean(overlap(whole.numpy(), pick.numpy()) for pick in picks),
        score_whole=float(scores[whole].mean()),
        score_part=fmean(float(scores[pick].mean()) for pick in picks),
        spread_whole=first,
        spread_part=_mean_spread(others),
        spread_random=parts.spread,
    )


def spreads(workspace: Workspace, posterior: Posterior, picks: Sequence[Tensor]) -> list[Spread]:
    """How different the images of each pick, a tensor of positions, are, to the network and as pixels."""
    if min(map(len, picks)) < 2:
        return [Spread(None, None)] * len(picks)
    items = torch.cat(list(picks)).unique()
    settings = workspace.settings
    memory = settings.memory_mb * MIB
    classes = len(settings.classes)
    predictive = predict_log_probs(posterior, workspace.pool, items, classes=classes, memory_bytes=memory)
    return [_spread(workspace, pick, predictive[torch.searchsorted(items, pick)].exp()) for pick in picks]


def _spread(workspace: Workspace, positions: Tensor, probabilities: Tensor) -> Spread:
    pixels = as_float(read_images(workspace.pool, positions).images).flatten(1).double()
    return Spread(
        probabilities=float(torch.pdist(probabilities, p=1).mean()) / 2,
        pixels=float(torch.pdist(pixels).mean()) / pixels.shape[1] ** 0.5,
    )


def _mean_spread(found: Sequence[Spread]) -> Spread:
    probabilities, pixels = zip(*found, strict=True)
    return Spread(*(None if None in values else fmean(values) for values in (probabilities, pixels)))

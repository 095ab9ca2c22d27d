"""How well scores predict what a label is worth: add one unasked item alone, fit again, and see by how much the test loss drops.

    drop(i) = nll(fit on the labelled items) - nll(fit on the labelled items and i),    same weight seed, same masks

The test images measure this and decide nothing: the candidates are drawn over the quantiles of the score. A single label moves the loss
little and a fit is random, so every candidate is fitted several times, and how far the repeats agree is measured too.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from askwell.campaign.seeds import derive_seed
from askwell.campaign.studies.agreement import Correlation, Noise, bootstrapped, noise_of
from askwell.campaign.studies.refits import joined, known_batch, labelled_batch, refit
from askwell.campaign.studies.reopening import Reopened
from askwell.campaign.workspace import Notify
from askwell.errors import NonFiniteError
from askwell.learning.tuning import LabelledBatch


@dataclass(frozen=True)
class Candidate:
    """An unasked item that was added alone: its id, its scores by acquisition function, and the drop in nats of every repeat."""

    id: str
    scores: Mapping[str, float]
    drops: tuple[float, ...]


@dataclass(frozen=True)
class DropStudy:
    """What adding each candidate did.

    baseline       test nll of every repeat's fit without a candidate
    correlations   each acquisition function's scores against the candidates' mean drops
    noise          how the repeats agree on the drops
    """

    baseline: tuple[float, ...]
    candidates: tuple[Candidate, ...]
    correlations: Mapping[str, Correlation]
    noise: Noise


def stratified(scores: Tensor, count: int, *, generator: torch.Generator) -> Tensor:
    """Entries of scores [N], one drawn from each of ``count`` quantiles (N of them if there are fewer items), lowest first.

    Equal scores are put in random order.
    """
    shuffled = torch.randperm(len(scores), generator=generator)
    order = shuffled[scores[shuffled].argsort(stable=True)]
    strata = order.tensor_split(min(count, len(scores)))
    return torch.stack([part[torch.randint(len(part), (), generator=generator)] for part in strata])


def measured_drops(
    campaign: Reopened,
    round_number: int,
    positions: Sequence[int],
    *,
    seeds: Sequence[int],
    narrate: Callable[[int, str], Notify],
) -> tuple[list[float], np.ndarray]:
    """The test nll of the round's labels alone, one per seed [R], and the drops [R, n] that each position's label brings.

    ``narrate`` is asked before each fit, with the number of fits done and what comes, for whom to tell. Raises NonFiniteError where a test
    image's true class has probability 0.
    """
    workspace, oracle = campaign.workspace, campaign.oracle
    assert oracle is not None, "only a campaign whose labels are known has drops"
    train, validation = (labelled_batch(workspace, round_number, role) for role in ("pool", "validation"))
    candidates = known_batch(workspace, oracle, positions)
    losses = np.empty((len(seeds), 1 + len(positions)))
    for repeat, seed in enumerate(seeds):
        for column in range(1 + len(positions)):
            what = f"candidate {column} of {len(positions)}" if column else "without a candidate"
            done = repeat * (1 + len(positions)) + column
            added = LabelledBatch(*(part[column - 1 : column] for part in candidates))
            losses[repeat, column] = refit(
                workspace,
                workspace.settings.recipe,
                joined(train, added) if column else train,
                validation,
                seed=seed,
                round_number=round_number,
                notify=narrate(done, f"fit {repeat + 1} of {len(seeds)}, {what}"),
            ).measured.nll
    if not np.isfinite(losses).all():
        raise NonFiniteError("expected finite losses on the test images, found an infinite one; choose a later round.")
    return losses[:, 0].tolist(), losses[:, :1] - losses[:, 1:]


def drop_study(
    ids: Sequence[str],
    scores: Mapping[str, Sequence[float]],
    baseline: Sequence[float],
    drops: np.ndarray,
    *,
    seed: int,
) -> DropStudy:
    """Set scores (acquisition function -> one per candidate) against drops [R, n]."""
    mean = drops.mean(axis=0)
    candidates = tuple(
        Candidate(item_id, {name: values[place] for name, values in scores.items()}, tuple(drops[:, place].tolist()))
        for place, item_id in enumerate(ids)
    )
    correlations = {
        name: bootstrapped(
            np.asarray(values), mean, generator=np.random.default_rng(derive_seed(seed, "diagnose bootstrap"))
        )
        for name, values in scores.items()
    }  # the same resamples for all, so that they compare
    halvings = np.random.default_rng(derive_seed(seed, "diagnose halves"))
    return DropStudy(tuple(baseline), candidates, correlations, noise_of(drops, generator=halvings))

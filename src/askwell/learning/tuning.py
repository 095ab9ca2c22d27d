"""Choose the weight decay on a validation set, by grid."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Int
from torch import Tensor, nn

from askwell.errors import NonFiniteError, SettingsError
from askwell.learning.lockstep import FitRequest, fit_together
from askwell.learning.recipe import Recipe
from askwell.learning.supervised import Progress, State, fit, images_trained_on, step_count
from askwell.pool.images import as_float

VALIDATION_BATCH = 256


class LabelledBatch(NamedTuple):
    """Images [N, channels, height, width] and labels [N], in memory."""

    images: Tensor
    labels: Int[Tensor, " N"]


class TunedFit(NamedTuple):
    """A trained network and the weight decay ``value`` it was trained with."""

    model: nn.Module
    value: float


class TuningRequest(NamedTuple):
    """What ``fit_tuned`` is asked for."""

    recipe: Recipe
    train: LabelledBatch
    validation: LabelledBatch
    classes: int
    seed: int
    start: State | None = None
    progress: Progress | None = None


def fit_tuned(
    recipe: Recipe,
    train: LabelledBatch,
    validation: LabelledBatch,
    *,
    classes: int,
    seed: int,
    start: State | None = None,
    progress: Progress | None = None,
) -> TunedFit:
    """Fit once for every value of ``weight_decay.tune``, from the same seed, and keep the fit with the lowest validation loss.

    The loss is the cross-entropy of the weight-scaling network on the validation images; of equal losses the first value wins. With
    an empty grid this is one plain fit; on a GPU the values of a grid are fitted together. Raises SettingsError for a grid without
    validation images. Gal et al. (2017), section 5.1.
    """
    grid = _grid(recipe, validation)
    if len(grid) > 1 and torch.device(recipe.device).type == "cuda":
        (tuned,) = fit_tuned_together([TuningRequest(recipe, train, validation, classes, seed, start, progress)])
        assert tuned is not None, "something was asked for"
        if isinstance(tuned, NonFiniteError):
            raise tuned
        return tuned
    steps = step_count(recipe, images_trained_on(recipe, train.labels))

    def fits() -> Iterator[TunedFit]:
        for position, value in enumerate(grid):

            def report(done: int, _: int, before: int = position * steps) -> None:
                if progress is not None:
                    progress(before + done, steps * len(grid))

            candidate = with_decay(recipe, value)
            model = fit(candidate, *train, classes=classes, seed=seed, start=start, progress=report)
            yield TunedFit(model, value)

    return _best(fits(), validation, len(grid))


def fit_tuned_together(requests: Sequence[TuningRequest | None]) -> list[TunedFit | NonFiniteError | None]:
    """What ``fit_tuned`` gives for each request, within rounding, with all values of all grids trained in lock-step.

    As in ``lockstep.fit_together``, None keeps a place, and a NonFiniteError stands where ``fit_tuned`` would raise it.
    """
    grids = [() if request is None else _grid(request.recipe, request.validation) for request in requests]
    width = max((len(grid) for grid in grids), default=0)
    fits = fit_together(
        [
            _request_for(request, grid[place]) if request is not None and place < len(grid) else None
            for request, grid in zip(requests, grids, strict=True)
            for place in range(width)
        ]
    )
    found: list[TunedFit | NonFiniteError | None] = []
    for number, (request, grid) in enumerate(zip(requests, grids, strict=True)):
        own = fits[number * width :][: len(grid)]
        if request is None:
            found.append(None)
        elif error := next((fitted for fitted in own if isinstance(fitted, NonFiniteError)), None):
            found.append(error)
        else:
            tuned = (
                TunedFit(fitted, value)
                for fitted, value in zip(own, grid, strict=True)
                if isinstance(fitted, nn.Module)
            )
            found.append(_best(tuned, request.validation, len(grid)))
    return found


def _request_for(request: TuningRequest, value: float) -> FitRequest:
    recipe, train, _, classes, seed, start, progress = request
    return FitRequest(with_decay(recipe, value), *train, classes, seed, start, progress)


def _grid(recipe: Recipe, validation: LabelledBatch) -> tuple[float, ...]:
    """The weight-decay values to try; SettingsError for several and nothing to choose by."""
    if recipe.weight_decay.tune and len(validation.labels) == 0:
        raise SettingsError(
            "expected validation images to tune weight_decay on, found none; set validation = 100, say."
        )
    return recipe.weight_decay.tune or (recipe.weight_decay.value,)


def _best(fits: Iterable[TunedFit], validation: LabelledBatch, count: int) -> TunedFit:
    """The first of those with the lowest validation loss, which is not looked at when there is one only."""
    best: TunedFit | None = None
    lowest = float("inf")
    for fitted in fits:
        loss = validation_loss(fitted.model, validation) if count > 1 else 0.0
        if best is None or loss < lowest:
            best, lowest = fitted, loss
    assert best is not None, "the grid has at least one value"
    return best


def with_decay(recipe: Recipe, value: float) -> Recipe:
    """The same recipe with that weight decay and no grid."""
    return recipe.model_copy(
        update={"weight_decay": recipe.weight_decay.model_copy(update={"value": value, "tune": ()})}
    )


@torch.no_grad()
def validation_loss(model: nn.Module, validation: LabelledBatch) -> float:
    """Mean cross-entropy, in nats, of the network in eval mode."""
    device = next(model.parameters()).device
    losses = [
        F.cross_entropy(model(as_float(images.to(device))), labels.to(device), reduction="sum").double()
        for images, labels in zip(*(part.split(VALIDATION_BATCH) for part in validation), strict=True)
    ]
    return float(torch.stack(losses).sum()) / len(validation.labels)

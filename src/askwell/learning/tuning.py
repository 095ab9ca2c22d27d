"""Choose the weight decay on a validation set, by grid."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Int
from torch import Tensor, nn

from askwell.errors import SettingsError
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
    an empty grid this is one plain fit. Raises SettingsError for a grid without validation images. Gal et al. (2017), section 5.1.
    """
    grid = recipe.weight_decay.tune or (recipe.weight_decay.value,)
    if recipe.weight_decay.tune and len(validation.labels) == 0:
        raise SettingsError(
            "expected validation images to tune weight_decay on, found none; set validation = 100, say."
        )
    steps = step_count(recipe, images_trained_on(recipe, train.labels))
    best: TunedFit | None = None
    lowest = float("inf")
    for position, value in enumerate(grid):
        candidate = with_decay(recipe, value)

        def report(done: int, _: int, before: int = position * steps) -> None:
            if progress is not None:
                progress(before + done, steps * len(grid))

        model = fit(candidate, *train, classes=classes, seed=seed, start=start, progress=report)
        loss = validation_loss(model, validation) if len(grid) > 1 else 0.0
        if best is None or loss < lowest:
            best, lowest = TunedFit(model, value), loss
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

"""What training makes small: cross-entropy, or the squared error of the probabilities; with a weight for each class if asked for."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from askwell.errors import SettingsError
from askwell.learning.recipe import Recipe

Loss = Callable[[Float[Tensor, "B C"], Int[Tensor, " B"]], Float[Tensor, ""]]


def loss_of(recipe: Recipe, labels: Int[Tensor, " N"]) -> Loss:
    """The recipe's loss of a batch of logits [B, C] and labels [B], for training on ``labels``, mirror images included.

        cross_entropy   sum_b w_b (-log p_b,y) / sum_b w_b
        mse             sum_b w_b (1/C) sum_c (p_bc - [c = y_b])^2 / sum_b w_b          p = softmax(logits); Keras's mean squared error

    w_b is the weight of the class of image b: 1, or N / (C N_c) with balanced weights, 0 for a class that has no image, or as given.
    The loss raises SettingsError for another number of weights than of classes.
    """
    error = squared_error if recipe.loss == "mse" else cross_entropy
    return lambda logits, batch: error(logits, batch, class_weights(recipe, labels, logits.shape[1]))


def cross_entropy(
    logits: Float[Tensor, "B C"], labels: Int[Tensor, " B"], weights: Float[Tensor, " C"] | None
) -> Float[Tensor, ""]:
    """-log p of the right class, its weighted mean over the batch."""
    return F.cross_entropy(logits, labels, weight=weights)


def squared_error(
    logits: Float[Tensor, "B C"], labels: Int[Tensor, " B"], weights: Float[Tensor, " C"] | None
) -> Float[Tensor, ""]:
    """The squared distance of the probabilities to the right answer over C, its weighted mean over the batch."""
    target = F.one_hot(labels, logits.shape[1]).to(logits.dtype)
    errors = (logits.softmax(dim=1) - target).square().mean(dim=1)
    if weights is None:
        return errors.mean()
    own = weights[labels]
    return (own * errors).sum() / own.sum()


def class_weights(recipe: Recipe, labels: Int[Tensor, " N"], classes: int) -> Float[Tensor, " C"] | None:
    """A weight for each class, or None where all weigh the same."""
    if recipe.class_weights == "none":
        return None
    if recipe.class_weights == "balanced":
        counts = labels.bincount(minlength=classes).float()
        return torch.where(counts > 0, len(labels) / (classes * counts.clamp_min(1)), 0.0)
    if len(recipe.class_weights) != classes:
        raise SettingsError(
            f"expected a weight for each of {classes} classes, found {len(recipe.class_weights)}; correct the recipe's class_weights."
        )
    return torch.tensor(recipe.class_weights, dtype=torch.float32, device=labels.device)

"""Losses against plain arithmetic; weights for the classes; and the loss that there was before remains what it was."""

import pytest
import torch
import torch.nn.functional as F

from askwell.errors import SettingsError
from askwell.learning.loss import class_weights, loss_of
from askwell.learning.recipe import Recipe
from askwell.learning.supervised import fit

LOGITS = torch.randn(6, 3, generator=torch.Generator().manual_seed(0))
LABELS = torch.tensor([0, 0, 0, 0, 1, 0])


def test_cross_entropy_is_torchs_bit_for_bit():
    assert torch.equal(loss_of(Recipe(), LABELS)(LOGITS, LABELS), F.cross_entropy(LOGITS, LABELS))


def test_the_squared_error_of_the_probabilities():
    total = 0.0
    for row, label in zip(LOGITS.softmax(dim=1).tolist(), LABELS.tolist(), strict=True):
        total += sum((value - (place == label)) ** 2 for place, value in enumerate(row)) / 3
    assert float(loss_of(Recipe(loss="mse"), LABELS)(LOGITS, LABELS)) == pytest.approx(total / 6, rel=1e-6)


@pytest.mark.parametrize("loss", ["cross_entropy", "mse"])
def test_balanced_weights_are_as_many_images_of_each_class(loss: str):
    """The weighted loss of 4 + 1 images is that of 4 + 4, the rare one four times."""
    recipe = Recipe.model_validate({"loss": loss, "class_weights": "balanced"})
    rare, plain = torch.tensor([0, 1, 2, 3, 4]), Recipe.model_validate({"loss": loss})
    repeated = torch.tensor([0, 1, 2, 3, 4, 4, 4, 4])
    found = loss_of(recipe, LABELS[rare])(LOGITS[rare], LABELS[rare])
    torch.testing.assert_close(found, loss_of(plain, LABELS)(LOGITS[repeated], LABELS[repeated]))


def test_weights():
    assert class_weights(Recipe(), LABELS, 3) is None
    torch.testing.assert_close(
        class_weights(Recipe(class_weights="balanced"), LABELS, 3), torch.tensor([6 / 15, 6 / 3, 0.0])
    )
    given = class_weights(Recipe(class_weights=(1.0, 4.0, 0.0)), LABELS, 3)
    torch.testing.assert_close(given, torch.tensor([1.0, 4.0, 0.0]))
    with pytest.raises(SettingsError, match="a weight for each of 3 classes, found 2"):
        class_weights(Recipe(class_weights=(1.0, 4.0)), LABELS, 3)


def test_positives_are_there_four_times_and_the_decay_counts_them_once():
    """One epoch of SGD on 3 + 1 images, the positive one mirrored, is one on the 3 + 4 images with the decay of N = 4."""
    generator = torch.Generator().manual_seed(1)
    images = torch.randint(0, 256, (4, 1, 8, 8), dtype=torch.uint8, generator=generator)
    labels = torch.tensor([0, 1, 0, 0])
    copies = [images[1].flip(-1), images[1].flip(-2), images[1].flip(-1, -2)]
    values = {"optimizer": "sgd", "schedule": "constant", "epochs": 1, "batch_size": 7, "device": "cpu"}
    decay = {"form": "length_scale", "value": 0.5}
    mirrored = Recipe.model_validate({**values, "augmentation": "positive_flips", "weight_decay": decay})
    longer = Recipe.model_validate({**values, "weight_decay": {**decay, "value": 0.5 * 7 / 4}})
    first = fit(mirrored, images, labels, classes=2, seed=0)
    whole = torch.stack([*images, *copies])
    second = fit(longer, whole, torch.tensor([0, 1, 0, 0, 1, 1, 1]), classes=2, seed=0)
    for ours, theirs in zip(first.parameters(), second.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs)

"""Weight decay by grid: the value with the lowest validation loss, and its own fit."""

import pytest
import torch

from askwell.errors import SettingsError
from askwell.learning.recipe import Recipe, WeightDecay
from askwell.learning.supervised import fit
from askwell.learning.tuning import LabelledBatch, fit_tuned, validation_loss, with_decay

GENERATOR = torch.Generator().manual_seed(2)
TRAIN = LabelledBatch(torch.rand(12, 1, 8, 8, generator=GENERATOR), torch.arange(12) % 2)
VALIDATION = LabelledBatch(torch.rand(300, 1, 8, 8, generator=GENERATOR), torch.arange(300) % 2)
NOTHING = LabelledBatch(torch.empty(0, 1, 8, 8), torch.empty(0, dtype=torch.int64))
RECIPE = Recipe(steps=30, batch_size=12, device="cpu", weight_decay=WeightDecay(tune=(0.0, 0.3, 30.0)))


def test_the_best_of_the_grid_is_kept():
    heard: list[tuple[int, int]] = []
    tuned = fit_tuned(RECIPE, TRAIN, VALIDATION, classes=2, seed=1, progress=lambda *step: heard.append(step))
    losses = {}
    for value in RECIPE.weight_decay.tune:
        model = fit(with_decay(RECIPE, value), *TRAIN, classes=2, seed=1)
        with torch.no_grad():
            losses[value] = float(torch.nn.functional.cross_entropy(model(VALIDATION.images), VALIDATION.labels))
        assert validation_loss(model, VALIDATION) == pytest.approx(losses[value], rel=1e-5)
    assert tuned.value == min(losses, key=lambda value: losses[value])
    assert len(set(losses.values())) == 3
    assert heard[-1] == (90, 90)
    assert [done for done, _ in heard] == list(range(1, 91))
    kept = fit(with_decay(RECIPE, tuned.value), *TRAIN, classes=2, seed=1)
    for mine, theirs in zip(tuned.model.parameters(), kept.parameters(), strict=True):
        assert torch.equal(mine, theirs)


def test_without_a_grid_no_validation_is_needed():
    tuned = fit_tuned(with_decay(RECIPE, 0.3), TRAIN, NOTHING, classes=2, seed=1)
    assert tuned.value == 0.3


def test_a_grid_without_validation_images_is_refused():
    with pytest.raises(SettingsError, match="expected validation images"):
        fit_tuned(RECIPE, TRAIN, NOTHING, classes=2, seed=1)

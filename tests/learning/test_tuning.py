"""Weight decay by grid: the value with the lowest validation loss, and its own fit."""

import pytest
import torch

from askwell.errors import NonFiniteError, SettingsError
from askwell.learning.recipe import Recipe, WeightDecay
from askwell.learning.supervised import fit
from askwell.learning.tuning import (
    LabelledBatch,
    TunedFit,
    TuningRequest,
    fit_tuned,
    fit_tuned_together,
    validation_loss,
    with_decay,
)

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


def test_grids_in_lock_step_choose_the_same():
    requests = [TuningRequest(RECIPE, TRAIN, VALIDATION, classes=2, seed=seed) for seed in (1, 2)]
    plain = TuningRequest(with_decay(RECIPE, 0.3), TRAIN, NOTHING, classes=2, seed=4)
    found = fit_tuned_together([requests[0], None, requests[1], plain])
    assert found[1] is None
    for mine, asked in zip(found, [requests[0], None, requests[1], plain], strict=True):
        if asked is None:
            continue
        assert isinstance(mine, TunedFit)
        tuned = fit_tuned(asked.recipe, asked.train, asked.validation, classes=2, seed=asked.seed)
        assert mine.value == tuned.value
        for own, theirs in zip(mine.model.parameters(), tuned.model.parameters(), strict=True):
            torch.testing.assert_close(own, theirs, rtol=0, atol=1e-4)


def test_one_value_that_diverges_is_the_request_s_error():
    broken = LabelledBatch(torch.full_like(TRAIN.images, torch.nan), TRAIN.labels)
    requests = [TuningRequest(RECIPE, train, VALIDATION, classes=2, seed=1) for train in (TRAIN, broken)]
    found = fit_tuned_together(requests)
    assert isinstance(found[0], TunedFit)
    assert isinstance(found[1], NonFiniteError)
    with pytest.raises(SettingsError, match="expected validation images"):
        fit_tuned_together([TuningRequest(RECIPE, TRAIN, NOTHING, classes=2, seed=1)])

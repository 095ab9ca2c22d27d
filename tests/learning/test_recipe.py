"""A recipe is data: checked when it is made, written down whole."""

import pytest
from pydantic import ValidationError

from askwell.errors import UnknownNameError
from askwell.learning.recipe import DEFAULT_STEPS, Recipe, WeightDecay
from askwell.models.bcnn import bcnn


@pytest.mark.parametrize(
    ("decay", "labelled", "strength"),
    [
        (WeightDecay(form="constant", value=0.01), 50, 0.01),
        (WeightDecay(form="per_n", value=2.5), 50, 0.05),  # the paper's code: c / N with c = 2.5
        (WeightDecay(form="length_scale", value=0.5, dropout=0.5), 100, 0.0025),  # section 5.5: (1 - p) l^2 / N
        (WeightDecay(), 1, 0.0),
    ],
)
def test_the_three_forms_of_weight_decay(decay: WeightDecay, labelled: int, strength: float):
    assert decay.strength(labelled) == pytest.approx(strength, rel=1e-12)


def test_training_has_one_length():
    assert Recipe().steps == DEFAULT_STEPS
    assert Recipe(epochs=50).steps is None
    with pytest.raises(ValidationError, match="expected steps or epochs, found both"):
        Recipe(steps=1, epochs=1)


@pytest.mark.parametrize(
    "wrong",
    [{"optimiser": "adam"}, {"optimizer": "adamw"}, {"learning_rate": 0}, {"batch_size": 0}, {"precision": "fp16"}],
)
def test_unknown_and_impossible_settings_are_refused(wrong: dict[str, object]):
    with pytest.raises(ValidationError):
        Recipe.model_validate(wrong)


def test_a_misspelt_network_gets_the_nearest_names():
    with pytest.raises(UnknownNameError, match="there is no model called 'bcn'; did you mean bcnn"):
        Recipe(model="bcn")


def test_a_function_is_written_down_by_name():
    assert Recipe(model=bcnn).model_dump(mode="json")["model"] == "askwell.models.bcnn:bcnn"
    recipe = Recipe(weight_decay=WeightDecay(tune=(0.1, 1.0)), epochs=3)
    assert Recipe.model_validate(recipe.model_dump(mode="json")) == recipe

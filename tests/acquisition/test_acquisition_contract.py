"""What every entry of the table promises, whoever adds it."""

import inspect
import re

import pytest
import scipy.stats
import torch
from acquisition_cases import random_log_probs, scores_of

import askwell.acquisition
from askwell.acquisition import ACQUISITIONS

everyone = pytest.mark.parametrize("name", ACQUISITIONS)


@everyone
def test_the_table_names_the_public_function(name):
    assert ACQUISITIONS[name] is getattr(askwell.acquisition, name)
    assert ACQUISITIONS[name].__name__ == name
    assert name in askwell.acquisition.__all__


@everyone
def test_the_first_parameter_is_log_probs_and_the_others_are_keywords(name):
    first, *others = inspect.signature(ACQUISITIONS[name]).parameters.values()
    assert first.name == "log_probs"
    assert all(parameter.kind is inspect.Parameter.KEYWORD_ONLY for parameter in others)


@everyone
def test_the_docstring_gives_shapes_errors_and_the_source(name):
    text = inspect.getdoc(ACQUISITIONS[name]) or ""
    assert "log_probs [N, T, C] -> scores [N]" in text
    assert "ShapeError" in text
    assert re.search(r"\((19|20)\d\d\)", text)


@everyone
@pytest.mark.parametrize("items", [0, 1, 7])
def test_one_float64_score_for_each_item_on_the_same_device(name, items):
    log_probs = random_log_probs(0, items, samples=4, classes=3).float()
    scores = scores_of(name, log_probs)
    assert scores.shape == (items,)
    assert scores.dtype == torch.float64
    assert scores.device == log_probs.device


@everyone
def test_nothing_outside_is_changed(name):
    log_probs = random_log_probs(0, items=5, samples=4, classes=3, certain=0.3)
    before, version, state = log_probs.clone(), log_probs._version, torch.get_rng_state()
    scores = scores_of(name, log_probs)
    assert torch.equal(log_probs, before)
    assert log_probs._version == version
    assert torch.equal(torch.get_rng_state(), state)
    assert scores.data_ptr() != log_probs.data_ptr()


@everyone
def test_the_same_arguments_give_the_same_scores(name):
    log_probs = random_log_probs(0, items=30, samples=9, classes=4)
    assert torch.equal(scores_of(name, log_probs, seed=3), scores_of(name, log_probs.clone(), seed=3))


@everyone
def test_memory_layout_does_not_matter(name):
    log_probs = random_log_probs(0, items=6, samples=5, classes=4)
    strided = log_probs.permute(2, 0, 1).contiguous().permute(1, 2, 0)
    assert torch.allclose(scores_of(name, strided), scores_of(name, log_probs), rtol=0, atol=1e-12)


MISTAKES = {
    "no axes": "torch.zeros(())",
    "one axis": "torch.zeros(4).log_softmax(-1)",
    "two axes": "torch.zeros(3, 4).log_softmax(-1)",
    "four axes": "torch.zeros(2, 2, 3, 4).log_softmax(-1)",
    "integers": "torch.zeros(2, 3, 4, dtype=torch.int64)",
    "no samples": "torch.zeros(2, 0, 4)",
    "one class": "torch.zeros(2, 3, 1)",
    "logits": "torch.randn(2, 3, 4)",
    "probabilities": "torch.randn(2, 3, 4).softmax(-1)",
}


@everyone
@pytest.mark.parametrize("mistake", MISTAKES)
def test_anything_but_log_probs_is_a_shape_error_in_plain_code(plain_error, name, mistake):
    generator = ", generator=torch.Generator()" if name == "random" else ""
    error = plain_error(f"import torch, askwell.acquisition as a; a.{name}({MISTAKES[mistake]}{generator})")
    assert error.startswith("ShapeError: expected ")
    assert error.endswith(".")
    assert "found" in error


def test_random_needs_its_generator():
    with pytest.raises(TypeError, match="generator"):
        ACQUISITIONS["random"](random_log_probs(0, items=2, samples=2, classes=2))


def test_random_does_not_look_at_the_probabilities():
    first, second = (
        random_log_probs(0, items=50, samples=3, classes=4),
        random_log_probs(1, items=50, samples=7, classes=2),
    )
    assert torch.equal(scores_of("random", first, seed=5), scores_of("random", second, seed=5))
    assert not torch.equal(scores_of("random", first, seed=5), scores_of("random", first, seed=6))
    assert bool(scores_of("random", torch.full((3, 2, 2), torch.nan)).isfinite().all())


def test_random_is_uniform_on_the_unit_interval():
    scores = scores_of("random", random_log_probs(0, items=5000, samples=1, classes=2))
    assert float(scores.min()) >= 0
    assert float(scores.max()) < 1
    assert scipy.stats.kstest(scores.numpy(), "uniform").pvalue > 1e-3


def test_random_goes_on_with_the_generator():
    log_probs, generator = random_log_probs(0, items=10, samples=1, classes=2), torch.Generator().manual_seed(0)
    first, second = (ACQUISITIONS["random"](log_probs, generator=generator) for _ in range(2))
    assert not torch.equal(first, second)

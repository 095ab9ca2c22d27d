"""The shared formulas against sums written out in plain Python, and the check that stands at every entrance."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from askwell.errors import ShapeError
from askwell.probability import check_log_probs, entropy, log_mean_exp, mean_probs

SHARPNESS = (0.0, 0.3, 3.0, 30.0, 3000.0)  # from uniform to one-hot, so that probabilities of exactly 0 occur


def random_log_probs(seed, items, samples, classes, sharpness):
    logits = torch.randn(items, samples, classes, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return (sharpness * logits).log_softmax(dim=-1)


random_cases = given(
    log_probs=st.builds(
        random_log_probs,
        st.integers(0, 2**31),
        st.integers(0, 4),
        st.integers(1, 6),
        st.integers(2, 6),
        st.sampled_from(SHARPNESS),
    )
)


@random_cases
def test_log_mean_exp_is_the_log_of_the_mean_of_the_probabilities(log_probs):
    items, samples, classes = log_probs.shape
    result = log_mean_exp(log_probs)
    assert result.shape == (items, classes)
    for item in range(items):
        for label in range(classes):
            mean = math.fsum(math.exp(value) for value in log_probs[item, :, label].tolist()) / samples
            assert math.exp(result[item, label]) == pytest.approx(mean, abs=1e-12)
            if mean > 1e-300:
                assert float(result[item, label]) == pytest.approx(math.log(mean), abs=1e-10)


@random_cases
def test_mean_probs_is_the_mean_of_the_probabilities_and_sums_to_one(log_probs):
    result = mean_probs(log_probs)
    assert result.dtype == torch.float64
    assert torch.allclose(result, log_mean_exp(log_probs).exp(), atol=1e-12)
    assert torch.allclose(result.sum(dim=-1), torch.ones(len(result), dtype=torch.float64), atol=1e-12)


@random_cases
def test_entropy_is_minus_the_sum_of_p_log_p(log_probs):
    result = entropy(log_probs)
    assert result.shape == log_probs.shape[:2]
    for row, value in zip(log_probs.reshape(-1, log_probs.shape[-1]).tolist(), result.flatten().tolist(), strict=True):
        probabilities = [math.exp(log_probability) for log_probability in row]
        expected = -math.fsum(p * math.log(p) for p in probabilities if p > 0)
        assert value == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize("classes", [2, 10, 1000])
def test_entropy_of_the_uniform_and_of_the_certain(classes):
    uniform = torch.zeros(classes, dtype=torch.float64).log_softmax(dim=-1)
    certain = torch.full((classes,), -torch.inf, dtype=torch.float64)
    certain[classes // 2] = 0.0
    assert float(entropy(uniform)) == pytest.approx(math.log(classes), abs=1e-12)
    assert float(entropy(certain)) == 0.0


def test_a_class_of_probability_zero_in_every_sample_stays_impossible():
    log_probs = torch.tensor([[[0.0, -torch.inf], [0.0, -torch.inf]]], dtype=torch.float64)
    assert log_mean_exp(log_probs).tolist() == [[0.0, -math.inf]]
    assert mean_probs(log_probs).tolist() == [[1.0, 0.0]]


def test_log_mean_exp_does_not_underflow():
    log_probs = torch.tensor([[[-2000.0, 0.0], [-2001.0, 0.0]]], dtype=torch.float64)
    expected = -2000.0 + math.log((1 + math.exp(-1)) / 2)
    assert float(log_mean_exp(log_probs)[0, 0]) == pytest.approx(expected, abs=1e-10)


def test_one_sample_is_its_own_mean_exactly():
    log_probs = random_log_probs(0, items=50, samples=1, classes=7, sharpness=5.0)
    assert torch.equal(log_mean_exp(log_probs), log_probs[:, 0])


@pytest.mark.parametrize("function", [log_mean_exp, mean_probs, entropy])
def test_nan_is_passed_on_and_stays_where_it_is(function):
    log_probs = random_log_probs(0, items=3, samples=2, classes=4, sharpness=1.0)
    log_probs[1, 1, 2] = torch.nan
    hurt = function(log_probs).isnan().flatten(1).any(dim=1)
    assert hurt.tolist() == [False, True, False]


@pytest.mark.parametrize(
    "shape",
    [(0, 1, 2), (0, 100, 1000), (1, 1, 2), (3, 1, 2), (1, 100, 1000)],
    ids=lambda shape: "x".join(map(str, shape)),
)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_log_probs_of_every_size_pass_the_check(shape, dtype):
    check_log_probs(torch.randn(shape, dtype=dtype).log_softmax(dim=-1))


@pytest.mark.parametrize("classes", [2, 10, 57, 100, 450, 1000, 5000])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_log_probs_rounded_to_few_bits_pass_the_check(classes, dtype):
    check_log_probs(torch.zeros(1, 1, classes).log_softmax(dim=-1).to(dtype))


def test_certain_and_unknown_log_probs_pass_the_check():
    check_log_probs(torch.tensor([[[0.0, -torch.inf, -torch.inf]]]))
    check_log_probs(torch.full((1, 2, 3), torch.nan))


@pytest.mark.parametrize("wrong", ["logits", "probabilities", "impossible"])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_what_is_not_normalised_is_refused(wrong, dtype):
    logits = torch.randn(5, 4, 10, generator=torch.Generator().manual_seed(0))
    mistaken = {"logits": logits, "probabilities": logits.softmax(dim=-1), "impossible": logits - torch.inf}[wrong]
    with pytest.raises(ShapeError, match="apply log_softmax over the last axis first"):
        check_log_probs(mistaken.to(dtype))


@pytest.mark.parametrize("shape", [(3, 0, 4), (3, 2, 1), (0, 0, 4)])
def test_too_few_samples_or_classes_are_refused(shape):
    with pytest.raises(ShapeError, match=r"at least 1 posterior sample and 2 classes .* found \["):
        check_log_probs(torch.zeros(shape))


@pytest.mark.parametrize(
    ("log_probs", "found"),
    [
        ("torch.zeros(())", "torch.float32 []"),
        ("torch.zeros(10)", "torch.float32 [10]"),
        ("torch.zeros(5, 10)", "torch.float32 [5, 10]"),
        ("torch.zeros(2, 3, 5, 10)", "torch.float32 [2, 3, 5, 10]"),
        ("torch.zeros(2, 3, 5, dtype=torch.int64)", "torch.int64 [2, 3, 5]"),
    ],
)
def test_other_shapes_and_types_are_refused_in_plain_code(plain_error, log_probs, found):
    error = plain_error(f"import torch; from askwell.probability import check_log_probs; check_log_probs({log_probs})")
    assert error.startswith(f"ShapeError: expected floating log_probs [N, T, C], found {found};")

"""What must hold for any log_probs: bounds, symmetries, chunking, degenerate sizes, NaN."""

import math

import pytest
import torch
from acquisition_cases import DETERMINISTIC, log_probs_cases, random_log_probs, scores_of
from hypothesis import given
from hypothesis import strategies as st

from askwell.acquisition import ACQUISITIONS
from askwell.probability import entropy, log_mean_exp

ROUNDING = 1e-12
TIE = 1e-9  # scores that differ by less are the same score up to rounding


@given(log_probs=log_probs_cases(samples=(1, 9), classes=(2, 9)))
def test_bald_is_between_zero_and_the_entropy_and_below_log_min_t_c(log_probs):
    _, samples, classes = log_probs.shape
    bald, max_entropy = scores_of("bald", log_probs), scores_of("max_entropy", log_probs)
    assert bool((bald >= 0).all())
    assert bool((bald <= max_entropy + ROUNDING).all())
    assert bool((max_entropy <= math.log(classes) + ROUNDING).all())
    assert bool((bald <= math.log(min(samples, classes)) + ROUNDING).all())


def test_rounding_below_zero_is_zero_when_all_samples_agree():
    log_probs = random_log_probs(0, items=200, samples=1, classes=10).expand(-1, 7, -1)
    difference = entropy(log_mean_exp(log_probs)) - entropy(log_probs).mean(dim=1)
    assert float(difference.min()) < 0  # else this shows nothing
    assert float(scores_of("bald", log_probs).min()) == 0
    assert float(scores_of("bald", log_probs).max()) < ROUNDING


@given(log_probs=log_probs_cases(samples=(1, 9), classes=(2, 9)))
def test_the_other_scores_keep_their_documented_ranges(log_probs):
    _, samples, classes = log_probs.shape
    ranges = {
        "variation_ratios": (0.0, 1 - 1 / classes),
        "variation_ratios_votes": (0.0, 1 - 1 / min(samples, classes) if samples > 1 else 0.0),
        "mean_std": (0.0, 0.5),
        "mean_std_defective": (0.0, 0.0),
        "margin": (-1.0, 0.0),
        "least_confidence": (0.0, 1.0),
    }
    for name, (lowest, highest) in ranges.items():
        scores = scores_of(name, log_probs)
        assert bool((scores >= lowest - ROUNDING).all())
        assert bool((scores <= highest + ROUNDING).all())


@given(log_probs=log_probs_cases(samples=(1, 1), classes=(2, 9)))
def test_one_sample_disagrees_with_nobody_exactly(log_probs):
    for name in ("bald", "mean_std", "variation_ratios_votes"):
        assert scores_of(name, log_probs).tolist() == [0.0] * len(log_probs)


@pytest.mark.parametrize("name", DETERMINISTIC)
@given(log_probs=log_probs_cases(), seed=st.integers(0, 2**31))
def test_the_order_of_the_samples_does_not_matter(name, log_probs, seed):
    order = torch.randperm(log_probs.shape[1], generator=torch.Generator().manual_seed(seed))
    assert torch.allclose(scores_of(name, log_probs[:, order]), scores_of(name, log_probs), rtol=0, atol=ROUNDING)


@pytest.mark.parametrize("name", DETERMINISTIC)
@given(
    log_probs=log_probs_cases(sharpness=(0.3, 3.0)), seed=st.integers(0, 2**31)
)  # no ties: a tied sample votes for the first
def test_the_order_of_the_classes_does_not_matter(name, log_probs, seed):
    order = torch.randperm(log_probs.shape[2], generator=torch.Generator().manual_seed(seed))
    assert torch.allclose(scores_of(name, log_probs[..., order]), scores_of(name, log_probs), rtol=0, atol=ROUNDING)


@pytest.mark.parametrize("name", DETERMINISTIC)
@given(log_probs=log_probs_cases(items=(1, 8)), seed=st.integers(0, 2**31))
def test_scores_go_with_their_items(name, log_probs, seed):
    order = torch.randperm(len(log_probs), generator=torch.Generator().manual_seed(seed))
    assert torch.equal(scores_of(name, log_probs[order]), scores_of(name, log_probs)[order])


@pytest.mark.parametrize("name", DETERMINISTIC)
@given(
    log_probs=log_probs_cases(items=(1, 9), samples=(1, 20), classes=(2, 20)),
    size=st.integers(1, 9),
    dtype=st.sampled_from([torch.float64, torch.float32]),
)
def test_chunks_of_the_pool_get_identical_scores(name, log_probs, size, dtype):
    log_probs = log_probs.to(dtype)
    in_chunks = torch.cat([scores_of(name, chunk) for chunk in log_probs.split(size)])
    assert torch.equal(in_chunks, scores_of(name, log_probs))


@given(
    eighths=st.integers(2, 8).flatmap(
        lambda items: st.lists(st.lists(st.integers(0, 8), min_size=4, max_size=4), min_size=items, max_size=items)
    )
)
def test_two_classes_are_ranked_the_same_by_all_scores_of_the_prediction(eighths):
    first = (
        torch.tensor(eighths, dtype=torch.float64) / 8
    )  # means of 4 such numbers tie exactly or differ by at least 1/32
    log_probs = torch.stack([first, 1 - first], dim=-1).log()
    orders = []
    for name in ("max_entropy", "variation_ratios", "margin", "least_confidence"):
        scores = scores_of(name, log_probs)
        difference = scores[:, None] - scores[None, :]
        orders.append(difference.sign() * (difference.abs() > TIE))
    for order in orders[1:]:
        assert torch.equal(order, orders[0])


@pytest.mark.parametrize("name", ACQUISITIONS)
@pytest.mark.parametrize(
    "shape", [(3, 1, 2), (3, 5, 2), (2, 1, 1000), (2, 7, 1000), (0, 5, 10), (0, 1, 2), (1, 300, 10)]
)
@pytest.mark.parametrize("certain", [0.0, 0.5, 1.0])
def test_degenerate_sizes_and_certain_samples_give_finite_scores(name, shape, certain):
    scores = scores_of(name, random_log_probs(0, *shape, sharpness=2.0, certain=certain))
    assert scores.shape == shape[:1]
    assert scores.dtype == torch.float64
    assert bool(scores.isfinite().all())


@pytest.mark.parametrize("name", DETERMINISTIC)
@pytest.mark.parametrize("where", [(0, 0, 0), (0, 3, 2), (1, 1, 1), (2, 3, 0)])
def test_nan_makes_its_own_items_score_nan_and_no_other(name, where):
    log_probs = random_log_probs(0, items=3, samples=4, classes=3)
    clean = scores_of(name, log_probs)
    log_probs[where] = torch.nan
    scores = scores_of(name, log_probs)
    others = [item for item in range(3) if item != where[0]]
    assert bool(scores[where[0]].isnan())
    assert torch.equal(scores[others], clean[others])


@pytest.mark.parametrize("name", DETERMINISTIC)
def test_an_item_of_nothing_but_nan_scores_nan(name):
    assert bool(scores_of(name, torch.full((2, 3, 4), torch.nan)).isnan().all())


@pytest.mark.parametrize("name", DETERMINISTIC)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_low_precision_is_widened_before_anything_is_computed(name, dtype):
    rounded = random_log_probs(0, items=20, samples=10, classes=5, sharpness=2.0).to(dtype)
    scores = scores_of(name, rounded)
    assert scores.dtype == torch.float64
    assert torch.equal(scores, scores_of(name, rounded.double()))

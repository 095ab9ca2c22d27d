"""DeLong's interval and test against the definition by pairs, scikit-learn's AUC, and simulation."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from askwell.errors import ShapeError, UsageError
from askwell.scoring.delong import auc_interval, compare_aucs


def by_pairs(scores, truth):
    """Structural components by their definition: psi(x, y) = 1, 1/2 or 0 over all pairs."""
    positives = [score for score, label in zip(scores, truth, strict=True) if label]
    negatives = [score for score, label in zip(scores, truth, strict=True) if not label]
    psi = np.array([[float(x > y) + 0.5 * float(x == y) for y in negatives] for x in positives])
    return psi.mean(axis=1), psi.mean(axis=0)


def variance_by_pairs(scores, truth):
    v10, v01 = by_pairs(scores, truth)
    return v10.var(ddof=1) / len(v10) + v01.var(ddof=1) / len(v01)


samples = st.integers(2, 12).flatmap(
    lambda m: st.tuples(
        st.lists(st.integers(0, 5).map(float), min_size=m + 4, max_size=m + 4), st.just([1] * m + [0] * 4)
    )
)


@given(samples)
def test_area_and_variance_are_those_of_all_pairs(sample):
    scores, truth = sample
    found = auc_interval(scores, truth)
    assert found.auc == pytest.approx(roc_auc_score(truth, scores))
    assert found.standard_error**2 == pytest.approx(variance_by_pairs(scores, truth), abs=1e-12)
    assert 0 <= found.low <= found.auc <= found.high <= 1


def test_the_interval_covers_the_truth_as_often_as_it_says():
    generator, inside = np.random.default_rng(0), 0
    truth, auc = [1] * 60 + [0] * 240, 0.7602  # of N(1, 1) against N(0, 1): Phi(1 / sqrt 2)
    for _ in range(600):
        scores = np.concatenate([generator.normal(1, 1, 60), generator.normal(0, 1, 240)])
        found = auc_interval(scores.tolist(), truth)
        inside += found.low <= auc <= found.high
    assert 0.925 < inside / 600 < 0.975


def test_a_comparison_knows_that_the_images_are_the_same():
    generator = np.random.default_rng(1)
    truth = np.array([1] * 70 + [0] * 280)
    shared = truth + generator.normal(0, 1, 350)
    first, second = (shared + generator.normal(0, 0.3, 350) for _ in range(2))
    found = compare_aucs(first.tolist(), second.tolist(), truth.tolist())
    (a10, a01), (b10, b01) = by_pairs(first, truth), by_pairs(second, truth)
    variance = (a10 - b10).var(ddof=1) / 70 + (a01 - b01).var(ddof=1) / 280
    assert found.difference == pytest.approx(roc_auc_score(truth, first) - roc_auc_score(truth, second))
    assert found.standard_error == pytest.approx(math.sqrt(variance))
    alone = auc_interval(first.tolist(), truth.tolist()).standard_error
    assert found.standard_error < alone  # unpaired it would be 1.4 times this


def test_under_no_difference_p_is_uniform():
    generator, truth = np.random.default_rng(2), np.array([1] * 60 + [0] * 200)
    p = []
    for _ in range(400):
        shared = truth + generator.normal(0, 1, 260)
        p.append(compare_aucs(*(list(shared + generator.normal(0, 1, 260)) for _ in range(2)), truth.tolist()).p)
    assert 0.02 < np.mean(np.array(p) < 0.05) < 0.085
    assert 0.44 < np.mean(p) < 0.56


def test_scores_in_the_same_order_do_not_differ():
    found = compare_aucs([1.0, 2.0, 3.0, 4.0], [2.0, 4.0, 6.0, 8.0], [0, 1, 0, 1])
    assert (found.difference, found.p) == (0.0, 1.0)


def test_what_has_no_area_is_refused():
    with pytest.raises(ShapeError, match=r"one score for each label, found \[2\] and \[3\]"):
        auc_interval([1.0, 2.0], [0, 1, 1])
    with pytest.raises(UsageError, match="at least two of each"):
        auc_interval([1.0, 2.0, 3.0], [0, 1, 1])
    with pytest.raises(UsageError, match="finite"):
        auc_interval([1.0, math.nan, 3.0, 2.0], [0, 1, 1, 0])

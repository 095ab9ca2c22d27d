"""The look-ahead: equal to solving everything again for every possible answer, and its ties broken at random."""

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from mbr_oracle import expected_risks as slow_expected_risks
from mbr_oracle import partly_labelled, random_graph
from mbr_oracle import risk as slow_risk
from scipy.sparse import csr_array

from askwell.baselines.mbr.field import HarmonicField
from askwell.baselines.mbr.risk import at_random, expected_risks, lowest_expected_risk, risk

UNLIKELY = 1e-3  # seeds are fixed, so a test that passes once passes always


def seeded(seed=0):
    return np.random.default_rng(seed)


@pytest.mark.parametrize("classes", [2, 3, 5])
@pytest.mark.parametrize("density", [0.1, 0.6])
def test_the_look_ahead_is_that_of_solving_again(classes, density):
    weights, labels = random_graph(classes, 30, density), partly_labelled(1, 30, classes, 6)
    field = HarmonicField(csr_array(weights), labels, classes)
    np.testing.assert_allclose(expected_risks(field), slow_expected_risks(weights, labels, classes), atol=1e-10)
    assert risk(field) == pytest.approx(slow_risk(field.values, labels))


def test_the_look_ahead_stays_right_while_labels_come_in():
    weights, labels = random_graph(8, 25, 0.2), partly_labelled(3, 25, 2, 2)
    field, rng = HarmonicField(weights, labels, 2), seeded(4)
    for _ in range(8):
        node, label = int(lowest_expected_risk(field, 1, rng)[0]), int(rng.integers(2))
        field.learn(node, label)
        labels[node] = label
        np.testing.assert_allclose(expected_risks(field), slow_expected_risks(weights, labels, 2), atol=1e-8)


@given(seed=st.integers(0, 10**6), nodes=st.integers(2, 9), classes=st.integers(2, 3), known=st.integers(0, 3))
def test_components_without_a_label_are_looked_ahead_too(seed, nodes, classes, known):
    weights = random_graph(seed, nodes) * (seeded(seed).random((nodes, nodes)) < 0.7)
    weights = np.minimum(weights, weights.T)
    labels = partly_labelled(seed, nodes, classes, min(known, nodes))
    found = expected_risks(HarmonicField(weights, labels, classes))
    np.testing.assert_allclose(found, slow_expected_risks(weights, labels, classes), atol=1e-8)


def test_blocks_make_no_difference(monkeypatch):
    field = HarmonicField(random_graph(0, 40), partly_labelled(0, 40, 2, 4), 2)
    whole = expected_risks(field)
    monkeypatch.setattr("askwell.baselines.mbr.risk.BLOCK_NUMBERS", 7 * 40)
    np.testing.assert_allclose(expected_risks(field), whole, atol=1e-13)


def test_the_hub_of_an_unlabelled_component_is_asked_before_a_lone_node():
    weights = np.zeros((6, 6))
    weights[:2, :2] = [[0, 1], [1, 0]]
    weights[2:5, 2:5] = 1 - np.eye(3)  # three alike without a label, and node 5 alone
    field = HarmonicField(weights, np.array([0, -1, -1, -1, -1, -1]), 2)
    assert risk(field) == pytest.approx(2.0)
    np.testing.assert_allclose(expected_risks(field), [2.0, 0.5, 0.5, 0.5, 1.5])
    assert set(lowest_expected_risk(field, 3, seeded()).tolist()) == {2, 3, 4}
    assert lowest_expected_risk(field, 5, seeded()).tolist()[3:] == [5, 1]


def test_ties_are_broken_evenly():
    field, firsts = HarmonicField(1 - np.eye(5), np.array([0, -1, -1, -1, -1]), 2), np.zeros(5)
    generator = seeded()
    for _ in range(800):
        firsts[lowest_expected_risk(field, 1, generator)[0]] += 1
    assert scipy.stats.chisquare(firsts[1:]).pvalue > UNLIKELY


def test_the_best_come_first_without_repeats_and_the_generator_decides():
    field = HarmonicField(random_graph(2, 20), partly_labelled(2, 20, 2, 4), 2)
    asked = lowest_expected_risk(field, 100, seeded())
    assert sorted(asked.tolist()) == field.unlabelled.tolist()
    risks = dict(zip(field.unlabelled.tolist(), expected_risks(field), strict=True))
    ordered = [risks[node] for node in asked.tolist()]
    assert ordered == sorted(ordered)
    assert lowest_expected_risk(field, 3, seeded(5)).tolist() == asked.tolist()[:3]  # nothing is tied here
    assert at_random(field, 5, seeded(1)).tolist() == at_random(field, 5, seeded(1)).tolist()


def test_random_questions_are_even_and_unlabelled():
    field, firsts, generator = (
        HarmonicField(random_graph(3, 6), np.array([0, 1, -1, -1, -1, -1]), 2),
        np.zeros(6),
        seeded(),
    )
    for _ in range(800):
        chosen = at_random(field, 2, generator).tolist()
        assert len(set(chosen)) == 2
        firsts[chosen[0]] += 1
    assert firsts[:2].tolist() == [0, 0]
    assert scipy.stats.chisquare(firsts[2:]).pvalue > UNLIKELY


def test_where_all_is_labelled_nothing_is_asked():
    field = HarmonicField(random_graph(0, 3), np.array([0, 1, 1]), 2)
    assert len(expected_risks(field)) == 0
    assert len(lowest_expected_risk(field, 2, seeded())) == 0
    assert len(at_random(field, 2, seeded())) == 0
    assert risk(field) == 0.0

"""The field: equal to a dense solve and to label propagation, also after learning, also where no label reaches."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mbr_oracle import harmonic, partly_labelled, random_graph
from scipy.sparse import csr_array

from askwell.baselines.mbr.field import HarmonicField
from askwell.errors import NonFiniteError, SettingsError, ShapeError


def three_parts(seed=0):
    """A graph of three components: nodes 0-4, 5-8, and 9 alone."""
    weights = np.zeros((10, 10))
    weights[:5, :5], weights[5:9, 5:9] = random_graph(seed, 5), random_graph(seed + 1, 4)
    return weights


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("density", [0.1, 1.0])
def test_values_and_inverse_are_those_of_a_dense_solve(sparse, classes, density):
    weights, labels = random_graph(1, 40, density), partly_labelled(2, 40, classes, 5)
    field = HarmonicField(csr_array(weights) if sparse else weights, labels, classes)
    np.testing.assert_allclose(field.values, harmonic(weights, labels, classes), atol=1e-12)
    unknown = np.flatnonzero(labels < 0)
    system = (np.diag(weights.sum(axis=1)) - weights)[np.ix_(unknown, unknown)]
    np.testing.assert_allclose(field.inverse[np.ix_(unknown, unknown)] @ system, np.eye(35), atol=1e-10)
    assert not field.inverse[labels >= 0].any()
    assert not field.inverse[:, labels >= 0].any()


def test_values_are_where_label_propagation_ends():
    weights, labels = random_graph(3, 15), partly_labelled(4, 15, 3, 4)
    known, onehot = labels >= 0, np.eye(3)[labels]
    values = np.full((15, 3), 1 / 3)
    for _ in range(3000):
        values[known] = onehot[known]
        values = weights @ values / weights.sum(axis=1, keepdims=True)
    values[known] = onehot[known]
    np.testing.assert_allclose(HarmonicField(weights, labels, 3).values, values, atol=1e-9)


@pytest.mark.parametrize("sparse", [False, True])
def test_twenty_labels_later_all_is_as_if_solved_again(sparse):
    weights, labels = random_graph(5, 60, 0.1), partly_labelled(6, 60, 3, 3)
    given_weights = csr_array(weights) if sparse else weights
    field, rng = HarmonicField(given_weights, labels, 3), np.random.default_rng(7)
    for node in rng.permutation(field.unlabelled)[:20].tolist():
        labels[node] = rng.integers(3)
        field.learn(node, int(labels[node]))
    again = HarmonicField(given_weights, labels, 3)
    assert (field.labels == labels).all()
    np.testing.assert_allclose(field.values, again.values, atol=1e-10)
    np.testing.assert_allclose(field.inverse, again.inverse, atol=1e-9)
    np.testing.assert_allclose(field.values, harmonic(weights, labels, 3), atol=1e-10)


@given(seed=st.integers(0, 10**6), nodes=st.integers(2, 12), classes=st.integers(2, 4), known=st.integers(0, 6))
def test_values_are_probabilities(seed, nodes, classes, known):
    weights = random_graph(seed, nodes) * (np.random.default_rng(seed).random((nodes, nodes)) < 0.8)
    weights = np.minimum(weights, weights.T)  # cut anywhere, so often in several components
    field = HarmonicField(weights, partly_labelled(seed, nodes, classes, min(known, nodes)), classes)
    assert (field.values >= 0).all()
    assert (field.values <= 1).all()
    np.testing.assert_allclose(field.values.sum(axis=1), 1.0)
    np.testing.assert_allclose(field.values, harmonic(weights, field.labels, classes), atol=1e-9)


@given(order=st.permutations(range(10)), classes=st.permutations(range(3)), scale=st.sampled_from([1e-6, 1.0, 1e9]))
def test_the_order_of_nodes_and_classes_and_a_common_factor_do_not_matter(order, classes, scale):
    weights, labels = three_parts(), np.array([0, -1, 2, -1, -1, -1, 1, -1, -1, -1])
    values = HarmonicField(weights, labels, 3).values
    renamed = np.where(labels < 0, -1, np.array(classes)[labels])
    moved = HarmonicField(scale * weights[np.ix_(order, order)], renamed[order], 3).values
    np.testing.assert_allclose(moved[:, classes], values[order], atol=1e-10)


def test_a_single_label_holds_in_the_whole_of_its_component():
    labels = np.full(10, -1)
    labels[[2, 6]] = 1, 0
    values = HarmonicField(three_parts(), labels, 2).values
    np.testing.assert_allclose(values[:5], np.tile([0.0, 1.0], (5, 1)), atol=1e-12)
    np.testing.assert_allclose(values[5:9], np.tile([1.0, 0.0], (4, 1)), atol=1e-12)
    assert values[9].tolist() == [0.5, 0.5]


def test_a_component_without_a_label_has_the_prior_until_its_first():
    weights, labels = three_parts(), np.full(10, -1)
    labels[0] = 2
    field = HarmonicField(csr_array(weights), labels, 3, prior=(0.5, 0.2, 0.3))
    assert field.values[5:].tolist() == [[0.5, 0.2, 0.3]] * 5
    for node, label in [(7, 0), (5, 1), (9, 2)]:
        field.learn(node, label)
        labels[node] = label
        again = HarmonicField(weights, labels, 3, prior=(0.5, 0.2, 0.3))
        np.testing.assert_allclose(field.values, again.values, atol=1e-12)
        np.testing.assert_allclose(field.inverse, again.inverse, atol=1e-12)
    np.testing.assert_allclose(field.values, harmonic(weights, labels, 3, (0.5, 0.2, 0.3)), atol=1e-12)


def test_a_field_without_labels_is_the_prior_and_one_with_all_is_the_labels():
    weights = random_graph(0, 6)
    assert HarmonicField(weights, np.full(6, -1), 2).values.tolist() == [[0.5, 0.5]] * 6
    full = HarmonicField(weights, np.array([0, 1, 1, 0, 0, 1]), 2)
    assert full.values[:, 1].tolist() == [0, 1, 1, 0, 0, 1]
    assert len(full.unlabelled) == 0


def test_the_given_labels_and_weights_stay_as_they_are():
    weights, labels = random_graph(0, 6), np.array([0, -1, -1, -1, -1, 1])
    before = weights.copy()
    HarmonicField(weights, labels, 2).learn(3, 1)
    assert labels.tolist() == [0, -1, -1, -1, -1, 1]
    assert (weights == before).all()


def test_very_unequal_degrees_are_solved():
    weights = random_graph(2, 8, 1.0)
    weights[7] *= 1e-40
    weights[:, 7] *= 1e-40  # an outlier hangs on the rest by a thread; its value is still the mean of its neighbours'
    labels = np.array([0, 1, -1, -1, -1, -1, -1, -1])
    values = HarmonicField(weights, labels, 2).values
    np.testing.assert_allclose(values[7], weights[7] @ values / weights[7].sum(), atol=1e-9)


def test_clusters_that_all_but_lack_a_tie_to_a_label_are_refused():
    weights = np.array([[0.0, 1e-30, 0.0], [1e-30, 0.0, 1.0], [0.0, 1.0, 0.0]])
    with pytest.raises(NonFiniteError, match="larger bandwidth"):
        HarmonicField(weights, np.array([0, -1, -1]), 2)


@pytest.mark.parametrize(("node", "label"), [(0, 1), (1, 2), (1, -1), (-1, 0), (3, 0)])
def test_labels_are_learnt_once_and_are_classes(node, label):
    field = HarmonicField(random_graph(0, 3), np.array([0, -1, 1]), 2)
    with pytest.raises(ShapeError, match="each node is labelled once"):
        field.learn(node, label)


@pytest.mark.parametrize("prior", [(0.5,), (0.7, 0.7), (-0.5, 1.5), (float("nan"), 1.0)])
def test_a_prior_that_is_no_distribution_is_refused(prior):
    with pytest.raises(SettingsError, match="proportions that sum to 1"):
        HarmonicField(random_graph(0, 3), np.array([0, -1, 1]), 2, prior=prior)


def test_labels_and_weights_that_do_not_fit_are_refused():
    with pytest.raises(ShapeError, match=r"\(3, 3\), \(2,\) and 2"):
        HarmonicField(random_graph(0, 3), np.array([0, 1]), 2)
    with pytest.raises(ShapeError, match="at least 2 classes"):
        HarmonicField(random_graph(0, 2), np.array([0, -1]), 1)
    with pytest.raises(ShapeError, match="labels from -1"):
        HarmonicField(random_graph(0, 2), np.array([0, 2]), 2)
    with pytest.raises(ShapeError, match="labels from -1"):
        HarmonicField(random_graph(0, 2), np.array([0, -2]), 2)

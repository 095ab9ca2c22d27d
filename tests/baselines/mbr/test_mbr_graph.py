"""The graph: Gaussian weights of neighbours by union, shares of images outside it, and a bandwidth from the spanning tree."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mbr_oracle import blobs
from scipy.sparse import csr_array

from askwell.baselines.mbr.bandwidth import spanning_tree_bandwidth
from askwell.baselines.mbr.graph import gaussian_graph, neighbour_shares
from askwell.errors import NonFiniteError, SettingsError, ShapeError


def dense(weights):
    return weights.toarray() if isinstance(weights, csr_array) else weights


def slow_weights(features, bandwidth, neighbours):
    n = len(features)
    distance = np.array([[np.linalg.norm(a - b) for b in features] for a in features])
    near = np.zeros((n, n), dtype=bool)
    for i in range(n):
        others = sorted((j for j in range(n) if j != i), key=lambda j: distance[i, j])
        near[i, others[:neighbours]] = True
    weights = np.exp(-((distance / bandwidth) ** 2)) * (near | near.T)
    np.fill_diagonal(weights, 0.0)
    return weights


@pytest.mark.parametrize("neighbours", [1, 3, 100, None])
@pytest.mark.parametrize("dimensions", [2, 40])
def test_weights_are_gaussian_and_join_neighbours_either_way(neighbours, dimensions):
    features = np.random.default_rng(0).random((25, dimensions))
    weights = dense(gaussian_graph(features, bandwidth=0.7, neighbours=neighbours))
    np.testing.assert_allclose(weights, slow_weights(features, 0.7, neighbours or 24), rtol=1e-6, atol=1e-15)
    np.testing.assert_allclose(weights, weights.T, rtol=1e-12)
    assert (np.diag(weights) == 0).all()


def test_a_neighbour_of_one_side_only_is_joined():
    features = np.array([[0.0], [1.0], [1.1], [1.2]])  # 1 is the nearest of 0, but 0 is not the nearest of 1
    assert dense(gaussian_graph(features, bandwidth=1.0, neighbours=1))[0, 1] == pytest.approx(np.exp(-1.0))


def test_float32_features_are_widened():
    features = np.random.default_rng(1).random((12, 5)).astype(np.float32)
    single = gaussian_graph(features, bandwidth=0.5, neighbours=3)
    assert single.dtype == np.float64
    assert (dense(single) == dense(gaussian_graph(features.astype(np.float64), bandwidth=0.5, neighbours=3))).all()


def test_weights_that_underflow_are_no_edges():
    weights = gaussian_graph(np.array([[0.0], [1.0], [1e6]]), bandwidth=1.0, neighbours=2)
    assert isinstance(weights, csr_array)
    assert weights.nnz == 2


def test_copies_of_an_image_are_joined_with_weight_one():
    weights = dense(gaussian_graph(np.array([[0.5, 0.5]] * 3 + [[1.0, 1.0]]), bandwidth=1.0, neighbours=2))
    assert weights[:3, :3].tolist() == (1 - np.eye(3)).tolist()


@given(order=st.permutations(range(9)), scale=st.sampled_from([1e-3, 1.0, 255.0]))
def test_order_and_units_do_not_matter(order, scale):
    features = np.random.default_rng(2).random((9, 3))
    sigma = spanning_tree_bandwidth(features)
    moved = features[order] * scale
    assert spanning_tree_bandwidth(moved) == pytest.approx(scale * sigma)
    weights = dense(gaussian_graph(features, bandwidth=sigma, neighbours=3))
    np.testing.assert_allclose(
        dense(gaussian_graph(moved, bandwidth=scale * sigma, neighbours=3)), weights[np.ix_(order, order)], rtol=1e-6
    )


@pytest.mark.parametrize("neighbours", [1, 4, None])
def test_shares_are_the_weights_scaled_to_one(neighbours):
    rng = np.random.default_rng(3)
    features, others = rng.random((15, 4)), rng.random((6, 4))
    shares = neighbour_shares(features, others, bandwidth=0.4, neighbours=neighbours).toarray()
    for row, image in zip(shares, others, strict=True):
        distance = np.linalg.norm(features - image, axis=1)
        near = np.argsort(distance)[: neighbours or 15]
        weights = np.exp(-((distance[near] / 0.4) ** 2))
        np.testing.assert_allclose(row[near], weights / weights.sum(), rtol=1e-6)
        assert np.count_nonzero(row) == len(near)


def test_an_image_far_from_everything_follows_its_nearest_node():
    shares = neighbour_shares(np.array([[0.0], [1.0]]), np.array([[1e6]]), bandwidth=1e-3, neighbours=2).toarray()
    assert shares.tolist() == [[0.0, 1.0]]


def test_no_other_images_have_no_shares():
    assert neighbour_shares(np.zeros((3, 2)), np.zeros((0, 2)), bandwidth=1.0).shape == (0, 3)


def test_the_bandwidth_is_a_third_of_the_longest_edge_of_the_spanning_tree():
    points = np.array([[0.0, 0.0], [1.0, 0.0], [2.0, 0.0], [2.0, 6.0], [3.0, 6.0]])  # edges 1, 1, 6, 1
    assert spanning_tree_bandwidth(points) == pytest.approx(2.0)


def test_the_longest_edge_is_the_shortest_length_that_connects_all():
    points, _ = blobs(0, 12, [[0, 0], [5, 1], [1, 7]])
    distance = np.linalg.norm(points[:, None] - points[None], axis=2)

    def connected(length):
        reached = {0}
        while grown := {j for i in reached for j in np.flatnonzero(distance[i] <= length)} - reached:
            reached |= grown
        return len(reached) == len(points)

    longest = 3 * spanning_tree_bandwidth(points)
    assert connected(longest * (1 + 1e-9))
    assert not connected(longest * (1 - 1e-9))


@pytest.mark.parametrize("bandwidth", [0.0, -1.0, float("nan"), float("inf")])
def test_a_bandwidth_that_is_no_length_is_refused(bandwidth):
    with pytest.raises(SettingsError, match="positive, finite bandwidth"):
        gaussian_graph(np.eye(3), bandwidth=bandwidth)
    with pytest.raises(SettingsError, match="positive, finite bandwidth"):
        neighbour_shares(np.eye(3), np.eye(3), bandwidth=bandwidth)


def test_no_neighbours_are_refused():
    with pytest.raises(SettingsError, match="neighbours >= 1"):
        gaussian_graph(np.eye(3), bandwidth=1.0, neighbours=0)


def test_features_that_are_not_finite_are_refused():
    with pytest.raises(NonFiniteError, match="NaN"):
        gaussian_graph(np.array([[0.0], [np.nan]]), bandwidth=1.0)
    with pytest.raises(NonFiniteError, match="NaN"):
        spanning_tree_bandwidth(np.array([[0.0], [np.inf]]))


def test_one_image_is_no_graph():
    with pytest.raises(ShapeError, match="at least 2 images"):
        gaussian_graph(np.zeros((1, 3)), bandwidth=1.0)


def test_other_images_with_other_features_are_refused(plain_error):
    error = plain_error(
        "import numpy as np\nfrom askwell.baselines.mbr.graph import neighbour_shares\n"
        "neighbour_shares(np.zeros((4, 2)), np.zeros((2, 3)), bandwidth=1.0)"
    )
    assert error.startswith("ShapeError: expected others with 2 features")


def test_images_that_were_not_flattened_are_refused(plain_error):
    error = plain_error(
        "import numpy as np\nfrom askwell.baselines.mbr.graph import gaussian_graph\n"
        "gaussian_graph(np.zeros((5, 28, 28)), bandwidth=1.0)"
    )
    assert error.startswith("ShapeError: expected features [N, D]")
    assert "[5, 28, 28]" in error


def test_copies_of_one_image_have_no_bandwidth():
    with pytest.raises(SettingsError, match="copies of one image"):
        spanning_tree_bandwidth(np.ones((4, 2)))

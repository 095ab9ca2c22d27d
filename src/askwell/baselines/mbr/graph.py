"""The graph: which images look alike, and how much."""

import numpy as np
from jaxtyping import Float, Float64, Int
from scipy.sparse import csr_array
from scipy.special import softmax
from sklearn.metrics.pairwise import euclidean_distances
from sklearn.neighbors import NearestNeighbors

from askwell.errors import NonFiniteError, SettingsError, ShapeError

Features = Float[np.ndarray, "N D"]  # one row per image: its flattened pixels, or what a network makes of them
Weights = csr_array | np.ndarray  # [N, N], symmetric up to rounding, non-negative, zero diagonal; float64


def gaussian_graph(features: Features, *, bandwidth: float, neighbours: int | None = 10) -> Weights:
    """Gaussian weights between images that are neighbours, or between all of them.

        W_ij = exp(-|x_i - x_j|^2 / bandwidth^2)   if i is among the k nearest of j or j among those of i, else 0;   W_ii = 0

    features [N, D] -> csr_array [N, N]; with neighbours = None every pair counts and the answer is a dense array (8 N^2 bytes).
    Weights that underflow are no edges.

    Raises ShapeError for anything but at least 2 rows, NonFiniteError for NaN or infinity, SettingsError for neighbours < 1 or a
    bandwidth that is not positive and finite. Zhu, Ghahramani and Lafferty (2003).
    """
    check_features(features)
    check_graph_settings(bandwidth, neighbours)
    if neighbours is None:
        weights = euclidean_distances(features.astype(np.float64), squared=True)
        weights *= -(bandwidth**-2)
        np.exp(weights, out=weights)
        np.fill_diagonal(weights, 0.0)
        return weights
    nearest = NearestNeighbors(n_neighbors=min(neighbours, len(features) - 1)).fit(features.astype(np.float64))
    distances, nodes = nearest.kneighbors()
    weights = _sparse_rows(np.exp(-((distances / bandwidth) ** 2)), nodes, len(features))
    union = csr_array(weights.maximum(weights.T))
    union.eliminate_zeros()
    return union


def neighbour_shares(
    features: Features, others: Float[np.ndarray, "M D"], *, bandwidth: float, neighbours: int | None = 10
) -> csr_array:
    """How much each graph node counts for each of the other images: their weights, scaled to sum to 1.

        s_mi = w_mi / sum_j w_mj   over the k nearest nodes of image m (all nodes with neighbours = None)

    features [N, D], others [M, D] -> csr_array [M, N]; shares @ f extends a harmonic function f to images outside the graph. The shares are
    taken in log space, so an image far from everything follows its nearest node. Raises what ``gaussian_graph`` raises.
    Delalleau, Bengio and Le Roux (2005), "Efficient non-parametric function induction in semi-supervised learning".
    """
    check_features(features)
    check_features(others, least=0)
    check_graph_settings(bandwidth, neighbours)
    if others.shape[1] != features.shape[1]:
        raise ShapeError(
            f"expected others with {features.shape[1]} features like the graph's, found {others.shape[1]}; compute both alike."
        )
    count = len(features) if neighbours is None else min(neighbours, len(features))
    if len(others) == 0:
        return csr_array((0, len(features)))
    nearest = NearestNeighbors(n_neighbors=count).fit(features.astype(np.float64))
    distances, nodes = nearest.kneighbors(others.astype(np.float64))
    shares = softmax(-((distances / bandwidth) ** 2), axis=1)
    return _sparse_rows(shares, nodes, len(features))


def _sparse_rows(values: Float64[np.ndarray, "M k"], columns: Int[np.ndarray, "M k"], width: int) -> csr_array:
    """[M, width] with k values in each row."""
    starts = np.arange(0, values.size + 1, values.shape[1])
    return csr_array((values.ravel(), columns.ravel(), starts), shape=(len(values), width))


def check_features(features: Features, *, least: int = 2) -> None:
    """Raise ShapeError unless features is [N, D] with N >= least and D >= 1, NonFiniteError unless all of it is finite."""
    if features.ndim != 2 or len(features) < least or features.shape[1] < 1:
        raise ShapeError(
            f"expected features [N, D] of at least {least} images, found shape {list(features.shape)}; flatten each image to one row."
        )
    if not np.isfinite(features).all():
        raise NonFiniteError("expected finite features, found NaN or infinity; remove or repair those images.")


def check_graph_settings(bandwidth: float, neighbours: int | None) -> None:
    """Raise SettingsError unless the bandwidth is positive and finite and neighbours is None or at least 1."""
    if not (np.isfinite(bandwidth) and bandwidth > 0):
        raise SettingsError(
            f"expected a positive, finite bandwidth, found {bandwidth}; leave it out to have it chosen."
        )
    if neighbours is not None and neighbours < 1:
        raise SettingsError(f"expected neighbours >= 1, or None for a dense graph, found {neighbours}; 10 is usual.")

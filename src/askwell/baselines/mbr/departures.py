"""The MBR behind figure 3 of Gal, Islam and Ghahramani (2017), as their public code has it, each departure a switch of its own.

It is kept to show what each costs; nothing else in askwell uses it. Read from the scripts Binary_MBR_Q10_N600.py and MBR.py of
Riashat/Active-Learning-Bayesian-Convolutional-Neural-Networks, and written anew. Two digits only.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Float64, Int
from scipy.sparse import csr_array
from sklearn.metrics.pairwise import euclidean_distances

from askwell.baselines.mbr.asking import Choose
from askwell.baselines.mbr.field import UNLABELLED, HarmonicField, unsolvable
from askwell.baselines.mbr.graph import Features, check_features, check_graph_settings, gaussian_graph
from askwell.errors import SettingsError, ShapeError


@final
@dataclass(frozen=True)
class Departures:
    """What the code did instead of Zhu, Lafferty and Ghahramani (2003). All off is the correct look-ahead.

    kernel_sign    W_ij = exp(+|x_i - x_j|^2 / sigma^2): the less alike, the stronger the tie
    label_values   the two digits themselves as labels (2 and 8), while the risk stays sum_i min(f_i, 1 - f_i), over labelled and
                   unlabelled images and now mostly negative, and f_k and 1 - f_k still weigh the two answers
    true_label     the look-ahead is told the pool image's label, so that both answers' risks are the same one
    largest        the images of largest risk are asked
    candidates     only so many images are looked at, the first in the pool's order; None for all
    zero_unscored  those not looked at keep a risk of 0 and stay eligible; ties go to the last in the pool's order if ``largest``
    """

    kernel_sign: bool = False
    label_values: tuple[float, float] = (0.0, 1.0)
    true_label: bool = False
    largest: bool = False
    candidates: int | None = None
    zero_unscored: bool = False

    def __post_init__(self) -> None:
        if self.candidates is not None and self.candidates < 1:
            raise SettingsError(f"expected candidates >= 1, or None for all of the pool, found {self.candidates}.")


AUTHORS = Departures(
    kernel_sign=True,
    label_values=(2.0, 8.0),
    true_label=True,
    largest=True,
    candidates=100,
    zero_unscored=True,
)
AUTHORS_BANDWIDTH = 1.0  # of pixels in [0, 1]


def departing(
    features: Features,
    truth: Sequence[int],
    departures: Departures = AUTHORS,
    *,
    bandwidth: float = AUTHORS_BANDWIDTH,
    neighbours: int | None = None,
) -> Choose:
    """How to choose questions with these departures, for ``ask(..., choose=...)``; of the field only the labels are read.

    features [N, D] and truth [N] (0 or 1) of the training images, in the pool's order: the authors sort theirs by class, the lower digit
    first, which matters where ties go to the last. Their graph is dense; give ``neighbours`` to see a departure alone. With AUTHORS all
    computed risks are negative (but for rounding, which their kernel makes large), so the images asked about are ones that were
    never scored: the last of the pool.

    One inverse a round and one update a candidate. Raises ShapeError for truth that does not fit, what ``gaussian_graph`` raises, and when
    it chooses, NonFiniteError where the inverse does not exist in double precision.
    """
    check_features(features)
    check_graph_settings(bandwidth, neighbours)
    answers = np.asarray(truth, dtype=np.int64)
    if answers.shape != (len(features),) or not np.isin(answers, (0, 1)).all():
        raise ShapeError(
            f"expected one label, 0 or 1, for each of {len(features)} images, found shape {answers.shape} "
            "or other values; give the true labels in the images' order."
        )
    laplacian = _laplacian(features, bandwidth, neighbours, departures.kernel_sign)

    def choose(field: HarmonicField, count: int, generator: np.random.Generator) -> Int[np.ndarray, " k"]:
        nodes = field.unlabelled
        if len(nodes) == 0:
            return nodes
        scores = _risks(laplacian, field.labels, answers, departures)
        order = generator.permutation(len(scores))  # so that ties go at random
        if departures.zero_unscored:
            scores = np.concatenate([scores, np.zeros(len(nodes) - len(scores))])
            order = np.arange(len(nodes))
        ranks = np.argsort(scores[order], kind="stable")
        best = ranks[::-1] if departures.largest else ranks
        return nodes[order[best[:count]]]

    return choose


def _laplacian(
    features: Features, bandwidth: float, neighbours: int | None, wrong_sign: bool
) -> Float64[np.ndarray, "N N"]:
    """D - W as a dense matrix, scaled by a common factor that no harmonic function depends on and that keeps it from overflow."""
    exponents = euclidean_distances(features.astype(np.float64), squared=True) / bandwidth**2
    exponents = exponents - exponents.max() if wrong_sign else -exponents
    weights = np.exp(exponents)
    np.fill_diagonal(weights, 0.0)
    graph = None if neighbours is None else gaussian_graph(features, bandwidth=bandwidth, neighbours=neighbours)
    if isinstance(graph, csr_array):
        weights *= graph.toarray() > 0
    return np.diag(weights.sum(axis=1)) - weights


def _risks(
    laplacian: Float64[np.ndarray, "N N"],
    labels: Int[np.ndarray, " N"],
    truth: Int[np.ndarray, " N"],
    departures: Departures,
) -> Float64[np.ndarray, " K"]:
    """The expected risk of each candidate, the first ``departures.candidates`` of the unlabelled."""
    low, high = departures.label_values
    known, nodes = np.flatnonzero(labels != UNLABELLED), np.flatnonzero(labels == UNLABELLED)
    given = low + (high - low) * labels[known]
    inverse = _inverse(laplacian[np.ix_(nodes, nodes)])
    f = -inverse @ (laplacian[np.ix_(nodes, known)] @ given)
    risks = []
    for k, node in enumerate(nodes[: departures.candidates]):
        share = inverse[:, k] / inverse[k, k]
        told = [low + (high - low) * truth[node]] * 2 if departures.true_label else [low, high]
        if_low, if_high = (_risk(given) + _risk(f + share * (label - f[k])) for label in told)
        risks.append((1 - f[k]) * if_low + f[k] * if_high)
    return np.array(risks)


def _inverse(matrix: Float64[np.ndarray, "U U"]) -> Float64[np.ndarray, "U U"]:
    try:
        return np.linalg.inv(matrix)
    except np.linalg.LinAlgError:
        raise unsolvable() from None


def _risk(f: Float64[np.ndarray, " U"]) -> float:
    return float(np.minimum(f, 1 - f).sum())

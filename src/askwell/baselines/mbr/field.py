"""The Gaussian random field on a graph: harmonic functions, and what another label would do to them."""

from collections.abc import Sequence
from typing import final

import numpy as np
from jaxtyping import Bool, Float64, Int
from scipy.linalg import get_blas_funcs, get_lapack_funcs
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from askwell.baselines.mbr.graph import Weights
from askwell.errors import NonFiniteError, SettingsError, ShapeError

UNLABELLED = -1
SUM_TOLERANCE = 1e-6  # of a node's values, which sum to 1; further off, the linear system has lost its digits


@final
class HarmonicField:
    """The harmonic functions of the labels so far, one per class, and the inverse that tells what one more label changes.

        values[u, c] = ((D - W)_uu^-1 W_ul)[u, :] @ (labels_l == c)          inverse = (D - W)_uu^-1, zero outside u x u

    values [N, C] are 0 or 1 at labelled nodes and weighted means of their neighbours elsewhere; rows sum to 1. A component without any
    label has no harmonic function: its values are the ``prior``, and its block of ``inverse`` is 1 throughout, which makes a label's
    influence what it tends to as the component's tie to the outside goes to 0: one label anywhere in it settles all of it.
    Memory 8 N^2 bytes beside the weights; N^3 operations once, 2 N^2 for each label learnt.

    Zhu, Ghahramani and Lafferty (2003), equation 5; the update is that of Zhu, Lafferty and Ghahramani (2003).
    """

    def __init__(
        self, weights: Weights, labels: Int[np.ndarray, " N"], classes: int, prior: Sequence[float] | None = None
    ) -> None:
        """labels: a class 0 ... classes - 1, or -1 where unknown; prior [C]: uniform unless given.

        Raises ShapeError for weights that are not [N, N] or labels out of range, SettingsError for a prior that is no distribution,
        NonFiniteError where weights are so unequal that the system cannot be solved in double precision.
        """
        _check(weights, labels, classes)
        self.prior = checked_prior(prior, classes)
        self.labels = labels.astype(np.int64)
        self._weights = weights
        self._component = _components(weights)
        known = self.labels != UNLABELLED
        self._anchored = np.isin(self._component, self._component[known])
        self.inverse = _grounded_inverse(weights, known | ~self._anchored)
        targets = np.eye(classes)[self.labels] * known[:, None]
        self.values: Float64[np.ndarray, "N C"] = self.inverse @ (weights @ targets)
        _check_sums(self.values[self._anchored & ~known])
        np.clip(self.values, 0.0, 1.0, out=self.values)
        self.values[known] = targets[known]
        self.values[~self._anchored] = self.prior
        for component in np.unique(self._component[~self._anchored]):
            members = np.flatnonzero(self._component == component)
            self.inverse[np.ix_(members, members)] = 1.0

    @property
    def unlabelled(self) -> Int[np.ndarray, " U"]:
        """The nodes without a label, in order."""
        return np.flatnonzero(self.labels == UNLABELLED)

    def learn(self, node: int, label: int) -> None:
        """Fix one node's label; values and inverse change in place, as if all had been solved again.

            f <- f + G_.k / G_kk (y - f_k),   G <- G - G_.k G_k. / G_kk

        Raises ShapeError for a node that has a label already, or a label that is no class.
        """
        classes = self.values.shape[1]
        if not 0 <= node < len(self.labels) or self.labels[node] != UNLABELLED or not 0 <= label < classes:
            raise ShapeError(
                f"expected an unlabelled node and a class below {classes}, found node {node} and class {label}; "
                "each node is labelled once."
            )
        self.labels[node] = label
        target = np.eye(classes)[label]
        if not self._anchored[node]:
            self._anchor(node, target)
            return
        column = self.inverse[:, node].copy()
        if not column[node] > 0:
            raise unsolvable()
        self.values += np.outer(column / column[node], target - self.values[node])
        np.clip(self.values, 0.0, 1.0, out=self.values)
        self.values[node] = target
        (rank_one,) = get_blas_funcs(("ger",), (self.inverse,))
        rank_one(-1.0 / column[node], column, column, a=self.inverse, overwrite_a=True)
        self.inverse[node] = self.inverse[:, node] = 0.0

    def _anchor(self, node: int, target: Float64[np.ndarray, " C"]) -> None:
        """The first label of a component: it holds everywhere in it, and the component's inverse exists from now on."""
        members = np.flatnonzero(self._component == self._component[node])
        self.values[members] = target
        self.inverse[np.ix_(members, members)] = _grounded_inverse(self._weights[members][:, members], members == node)
        self._anchored[members] = True


def checked_prior(prior: Sequence[float] | None, classes: int) -> Float64[np.ndarray, " C"]:
    """The prior as an array, uniform if None; SettingsError unless it is a distribution over the classes."""
    array = np.full(classes, 1 / classes) if prior is None else np.asarray(prior, dtype=np.float64)
    if array.shape != (classes,) or not (array >= 0).all() or not np.isclose(array.sum(), 1.0):
        raise SettingsError(
            f"expected a prior of {classes} proportions that sum to 1, found {array.tolist()}; give one proportion per class."
        )
    return array


def _grounded_inverse(weights: Weights, grounded: Bool[np.ndarray, " N"]) -> Float64[np.ndarray, "N N"]:
    """(D - W)^-1 over the nodes that are not grounded, zero elsewhere; in Fortran order, worked out in one matrix."""
    dense = weights.toarray(order="F") if isinstance(weights, csr_array) else np.array(weights, order="F")
    matrix = dense.astype(np.float64, copy=False)
    degrees = matrix.sum(axis=0)
    np.negative(matrix, out=matrix)
    matrix[grounded] = 0.0
    matrix[:, grounded] = 0.0
    np.fill_diagonal(
        matrix, np.where(grounded, 1.0, degrees)
    )  # a grounded node's row is the identity's: it stays apart
    factorise, invert = get_lapack_funcs(("potrf", "potri"), (matrix,))
    factor, failed = factorise(matrix, lower=True, overwrite_a=True)
    if failed:
        raise unsolvable()
    inverse, _ = invert(factor, lower=True, overwrite_c=True)
    for column in range(len(inverse)):  # only the lower triangle is filled
        inverse[column, column + 1 :] = inverse[column + 1 :, column]
    inverse[grounded, grounded] = 0.0
    return inverse


def _components(weights: Weights) -> Int[np.ndarray, " N"]:
    """The number of the connected component that each node is in."""
    if isinstance(weights, csr_array):
        return connected_components(weights, directed=False)[1]
    component = np.full(len(weights), -1)
    while (component < 0).any():  # a dense graph is mostly one component, reached in one or two steps
        fresh = np.flatnonzero(component < 0)[:1]
        number = component.max() + 1
        while len(fresh):
            component[fresh] = number
            fresh = np.flatnonzero((weights[fresh].max(axis=0) > 0) & (component < 0))
    return component


def _check(weights: Weights, labels: Int[np.ndarray, " N"], classes: int) -> None:
    if classes < 2 or labels.ndim != 1 or weights.shape != (len(labels), len(labels)):
        raise ShapeError(
            f"expected weights [N, N], labels [N] and at least 2 classes, found "
            f"{weights.shape}, {labels.shape} and {classes}."
        )
    if len(labels) and not (labels.min() >= UNLABELLED and labels.max() < classes):
        raise ShapeError(f"expected labels from -1 (unknown) to {classes - 1}, found {labels.min()} to {labels.max()}.")


def _check_sums(values: Float64[np.ndarray, "U C"]) -> None:
    if not (np.abs(values.sum(axis=1) - 1.0) <= SUM_TOLERANCE).all():
        raise unsolvable()


def unsolvable() -> NonFiniteError:
    """The error to raise where a field's linear system has no answer in double precision."""
    return NonFiniteError(
        "expected weights whose harmonic functions can be solved for in double precision, found clusters that all but lack a tie to any "
        "label; take a larger bandwidth, or more neighbours."
    )

"""Which label would help most? The expected risk after each possible question."""

import numpy as np
from jaxtyping import Float64, Int

from askwell.baselines.mbr.field import HarmonicField

BLOCK_NUMBERS = 2**15  # candidates are looked ahead in blocks of so many numbers, which stay in cache
TIE = 1e-9  # of the risk; closer ones are equal up to rounding


def risk(field: HarmonicField) -> float:
    """The share of errors that the field itself expects among unlabelled nodes, summed: R(f) = sum_i (1 - max_c f_ic).

    For two classes this is sum_i min(f_i, 1 - f_i). Zhu, Lafferty and Ghahramani (2003).
    """
    return float((1.0 - field.values[field.unlabelled].max(axis=1)).sum())


def expected_risks(field: HarmonicField) -> Float64[np.ndarray, " U"]:
    """The risk to expect once an unlabelled node is labelled, for each of ``field.unlabelled``.

        risk_k = sum_y f_ky R(f^(k,y)),   f^(k,y) = f + G_.k / G_kk (onehot(y) - f_k)

    The raw harmonic f weighs the answers. With s = G_.k / G_kk >= 0 only the class that is answered gains, so the largest of
    f^(k,y) is max(m, f_y + s (1 - f_ky)) with m = max_c (f_c - s f_kc): 6 C operations for a node and a candidate, and nothing
    is solved again. Zhu, Lafferty and Ghahramani (2003).
    """
    candidates = field.unlabelled
    size = max(1, BLOCK_NUMBERS // len(field.labels))
    blocks = [_expected_risks(field, candidates[start : start + size]) for start in range(0, len(candidates), size)]
    return np.concatenate(blocks) if blocks else np.empty(0)


def _expected_risks(field: HarmonicField, block: Int[np.ndarray, " K"]) -> Float64[np.ndarray, " K"]:
    shares = field.inverse.T[block]  # the inverse is symmetric, and its transpose has its rows in one piece
    shares /= shares[np.arange(len(block)), block][:, None]
    prior = field.values[block]
    lowered = [column - shares * before[:, None] for column, before in zip(field.values.T, prior.T, strict=True)]
    largest = lowered[0].copy()
    for values in lowered[1:]:
        np.maximum(largest, values, out=largest)
    certainty = np.zeros(len(block))
    for values, before in zip(lowered, prior.T, strict=True):
        values += shares
        np.maximum(values, largest, out=values)
        certainty += before * values.sum(axis=1)
    return len(field.labels) - certainty  # a labelled node, and the candidate itself, are certain and add nothing


def lowest_expected_risk(field: HarmonicField, count: int, generator: np.random.Generator) -> Int[np.ndarray, " k"]:
    """The min(count, U) unlabelled nodes of lowest expected risk, best first; ties are broken at random.

    Zhu et al. ask one at a time; with count > 1 the best few of one round are asked together, as the other strategies do.
    """
    risks = expected_risks(field)
    rounded = np.round(risks / (TIE * max(1.0, len(field.labels))))
    shuffled = generator.permutation(len(risks))
    return field.unlabelled[shuffled[np.argsort(rounded[shuffled], kind="stable")[:count]]]


def at_random(field: HarmonicField, count: int, generator: np.random.Generator) -> Int[np.ndarray, " k"]:
    """min(count, U) unlabelled nodes drawn without replacement: what MBR's questions are to be compared with."""
    return generator.permutation(field.unlabelled)[:count]

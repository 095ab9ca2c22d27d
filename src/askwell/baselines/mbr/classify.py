"""From harmonic functions to classes."""

import numpy as np
from jaxtyping import Float64, Int


def label_frequencies(labels: Int[np.ndarray, " N"], classes: int) -> Float64[np.ndarray, " C"]:
    """The classes' proportions among the labels, each counted once more than it occurs: (n_c + 1) / (n + C); -1 is no label."""
    counts = np.bincount(labels[labels >= 0], minlength=classes) + 1.0
    return counts / counts.sum()


def class_mass_factors(
    values: Float64[np.ndarray, "U C"], proportions: Float64[np.ndarray, " C"]
) -> Float64[np.ndarray, " C"]:
    """What to multiply each harmonic function by, so that its mass over the unlabelled nodes is the class's proportion.

        factor_c = q_c / mean_i f_ic

    values [U, C] of the unlabelled nodes, proportions [C] -> factors [C]; a class without mass has factor 0, and without nodes all are 1.
    With few labels, harmonic functions are far from calibrated: argmax f alone then answers one class nearly everywhere. For
    classifying only; risks and questions use the raw f. Zhu, Ghahramani and Lafferty (2003), section 4.
    """
    if len(values) == 0:
        return np.ones(values.shape[1])
    mass = values.mean(axis=0)
    return np.divide(proportions, mass, out=np.zeros_like(mass), where=mass > 0)

"""How far a Gaussian weight reaches, chosen from unlabelled images alone."""

import numpy as np
from scipy.cluster.hierarchy import linkage

from askwell.baselines.mbr.graph import Features, check_features
from askwell.errors import SettingsError

REACH = 3.0  # the rule's "three sigma"


def spanning_tree_bandwidth(features: Features) -> float:
    """A third of the longest edge of the minimum spanning tree.

        sigma = d_0 / 3,   d_0 = the length of the edge with which Kruskal's algorithm joins the last two components

    features [N, D] of unlabelled training images -> sigma, in the features' units. Zhu, Ghahramani and Lafferty (2003) grow the tree only
    until it joins two components that hold different labels, and take that edge as d_0. Here no label is looked at, so the
    tree is grown to its end: every node hangs on the rest by weights of at least exp(-9), which also keeps the linear system well
    conditioned. d_0 depends on the most remote image, and so rises slowly with N.

    Raises what ``gaussian_graph`` raises for features, and SettingsError where all images are the same.
    Zhu, Ghahramani and Lafferty (2003), "Semi-supervised learning using Gaussian fields and harmonic functions".
    """
    check_features(features)
    # single linkage merges along the edges of the minimum spanning tree, shortest first
    longest = float(linkage(features.astype(np.float64), method="single")[-1, 2])
    if longest == 0:
        raise SettingsError(
            "expected images that differ, found copies of one image; give a bandwidth, or other images."
        )
    return longest / REACH

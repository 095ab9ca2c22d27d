"""Before there is a model: images that are typical of many others and unlike one another, so that every class is found early.

The pool is clustered ever more finely; at each level the most typical image of every cluster that none was chosen from yet, largest cluster
first. Hacohen, Dekel and Weinshall (2022), "Active learning on a budget", choose so, at one level.
"""

from collections.abc import Collection
from typing import Any

import numpy as np
from sklearn.cluster import MiniBatchKMeans
from sklearn.decomposition import PCA

FINENESS = (10, 20, 40, 80, 160, 320)  # clusters
DIMENSIONS = 50


def typical_and_diverse(descriptors: np.ndarray[Any, np.dtype[Any]], chosen: Collection[int], seed: int) -> list[int]:
    """Rows of descriptors [N, D] in the order in which to ask them, without those that were ``chosen`` already."""
    rows, taken = len(descriptors), set(chosen)
    order: list[int] = []
    if rows == 0:
        return order
    reduced = PCA(min(DIMENSIONS, rows, descriptors.shape[1]), random_state=seed).fit_transform(descriptors)
    for clusters in FINENESS:
        if clusters >= rows:
            break
        grouped = MiniBatchKMeans(clusters, random_state=seed, batch_size=1024).fit(reduced)
        cluster_of = np.asarray(grouped.labels_)
        distance = np.linalg.norm(reduced - grouped.cluster_centers_[cluster_of], axis=1)
        sizes = np.bincount(cluster_of, minlength=clusters)
        covered = {int(cluster_of[row]) for row in taken}
        for cluster in np.argsort(-sizes, kind="stable").tolist():
            if cluster in covered or sizes[cluster] == 0:
                continue
            members = np.flatnonzero(cluster_of == cluster)
            row = int(members[distance[members].argmin()])
            order.append(row)
            taken.add(row)
    return order

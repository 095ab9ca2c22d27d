"""MBR the slow way: every harmonic function solved on its own, every look-ahead solved again. Loops and dense matrices."""

import numpy as np


def random_graph(seed, nodes, density=0.5):
    """Symmetric weights in (0, 1], zero diagonal, connected by a path."""
    rng = np.random.default_rng(seed)
    upper = np.triu(rng.random((nodes, nodes)) * (rng.random((nodes, nodes)) < density), 1)
    for node in range(nodes - 1):
        upper[node, node + 1] = rng.uniform(0.1, 1.0)
    return upper + upper.T


def partly_labelled(seed, nodes, classes, known):
    """Labels [nodes], -1 but for ``known`` of them, each class at least once if known >= classes."""
    rng = np.random.default_rng(seed)
    labels = np.full(nodes, -1)
    chosen = rng.permutation(nodes)[:known]
    labels[chosen] = np.arange(known) % classes
    return labels


def components(weights):
    """The members of each connected component, by flooding."""
    left, found = set(range(len(weights))), []
    while left:
        members, edge = set(), {min(left)}
        while edge:
            members |= edge
            edge = {j for i in edge for j in np.flatnonzero(weights[i] > 0).tolist()} - members
        left -= members
        found.append(sorted(members))
    return found


def harmonic(weights, labels, classes, prior=None):
    """Values [N, C] by one dense solve for each component."""
    prior = np.full(classes, 1 / classes) if prior is None else np.asarray(prior)
    values = np.tile(prior, (len(weights), 1))
    onehot = np.eye(classes)
    for members in components(weights):
        known = [i for i in members if labels[i] >= 0]
        unknown = [i for i in members if labels[i] < 0]
        if not known:
            continue
        values[known] = onehot[labels[known]]
        if unknown:
            system = np.diag(weights[unknown].sum(axis=1)) - weights[np.ix_(unknown, unknown)]
            values[unknown] = np.linalg.solve(system, weights[np.ix_(unknown, known)] @ onehot[labels[known]])
    return values


def risk(values, labels):
    return sum(1 - values[i].max() for i in range(len(labels)) if labels[i] < 0)


def expected_risks(weights, labels, classes):
    """For each unlabelled node in order: sum over its possible labels of f_ky times the risk once all is solved again."""
    values, answers = harmonic(weights, labels, classes), []
    for node in np.flatnonzero(labels < 0):
        total = 0.0
        for label in range(classes):
            after = labels.copy()
            after[node] = label
            total += values[node, label] * risk(harmonic(weights, after, classes), after)
        answers.append(total)
    return np.array(answers)


def blobs(seed, per_class, centres, spread=0.5):
    """Points around centres [C, D], class by class, and their classes."""
    rng = np.random.default_rng(seed)
    centres = np.asarray(centres, dtype=float)
    points = np.concatenate([centre + spread * rng.standard_normal((per_class, len(centre))) for centre in centres])
    return points, np.repeat(np.arange(len(centres)), per_class)

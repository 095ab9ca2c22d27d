"""The departures of the paper's code: none of them is the correct look-ahead, all of them is a choice that looks at nothing."""

import numpy as np
import pytest
from mbr_oracle import blobs, harmonic

from askwell.baselines.mbr.departures import AUTHORS, Departures, departing
from askwell.baselines.mbr.field import HarmonicField
from askwell.baselines.mbr.graph import gaussian_graph
from askwell.baselines.mbr.risk import expected_risks, lowest_expected_risk
from askwell.errors import NonFiniteError, SettingsError, ShapeError

FEATURES, TRUTH = blobs(0, 15, [[0, 0, 0, 0], [2, 1, 0, 0]], spread=0.8)  # sorted by class, as the authors' pool is
LABELS = np.full(30, -1)
LABELS[[0, 3, 17, 20]] = 0, 0, 1, 1


def field(labels=LABELS, neighbours=None):
    return HarmonicField(gaussian_graph(FEATURES, bandwidth=1.5, neighbours=neighbours), labels, 2)


def asked(departures, count=1, *, bandwidth=1.5, seed=0, labels=LABELS, neighbours=None):
    choose = departing(FEATURES, TRUTH.tolist(), departures, bandwidth=bandwidth, neighbours=neighbours)
    return choose(field(labels), count, np.random.default_rng(seed)).tolist()


def slow_scores(departures, bandwidth=1.5):
    """The scripts' own arithmetic, solved again for each candidate."""
    low, high = departures.label_values
    squared = ((FEATURES[:, None] - FEATURES[None]) ** 2).sum(axis=2) / bandwidth**2
    weights = np.exp(squared if departures.kernel_sign else -squared)
    np.fill_diagonal(weights, 0.0)

    def f(labels):
        return low + (high - low) * harmonic(weights, labels, 2)[:, 1]

    def told(node, label):
        labels = LABELS.copy()
        labels[node] = TRUTH[node] if departures.true_label else label
        values = f(labels)
        return np.minimum(values, 1 - values).sum()

    now = f(LABELS)
    nodes = np.flatnonzero(LABELS < 0)[: departures.candidates]
    return np.array([(1 - now[k]) * told(k, 0) + now[k] * told(k, 1) for k in nodes])


@pytest.mark.parametrize("neighbours", [None, 6])
def test_without_departures_the_questions_are_the_correct_ones(neighbours):
    correct = field(neighbours=neighbours)
    order = asked(Departures(), 26, neighbours=neighbours)
    risks = dict(zip(correct.unlabelled.tolist(), expected_risks(correct), strict=True))
    np.testing.assert_allclose([risks[node] for node in order], sorted(risks.values()), atol=1e-9)
    assert order[:5] == lowest_expected_risk(correct, 5, np.random.default_rng(0)).tolist()


@pytest.mark.parametrize(
    "departures",
    [
        Departures(),
        Departures(kernel_sign=True),
        Departures(label_values=(2.0, 8.0)),
        Departures(true_label=True),
        Departures(largest=True),
        Departures(candidates=7),
        Departures(kernel_sign=True, label_values=(2.0, 8.0), true_label=True, largest=True, candidates=9),
    ],
)
def test_each_departure_is_the_scripts_arithmetic(departures):
    scores = slow_scores(departures)
    nodes = np.flatnonzero(LABELS < 0)
    expected = nodes[np.argsort(-scores if departures.largest else scores)]
    assert asked(departures, len(scores))[:4] == expected[:4].tolist()
    assert len(asked(departures, 30)) == len(scores)


@pytest.mark.parametrize(
    "one",
    [
        {"kernel_sign": True},
        {"label_values": (2.0, 8.0)},
        {"true_label": True},
        {"largest": True},
        {"candidates": 3},
    ],
)
def test_each_departure_changes_the_questions(one):
    assert asked(Departures(**one), 3) != asked(Departures(), 3)


def test_the_authors_ask_about_the_last_of_the_pool_which_they_never_scored():
    choose = departing(FEATURES, TRUTH.tolist(), Departures(**{**vars(AUTHORS), "candidates": 5}))
    labels = np.full(30, -1)
    labels[:4] = 0  # their initial set holds the lower digit only
    assert choose(field(labels), 3, np.random.default_rng(0)).tolist() == [29, 28, 27]
    labels[[29, 28, 27]] = 1
    assert choose(field(labels), 3, np.random.default_rng(9)).tolist() == [26, 25, 24]
    assert (slow_scores(AUTHORS, 1.0) < 0).all()


def test_a_pool_smaller_than_the_candidates_is_scored_whole():
    assert sorted(asked(AUTHORS, 30, bandwidth=1.0)) == np.flatnonzero(LABELS < 0).tolist()


def test_where_all_is_labelled_nothing_is_asked():
    assert asked(AUTHORS, 3, labels=TRUTH.copy()) == []


def test_truth_that_does_not_fit_is_refused():
    for truth in ([0] * 29, [2] * 30):
        with pytest.raises(ShapeError, match="one label, 0 or 1, for each of 30 images"):
            departing(FEATURES, truth)


def test_no_candidates_are_refused():
    with pytest.raises(SettingsError, match="candidates >= 1"):
        Departures(candidates=0)


def test_a_kernel_so_narrow_that_nothing_is_tied_is_refused():
    with pytest.raises(NonFiniteError, match="larger bandwidth"):
        asked(Departures(), bandwidth=1e-4)

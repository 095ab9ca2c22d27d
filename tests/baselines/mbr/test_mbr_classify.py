"""Class-mass normalisation: the masses it promises, and classes that have none."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from askwell.baselines.mbr.classify import class_mass_factors, label_frequencies


@given(seed=st.integers(0, 10**6), rows=st.integers(1, 8), classes=st.integers(2, 4))
def test_each_class_gets_its_proportion_of_the_mass(seed, rows, classes):
    rng = np.random.default_rng(seed)
    values, proportions = rng.dirichlet(np.ones(classes), rows), rng.dirichlet(np.ones(classes))
    np.testing.assert_allclose((values * class_mass_factors(values, proportions)).mean(axis=0), proportions)


def test_it_mends_functions_that_all_but_ignore_a_class():
    values = np.array([[0.99, 0.01], [0.98, 0.02], [0.90, 0.10], [0.91, 0.09]])
    assert values.argmax(axis=1).tolist() == [0, 0, 0, 0]
    assert (values * class_mass_factors(values, np.array([0.5, 0.5]))).argmax(axis=1).tolist() == [0, 0, 1, 1]


def test_a_class_without_mass_is_never_answered_and_no_nodes_leave_all_as_it_is():
    assert class_mass_factors(np.array([[1.0, 0.0]]), np.array([0.5, 0.5])).tolist() == [0.5, 0.0]
    assert class_mass_factors(np.empty((0, 3)), np.array([0.2, 0.3, 0.5])).tolist() == [1.0, 1.0, 1.0]


def test_label_frequencies_count_each_class_once_more():
    assert label_frequencies(np.array([0, -1, 2, 0]), 3).tolist() == [3 / 6, 1 / 6, 2 / 6]
    assert label_frequencies(np.array([-1]), 2).tolist() == [0.5, 0.5]

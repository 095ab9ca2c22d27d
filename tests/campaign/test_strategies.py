"""The table of strategies names what exists."""

import pytest

from askwell.acquisition import ACQUISITIONS
from askwell.campaign.strategies import PAPER_STRATEGIES, STRATEGIES, strategy_named
from askwell.errors import UnknownNameError
from askwell.selection import SELECTIONS


def test_every_strategy_is_made_of_known_parts():
    for strategy in STRATEGIES.values():
        assert strategy.acquisition in ACQUISITIONS
        assert strategy.selection in SELECTIONS
        assert strategy.description
        assert (strategy.posterior is None) == (strategy.acquisition == "random")


def test_every_acquisition_function_can_be_used():
    assert {strategy.acquisition for strategy in STRATEGIES.values()} == set(ACQUISITIONS)


def test_the_papers_five_and_power_bald_are_there():
    assert {"bald", "variation_ratios", "max_entropy", "mean_std", "random"} == set(PAPER_STRATEGIES)
    assert strategy_named("power_bald").selection == "power"
    with pytest.raises(UnknownNameError, match="did you mean max_entropy"):
        strategy_named("max_entropie")

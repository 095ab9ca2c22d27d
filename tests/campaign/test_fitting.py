"""Who is fitted with whom: loops that are fakes, driven round by round."""

import pytest
import torch
from torch import nn

from askwell.campaign.fitting import Fitted, Outcome, RoundFit, Rounds, Turn, drive
from askwell.errors import NonFiniteError
from askwell.learning.recipe import Recipe
from askwell.learning.tuning import LabelledBatch, TuningRequest

NOTHING = LabelledBatch(torch.empty(0, 1, 8, 8), torch.empty(0, dtype=torch.int64))
REQUEST = TuningRequest(Recipe(), NOTHING, NOTHING, 2, 0)
FITTED = Fitted(nn.Identity(), 0.0, 1.0)


def loop(name: str, rounds: range, log: list[str]) -> Rounds:
    """Writes down what happens to it."""
    try:
        for number in rounds:
            outcome = yield RoundFit(number, REQUEST)
            if isinstance(outcome, NonFiniteError):
                raise outcome
            log.append(f"{name}{number}")
    finally:
        log.append(f"{name} ended")


def test_those_behind_go_first_and_then_all_together():
    log, turns = list[str](), list[tuple[int, ...]]()

    def fit(turn: Turn) -> dict[int, Outcome]:
        turns.append(tuple(turn))
        return dict.fromkeys(turn, FITTED)

    drive({0: loop("a", range(2, 4), log), 1: loop("b", range(4), log), 5: loop("c", range(4, 4), log)}, fit)
    assert turns == [(1,), (1,), (0, 1), (0, 1)]
    assert log == ["c ended", "b0", "b1", "a2", "b2", "a3", "a ended", "b3", "b ended"]


def test_one_that_diverged_ends_all_but_not_before_the_others_of_its_turn_have_gone_on():
    log = list[str]()

    def fit(turn: Turn) -> dict[int, Outcome]:
        return {place: NonFiniteError("b diverged") if place == 1 else FITTED for place in turn}

    with pytest.raises(NonFiniteError, match="b diverged"):
        drive({place: loop(name, range(3), log) for place, name in enumerate("abc")}, fit)
    assert log[:3] == ["a0", "c0", "b ended"]
    assert sorted(log[3:]) == ["a ended", "c ended"], "nothing is left open"

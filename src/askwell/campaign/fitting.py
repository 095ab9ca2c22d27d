"""Who does the fits that loops wait for: each campaign's by itself, or those of several campaigns at the same round in lock-step."""

import time
from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack
from typing import NamedTuple

from torch import nn

from askwell.errors import NonFiniteError
from askwell.learning.tuning import TunedFit, TuningRequest, fit_tuned, fit_tuned_together


class RoundFit(NamedTuple):
    """A fit that a loop waits for, and of which round it is."""

    round: int
    request: TuningRequest


class Fitted(NamedTuple):
    """A trained network, the weight-decay value it was trained with, and the seconds it took, or its share of what several took."""

    model: nn.Module
    weight_decay: float
    seconds: float


Outcome = Fitted | NonFiniteError  # a diverged network is its error, for its own loop to raise
Rounds = Generator[RoundFit, Outcome | None, None]  # None starts it
Turn = Mapping[int, RoundFit]  # by place


def drive(loops: Mapping[int, Rounds], fit: Callable[[Turn], Mapping[int, Outcome]]) -> None:
    """Run loops, by place, to their end: those furthest behind are fitted, as one turn, and go on to their next fit.

    Raises what a loop raises, once the others of its turn have gone on where only a network diverged.
    """
    with ExitStack() as stack:
        for loop in loops.values():
            stack.callback(loop.close)
        waiting = {place: wanted for place, loop in loops.items() if (wanted := next_fit(loop, None)) is not None}
        while waiting:
            behind = min(wanted.round for wanted in waiting.values())
            turn = {place: wanted for place, wanted in waiting.items() if wanted.round == behind}
            outcomes = fit(turn)
            for place in sorted(turn, key=lambda place: isinstance(outcomes[place], NonFiniteError)):
                del waiting[place]
                if (wanted := next_fit(loops[place], outcomes[place])) is not None:
                    waiting[place] = wanted


def next_fit(loop: Rounds, outcome: Outcome | None) -> RoundFit | None:
    """What the loop waits for after this outcome; None when it has come to its end."""
    try:
        return loop.send(outcome)
    except StopIteration:
        return None


def fit_each(turn: Turn) -> dict[int, Outcome]:
    """Fit one after another; raises what ``fit_tuned`` raises."""
    outcomes: dict[int, Outcome] = {}
    for place, (_, (recipe, train, validation, classes, seed, start, progress)) in turn.items():
        began = time.perf_counter()
        fitted = fit_tuned(recipe, train, validation, classes=classes, seed=seed, start=start, progress=progress)
        outcomes[place] = Fitted(fitted.model, fitted.value, time.perf_counter() - began)
    return outcomes


def fit_in_lockstep(turn: Turn, places: int) -> dict[int, Outcome]:
    """Fit together, ``places`` at a time. A place that does not take part is kept, so that nobody's numbers depend on who is behind."""
    outcomes: dict[int, Outcome] = {}
    for first in sorted({place - place % places for place in turn}):
        wanted = [turn[place].request if place in turn else None for place in range(first, first + places)]
        began = time.perf_counter()
        found = fit_tuned_together(wanted)
        seconds = (time.perf_counter() - began) / sum(request is not None for request in wanted)
        for place, fitted in enumerate(found, start=first):
            if isinstance(fitted, TunedFit):
                outcomes[place] = Fitted(fitted.model, fitted.value, seconds)
            elif fitted is not None:
                outcomes[place] = fitted
    return outcomes

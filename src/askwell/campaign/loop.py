"""The loop, on one page: ask -> fit -> measure, round after round, with a data set or a person as the oracle.

A round r begins with its query (round 0: the initial set), goes on with the answers, and ends with the fit on all labels so far.
What comes next is read from the store alone, and each step commits whole or not at all: killed anywhere, the next call goes on where
this one was, repeats no committed step, and arrives at the same numbers. The fit itself is left to whoever drives the loop, who may
have others to fit at the same time.
"""

from functools import partial

from askwell.campaign.fitting import Rounds, drive, fit_each, fit_in_lockstep
from askwell.campaign.inputs import network_inputs
from askwell.campaign.steps import answers_of, choose_initial, choose_next, fit_of_round, measured
from askwell.campaign.tables import write_tables
from askwell.campaign.workspace import Notify, Workspace
from askwell.pool.oracle import Oracle
from askwell.store.store import LabelEvent


def run_rounds(workspace: Workspace, oracle: Oracle, rounds: int, notify: Notify) -> None:
    """Go through the rounds of one campaign, which keeps its place where it was begun among others in lock-step."""
    loop, lockstep = rounds_of(workspace, oracle, rounds, notify), workspace.settings.lockstep
    if lockstep is None:
        drive({0: loop}, fit_each)
    else:
        drive({lockstep.place: loop}, partial(fit_in_lockstep, places=lockstep.places))


def rounds_of(workspace: Workspace, oracle: Oracle, rounds: int, notify: Notify) -> Rounds:
    """Go on until round ``rounds`` is committed or the pool is used up; ``rounds`` = 0 is the fit on the initial labels alone.

    Yields each fit it needs, and goes on with its outcome.
    """
    store = workspace.store
    write_tables(workspace)
    workspace = network_inputs(workspace, notify)
    while (round_number := store.rounds_done()) <= rounds:
        if not store.has_query(round_number):
            if round_number == 0:
                choice = choose_initial(workspace, oracle)
            else:
                choice = choose_next(workspace, round_number, notify)
            store.commit_query(round_number, choice.chosen, seconds=choice.seconds)
        query = [asked for asked in store.asked() if asked.round == round_number]
        if not query:
            return
        answered = store.labels()
        open_items = [asked for asked in query if asked.position not in answered]
        answers = answers_of(oracle, [asked.id for asked in open_items], workspace.settings.classes)
        events = zip(open_items, answers, strict=True)
        store.record(round_number, [LabelEvent(asked.position, "label", label, "oracle") for asked, label in events])
        wanted = fit_of_round(workspace, round_number, notify)
        outcome = yield wanted
        store.commit_round(measured(workspace, wanted, outcome, notify))
        write_tables(workspace)

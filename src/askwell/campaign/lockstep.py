"""All campaigns of an experiment in one process, round by round; the networks of a round are trained at once.

Every campaign has the loop and the commits that it has by itself. A process killed anywhere leaves campaigns at different rounds: those
behind go on first. So that this changes no number, each campaign keeps its place in the computation, and a place whose campaign does not
take part is computed all the same.
"""

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial

import torch

from askwell.campaign.fitting import Outcome, Rounds, drive, fit_in_lockstep, next_fit
from askwell.campaign.loop import rounds_of
from askwell.campaign.settings import SETTINGS_FILE, LockstepPlace, read_campaign_settings
from askwell.campaign.tasks import CampaignTask, Standing, create_or_open, images_of, named
from askwell.campaign.workspace import Notify, Stage
from askwell.learning.precision import resolve_device
from askwell.pool.datasets import Dataset
from askwell.pool.folder import FolderPool
from askwell.store.lock import exclusive


def begun_in_lockstep(task: CampaignTask) -> bool | None:
    """Whether the task's campaign was begun in lock-step; None where it was not begun."""
    begun = (task.directory / SETTINGS_FILE).exists()
    return read_campaign_settings(task.directory).lockstep is not None if begun else None


def runs_in_lockstep(tasks: Sequence[CampaignTask], asked: bool | None) -> bool:
    """What the first campaign was begun with, or for a new experiment what is asked for, or whether its device is a GPU."""
    for task in tasks:
        if (begun := begun_in_lockstep(task)) is not None:
            return begun
    return torch.device(resolve_device(tasks[0].settings.recipe.device)).type == "cuda" if asked is None else asked


def run_in_lockstep(budget: Mapping[CampaignTask, int], notify: Callable[[Standing], None]) -> None:
    """Run or continue these campaigns together, with the most threads that one of them asks for.

    Raises what the first failing campaign raised, named; the others can be resumed, as after Ctrl-C.
    """
    torch.set_num_threads(max(budget.values()))
    tasks = placed(budget)
    total, rounds = sum(task.settings.rounds + 1 for task in budget), dict.fromkeys(tasks, 0)

    def heard(stage: Stage, place: int) -> None:
        task, rounds[place] = tasks[place], stage.round
        doing = f"{task.strategy}, seed {task.seed}, round {stage.round}: {stage.name} {stage.done / stage.total:4.0%}"
        notify(Standing(min(total, sum(rounds.values())), total, doing))

    someone = next(iter(tasks.values()))
    shared = images_of(someone) if someone.settings.images is None else None
    loops = {place: _rounds(task, shared, partial(heard, place=place)) for place, task in tasks.items()}
    assert someone.lockstep is not None, "it has been placed"
    drive(loops, partial(fit_in_lockstep, places=someone.lockstep.places))
    notify(Standing(total, total, ""))


def placed(tasks: Iterable[CampaignTask]) -> dict[int, CampaignTask]:
    """The tasks by place: the one a campaign was begun with, or the next that is free, of as many as the experiment began with."""
    tasks = list(tasks)
    files = tasks[0].experiment.rglob(SETTINGS_FILE)
    known = {file.parent: read_campaign_settings(file.parent).lockstep for file in files}
    begun = {directory: lockstep for directory, lockstep in known.items() if lockstep is not None}
    taken = {lockstep.place for lockstep in begun.values()}
    places = next((lockstep.places for lockstep in begun.values()), len(tasks))
    free = (place for place in itertools.count() if place not in taken)
    found: dict[int, CampaignTask] = {}
    for task in tasks:
        lockstep = begun.get(task.directory) or LockstepPlace(place=next(free), places=places)
        found[lockstep.place] = task._replace(lockstep=lockstep)
    return found


def _rounds(task: CampaignTask, shared: Dataset | None, notify: Notify) -> Rounds:
    """The loop of the task's campaign, which is held for as long as the loop runs. A folder's pool is its own, and rests between turns."""
    with named(task):
        data = shared or images_of(task)
        with create_or_open(task, data) as campaign, exclusive(task.directory):
            loop = rounds_of(campaign.workspace, data.oracle, task.settings.rounds, notify)
            outcome: Outcome | None = None
            while (wanted := next_fit(loop, outcome)) is not None:
                for images in (data.pool, data.test.images):
                    if isinstance(images, FolderPool):
                        images.close()  # its decoders: many campaigns would have many of them
                outcome = yield wanted

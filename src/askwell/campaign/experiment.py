"""Strategies x seeds on one data set: every combination a campaign of its own, several at a time, in processes or in lock-step."""

import multiprocessing
import os
import threading
from collections.abc import Callable, Container, Mapping
from concurrent.futures import FIRST_EXCEPTION, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.synchronize import Event
from pathlib import Path

import torch

from askwell.campaign.campaign import resolved
from askwell.campaign.checks import check_backbone
from askwell.campaign.data import dataset_of, moved
from askwell.campaign.inputs import experiment_features
from askwell.campaign.interrupts import interrupts_ignored
from askwell.campaign.lockstep import begun_in_lockstep, run_in_lockstep, runs_in_lockstep
from askwell.campaign.settings import SETTINGS_FILE, CampaignSettings, ExperimentSettings, read_campaign_settings
from askwell.campaign.tasks import (
    CampaignTask,
    Standing,
    campaign_tasks,
    create_or_open,
    images_of,
    named,
    rounds_committed,
    threads_of,
)
from askwell.campaign.workspace import Notify, Stage
from askwell.errors import CampaignExistsError, CampaignStateError, SettingsError, WorkerDiedError
from askwell.store.places import check_place

POLL_SECONDS = 0.5


class Stopped(Exception):  # noqa: N818 - a signal between processes, not an error
    """The parent asked this worker to stop."""


def check_experiment(
    settings: ExperimentSettings,
    out: Path,
    *,
    resume: bool,
    threads: int | None = None,
    lockstep: bool | None = None,
) -> None:
    """Refuse a directory that holds campaigns unless they are to be resumed, and resuming with other settings.

    One directory holds one experiment: whatever campaign lies in it, of any strategy, must share its settings. Raises
    CampaignExistsError or SettingsError; nothing has been touched then.
    """
    if out.exists() and not out.is_dir():
        raise SettingsError(f"expected a directory for --out, found a file: {out}; choose another.")
    if (out / SETTINGS_FILE).exists():
        raise CampaignExistsError(
            f"expected a directory for an experiment, found a single campaign in {out}; choose another --out."
        )
    check_place(out)
    for file in sorted(out.rglob(SETTINGS_FILE)):
        if not resume:
            raise CampaignExistsError(
                f"expected a new or empty directory, found a campaign in {file.parent}; "
                "add --resume to continue it, or choose another --out."
            )
        _check_same(file.parent, settings, threads)
    for task in campaign_tasks(settings, out):
        begun = begun_in_lockstep(task)
        if None not in (lockstep, begun) and lockstep != begun:
            raise SettingsError(
                f"expected the way of fitting that the campaign in {task.directory} was begun with, "
                f"{'in lock-step' if begun else 'by itself'}, found the other; leave out --lockstep."
            )


def run_experiment(
    settings: ExperimentSettings,
    out: Path,
    *,
    workers: int,
    threads: int | None,
    notify: Callable[[Standing], None],
    leave_out: Container[tuple[str, int]] = (),
    lockstep: bool | None = None,
) -> None:
    """Run or continue every campaign of the experiment, ``workers`` at a time with ``threads`` torch threads each.

    ``leave_out`` names campaigns, by strategy and seed, whose results are known from elsewhere.

    The settings are ``prepared`` ones where they name a folder.

    threads None is what a campaign was begun with, or processors / workers for a new one. With one worker everything happens in this
    process. In lock-step it does whatever ``workers`` says, and the networks of a round are trained at once; lockstep None is what the
    experiment was begun with, or for a new one whether its device is a GPU.

    Raises what the first failing campaign raised, named; the others can be resumed. Ctrl-C (KeyboardInterrupt) stops all of them,
    resumable.
    """
    _prepare_backbone(settings, out, notify)
    tasks = [task for task in campaign_tasks(settings, out) if (task.strategy, task.seed) not in leave_out]
    together = runs_in_lockstep(tasks, lockstep)
    new = threads or max(1, processors() // (1 if together else workers))
    budget = {task: threads_of(task, new) for task in tasks}
    if together:
        run_in_lockstep(budget, notify)
    elif workers == 1:
        _run_here(budget, notify)
    else:
        _run_in_workers(budget, workers, notify)


def _prepare_backbone(settings: ExperimentSettings, out: Path, notify: Callable[[Standing], None]) -> None:
    """Before the first campaign: weights that cannot be used are refused or downloaded here, and a frozen trunk's features computed, so
    that no campaign computes what another computes too.
    """
    tasks = campaign_tasks(settings, out)
    total, recipe = len(tasks) * (settings.rounds + 1), settings.recipe
    if recipe.backbone is None or rounds_committed(tasks) == total:
        return
    check_backbone(recipe.backbone)
    if not recipe.frozen:
        return
    data = dataset_of(settings, out)
    assert data is not None, "an experiment names a data set or a folder"

    def tell(doing: str, done: int, of: int) -> None:
        notify(Standing(rounds_committed(tasks), total, f"{doing} {done / of:4.0%}"))

    experiment_features(out, resolved(recipe), data, tell)


def processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _check_same(directory: Path, settings: ExperimentSettings, threads: int | None) -> None:
    stored = read_campaign_settings(directory)
    wanted, found = settings.model_dump(mode="json"), stored.model_dump(mode="json")
    own = {"strategy", "recipe", "images"}
    different = [name for name in wanted if name in found and name not in own and wanted[name] != found[name]]
    if (settings.images is None) != (stored.images is None):
        different.append("source of images")
    for name, value in wanted["recipe"].items():
        resolved_here = (name in {"device", "precision"} and value == "auto") or _same_backbone(name, settings, stored)
        if value != found["recipe"][name] and not resolved_here:
            different.append(f"recipe.{name}")
    if threads is not None and threads != stored.made_with.threads:
        different.append("number of threads")
    if settings.images is not None and stored.images is not None and moved(stored.images, settings.images):
        raise CampaignStateError(
            f"expected the images of {stored.images.folder}, with which {directory} was begun, found another folder; "
            "relink the experiment to it first (askwell run --resume --images does)."
        )
    if different:
        raise SettingsError(
            f"expected the settings that the campaign in {directory} was begun with, found another {', '.join(different)}; "
            "resume with the same settings, or choose another --out."
        )


def _same_backbone(name: str, settings: ExperimentSettings, stored: CampaignSettings) -> bool:
    wanted, found = settings.recipe.backbone, stored.recipe.backbone
    return name == "backbone" and wanted is not None and found is not None and wanted.agrees_with(found)


def _run_here(budget: Mapping[CampaignTask, int], notify: Callable[[Standing], None]) -> None:
    total = sum(task.settings.rounds + 1 for task in budget)
    for task, threads in budget.items():
        done = rounds_committed(other for other in budget if other != task)

        def heard(stage: Stage, task: CampaignTask = task, done: int = done) -> None:
            doing = (
                f"{task.strategy}, seed {task.seed}, round {stage.round}: {stage.name} {stage.done / stage.total:4.0%}"
            )
            notify(Standing(min(total, done + stage.round), total, doing))

        _run_task(task, threads, heard)
    notify(Standing(total, total, ""))


def _run_in_workers(budget: Mapping[CampaignTask, int], workers: int, notify: Callable[[Standing], None]) -> None:
    context = multiprocessing.get_context("spawn")
    stop = context.Event()
    total = sum(task.settings.rounds + 1 for task in budget)
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_begin_worker, initargs=(stop,)) as pool:
        with interrupts_ignored():  # by the workers, which start here and inherit it
            waiting: set[Future[None]] = {
                pool.submit(_run_in_worker, task, threads) for task, threads in budget.items()
            }
        try:
            while waiting:
                done, waiting = wait(waiting, timeout=POLL_SECONDS, return_when=FIRST_EXCEPTION)
                for future in done:
                    future.result()
                notify(Standing(min(total, rounds_committed(budget)), total, ""))
        except BrokenProcessPool:
            raise WorkerDiedError(
                "a worker process ended without a word, perhaps for want of memory; resume with fewer --workers."
            ) from None
        finally:
            stop.set()
            pool.shutdown(cancel_futures=True)


def _begin_worker(stop: Event) -> None:
    """Listen to the parent's stop, and end when the parent ends, however it ends."""
    global _stop
    _stop = stop
    threading.Thread(target=_end_with_parent, daemon=True).start()


_stop: Event | None = None


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _run_in_worker(task: CampaignTask, threads: int) -> None:
    try:
        _run_task(task, threads, _stop_if_asked)
    except Stopped:
        return


def _stop_if_asked(_: Stage) -> None:
    if _stop is not None and _stop.is_set():
        raise Stopped


def _run_task(task: CampaignTask, threads: int, notify: Notify) -> None:
    """Create or open the task's campaign and run it to its last round; an error says which campaign it was."""
    torch.set_num_threads(threads)
    with named(task):
        data = images_of(task)
        with create_or_open(task, data) as campaign:
            campaign.run(data.oracle, task.settings.rounds, notify=notify)

"""Calls that do not depend on one another, several at a time, each in a process of its own with one thread."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.synchronize import Event
from typing import NamedTuple

import torch

from askwell.campaign.interrupts import interrupts_ignored
from askwell.errors import WorkerDiedError


class Job(NamedTuple):
    """A module's function and its arguments; what it does must survive being killed and called again."""

    function: Callable[..., None]
    arguments: tuple[object, ...]


def run_jobs(jobs: Sequence[Job], workers: int, finished: Callable[[Job], None]) -> None:
    """Call every job, ``workers`` at a time, and say which one has finished; with one worker in this process.

    Raises what the first failing job raised, WorkerDiedError for one that ended without a word. Then, and at Ctrl-C, jobs in other
    processes are stopped where they are and those not begun are left out.
    """
    if workers == 1 or len(jobs) < 2:
        for job in jobs:
            _call(job)
            finished(job)
        return
    context = multiprocessing.get_context("spawn")
    stop = context.Event()
    with ProcessPoolExecutor(min(workers, len(jobs)), context, initializer=_begin_worker, initargs=(stop,)) as pool:
        with interrupts_ignored():  # by the workers, which start here and inherit it
            futures = {pool.submit(_call, job): job for job in jobs}
        try:
            for future in as_completed(futures):
                future.result()
                finished(futures[future])
        except BrokenProcessPool:
            raise WorkerDiedError(
                "a worker process ended without a word, perhaps for want of memory; give the command again with fewer --workers."
            ) from None
        except BaseException:
            stop.set()
            raise
        finally:
            pool.shutdown(cancel_futures=True)


def _call(job: Job) -> None:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        job.function(*job.arguments)
    finally:
        torch.set_num_threads(threads)


def _begin_worker(stop: Event) -> None:
    """Leave Ctrl-C to the parent, and end at once when it says so or when it was killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None, "a worker has a parent"
    for wait in (stop.wait, parent.join):
        threading.Thread(target=_end_after, args=(wait,), daemon=True).start()


def _end_after(wait: Callable[[], object]) -> None:
    wait()
    os._exit(1)

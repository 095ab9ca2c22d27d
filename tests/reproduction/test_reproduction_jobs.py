"""Jobs in this process, in others, and failing."""

import multiprocessing
import os
import subprocess
import sys
import threading
import time

import pytest
import torch

from askwell.errors import SettingsError, WorkerDiedError
from askwell.reproduction.jobs import Job, run_jobs


def note_process(file):
    file.write_text(f"{os.getpid()} {torch.get_num_threads()}")


def wait_for_ever(file):
    file.write_text("begun")
    threading.Event().wait()


def die(file):
    os._exit(9)


def refuse(file):
    raise SettingsError(f"expected another file, found {file.name}; choose one.")


@pytest.mark.parametrize("workers", [1, 2])
def test_every_job_is_done_in_one_thread_and_reported(tmp_path, workers):
    files, finished, threads = [tmp_path / name for name in "abc"], [], torch.get_num_threads()
    run_jobs([Job(note_process, (file,)) for file in files], workers, finished.append)
    assert sorted(job.arguments[0].name for job in finished) == ["a", "b", "c"]
    processes, counts = zip(*(file.read_text().split() for file in files), strict=True)
    assert set(counts) == {"1"}
    assert (str(os.getpid()) in processes) == (workers == 1)
    assert torch.get_num_threads() == threads
    assert multiprocessing.active_children() == []


def test_a_failing_job_is_raised_and_those_behind_it_are_not_begun(tmp_path):
    jobs = [Job(refuse, (tmp_path / "a",)), Job(note_process, (tmp_path / "b",))]
    with pytest.raises(SettingsError, match="found a"):
        run_jobs(jobs, 1, lambda job: None)
    assert not (tmp_path / "b").exists()


def test_when_one_fails_the_others_are_stopped_where_they_are(tmp_path):
    jobs = [Job(wait_for_ever, (tmp_path / "a",)), Job(refuse_after, (tmp_path / "a",))]
    with pytest.raises(SettingsError, match="found a"):
        run_jobs(jobs, 2, lambda job: None)
    assert multiprocessing.active_children() == []


def refuse_after(file):
    while not file.exists():
        time.sleep(0.01)
    refuse(file)


def test_a_worker_that_dies_is_said_in_a_sentence(tmp_path):
    with pytest.raises(WorkerDiedError, match="ended without a word"):
        run_jobs([Job(die, (tmp_path / "a",))] * 2, 2, lambda job: None)


BEGINNING = """
import os, signal, sys
from pathlib import Path

if __name__ != "__main__":  # a worker that starts, before it is told anything
    Path(sys.argv[1], str(os.getpid())).write_text(str(getattr(signal.getsignal(signal.SIGINT), "name", "heard")))
else:
    from askwell.reproduction.jobs import Job, run_jobs

    signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever started this may have it ignored
    run_jobs([Job(os.getpid, ())] * 2, 2, lambda job: None)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
"""


def test_a_worker_that_starts_never_hears_of_ctrl_c(tmp_path):
    script, said = tmp_path / "beginning.py", tmp_path / "said"
    script.write_text(BEGINNING)
    said.mkdir()
    subprocess.run([sys.executable, script, said], check=True, timeout=120)
    assert {file.read_text() for file in said.iterdir()} == {"SIG_IGN"}

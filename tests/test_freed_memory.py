"""Counted in page faults, in processes of their own: the setting is one of the whole process."""

import os
import platform
import subprocess
import sys

import pytest

from askwell.freed_memory import OWN_SETTINGS

COUNT = """
import resource, torch
from askwell.freed_memory import keep_freed_memory
{before}
torch.set_num_threads(1)
def activations():
    return [torch.ones(5 * 2**18) for _ in range(6)]   # 5 MiB each, as of a batch of the paper's network
activations()
began = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(50):
    activations()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - began)
"""

FEW = 20_000  # all pages of one round of activations are 7,680; 50 rounds follow

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc's malloc is told to keep memory")


def faults(before: str, **environment: str) -> int:
    inherited = {name: value for name, value in os.environ.items() if name not in OWN_SETTINGS}
    answer = subprocess.run(
        [sys.executable, "-c", COUNT.format(before=before)],
        env={**inherited, "OMP_NUM_THREADS": "1", **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return int(answer.stdout)


def test_memory_that_was_freed_is_not_faulted_in_again():
    assert faults("assert keep_freed_memory()") < FEW


def test_what_the_environment_says_is_left_alone():
    """One page at most is kept, as told, though the library would keep 64 MiB."""
    told = faults("assert not keep_freed_memory()", MALLOC_TRIM_THRESHOLD_="4096", MALLOC_MMAP_THRESHOLD_="4096")
    assert told > 5 * FEW


@pytest.mark.parametrize(
    "use",
    [
        "from askwell.learning.recipe import Recipe; from askwell.learning.supervised import fit; "
        "fit(Recipe(steps=1, device='cpu'), torch.zeros(2, 1, 8, 8), torch.tensor([0, 1]), classes=2, seed=0)",
        "import askwell; askwell.MCDropout(torch.nn.Sequential(torch.nn.Dropout(.5), torch.nn.Linear(2, 2)))",
    ],
)
def test_training_and_posterior_sampling_ask_for_it(use: str):
    asked = "assert keep_freed_memory.cache_info().currsize == {}"
    assert faults("; ".join([asked.format(0), use, asked.format(1)])) < FEW

"""Freed memory is kept for the next tensor instead of being handed back to the operating system.

glibc returns large blocks as soon as they are freed. A network's activations (5 MB a batch of the paper's) are then new pages in every
step, each of them a fault that the system fills with zeros: a fifth of a training step on two cores. 64 MiB hold what a step needs; larger
blocks are few and are returned as ever.
"""

import ctypes
import os
import platform
from functools import cache

KEPT_BYTES = 64 * 2**20
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # malloc.h
OWN_SETTINGS = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES")


@cache
def keep_freed_memory() -> bool:
    """Let this process keep up to ``KEPT_BYTES`` that it has freed; returns whether it does so.

    Elsewhere than with glibc, and where the environment already says how memory is to be handled, nothing is changed.
    """
    if platform.libc_ver()[0] != "glibc" or any(name in os.environ for name in OWN_SETTINGS):
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return bool(mallopt(M_MMAP_THRESHOLD, KEPT_BYTES) and mallopt(M_TRIM_THRESHOLD, KEPT_BYTES))

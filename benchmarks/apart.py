"""A contestant in a process of its own, as its user would have it.

askwell asks its own process to keep the memory that it frees (askwell.freed_memory); in the same process the others would gain by that too.
"""

import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import TypeVar

import torch

Result = TypeVar("Result")


class Apart:
    """One process that waits until it is asked; functions must be a module's."""

    def __init__(self, threads: int) -> None:
        self._process = ProcessPoolExecutor(
            1, multiprocessing.get_context("spawn"), initializer=torch.set_num_threads, initargs=(threads,)
        )

    def __enter__(self) -> "Apart":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.shutdown()

    def call(self, function: Callable[..., Result], *arguments: object) -> Result:
        """What the function returns there, or raises."""
        return self._process.submit(function, *arguments).result()

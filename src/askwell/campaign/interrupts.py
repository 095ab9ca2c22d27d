"""Ctrl-C and the processes that a command starts: it is the parent's to handle."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def interrupts_ignored() -> Iterator[None]:
    """Ctrl-C is the parent's to handle; a process started inside the block never hears of it."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only a main thread may, and only it gets Ctrl-C
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)

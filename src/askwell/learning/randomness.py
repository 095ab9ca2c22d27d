"""The one place where torch's global generator is touched: forked, seeded, and put back."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Seed torch's global generators inside the block and restore them after it.

    torch's own layers draw their first weights and their dropout masks from the global generator, whatever one passes them.
    """
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        yield


class Stream:
    """torch's global generators as one network's training finds them, put aside while it is the turn of others."""

    def __init__(self, seed: int, device: torch.device) -> None:
        self._device = device
        with seeded(seed, device):
            self._states = self._now()

    @contextmanager
    def resumed(self) -> Iterator[None]:
        """Go on with the stream inside the block; use it within ``seeded``, which puts back what was before."""
        torch.set_rng_state(self._states[0])
        if self._device.type == "cuda":
            torch.cuda.set_rng_state(self._states[1], self._device)
        yield
        self._states = self._now()

    def _now(self) -> list[Tensor]:
        on_device = [torch.cuda.get_rng_state(self._device)] if self._device.type == "cuda" else []
        return [torch.get_rng_state(), *on_device]

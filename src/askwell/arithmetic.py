"""How precisely a GPU multiplies numbers of fp32, for as long as a block lasts."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from askwell.errors import SettingsError

PRECISIONS = ("fp32", "bf16", "tf32")


@contextmanager
def products(precision: str, device: torch.device) -> Iterator[None]:
    """Within the block convolutions and products of fp32 on a GPU keep 10 bits of mantissa with "tf32", else all 23; torch's own choice
    is 10 for convolutions. On other devices nothing changes, and "tf32" is a SettingsError. Not run on a GPU yet.
    """
    if device.type != "cuda":
        if precision == "tf32":
            raise SettingsError(f'expected precision "tf32" on a GPU, found the device {device}; use "fp32" or "bf16".')
        yield
        return
    kinds = (torch.backends.cuda.matmul, torch.backends.cudnn.conv)  # pyright: ignore[reportAttributeAccessIssue]
    before = [kind.fp32_precision for kind in kinds]
    try:
        for kind in kinds:
            kind.fp32_precision = "tf32" if precision == "tf32" else "ieee"
        yield
    finally:
        for kind, choice in zip(kinds, before, strict=True):
            kind.fp32_precision = choice

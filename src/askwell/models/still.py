"""Batch norm that keeps what it was published with: the statistics of a million images, which a few labelled ones would spoil."""

import functools
from typing import Any

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm


def _train(self: Any, mode: bool = True) -> Any:
    return nn.Module.train(self, False)


class StillBatchNorm2d(nn.BatchNorm2d):
    """Batch norm by its running statistics, which stay as they are, in training too."""

    train = _train


def hold_still(network: nn.Module) -> None:
    """Hold every batch norm in a network to its statistics: torch's own, and those made of it (timm's has an activation in it)."""
    for module in network.modules():
        if isinstance(module, _BatchNorm) and module.track_running_stats and type(module).train is not _train:
            module.__class__ = _still(type(module))
            module.eval()


@functools.cache
def _still(kind: type[Any]) -> type[Any]:
    """The class of batch norm, but never in training mode."""
    if kind is nn.BatchNorm2d:
        return StillBatchNorm2d
    return type(f"Still{kind.__name__}", (kind,), {"train": _train, "__module__": kind.__module__})

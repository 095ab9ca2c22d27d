"""Batch norm that keeps what it was published with: the statistics of a million images, which a few labelled ones would spoil."""

from torch import nn


class StillBatchNorm2d(nn.BatchNorm2d):
    """Batch norm by its running statistics, which stay as they are, in training too."""

    def train(self, mode: bool = True) -> "StillBatchNorm2d":
        return super().train(False)


def hold_still(network: nn.Module) -> None:
    """Make every batch norm of torch's own in a network a StillBatchNorm2d."""
    for module in network.modules():
        if type(module) is nn.BatchNorm2d:
            module.__class__ = StillBatchNorm2d
            module.eval()

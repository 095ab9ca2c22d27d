"""Bayesian heads: dense layers with dropout behind them, on the features of a trunk.

What ``forward`` takes is not annotated as a tensor, because torch.fx calls it with proxies.
"""

from collections import OrderedDict
from typing import Any

import torch
from torch import nn

from askwell.errors import ShapeError
from askwell.models.backbone_settings import Backbone


class Pooling(nn.Module):
    """A feature map [N, C, h, w] -> features [N, D]: of each channel its mean, its largest value, both, or all its pixels."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind

    def forward(self, features: Any) -> Any:
        if self.kind == "flatten":
            return features.flatten(1)
        if self.kind == "mean":
            return features.mean(dim=(2, 3))
        if self.kind == "max":
            return features.amax(dim=(2, 3))
        return torch.cat([features.mean(dim=(2, 3)), features.amax(dim=(2, 3))], dim=1)


class Views(nn.Module):
    """Cached features [N, D, views, 1] -> [N, D]: those of the image as it is, or the mean of its mirror images'."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind

    def forward(self, features: Any) -> Any:
        return features.mean(dim=(2, 3)) if self.kind == "mean" else features[:, :, 0, 0]


def pooled_size(shape: tuple[int, ...], kind: str) -> int:
    """D, for a trunk that ends with features of this shape (without the batch)."""
    if len(shape) == 1:
        return shape[0]
    channels, height, width = shape
    return channels * {"mean": 1, "max": 1, "mean_max": 2, "flatten": height * width}[kind]


def bayesian_head(features: int, classes: int, settings: Backbone) -> nn.Sequential:
    """dropout - (dense - relu - dropout) for each hidden layer - dense C, from features [N, D]; logits [N, C].

    Weights are Glorot uniform and biases 0, drawn from torch's global generator; layers that drop nothing are left out. Raises
    ShapeError for fewer than 2 classes.
    """
    if classes < 2 or features < 1:
        raise ShapeError(f"expected at least 1 feature and 2 classes, found {features} and {classes}.")
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    if settings.input_dropout > 0:
        layers["dropout0"] = nn.Dropout(settings.input_dropout)
    for number, units in enumerate(settings.hidden, start=1):
        layers[f"dense{number}"] = nn.Linear(features, units)
        layers[f"relu{number}"] = nn.ReLU()
        if settings.dropout > 0:
            layers[f"dropout{number}"] = nn.Dropout(settings.dropout)
        features = units
    layers["output"] = nn.Linear(features, classes)
    for layer in layers.values():
        if isinstance(layer, nn.Linear):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)
    return nn.Sequential(layers)

"""What networks there are, in one literal table. Importing this imports no torch."""

import importlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from askwell.errors import UnknownNameError

if TYPE_CHECKING:
    from torch import nn


BACKBONE = "backbone"


class ModelEntry(NamedTuple):
    """One line about a network, and where its function lives ("module:function")."""

    description: str
    location: str


MODELS: Mapping[str, ModelEntry] = {
    "bcnn": ModelEntry(
        "the paper's network: 2 convolutions 32@4x4, dense 128, dropout .25 and .5 before the dense layers",
        "askwell.models.bcnn:bcnn",
    ),
    "bcnn_full": ModelEntry(
        "the same with dropout .25 before each convolution too (dropout before every weight layer)",
        "askwell.models.bcnn:bcnn_full",
    ),
    "bcnn_3x3": ModelEntry(
        "the paper's network with 3x3 kernels, as in the runs behind its table 1",
        "askwell.models.bcnn:bcnn_3x3",
    ),
    "vgg16": ModelEntry(
        "section 5.5's network, 134 million parameters, with random weights (pre-trained: as a backbone with its own head)",
        "askwell.models.backbone:vgg16",
    ),
    BACKBONE: ModelEntry(
        "any network of torchvision or timm, pre-trained, with a Bayesian head: what --backbone and [recipe.backbone] name",
        "askwell.models.backbone:unnamed",
    ),
}


def model_function(name: str) -> "Callable[[tuple[int, int, int], int], nn.Module]":
    """The function (image_shape, classes) -> nn.Module of that name; UnknownNameError offers the nearest names."""
    if name not in MODELS:
        raise UnknownNameError("model", name, MODELS)
    module, _, function = MODELS[name].location.partition(":")
    return getattr(importlib.import_module(module), function)

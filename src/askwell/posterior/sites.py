"""Which calls of a network are stochastic, and the same calls with their mask as an argument.

A *form* computes what torch computes in training, operation by operation, except that the mask is given:

    form(x, masks, ordinal, p)      p is the probability to drop, ordinal counts the stochastic calls of one forward pass

Masks multiply, so a NaN stays a NaN, dropped or not, as in torch.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn

from askwell.errors import ShapeError
from askwell.posterior.masks import LayerMasks, SampleMasks

Form = Callable[[Tensor, SampleMasks, int, float], Tensor]

ALPHA = 1.7580993408473766  # -ALPHA is where SELU saturates and what alpha dropout sets dropped units to


@dataclass(frozen=True)
class Site:
    """One stochastic call: how its mask is applied and the probability to drop, 0 < p < 1."""

    form: Form
    p: float


@dataclass(frozen=True)
class DropoutCall:
    """A call of one of torch's dropout functions as it stands in a traced graph."""

    form: Form
    input: fx.Node
    p: Any  # a float, or a node where the network computes it
    training: Any


def dropout(x: Tensor, masks: LayerMasks, ordinal: int, p: float) -> Tensor:
    """Drop single units: x * mask / (1 - p). Srivastava et al. (2014)."""
    return x * _scaled_mask(x, masks.keep(ordinal, x.shape, 1 - p), p)


def feature_dropout(x: Tensor, masks: SampleMasks, ordinal: int, p: float) -> Tensor:
    """Drop whole channels of [B, channels, ...]. Tompson et al. (2015)."""
    return x * _scaled_mask(x, masks.keep(ordinal, _channels(x), 1 - p), p)


def dropout1d(x: Tensor, masks: SampleMasks, ordinal: int, p: float) -> Tensor:
    """``feature_dropout`` of [B, channels, length]; torch would take [B, units] for one image and drop whole rows."""
    return feature_dropout(_with_axes(x, 3, "Dropout1d"), masks, ordinal, p)


def dropout3d(x: Tensor, masks: SampleMasks, ordinal: int, p: float) -> Tensor:
    """``feature_dropout`` of [B, channels, depth, height, width]; torch would take four axes for one image."""
    return feature_dropout(_with_axes(x, 5, "Dropout3d"), masks, ordinal, p)


def alpha_dropout(x: Tensor, masks: SampleMasks, ordinal: int, p: float) -> Tensor:
    """Set single units to -ALPHA, then restore mean and variance. Klambauer et al. (2017)."""
    return _alpha(x, masks.keep(ordinal, x.shape, 1 - p), p)


def feature_alpha_dropout(x: Tensor, masks: SampleMasks, ordinal: int, p: float) -> Tensor:
    """``alpha_dropout`` of whole channels."""
    return _alpha(x, masks.keep(ordinal, _channels(x), 1 - p), p)


def drop_path(x: Tensor, masks: SampleMasks, ordinal: int, p: float) -> Tensor:
    """Drop the whole branch, for all images of the sample together: stochastic depth. Huang et al. (2016)."""
    return x * _scaled_mask(x, masks.keep(ordinal, _whole(x), 1 - p), p)


def unscaled_drop_path(x: Tensor, masks: SampleMasks, ordinal: int, p: float) -> Tensor:
    """``drop_path`` without the division by 1 - p (timm's scale_by_keep=False)."""
    return x * masks.keep(ordinal, _whole(x), 1 - p)


MODULES: Mapping[type[nn.Module], Form] = {
    nn.Dropout: dropout,
    nn.Dropout1d: dropout1d,
    nn.Dropout2d: feature_dropout,
    nn.Dropout3d: dropout3d,
    nn.AlphaDropout: alpha_dropout,
    nn.FeatureAlphaDropout: feature_alpha_dropout,
}
FUNCTIONS: Mapping[Callable[..., Tensor], Form] = {
    F.dropout: dropout,
    F.dropout1d: dropout1d,
    F.dropout2d: feature_dropout,
    F.dropout3d: dropout3d,
    F.alpha_dropout: alpha_dropout,
    F.feature_alpha_dropout: feature_alpha_dropout,
    torch.dropout: dropout,
    torch.dropout_: dropout,
    torch.feature_dropout: feature_dropout,
    torch.feature_dropout_: feature_dropout,
    torch.alpha_dropout: alpha_dropout,
    torch.alpha_dropout_: alpha_dropout,
    torch.feature_alpha_dropout: feature_alpha_dropout,
    torch.feature_alpha_dropout_: feature_alpha_dropout,
}
STOCHASTIC_DEPTH = ("StochasticDepth", "DropPath")  # torchvision's and timm's; many networks carry a copy of the latter


def is_stochastic_depth(module: nn.Module) -> bool:
    """Whether this is stochastic depth, told by the name of its class: timm need not be installed, and copies of it abound."""
    return type(module).__name__ in STOCHASTIC_DEPTH


def module_site(module: nn.Module, *, stochastic_depth: bool) -> Site | None:
    """The site that a module stands for, or None where it is not stochastic: p = 0, or stochastic depth not asked for."""
    if is_stochastic_depth(module):
        p = getattr(module, "p", getattr(module, "drop_prob", None)) or 0.0
        scaled = getattr(module, "scale_by_keep", True)
        return Site(drop_path if scaled else unscaled_drop_path, p) if stochastic_depth and p > 0 else None
    form, p = MODULES.get(type(module)), _p(module)
    return Site(form, p) if form is not None and p > 0 else None


def holds_randomness(module: nn.Module) -> bool:
    """Whether torch's own module, or one inside it, may draw random numbers in a forward pass in training mode."""
    return any(
        isinstance(part, (nn.RReLU, nn.FractionalMaxPool2d, nn.FractionalMaxPool3d))
        or (isinstance(part, tuple(MODULES)) and _p(part) > 0)
        or (isinstance(part, (nn.MultiheadAttention, nn.RNNBase)) and part.dropout > 0)
        for part in module.modules()
    )


def dropout_call(node: fx.Node) -> DropoutCall | None:
    """Read a node that calls one of torch's dropout functions; None for any other node."""
    function: Any = node.target
    form = FUNCTIONS.get(function) if node.op == "call_function" else None
    if form is None:
        return None
    if inspect.isbuiltin(function):  # torch.dropout(input, p, train) and its kin: all three are required
        values: dict[str, Any] = dict(zip(("input", "p", "train"), node.args, strict=False)) | node.kwargs
        return DropoutCall(form, values["input"], values["p"], values["train"])
    bound = inspect.signature(function).bind(*node.args, **node.kwargs)
    bound.apply_defaults()
    return DropoutCall(form, bound.arguments["input"], bound.arguments["p"], bound.arguments["training"])


def _p(module: nn.Module) -> float:
    return getattr(module, "p", 0.0)


def _scaled_mask(x: Tensor, keep: Tensor, p: float) -> Tensor:
    return keep.to(x.dtype).div_(1 - p)


def _alpha(x: Tensor, keep: Tensor, p: float) -> Tensor:
    scale = ((ALPHA**2 * p + 1) * (1 - p)) ** -0.5
    mask = keep.to(x.dtype)
    return x * (mask * scale) + ((mask - 1) * (ALPHA * scale) + ALPHA * scale * p)


def _channels(x: Tensor) -> tuple[int, ...]:
    return (*x.shape[:2], *[1] * (x.ndim - 2))


def _whole(x: Tensor) -> tuple[int, ...]:
    return (x.shape[0], *[1] * (x.ndim - 1))


def _with_axes(x: Tensor, axes: int, name: str) -> Tensor:
    if x.ndim != axes:
        raise ShapeError(
            f"expected {axes} axes, batch and channels first, in front of {name}, found shape {list(x.shape)}; "
            "torch takes fewer axes for a single image and would drop whole images of a batch: use nn.Dropout there."
        )
    return x

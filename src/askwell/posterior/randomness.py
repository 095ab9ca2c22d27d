"""Random numbers as torch's operators ask for them: given from the shared masks, or forbidden.

Both are dispatch modes, which see every operator that a forward pass really runs, however deep inside a layer. Nothing is patched,
and torch's global generator is never advanced.
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from askwell.errors import UsageError
from askwell.posterior.masks import SampleMasks

aten = torch.ops.aten
Operator = torch._ops.OpOverload


class UnexpectedRandomnessError(UsageError):
    """A network draws random numbers where none are expected, or in a way that images cannot share."""


class _RandomnessMode(TorchDispatchMode):
    """Hands every operator that would draw random numbers to ``_draw``."""

    def __torch_dispatch__(self, func: Operator, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        kwargs = kwargs or {}
        return self._draw(func, args, kwargs) if _draws(func, args, kwargs) else func(*args, **kwargs)

    def _draw(self, func: Operator, args: tuple, kwargs: dict) -> Any:
        raise NotImplementedError

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # else the first operator imports torch._dynamo, which takes seconds


class NoRandomness(_RandomnessMode):
    """Raises UnexpectedRandomnessError at the first operator that would draw random numbers."""

    def _draw(self, func: Operator, args: tuple, kwargs: dict) -> Any:
        raise UnexpectedRandomnessError(
            f"expected a network that is deterministic in eval mode, found that it draws random numbers ({func}); "
            "use MCDropout, or take out the layer that is always random."
        )


class SharedRandomness(_RandomnessMode):
    """Gives the k-th random operator of a forward pass the masks of ordinal k, the same for every image.

    Raises UnexpectedRandomnessError for anything but dropout and rrelu.
    """

    def __init__(self, masks: SampleMasks) -> None:
        super().__init__()
        self._masks = masks
        self._ordinal = 0

    def _draw(self, func: Operator, args: tuple, kwargs: dict) -> Any:
        substitute = _SUBSTITUTES.get(func)
        if substitute is None:
            raise UnexpectedRandomnessError(
                f"expected randomness that all images of a posterior sample can share (dropout, rrelu), found {func}; "
                "replace the layer that draws it by dropout."
            )
        ordinal, self._ordinal = self._ordinal, self._ordinal + 1
        return substitute(self._masks, ordinal, *args, **kwargs)


def _draws(func: Operator, args: tuple, kwargs: dict) -> bool:
    """Whether this call draws: operators with a training flag or a dropout probability do not always."""
    if torch.Tag.nondeterministic_seeded not in func.tags:
        return False
    names = [argument.name for argument in func._schema.arguments]
    values = {
        argument.name: argument.default_value for argument in func._schema.arguments if argument.has_default_value()
    }
    values |= dict(zip(names, args, strict=False)) | kwargs
    training = values.get("training", values.get("train", True))
    return training is not False and values.get("dropout_p", values.get("dropout", 1)) != 0


def _bernoulli_(masks: SampleMasks, ordinal: int, noise: Tensor, p: float = 0.5, generator: Any = None) -> Tensor:
    return noise.copy_(masks.keep(ordinal, noise.shape, p))  # p is the probability of 1, that is, to keep


def _bernoulli(masks: SampleMasks, ordinal: int, like: Tensor, p: float, generator: Any = None) -> Tensor:
    return _bernoulli_(masks, ordinal, torch.empty_like(like), p)


def _native_dropout(masks: SampleMasks, ordinal: int, x: Tensor, p: float, train: bool | None) -> tuple[Tensor, Tensor]:
    keep = masks.keep(ordinal, x.shape, 1 - p).expand_as(x)
    return x * keep.to(x.dtype).div(1 - p), keep.clone()


def _rrelu(
    masks: SampleMasks,
    ordinal: int,
    x: Tensor,
    noise: Tensor,
    lower: float = 0.125,
    upper: float = 1 / 3,
    training: bool = False,
    generator: Any = None,
) -> Tensor:
    """x where positive, else slope * x with slope uniform in [lower, upper). Xu et al. (2015)."""
    slope = (lower + (upper - lower) * masks.uniform(ordinal, x.shape)).to(x.dtype)
    return x * noise.copy_(torch.where(x <= 0, slope, 1.0))


def _rrelu_(masks: SampleMasks, ordinal: int, x: Tensor, noise: Tensor, *arguments: Any) -> Tensor:
    return x.copy_(_rrelu(masks, ordinal, x, noise, *arguments))


_SUBSTITUTES: Mapping[Operator, Callable[..., Any]] = {
    aten.bernoulli_.float: _bernoulli_,
    aten.bernoulli.p: _bernoulli,
    aten.native_dropout.default: _native_dropout,
    aten.rrelu_with_noise.default: _rrelu,
    aten.rrelu_with_noise_.default: _rrelu_,
}

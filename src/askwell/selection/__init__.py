"""Which images to ask about together? Pure functions from scores to indices [k], without repeats, ties broken at random."""

from collections.abc import Callable, Mapping

from jaxtyping import Int
from torch import Tensor

from askwell.selection.power import power
from askwell.selection.top_k import top_k

SELECTIONS: Mapping[str, Callable[..., Int[Tensor, " k"]]] = {
    "top_k": top_k,
    "power": power,
}

__all__ = ["SELECTIONS", "power", "top_k"]

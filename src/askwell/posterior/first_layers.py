"""The first dense layers of T heads: one product that they share, and a small one for each.

Sample t keeps some inputs of x, kept_t, and only its live units are asked for:

    y_t = W[live_t, kept_t] x[kept_t] / (1 - p) + b  =  ( W x / (1 - p) + b )[live_t]  -  W[live_t, dropped_t] x[dropped_t] / (1 - p)

W x is the same for all samples. Of the two forms the one with the smaller product is taken: the second one for p < .5, so at p = .25
with half of the units live an eighth of the layer's multiplications is left for each sample. The rows of x that it reads are gathered,
which takes a fifth of the time of the product.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

EVEN = 64  # a head's inputs are a multiple of that: oneDNN makes and keeps a kernel for every shape, and is slower with odd ones


class OwnPart(NamedTuple):
    """A sample's product: which inputs [n] it reads, and its live units' weights [live, n] for them."""

    inputs: Tensor
    weights: Tensor


class FirstLayers(NamedTuple):
    """The first layers of T heads.

    shared  weights [units, in] of the product that all heads share, None where each head reads the inputs it keeps
    biases  [units, 1]
    units   the live ones [R], sample after sample
    own     what each sample adds
    """

    shared: Tensor | None
    biases: Tensor
    units: Tensor
    own: list[OwnPart]

    def outputs(self, columns: Float[Tensor, "in B"]) -> Float[Tensor, "R B"]:
        """The live units of all samples, before their activation."""
        base = self.biases.expand(-1, columns.shape[1])
        if self.shared is not None:
            base = _product(self.shared, columns).add_(self.biases)
        outputs = base.index_select(0, self.units)
        places = outputs.split([len(part.weights) for part in self.own])
        for place, (inputs, weights) in zip(places, self.own, strict=True):
            if weights.numel() == 0:  # no unit may be live, if there are few, and no input dropped
                continue
            gathered = columns.index_select(0, inputs)
            if _for_onednn(weights):
                place += _product(weights, gathered)
            else:
                place.addmm_(weights, gathered)
        return outputs


def first_layers(
    layer: nn.Linear,
    kept: Sequence[Tensor],
    live: Sequence[Tensor],
    probability: float,
    dtype: torch.dtype,
) -> FirstLayers:
    """Of a layer whose inputs were kept with this probability.

    kept  for every sample which inputs were, bool [in]
    live  for every sample which units are asked for, int [live]
    """
    weight, shared = layer.weight.detach(), probability > 0.5
    scale = -1 / probability if shared else 1 / probability
    biases = weight.new_zeros(layer.out_features) if layer.bias is None else layer.bias.detach()
    return FirstLayers(
        shared=(weight / probability).to(dtype) if shared else None,
        biases=biases.to(dtype)[:, None],
        units=torch.cat(list(live)),
        own=[
            _own_part(weight[units], inputs != shared, scale, dtype) for units, inputs in zip(live, kept, strict=True)
        ],
    )


def _own_part(weights: Tensor, read: Bool[Tensor, " in"], scale: float, dtype: torch.dtype) -> OwnPart:
    """Of the live units' weights [live, in] those of the inputs to read, scaled, and zeros for the first input to make them even."""
    inputs = read.nonzero().flatten()
    odd = -len(inputs) % EVEN
    return OwnPart(F.pad(inputs, (0, odd)), F.pad((weights[:, inputs] * scale).to(dtype), (0, odd)))


def _product(rows: Tensor, columns: Tensor) -> Tensor:
    """rows [R, in] times columns [in, B]: [R, B]. In fp32 on a processor as a convolution with a 1x1 kernel over B pixels.

    torch gives convolutions in fp32 to oneDNN, products to its BLAS, which is up to half as slow again on processors that are not
    its maker's (130 against 200 GFLOP/s on two cores of an AMD EPYC).
    """
    if not _for_onednn(rows):
        return rows @ columns
    return F.conv2d(columns[None, :, None, :], rows[:, :, None, None]).view(len(rows), columns.shape[1])


def _for_onednn(rows: Tensor) -> bool:
    return rows.device.type == "cpu" and rows.dtype == torch.float32 and torch.backends.mkldnn.is_available()

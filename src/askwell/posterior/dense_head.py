"""The fastest route: where all that follows the cut is dense layers, all samples go through them together.

For a suffix  dropout - (flatten) - linear - activation - dropout - linear ...  the T first layers are those of ``first_layers``, with
only the units that the second mask keeps. If one more linear layer ends the network, its T products read their own rows of that.
Otherwise the rows are spread over [B * T, units], and the rest of the network reads all samples at once.

The prefix runs in small chunks, which stay in cache; the heads take many of these together, so that the T small products are
worth a call each.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Int
from torch import Tensor, fx, nn

from askwell.posterior.copies import EvenLinear
from askwell.posterior.first_layers import FirstLayers, first_layers
from askwell.posterior.masks import SampleMasks
from askwell.posterior.sites import dropout
from askwell.posterior.split import Split

HEADS_BYTES = 512 * 2**20  # of the heads' own weights in fp32; the paper's network needs .25 MB a sample
WORK_BYTES = 48 * 2**20  # of activations
ENDS_TOGETHER = 8  # last layers in one block-diagonal product: however small, a product costs 0.1 ms on two cores
END_ROWS = 128  # of such a product at most: with many classes each layer is large enough alone
EVEN_UNITS = 16  # a sample's live units are a multiple of that: oneDNN makes and keeps a kernel for every shape
POINTWISE = (nn.ReLU, nn.LeakyReLU, nn.GELU, nn.ELU, nn.SELU, nn.SiLU, nn.Tanh, nn.Sigmoid, nn.Softplus, nn.Identity)
POINTWISE_FUNCTIONS = {F.relu, F.leaky_relu, F.gelu, F.elu, F.selu, F.silu, torch.relu, torch.tanh, torch.sigmoid}


class Site(NamedTuple):
    """A dropout call: which one it is, and its probability to drop."""

    ordinal: int
    p: float


@dataclass
class _Heads:
    """What is computed once for T heads: their first layers, where the live units belong in [T * units], and their last layers.

    ends, if nothing lies between, are block-diagonal weights [G * C, live of G samples] for G samples together.
    """

    made_of: tuple[int, ...]
    firsts: FirstLayers
    places: Tensor
    ends: list[Tensor]


class DenseHead:
    """A cut network whose suffix is dense; the same passes as the Split it was made from, to rounding."""

    def __init__(self, cut: Split, first: nn.Linear, entry: Site, live: Site | None, rest: Sequence[fx.Node]) -> None:
        self._cut = cut
        self._first = first
        self._entry = entry
        self._live = live
        self._tail = _tail(cut.suffix, rest)
        self._end = _end(cut.suffix, rest) if live is not None else None
        self._layers = [module for module in cut.suffix.modules() if isinstance(module, nn.Linear)]
        self._widest = max(layer.out_features for layer in self._layers)
        self._heads: _Heads | None = None

    def images_together(self, batch: int, samples: int, nbytes: int) -> int:
        """How many images the heads should take at once, a multiple of ``batch``: what fits WORK_BYTES, numbers of ``nbytes`` each."""
        live = 1.0 if self._live is None or self._end is None else 1 - self._live.p
        per_image = (self._first.in_features + samples * self._widest * live) * nbytes
        return batch * max(1, int(WORK_BYTES / per_image) // batch)

    def logits(self, images: Tensor, samples: Iterable[SampleMasks], batch: int) -> Tensor:
        """Logits [B, T, C] for each sample's masks: the prefix in parts of ``batch`` images, then one product for all first layers."""
        parts = images.split(batch)
        first = self._cut.prefix(parts[0])[0]
        masks = list(samples)
        if first[0].numel() != self._first.in_features:  # the layer reads the last axis of several
            return torch.stack(list(self._cut.passes(images, masks)), dim=1)
        made_of = (len(masks), *self._versions())
        if self._heads is None or self._heads.made_of != made_of:
            self._heads = self._made(first, masks, made_of)
        columns = first.new_empty(*first.shape[1:], len(images), dtype=self._heads.firsts.biases.dtype)
        for number, place in enumerate(columns.split(batch, dim=-1)):
            features = first if number == 0 else self._cut.prefix(parts[number])[0]
            place.copy_(features.movedim(0, -1))
        wide = self._heads.firsts.outputs(columns.view(-1, len(images)))
        logits = self._spread(wide, masks) if self._end is None else self._ended(wide, self._end)
        if not bool((wide if self._end is None else logits).isfinite().all()):
            # sharing products, skipping zeros and multiplying in blocks hold for finite numbers only
            return torch.stack(list(self._cut.passes(images, masks)), dim=1)
        return logits

    def passes(self, images: Tensor, samples: Iterable[SampleMasks]) -> Iterator[Tensor]:
        """The network's output for each sample's masks."""
        return iter(self.logits(images, samples, len(images)).unbind(1))

    def _ended(self, wide: Tensor, end: "_End") -> Tensor:
        """Activation and last layer, sample by sample on its own rows."""
        assert self._heads is not None, "logits makes it"
        for activation in end.activations:
            wide = activation(wide)
        ends, classes, images = self._heads.ends, end.last.out_features, wide.shape[1]
        logits = wide.new_empty(sum(map(len, ends)), images)
        units = wide.split([weight.shape[1] for weight in ends])
        for out, weight, own in zip(logits.split([len(weight) for weight in ends]), ends, units, strict=True):
            torch.mm(weight, own, out=out)
        logits = logits.view(-1, classes, images)
        if end.last.bias is not None:
            logits += end.last.bias.detach().to(logits.dtype)[:, None]
        return logits.permute(2, 0, 1)

    def _spread(self, wide: Tensor, masks: Sequence[SampleMasks]) -> Tensor:
        """The rest of the network, on all samples at once."""
        assert self._heads is not None, "logits makes it"
        units, batch = self._first.out_features, wide.shape[1]
        spread = wide.new_zeros(batch, len(masks) * units).index_copy_(1, self._heads.places, wide.t())
        return self._tail(_AllSamples(masks), spread.view(-1, units)).unflatten(0, (batch, len(masks)))

    def _versions(self) -> tuple[int, ...]:
        """Counters that torch raises whenever the layers' parameters are changed in place, as by further training."""
        layers = (self._first,) if self._end is None else (self._first, self._end.last)
        return tuple(parameter._version for layer in layers for parameter in layer.parameters())

    def _made(self, live: Tensor, masks: Sequence[SampleMasks], made_of: tuple[int, ...]) -> _Heads:
        weight, units, keep = self._first.weight, self._first.out_features, 1 - self._entry.p
        device = weight.device.type
        lower = torch.is_autocast_enabled(device) and weight.dtype != torch.float64  # which autocast leaves alone
        dtype = torch.get_autocast_dtype(device) if lower else weight.dtype
        units_of = [self._live_units(sample_masks, len(live)) for sample_masks in masks]
        kept = [sample_masks.keep(self._entry.ordinal, live.shape, keep).flatten() for sample_masks in masks]
        return _Heads(
            made_of=made_of,
            firsts=first_layers(self._first, kept, units_of, keep, dtype),
            places=torch.cat([index + sample * units for sample, index in enumerate(units_of)]),
            ends=[] if self._end is None else self._ends(self._end, units_of, masks, len(live), dtype),
        )

    def _ends(
        self, end: "_End", units_of: Sequence[Tensor], masks: Sequence[SampleMasks], batch: int, dtype: torch.dtype
    ) -> list[Tensor]:
        """The samples' last layers [C, live_t], each mask multiplied in, some on one diagonal."""
        assert self._live is not None, "without it there is no end"
        weight, shape, keep = end.last.weight.detach(), (batch, end.last.in_features), 1 - self._live.p
        kept = (sample.keep(self._live.ordinal, shape, keep).flatten().to(weight.dtype) / keep for sample in masks)
        own = [(weight * mask)[:, index].to(dtype) for mask, index in zip(kept, units_of, strict=True)]
        together = max(1, min(ENDS_TOGETHER, END_ROWS // len(weight)))
        return [torch.block_diag(*own[start : start + together]) for start in range(0, len(own), together)]

    def _live_units(self, masks: SampleMasks, batch: int) -> Int[Tensor, " live"]:
        """Those that the second mask keeps, and as many that it drops as make them even."""
        units = self._first.out_features
        parameters = (parameter for layer in self._layers for parameter in layer.parameters())
        if self._live is None or not all(bool(p.isfinite().all()) for p in parameters):  # a NaN must be seen
            return torch.arange(units, device=self._first.weight.device)
        kept = masks.keep(self._live.ordinal, (batch, units), 1 - self._live.p).flatten()
        even = -(-int(kept.sum()) // EVEN_UNITS) * EVEN_UNITS
        return kept.byte().argsort(descending=True, stable=True)[:even].sort().values


class _End(NamedTuple):
    """What ends a network with one hidden layer: functions of single numbers, (the dropout,) and the last linear layer."""

    activations: list[Callable[[Tensor], Tensor]]
    last: nn.Linear


class _AllSamples:
    """Masks for activations [B * T, units]: those of every sample, again for every image."""

    def __init__(self, masks: Sequence[SampleMasks]) -> None:
        self._masks = masks

    def keep(self, ordinal: int, shape: Sequence[int], probability: float) -> Bool[Tensor, "rows units"]:
        batch, units = shape[0] // len(self._masks), shape[1]
        masks = [sample_masks.keep(ordinal, (1, units), probability) for sample_masks in self._masks]
        return torch.cat(masks).repeat(batch, 1)


def dense_head(cut: Split, samples: int) -> Split | DenseHead:
    """The same network as a DenseHead where its suffix is dense and T masked first layers fit in memory, else as it was."""
    chain = _chain(cut.suffix)
    linears = [position for position, node in enumerate(chain) if _linear(cut.suffix, node) is not None]
    if not linears or chain[0].target is not dropout:
        return cut
    between, rest = chain[1 : linears[0]], chain[linears[0] + 1 :]
    first = _linear(cut.suffix, chain[linears[0]])
    if first is None or not all(_is_flatten(cut.suffix, node) for node in between):
        return cut
    if not all(node.target is dropout or _acts_on_units(cut.suffix, node) for node in rest):
        return cut
    live = _live_site(cut.suffix, rest)
    entry = _site(chain[0])
    read = min(entry.p, 1 - entry.p) * (1 if live is None else 1 - live.p)  # of a sample's weights
    if samples * first.weight.nbytes * read > HEADS_BYTES:
        return cut
    return DenseHead(cut, first, entry, live, rest)


def _chain(suffix: fx.GraphModule) -> list[fx.Node]:
    """The suffix's calls if each takes nothing but the one before, the first nothing but one live value; else nothing."""
    masks, *inputs = [node for node in suffix.graph.nodes if node.op == "placeholder"]
    calls = [node for node in suffix.graph.nodes if node.op not in {"placeholder", "output"}]
    (output,) = [node for node in suffix.graph.nodes if node.op == "output"]
    sources = [*inputs, *calls]
    in_line = [[node for node in call.all_input_nodes if node is not masks] for call in [*calls, output]]
    return calls if len(inputs) == 1 and in_line == [[source] for source in sources] else []


def _module(suffix: fx.GraphModule, node: fx.Node) -> nn.Module | None:
    return suffix.get_submodule(str(node.target)) if node.op == "call_module" else None


def _linear(suffix: fx.GraphModule, node: fx.Node) -> nn.Linear | None:
    """A plain linear layer, whose call is nothing but the product."""
    module = _module(suffix, node)
    if not isinstance(module, nn.Linear) or type(module) not in (nn.Linear, EvenLinear):
        return None
    return None if module._forward_hooks or module._forward_pre_hooks else module


def _is_flatten(suffix: fx.GraphModule, node: fx.Node) -> bool:
    module = _module(suffix, node)
    if isinstance(module, nn.Flatten):
        return (module.start_dim, module.end_dim) == (1, -1)
    return node.target in {torch.flatten, "flatten"} and node.args[1:] == (1,) and not node.kwargs


def _acts_on_units(suffix: fx.GraphModule, node: fx.Node) -> bool:
    """Whether it treats the rows [units] one by one: a linear layer or a function of single numbers."""
    if isinstance(_module(suffix, node), (nn.Linear, *POINTWISE)):
        return True
    return node.op == "call_function" and node.target in POINTWISE_FUNCTIONS


def _site(node: fx.Node) -> Site:
    _, _, ordinal, p = node.args
    assert isinstance(ordinal, int), "the cut writes it down as a number"
    assert isinstance(p, float), "the cut writes it down as a number"
    return Site(ordinal, p)


def _live_site(suffix: fx.GraphModule, rest: Sequence[fx.Node]) -> Site | None:
    """The dropout that drops the first layer's units, if there is one before the next linear layer."""
    for node in rest:
        if node.target is dropout:
            return _site(node)
        if isinstance(_module(suffix, node), nn.Linear):
            return None
    return None


def _tail(suffix: fx.GraphModule, rest: Sequence[fx.Node]) -> fx.GraphModule:
    """What follows the first linear layer, as a function of the masks and the layer's output."""
    graph = fx.Graph()
    masks, last = graph.placeholder("masks"), graph.placeholder("units")
    for node in rest:
        copied = {argument: masks if argument.op == "placeholder" else last for argument in node.all_input_nodes}
        last = graph.node_copy(node, copied.__getitem__)
    graph.output(last)
    return fx.GraphModule(suffix, graph)


def _end(suffix: fx.GraphModule, rest: Sequence[fx.Node]) -> _End | None:
    """The rest as an _End, or None if it is longer or otherwise."""
    if len(rest) < 2 or rest[-2].target is not dropout:
        return None
    last, activations = _linear(suffix, rest[-1]), [_pointwise(suffix, node) for node in rest[:-2]]
    if last is None or None in activations:
        return None
    return _End([activation for activation in activations if activation is not None], last)


def _pointwise(suffix: fx.GraphModule, node: fx.Node) -> Callable[[Tensor], Tensor] | None:
    """The function of single numbers that a node is, in place if it is the rectifier; None for anything else."""
    module = _module(suffix, node)
    if module is not None and (module._forward_hooks or module._forward_pre_hooks):
        return None
    if type(module) is nn.ReLU or (node.target in {F.relu, torch.relu} and len(node.args) == 1):
        return torch.relu_
    if isinstance(module, POINTWISE):
        return module
    return None

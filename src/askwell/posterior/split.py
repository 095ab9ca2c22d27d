"""The fast route: cut a network before its first stochastic layer, run what lies before once, and what lies after T times.

The network is traced with torch.fx, once in eval mode and once in sampling mode. The two graphs may differ in dropout functions only,
which shows what is stochastic:

    prefix = every node without a stochastic ancestor        images -> all values that the suffix still needs
    suffix = every other node                                masks of one sample and those values -> logits

Whatever this cannot see is settled by running both routes on the first images (``agreement``); whatever it sees and cannot cut
raises CannotSplitError.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.fx.node import map_aggregate, map_arg

from askwell.errors import NotStochasticError
from askwell.models.still import StillBatchNorm2d
from askwell.posterior.copies import ChannelsLastConv2d, EvenLinear, sampling_mode
from askwell.posterior.masks import SampleMasks
from askwell.posterior.randomness import NoRandomness, UnexpectedRandomnessError
from askwell.posterior.sites import DropoutCall, Site, dropout_call, holds_randomness, is_stochastic_depth, module_site

Sites = Mapping[fx.Node, Site]  # in the order of execution, which numbers them
Twins = Mapping[fx.Node, fx.Node]  # node of the eval graph -> its counterpart in the sampling graph

BERNOULLI = ("bernoulli", "bernoulli_", torch.bernoulli)  # methods and function that draw a mask
NOT_STOCHASTIC = (
    "expected a network with dropout (p > 0) on the way to its logits, found no stochastic layer; "
    "add dropout, or use Point for the network's single estimate."
)


class CannotSplitError(Exception):
    """Why a network needs full passes; the message completes "askwell cannot split this network before its first stochastic layer: ..."."""


@dataclass(frozen=True)
class Split:
    """A network cut in two."""

    prefix: fx.GraphModule
    suffix: fx.GraphModule

    def passes(self, images: Tensor, samples: Iterable[SampleMasks]) -> Iterator[Tensor]:
        """The network's output for each sample's masks, with one pass of the prefix."""
        live = self.prefix(images)
        return (self.suffix(masks, *live) for masks in samples)


def split(network: nn.Module, *, stochastic_depth: bool) -> Split:
    """Cut a private copy of a network, which is left in sampling mode.

    Raises CannotSplitError where full passes are needed, NotStochasticError where no stochastic layer reaches the output.
    """
    root = _Root(network)
    quiet = _trace(root.eval())
    sampling_mode(network, stochastic_depth=stochastic_depth)
    graph = _trace(root)
    sites = _find_sites(root, quiet, graph, stochastic_depth=stochastic_depth)
    late = _descendants(graph, sites)
    if not any(node.op == "output" for node in late):
        raise NotStochasticError(NOT_STOCHASTIC)
    return _cut(root, graph, sites, late)


class _Root(nn.Module):
    """Calls the network with the images alone, so that optional arguments keep their defaults."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Any) -> Any:
        return self.network(images)


class _Tracer(fx.Tracer):
    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return (
            isinstance(m, EvenLinear | ChannelsLastConv2d | StillBatchNorm2d)
            or is_stochastic_depth(m)
            or super().is_leaf_module(m, module_qualified_name)
        )


def _trace(root: nn.Module) -> fx.Graph:
    try:
        with NoRandomness():  # a number drawn now would become a constant of the graph
            return _Tracer().trace(root)
    except UnexpectedRandomnessError as error:
        raise CannotSplitError("it draws random numbers that do not depend on the images") from error
    except Exception as error:  # whatever the user's forward raises when it meets proxies
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise CannotSplitError(f"torch.fx cannot trace it ({reason})") from error


def _find_sites(root: nn.Module, quiet: fx.Graph, graph: fx.Graph, *, stochastic_depth: bool) -> Sites:
    """The stochastic nodes of ``graph``, which was traced in sampling mode; ``quiet`` was traced in eval mode."""
    if len(quiet.nodes) != len(graph.nodes):
        raise CannotSplitError("its forward takes another path in training")
    twins: dict[fx.Node, fx.Node] = {}
    sites: dict[fx.Node, Site] = {}
    for twin, node in zip(quiet.nodes, graph.nodes, strict=True):
        if node.target in BERNOULLI:
            raise CannotSplitError(f"it draws masks of its own ({node.name})")
        twins[twin] = node
        call = dropout_call(node)
        if call is None:
            _require_same(root, twin, node, twins)
            site = _leaf_site(root, node, stochastic_depth=stochastic_depth)
        else:
            site = _function_site(call, dropout_call(twin), node, twins)
        if site is not None:
            sites[node] = site
    if any(site.p >= 1 for site in sites.values()):
        raise CannotSplitError("it has a layer that drops everything (p = 1)")
    return sites


def _function_site(call: DropoutCall, before: DropoutCall | None, node: fx.Node, twins: Twins) -> Site | None:
    """The site of a dropout function that is active in sampling mode, whether or not it was in eval mode."""
    if before is None or (before.form, twins[before.input], before.p) != (call.form, call.input, call.p):
        raise CannotSplitError(f"{node.name} is another call in training")
    if not isinstance(call.p, float | int) or not isinstance(call.training, bool):
        raise CannotSplitError(f"{node.name} computes its dropout while it runs")
    return Site(call.form, call.p) if call.training and call.p > 0 else None


def _leaf_site(root: nn.Module, node: fx.Node, *, stochastic_depth: bool) -> Site | None:
    """The site of a dropout module; raises CannotSplitError for modules that draw somewhere inside."""
    if node.op != "call_module":
        return None
    module = root.get_submodule(str(node.target))
    site = module_site(module, stochastic_depth=stochastic_depth)
    if site is None and holds_randomness(module):
        raise CannotSplitError(f"{type(module).__name__} draws random numbers inside")
    return site


def _require_same(root: nn.Module, twin: fx.Node, node: fx.Node, twins: Twins) -> None:
    """Raise CannotSplitError unless two nodes do the same. Functions of other packages may be handed another training flag.

    torch.fx traces such a function as one node; whether it really draws is seen when the routes are compared.
    """
    same = twin.op == node.op and twin.target == node.target
    if node.op == "get_attr":
        same = twin.op == node.op and _same_value(_attribute(root, twin), _attribute(root, node))
    before, after = map_arg((twin.args, twin.kwargs), twins.__getitem__), (node.args, node.kwargs)
    if node.op == "call_function" and not _is_torch(node.target):
        before, after = _without_flags(before), _without_flags(after)
    if not same or before != after:
        raise CannotSplitError(f"{node.name} is another call in training")


def _attribute(root: nn.Module, node: fx.Node) -> Any:
    return reduce(getattr, str(node.target).split("."), root)


def _same_value(before: Any, after: Any) -> bool:
    tensors = isinstance(before, Tensor) and isinstance(after, Tensor)
    return before is after or (tensors and before.dtype == after.dtype and torch.equal(before, after))


def _is_torch(function: Any) -> bool:
    return (getattr(function, "__module__", None) or "torch").split(".")[0] == "torch"


def _without_flags(arguments: Any) -> Any:
    return map_aggregate(arguments, lambda value: None if isinstance(value, bool) else value)


def _descendants(graph: fx.Graph, sites: Sites) -> set[fx.Node]:
    """The sites and all that depends on them."""
    late: set[fx.Node] = set()
    for node in graph.nodes:
        if node in sites or not late.isdisjoint(node.all_input_nodes):
            late.add(node)
    return late


def _cut(root: nn.Module, graph: fx.Graph, sites: Sites, late: set[fx.Node]) -> Split:
    """Two graph modules over the same layers. Nodes without users stay: they may change a tensor in place."""
    live = [node for node in graph.nodes if node not in late and not late.isdisjoint(node.users)]
    prefix, early = fx.Graph(), dict[fx.Node, fx.Node]()
    for node in graph.nodes:
        if node not in late:
            early[node] = prefix.node_copy(node, early.__getitem__)
    prefix.output(tuple(early[node] for node in live))
    return Split(fx.GraphModule(root, prefix), fx.GraphModule(root, _suffix(graph, sites, late, live)))


def _suffix(graph: fx.Graph, sites: Sites, late: set[fx.Node], live: list[fx.Node]) -> fx.Graph:
    """The late nodes, as a function of one sample's masks and the live values."""
    suffix = fx.Graph()
    masks = suffix.placeholder("masks")
    copies = {node: suffix.placeholder(node.name) for node in live}
    ordinals = {node: ordinal for ordinal, node in enumerate(sites)}
    for node in graph.nodes:
        if node in sites:
            site = sites[node]
            arguments = (copies[node.all_input_nodes[0]], masks, ordinals[node], site.p)
            copies[node] = suffix.call_function(site.form, arguments)
        elif node in late:
            copies[node] = suffix.node_copy(node, copies.__getitem__)
    return suffix

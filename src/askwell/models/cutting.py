"""Where does a published network end and its classifier begin? Found by tracing it and looking at the shapes.

The classifier is the last convolution or linear layer. Before it, the last feature map [1, C, h, w] with more than one pixel is where
the trunk ends, if at least half of the layers with weights come before: so VGG's trunk is its convolutions. Networks without such a
map (transformers) end with what their classifier reads.
"""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, fx, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.dropout import _DropoutNd

from askwell.errors import SettingsError

Shapes = Mapping[fx.Node, tuple[int, ...]]


class Cut(NamedTuple):
    """A network up to its last features, which keep the names of the network's layers: their shape without the batch, and, in order,
    its blocks: the beginnings of the names of their parameters.
    """

    trunk: fx.GraphModule
    shape: tuple[int, ...]
    blocks: tuple[str, ...]


def cut(network: nn.Module, side: int, seen: int | None = None) -> Cut:
    """The trunk of a network that was published for images [N, 3, side, side]; it shares the network's layers, with dropout off.

    seen is the side of the images that it is to see, on which the features' shape depends, the cut not: as published unless given.
    Raises SettingsError where torch.fx cannot trace the network or nothing can be found to cut at.
    """
    graph, shapes = _traced(network, side)
    modules = dict(network.named_modules())
    end = _last_features(graph, shapes, modules)
    while end.op == "call_module" and isinstance(modules[str(end.target)], _DropoutNd):
        (end,) = end.all_input_nodes
    needed = _ancestors(end)
    trunk, copies = fx.Graph(), dict[fx.Node, fx.Node]()
    for node in graph.nodes:
        if node in needed:
            copies[node] = trunk.node_copy(node, copies.__getitem__)
    trunk.output(copies[end])
    module = fx.GraphModule(network, trunk)
    for layer in module.modules():
        if isinstance(layer, _DropoutNd):
            layer.p = 0.0
    shape = shapes[end][1:] if seen in (None, side) else _shape_of(module.eval(), seen or side)
    return Cut(module.eval(), shape, _blocks(module))


def block_of(parameter: str) -> str:
    """The block that a parameter belongs to: its name up to the first part with a digit ("features.12", "layer4")."""
    parts = parameter.split(".")[:-1]
    for position, part in enumerate(parts, start=1):
        if re.search(r"\d", part):
            return ".".join(parts[:position])
    return ".".join(parts) or parameter


def classifier_name(network: nn.Module) -> str:
    """The name of the last convolution or linear layer."""
    layers = [name for name, module in network.named_modules() if isinstance(module, nn.Linear | nn.Conv2d)]
    if not layers:
        raise SettingsError("expected a network with a linear layer or a convolution at its end, found none of them.")
    return layers[-1]


def _blocks(trunk: fx.GraphModule) -> tuple[str, ...]:
    """The blocks in the order in which they are computed, which is not that of the parameters."""
    names = [name for name, _ in trunk.named_parameters()]
    order = [str(node.target) for node in trunk.graph.nodes if node.op in {"call_module", "get_attr"}]
    own = (name for target in order for name in names if name == target or name.startswith(f"{target}."))
    return tuple(dict.fromkeys(map(block_of, own)))


def _traced(network: nn.Module, side: int) -> tuple[fx.Graph, Shapes]:
    shapes: dict[fx.Node, tuple[int, ...]] = {}

    class Recorder(fx.Interpreter):
        def run_node(self, n: fx.Node) -> Any:
            result = super().run_node(n)
            if isinstance(result, Tensor):
                shapes[n] = tuple(result.shape)
            return result

    network.eval()
    try:
        traced = fx.symbolic_trace(network)
        with torch.no_grad():
            Recorder(traced).run(torch.zeros(1, 3, side, side))
    except Exception as error:  # whatever the network's forward raises when it meets proxies
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise SettingsError(
            f"expected a backbone that torch.fx can trace on images of {side} pixels, found one that it cannot ({reason}); "
            "choose another network, or hand a function of your own over as the recipe's model."
        ) from None
    return traced.graph, shapes


def _shape_of(trunk: nn.Module, side: int) -> tuple[int, ...]:
    try:
        with torch.no_grad():
            return tuple(trunk(torch.zeros(1, 3, side, side)).shape[1:])
    except Exception as error:  # whatever a network of one size raises when it meets another
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise SettingsError(
            f"expected a side that the backbone can take, found {side} ({reason}); leave it out to take the published one."
        ) from None


def _last_features(graph: fx.Graph, shapes: Shapes, modules: Mapping[str, nn.Module]) -> fx.Node:
    layers = [node for node in graph.nodes if node.op == "call_module" and _has_weights(modules[str(node.target)])]
    kinds = [node for node in layers if isinstance(modules[str(node.target)], nn.Linear | nn.Conv2d)]
    if not kinds:
        raise SettingsError("expected a backbone with a linear layer or a convolution at its end, found none of them.")
    classifier = kinds[-1]
    before = _ancestors(classifier) - {classifier}
    order = {node: place for place, node in enumerate(graph.nodes)}
    maps = [node for node in before if node.op != "placeholder" and _is_map(shapes.get(node, ()))]
    deep = sum(layer in before for layer in layers)
    if maps:
        last = max(maps, key=order.__getitem__)
        if 2 * sum(layer in _ancestors(last) for layer in layers) >= deep:
            return last
    (read,) = classifier.all_input_nodes
    if len(shapes[read]) != 2:
        raise SettingsError(
            f"expected a backbone whose classifier reads features [N, D] or a feature map before it, found {shapes[read]}; "
            "choose another network."
        )
    return read


def _is_map(shape: tuple[int, ...]) -> bool:
    """Whether it is [1, C, h, h] with several pixels and, as at the end of every such network, more channels than pixels on a side."""
    return len(shape) == 4 and shape[1] > shape[2] == shape[3] > 1


def _has_weights(module: nn.Module) -> bool:
    norm = isinstance(module, _NormBase | nn.LayerNorm | nn.GroupNorm)
    return not norm and next(module.parameters(), None) is not None


def _ancestors(node: fx.Node) -> set[fx.Node]:
    """The node and all that it depends on."""
    found, waiting = {node}, [node]
    while waiting:
        for source in waiting.pop().all_input_nodes:
            if source not in found:
                found.add(source)
                waiting.append(source)
    return found

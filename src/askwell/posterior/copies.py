"""A private copy of the user's network, and the mode in which only its stochastic layers are in training.

The copy shares the parameters, which are only read, and has its own buffers, modes and attributes; so the user's network is never
patched, switched or otherwise changed.
"""

import copy
from itertools import chain

from torch import Tensor, nn

from askwell.posterior.sites import holds_randomness, is_stochastic_depth


def private_copy(model: nn.Module) -> nn.Module:
    """A deep copy in eval mode that shares the parameters. Hooks are kept, since some networks compute their weights in them."""
    attributes = chain.from_iterable(vars(module).values() for module in model.modules())
    computed = (value for value in attributes if isinstance(value, Tensor) and not value.is_leaf)  # cannot be copied
    shared = {id(tensor): tensor for tensor in chain(model.parameters(), computed)}
    return copy.deepcopy(model, shared).eval()


def sampling_mode(network: nn.Module, *, stochastic_depth: bool) -> None:
    """Put into training mode what needs it to be stochastic, and nothing else.

    Layers that keep running statistics (batch norm) stay in eval; so do torch's own deterministic layers, whose hooks may look at the
    mode (spectral norm), and stochastic depth unless asked for. Somebody's own module is in training, because it may hand its mode to
    a functional dropout.
    """
    for module in network.modules():
        module.training = _needs_training(module, stochastic_depth)


def _needs_training(module: nn.Module, stochastic_depth: bool) -> bool:
    if is_stochastic_depth(module):
        return stochastic_depth
    if any(name.startswith("running_") for name, _ in module.named_buffers(recurse=False)):
        return False
    return holds_randomness(module) if type(module).__module__.startswith("torch.nn.") else True

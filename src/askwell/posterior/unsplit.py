"""The slow route: the whole network once per posterior sample. Right for every network, and the oracle of the split."""

from collections.abc import Iterable, Iterator
from typing import Any

from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from askwell.posterior.copies import sampling_mode
from askwell.posterior.masks import SampleMasks
from askwell.posterior.randomness import SharedRandomness


class FullPassesWarning(UserWarning):
    """A network cannot be split before its first stochastic layer, so every posterior sample costs a full pass."""


class Unsplit:
    """A network in sampling mode whose random numbers are replaced by shared masks, in the order in which it asks for them."""

    def __init__(self, network: nn.Module, *, stochastic_depth: bool) -> None:
        sampling_mode(network, stochastic_depth=stochastic_depth)
        self._network = network

    def passes(self, images: Tensor, samples: Iterable[SampleMasks]) -> Iterator[Any]:
        """The network's output for each sample's masks."""
        return (self.run(images, masks) for masks in samples)

    def run(self, images: Tensor, masks: SampleMasks) -> Any:
        """The network's output, which is whatever it returns: a tensor of logits if all is well."""
        # the fused attention kernels draw their dropout inside, where no mask can be given
        with sdpa_kernel(SDPBackend.MATH), SharedRandomness(masks):
            return self._network(images)

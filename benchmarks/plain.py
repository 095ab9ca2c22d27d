"""The plain loops that any tutorial writes: T full passes for the samples, and training in fp32 with the channels first."""

import copy
import time
from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from agreement import Moments
from askwell.acquisition import bald
from askwell.probability import log_mean_exp


class PlainSetting(NamedTuple):
    """How the loop runs: images at once, and which axis lies closest in memory."""

    batch: int
    channels_last: bool


GRID = [PlainSetting(batch, last) for batch in (64, 256) for last in (False, True)]


def dropout_on(network: nn.Module, channels_last: bool) -> nn.Module:
    """A copy in eval mode whose dropout is in training mode."""
    network = copy.deepcopy(network).eval()
    for module in network.modules():
        if isinstance(module, nn.Dropout):
            module.train()
    return network.to(memory_format=_format(channels_last))


def full_passes(network: nn.Module, images: Tensor, samples: int, setting: PlainSetting) -> Tensor:
    """log_probs [N, T, C] of uint8 images, every sample a full pass."""
    found: list[Tensor] = []
    with torch.no_grad():
        for part in images.split(setting.batch):
            chunk = (part.float() / 255).contiguous(memory_format=_format(setting.channels_last))
            found.append(torch.stack([network(chunk).log_softmax(dim=1) for _ in range(samples)], dim=1))
    return torch.cat(found)


def timed_scores(network: nn.Module, images: Tensor, samples: int, setting: PlainSetting) -> tuple[float, Moments]:
    """Seconds for all passes and BALD, and what they say."""
    ready = dropout_on(network, setting.channels_last)
    began = time.perf_counter()
    log_probs = full_passes(ready, images, samples, setting)
    scores = bald(log_probs)
    seconds = time.perf_counter() - began
    return seconds, Moments(log_mean_exp(log_probs.double()).exp(), scores)


def fastest(
    network: nn.Module, images: Tensor, samples: int, grid: Sequence[PlainSetting], tries: int
) -> dict[PlainSetting, float]:
    """The least seconds of every setting, the fastest first; a pass before is not counted."""
    timed_scores(network, images[:64], 2, grid[0])
    found = dict.fromkeys(grid, float("inf"))
    for setting in [*grid] * tries:
        found[setting] = min(found[setting], timed_scores(network, images, samples, setting)[0])
    return dict(sorted(found.items(), key=lambda entry: entry[1]))


def plain_fit(network: nn.Module, images: Tensor, labels: Tensor, *, epochs: int, batch: int, seed: int) -> nn.Module:
    """Adam with its defaults, shuffled batches of float images in memory."""
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    generator = torch.Generator().manual_seed(seed)
    floats = images.float() / 255
    network.train()
    for _ in range(epochs):
        for index in torch.randperm(len(labels), generator=generator).split(batch):
            loss = F.cross_entropy(network(floats[index]), labels[index])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return network.eval()


def timed_fit(
    network: nn.Module, images: Tensor, labels: Tensor, epochs: int, batch: int, seed: int
) -> tuple[float, nn.Module]:
    """Seconds of ``plain_fit``, and the network."""
    began = time.perf_counter()
    trained = plain_fit(network, images, labels, epochs=epochs, batch=batch, seed=seed)
    return time.perf_counter() - began, trained


def timed_passes(network: nn.Module, images: Tensor, samples: int, setting: PlainSetting) -> tuple[float, Tensor]:
    """Seconds of ``full_passes`` of a network whose dropout is on, and the log_probs."""
    ready = dropout_on(network, setting.channels_last)
    began = time.perf_counter()
    log_probs = full_passes(ready, images, samples, setting)
    return time.perf_counter() - began, log_probs


def _format(channels_last: bool) -> torch.memory_format:
    return torch.channels_last if channels_last else torch.contiguous_format

"""Many small networks trained in one vectorised step, where a single one cannot fill a GPU. **It has not been run on a GPU yet.**

Their parameters are stacked, torch.func.vmap makes one computation of all their steps, and one fused optimiser takes them. Each network
keeps its own weights, batches, augmentation and masks, from the random streams that ``fit`` would give it, and its own weight decay
lambda, whose gradient 2 lambda W is added to its own gradient. What is left is rounding, which depends on how many places there are and
on a network's place among them, but not on who is in the others.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.func import stack_module_state, vmap

from askwell.arithmetic import products
from askwell.errors import NonFiniteError
from askwell.learning.augmentation import AUGMENTATIONS, unchanged
from askwell.learning.captured import captured
from askwell.learning.fast_dropout import fast_dropout
from askwell.learning.given_masks import Site, Template, draw, dropout_sites
from askwell.learning.randomness import Stream, seeded
from askwell.learning.recipe import Recipe
from askwell.learning.supervised import (
    Groups,
    Progress,
    State,
    batch_indices,
    beginning,
    decayed_names,
    diverged,
    fit,
    optimizer_of,
    schedule_of,
    step_count,
)
from askwell.pool.images import as_float

MOST_TOGETHER = (
    32  # places of one step, for memory: the activations of the paper's network at 128 images each are some 2 GB
)
TRIAL_IMAGES = 2
# Of the largest logit: the order of sums differs, in bf16 also what is rounded when.
TRIAL_TOLERANCE = {"fp32": 1e-3, "tf32": 1e-2, "bf16": 5e-2}

Fit = nn.Module | NonFiniteError  # a diverged network is the error that ``fit`` would raise


class FitRequest(NamedTuple):
    """What ``supervised.fit`` is asked for."""

    recipe: Recipe
    images: Tensor
    labels: Int[Tensor, " N"]
    classes: int
    seed: int
    start: State | None = None
    progress: Progress | None = None


def fit_together(requests: Sequence[FitRequest | None]) -> list[Fit | None]:
    """The networks that ``fit`` gives for each request, within rounding, or the NonFiniteError that it would raise; None for None.

    Trained at once are requests that differ in weight-decay value, images, labels, seed and start only: same recipe otherwise, same
    shapes and numbers. None keeps a place: a network is rounded as if somebody were there. Of each step only the first network's
    ``progress`` hears.

    Fitted one after another by ``fit`` are networks that one computation cannot serve: on a backbone, with another loss or class weights
    or with mirror images of the positive ones, of which there are not equally many; with buffers (batch norm), with
    randomness other than dropout layers (functional dropout, layers in place), with control flow that depends on the data, and whatever
    else does not give the same logits in a trial on two images.

    Raises what ``fit`` raises, but for NonFiniteError.
    """
    found: list[Fit | None] = []
    for first in range(0, len(requests), MOST_TOGETHER):
        found += _fit_block(requests[first : first + MOST_TOGETHER])
    return found


def _fit_block(requests: Sequence[FitRequest | None]) -> list[Fit | None]:
    """All places of one step, once for every kind of request."""
    found: list[Fit | None] = [None] * len(requests)
    kinds: dict[object, dict[int, FitRequest]] = {}
    for place, request in enumerate(requests):
        if request is not None:
            kinds.setdefault(_kind(request), {})[place] = request
    for members in kinds.values():
        someone = next(iter(members.values()))
        places = [members.get(place, someone) for place in range(len(requests))]
        fitted = _fit_at_once(places)
        for place, request in members.items():
            found[place] = _fit_alone(request) if fitted is None else fitted[place]
    return found


def _kind(request: FitRequest) -> object:
    """What must be the same for requests to be trained at once."""
    decay = request.recipe.weight_decay.model_copy(update={"value": 0.0, "tune": ()})
    recipe = request.recipe.model_copy(update={"weight_decay": decay})
    return recipe, request.images.shape, request.images.dtype, request.labels.shape, request.classes


def _fit_alone(request: FitRequest) -> Fit:
    recipe, images, labels, classes, seed, start, progress = request
    try:
        return fit(recipe, images, labels, classes=classes, seed=seed, start=start, progress=progress)
    except NonFiniteError as error:
        return error


def _fit_at_once(requests: Sequence[FitRequest]) -> list[Fit] | None:
    """Train them all in one computation; None where that is not possible."""
    recipe, device = requests[0].recipe, torch.device(requests[0].recipe.device)
    weighted = recipe.loss != "cross_entropy" or recipe.class_weights != "none"
    if weighted or recipe.backbone is not None or recipe.augmentation == "positive_flips":
        return None
    with products(recipe.precision, device), seeded(0, device):  # only to put back; each network has its own stream
        streams = [Stream(request.seed, device) for request in requests]
        networks = [_begun(request, stream) for request, stream in zip(requests, streams, strict=True)]
        if any(list(network.buffers()) for network in networks):
            return None
        cohort = _Cohort(recipe, networks, streams)
        if not cohort.agrees(requests[0].images.shape[1:]):
            return None
        finite = _train(cohort, requests)
    cohort.write_back()
    return [
        network if ok else diverged(request.recipe, len(request.labels))
        for network, request, ok in zip(networks, requests, finite.tolist(), strict=True)
    ]


def _begun(request: FitRequest, stream: Stream) -> nn.Module:
    recipe, images, labels, classes, _, start, _ = request
    with stream.resumed():
        return beginning(recipe, images, labels, classes=classes, start=start)


class _Cohort:
    """K networks of one structure and their random streams: parameters, by name, [K, ...], and masks, by site, [K, B, ...]."""

    def __init__(self, recipe: Recipe, networks: Sequence[nn.Module], streams: Sequence[Stream]) -> None:
        self.networks = networks
        self.device = torch.device(recipe.device)
        self.parameters = stack_module_state(list(networks))[0]
        self._precision = recipe.precision
        self._template = Template(networks[0], recipe.precision)
        self._streams = streams

    def agrees(self, image_shape: Sequence[int]) -> bool:
        """Whether each network, dropping by itself, gives the logits that all of them give at once with given masks."""
        count, generator = len(self.networks), torch.Generator().manual_seed(0)
        images = torch.rand((TRIAL_IMAGES, *image_shape), generator=generator).to(self.device)
        own = [self._dropping(network, images) for network in self.networks]
        try:
            with fast_dropout(self.networks[0]):
                sites = self.sites(images)
                with seeded(0, self.device):
                    masks = [mask.expand(count, *mask.shape) for mask in draw(sites)]
            found = vmap(self._template.logits)(self.parameters, images.expand(count, *images.shape), masks)
        except torch.OutOfMemoryError:
            raise
        except RuntimeError:  # torch says no more of what it cannot vectorise
            return False
        expected = torch.stack(own).float()
        tolerance = TRIAL_TOLERANCE[self._precision] * float(expected.abs().max())
        return found.shape == expected.shape and torch.allclose(found.float(), expected, rtol=0, atol=tolerance)

    def losses(self, batches: Tensor, labels: Tensor, masks: Sequence[Tensor]) -> Float[Tensor, " K"]:
        """Cross-entropy of each network on its batch [K, B, ...]."""

        def loss(parameters: dict[str, Tensor], batch: Tensor, labels: Tensor, masks: Sequence[Tensor]) -> Tensor:
            return F.cross_entropy(self._template.logits(parameters, batch, masks).float(), labels)

        return vmap(loss)(self.parameters, batches, labels, masks)

    def sites(self, batch: Tensor) -> list[Site]:
        """Where the networks drop, for batches [B, ...] of this shape; call it within ``fast_dropout`` of the first."""
        return dropout_sites(self.networks[0], lambda: self._forward(self.networks[0], batch))

    def masks(self, sites: Sequence[Site]) -> list[Tensor]:
        """The masks of the next step, each network's from its own stream."""
        each: list[list[Tensor]] = []
        for stream in self._streams:
            with stream.resumed():
                each.append(draw(sites))
        return [torch.stack(masks) for masks in zip(*each, strict=True)]

    def write_back(self) -> None:
        """Give the networks their trained parameters, in eval mode."""
        for place, network in enumerate(self.networks):
            for name, parameter in network.named_parameters():
                parameter.data.copy_(self.parameters[name].detach()[place])
            network.to(memory_format=torch.contiguous_format).eval()

    def _dropping(self, network: nn.Module, batch: Tensor) -> Tensor:
        """The logits of one network with the masks of seed 0, as ``fit`` would compute them."""
        with fast_dropout(network), seeded(0, self.device):
            return self._forward(network, batch)

    def _forward(self, network: nn.Module, batch: Tensor) -> Tensor:
        bf16 = self._precision == "bf16"
        with torch.no_grad(), torch.autocast(self.device.type, torch.bfloat16, enabled=bf16):
            return network(batch.contiguous(memory_format=torch.channels_last))


def _train(cohort: _Cohort, requests: Sequence[FitRequest]) -> Bool[Tensor, " K"]:
    """All steps of all networks; whether each one's losses were finite."""
    recipe, labelled = requests[0].recipe, len(requests[0].labels)
    steps, parameters = step_count(recipe, labelled), cohort.parameters
    groups: Groups = [{"params": list(parameters.values()), "weight_decay": 0.0}]
    optimizer = optimizer_of(groups, recipe, cohort.device)
    scheduler = schedule_of(optimizer, recipe, steps)
    decays = _decays(cohort, requests)
    finite = torch.ones(len(requests), dtype=torch.bool, device=cohort.device)

    def step(batches: Tensor, labels: Tensor, *masks: Tensor) -> None:
        losses = cohort.losses(batches, labels, masks)
        optimizer.zero_grad(set_to_none=True)
        losses.sum().backward()
        for name, decay in decays.items():
            if (gradient := parameters[name].grad) is not None:
                gradient.addcmul_(parameters[name].detach(), decay)
        optimizer.step()
        finite.logical_and_(losses.detach().isfinite())

    take = captured(step, optimizer, cohort.device) if recipe.captured else step
    sites: dict[int, list[Site]] = {}
    with fast_dropout(cohort.networks[0]):
        for done, (batches, labels) in enumerate(_batches(requests, cohort.device), start=1):
            size = batches.shape[1]
            if size not in sites:
                sites[size] = cohort.sites(batches[0])
            take(batches, labels, *cohort.masks(sites[size]))
            if scheduler is not None:
                scheduler.step()
            if requests[0].progress is not None:
                requests[0].progress(done, steps)
    return finite


def _decays(cohort: _Cohort, requests: Sequence[FitRequest]) -> dict[str, Tensor]:
    """2 lambda of each network, by parameter, in a shape that multiplies the stacked parameter; only where a lambda is not 0."""
    factors: dict[str, list[float]] = {}
    for place, (request, network) in enumerate(zip(requests, cohort.networks, strict=True)):
        decay = request.recipe.weight_decay
        factor = 2 * decay.strength(len(request.labels))
        for name in decayed_names(network, decay) if factor else ():
            factors.setdefault(name, [0.0] * len(requests))[place] = factor
    return {
        name: cohort.parameters[name].new_tensor(each).view(-1, *[1] * (cohort.parameters[name].ndim - 1))
        for name, each in factors.items()
    }


def _batches(requests: Sequence[FitRequest], device: torch.device) -> Iterator[tuple[Tensor, Tensor]]:
    """Images [K, B, channels, height, width] and labels [K, B] of each step, each network's as ``fit`` draws them."""
    recipe, labelled = requests[0].recipe, len(requests[0].labels)
    images = torch.stack([request.images.to(device) for request in requests])
    labels = torch.stack([request.labels.to(device) for request in requests])
    generators = [torch.Generator(device).manual_seed(request.seed) for request in requests]
    augment = AUGMENTATIONS[recipe.augmentation]
    rows = torch.arange(len(requests), device=device)[:, None]
    for indices in zip(*(batch_indices(recipe, labelled, generator) for generator in generators), strict=True):
        index = torch.stack(indices)
        batches = as_float(images[rows, index].flatten(0, 1)).unflatten(0, index.shape)
        if augment is not unchanged:
            each = zip(batches, generators, strict=True)
            batches = torch.stack([augment(batch, generator=generator) for batch, generator in each])
        yield batches, labels[rows, index]

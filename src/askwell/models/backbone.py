"""Networks that begin where others ended: a pre-trained trunk with a Bayesian head, or with the network's own last layers.

Images are uint8 / 255, in 0..1; size, mean and standard deviation belong to the network, which applies them itself.
"""

import functools
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.dropout import _DropoutNd

from askwell.errors import SettingsError, ShapeError
from askwell.models.backbone_settings import RANDOM, Backbone
from askwell.models.cutting import block_of, classifier_name, cut
from askwell.models.heads import Pooling, Views, bayesian_head, pooled_size
from askwell.models.networks import Preprocessing, build_network, preprocessing
from askwell.models.still import hold_still
from askwell.models.weights import find_weights, load_weights

ImageShape = tuple[int, int, int]


class Preprocess(nn.Module):
    """Images [N, channels, height, width] in 0..1 -> what a network was published for: three channels, its side, its mean and spread."""

    mean: Tensor
    std: Tensor

    def __init__(self, image_shape: ImageShape, published: Preprocessing) -> None:
        super().__init__()
        channels, *sides = image_shape
        if channels not in (1, 3) or min(sides) < 1:
            raise ShapeError(
                f"expected grey or colour images (channels, height, width) for a backbone, found {image_shape}."
            )
        self.grey = channels == 1
        self.side = None if sides == [published.side] * 2 else published.side
        for name in ("mean", "std"):
            values = torch.tensor(getattr(published, name), dtype=torch.float32).view(1, 3, 1, 1)
            self.register_buffer(name, values, persistent=False)

    def forward(self, images: Any) -> Any:
        if self.side is not None:
            images = F.interpolate(images, (self.side, self.side), mode="bilinear", antialias=True, align_corners=False)
        if self.grey:
            images = images.expand(-1, 3, -1, -1)
        return (images - self.mean) / self.std


def backbone_side(settings: Backbone) -> int:
    """The side of the images that the network sees."""
    return settings.side or preprocessing(settings.name).side


def backbone_network(settings: Backbone, image_shape: ImageShape, classes: int) -> nn.Module:
    """The network that a recipe trains: images [N, *image_shape] -> logits [N, classes].

    With a frozen trunk that is the head alone, and image_shape that of the cached features, (D, views, 1). Weights that are not in a
    file come from torch's global generator. What is not trained does not require a gradient. Raises SettingsError, UnknownNameError,
    WeightsNotFoundError or ShapeError.
    """
    if settings.frozen:
        head = bayesian_head(image_shape[0], classes, settings)
        return nn.Sequential(OrderedDict(views=Views(settings.views), head=head))
    build = _own_head if settings.head == "own" else _with_head
    network, blocks = build(settings, image_shape, classes)
    hold_still(network)
    if settings.fit == "last_blocks":
        for name, parameter in network.named_parameters():
            parameter.requires_grad_(name.startswith("head.") or block_of(name) in blocks[-settings.blocks :])
    return network


def trunk_network(settings: Backbone, image_shape: ImageShape) -> nn.Module:
    """The trunk alone: images [N, *image_shape] -> pooled features [N, D], in eval mode, nothing of it to be trained."""
    trunk, pooling, *_ = _trunk(settings)
    network = nn.Sequential(
        OrderedDict(preprocess=Preprocess(image_shape, _published(settings)), trunk=trunk, pooling=pooling)
    )
    hold_still(network)
    return network.eval().requires_grad_(False)


def cached_shape(settings: Backbone, views: int) -> ImageShape:
    """The shape of one image's cached features, as the head sees them."""
    return _feature_count(settings.name, settings.side, settings.pooling), views, 1


def vgg16(image_shape: ImageShape, classes: int) -> nn.Module:
    """VGG16 with random weights as in section 5.5: two dense layers of 4096, each followed by dropout .5, and C outputs.

    Its parameters have torchvision's names. With pre-trained weights it is ``[recipe.backbone]`` with name = "vgg16", head = "own".
    Simonyan and Zisserman (2015); Gal et al. (2017), section 5.5.
    """
    return backbone_network(Backbone(name="vgg16", weights=RANDOM, head="own"), image_shape, classes)


def unnamed(image_shape: ImageShape, classes: int) -> nn.Module:
    """Raise SettingsError: a backbone is named in its own table."""
    raise SettingsError(
        'expected the backbone\'s name, found none; write it in [recipe.backbone], as name = "squeezenet1_1".'
    )


@functools.cache
def _feature_count(name: str, side: int | None, pooling: str) -> int:
    return pooled_size(cut(build_network(name), preprocessing(name).side, side).shape, pooling)


def _published(settings: Backbone) -> Preprocessing:
    return preprocessing(settings.name)._replace(side=backbone_side(settings))


def _with_head(settings: Backbone, image_shape: ImageShape, classes: int) -> tuple[nn.Module, Sequence[str]]:
    """The network, and its trunk's blocks in order."""
    trunk, pooling, features, blocks = _trunk(settings)
    parts = OrderedDict(preprocess=Preprocess(image_shape, _published(settings)), trunk=trunk, pooling=pooling)
    parts["head"] = bayesian_head(features, classes, settings)
    return nn.Sequential(parts), [f"trunk.{block}" for block in blocks]


class _Trunk(NamedTuple):
    """A trunk with its weights, what pools its last features (nothing where they are a vector), how many come of it, its blocks."""

    network: nn.Module
    pooling: nn.Module
    features: int
    blocks: tuple[str, ...]


def _trunk(settings: Backbone) -> _Trunk:
    found = cut(build_network(settings.name), preprocessing(settings.name).side, settings.side)
    _load(found.trunk, settings)
    pooling = Pooling(settings.pooling) if len(found.shape) > 1 else nn.Identity()
    return _Trunk(found.trunk, pooling, pooled_size(found.shape, settings.pooling), found.blocks)


def _own_head(settings: Backbone, image_shape: ImageShape, classes: int) -> tuple[nn.Module, Sequence[str]]:
    """The network, and its blocks in the order in which it holds them; its dense layers are blocks like the others."""
    network = build_network(settings.name)
    last = classifier_name(network)
    _replace(network, last, classes)
    _load(network, settings, but=last)
    for module in network.modules():
        if isinstance(module, _DropoutNd) and module.p > 0:  # transformers hold places for dropout that they do without
            module.p = settings.dropout
    network.add_module("preprocess", Preprocess(image_shape, _published(settings)))
    network.register_forward_pre_hook(_preprocess)  # a module around it would rename its parameters
    return network, tuple(dict.fromkeys(block_of(name) for name, _ in network.named_parameters()))


def _preprocess(network: nn.Module, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    return (network.get_submodule("preprocess")(arguments[0]),)


def _replace(network: nn.Module, name: str, classes: int) -> None:
    """A new last layer with C outputs, in torch's own first weights."""
    old = network.get_submodule(name)
    if isinstance(old, nn.Linear):
        new: nn.Module = nn.Linear(old.in_features, classes)
    else:
        assert isinstance(old, nn.Conv2d), "the classifier is one or the other"
        new = nn.Conv2d(old.in_channels, classes, kernel_size=1)
    network.set_submodule(name, new)


def _load(network: nn.Module, settings: Backbone, but: str = "") -> None:
    """The weights of the settings' file; what the file has beyond the network, as another classifier, is left out."""
    if settings.weights == RANDOM:
        return
    file = find_weights(settings)
    state, own = load_weights(file.path), network.state_dict()
    wanted = [name for name in own if not (but and name.startswith(f"{but}."))]
    missing = [name for name in wanted if name not in state and not name.endswith("num_batches_tracked")]
    other = [name for name in wanted if name in state and state[name].shape != own[name].shape]
    if missing or other:
        raise SettingsError(_mismatch(settings, file.path, missing, other, state))
    network.load_state_dict({name: state[name] for name in wanted if name in state}, strict=False)


def _mismatch(settings: Backbone, path: Path, missing: list[str], other: list[str], state: Mapping[str, Tensor]) -> str:
    fault = f"no {missing[0]!r}" if missing else f"{other[0]!r} of shape {list(state[other[0]].shape)}"
    others = f" and {len(missing) + len(other) - 1} more" if len(missing) + len(other) > 1 else ""
    return f"expected weights of {settings.name} in {path}, found {fault}{others}; name the file that belongs to the network."

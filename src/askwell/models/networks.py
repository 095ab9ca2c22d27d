"""Networks of torchvision and timm by name, and what they were published to be fed with."""

import importlib.util
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import nn

from askwell.errors import SettingsError, UnknownNameError

IMAGENET_MEAN, IMAGENET_STD, IMAGENET_SIDE = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225), 224
TIMM = "timm:"
_AS_PUBLISHED = {  # what torchvision says only where it loads the weights itself; the other outputs are of no use here
    "googlenet": {"init_weights": True, "transform_input": True, "aux_logits": False},
    "inception_v3": {"init_weights": True, "transform_input": True, "aux_logits": False},
    "vit_h_14": {"image_size": 518},
}


class Preprocessing(NamedTuple):
    """What a network was published for: the side of its images, and mean and standard deviation of each of their three channels."""

    side: int
    mean: tuple[float, ...]
    std: tuple[float, ...]


class Published(NamedTuple):
    """Where torchvision publishes a network's weights, the first digits of their sha256, and their size in MB."""

    url: str
    hash_prefix: str
    megabytes: float


def known_networks() -> list[str]:
    """The names of torchvision's networks for classification."""
    return _torchvision().list_models(module=_torchvision())


def is_timm(name: str) -> bool:
    """Whether a name means a network of timm: it says so, or torchvision has none of that name and timm has."""
    if name.startswith(TIMM):
        return True
    return name not in known_networks() and importlib.util.find_spec("timm") is not None and _timm_has(name)


def build_network(name: str) -> nn.Module:
    """The network with fresh weights from torch's global generator, its own number of classes, in eval mode.

    Raises UnknownNameError with the nearest names, SettingsError where timm would be needed and is not installed.
    """
    if is_timm(name):
        return _timm().create_model(_timm_name(name), pretrained=False).eval()
    if name not in known_networks():
        raise UnknownNameError("network in torchvision (timm's are called timm:NAME)", name, known_networks())
    return _torchvision().get_model(name, weights=None, **_AS_PUBLISHED.get(name, {})).eval()


def preprocessing(name: str) -> Preprocessing:
    """What the network was published to be fed with; ImageNet's usual values where it was not published with weights."""
    if is_timm(name):
        cfg: Any = _timm().get_pretrained_cfg(_timm_name(name))
        if cfg is None:
            return Preprocessing(IMAGENET_SIDE, IMAGENET_MEAN, IMAGENET_STD)
        return Preprocessing(int(cfg.input_size[-1]), tuple(cfg.mean), tuple(cfg.std))
    if name not in known_networks():
        raise UnknownNameError("network in torchvision (timm's are called timm:NAME)", name, known_networks())
    transforms: Any = _torchvision().get_model_weights(name)["DEFAULT"].transforms()
    return Preprocessing(int(transforms.crop_size[0]), tuple(transforms.mean), tuple(transforms.std))


def published_weights(name: str) -> Published:
    """The weights that torchvision publishes for one of its networks."""
    weights: Any = _torchvision().get_model_weights(name)["DEFAULT"]
    prefix = weights.url.rpartition("-")[2].partition(".")[0]
    return Published(weights.url, prefix, float(weights.meta["_file_size"]))


def size_in_megabytes(name: str) -> float:
    """How large a network's weights are in fp32."""
    with torch.device("meta"):
        state = build_network(name).state_dict()
    return sum(value.numel() * value.element_size() for value in state.values()) / 1e6


def timm_state(name: str) -> dict[str, Any]:
    """The published weights of timm's network, which timm fetches and keeps by itself."""
    return _timm().create_model(_timm_name(name), pretrained=True).state_dict()


def _torchvision() -> Any:
    from torchvision import models  # a second to import, and needed for backbones only

    return models


def _timm_name(name: str) -> str:
    bare = name.removeprefix(TIMM)
    if not _timm_has(bare):
        raise UnknownNameError("network in timm", bare, _timm_list())
    return bare


def _timm_has(name: str) -> bool:
    return _timm().is_model(name.partition(".")[0])


def _timm_list() -> Sequence[str]:
    return _timm().list_models()


def _timm() -> Any:
    if importlib.util.find_spec("timm") is None:
        raise SettingsError("expected timm for a network of timm, found it not installed; pip install timm.")
    import timm  # seconds to import, and an extra

    return timm

"""Weights in a file: where they are found or downloaded to, which ones they are, and how they are read. No pickle is ever run."""

import hashlib
import os
import pickle
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import platformdirs
import torch
from filelock import FileLock
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from askwell.errors import SettingsError, WeightsNotFoundError
from askwell.models.backbone_settings import PRETRAINED, RANDOM, Backbone
from askwell.models.networks import TIMM, is_timm, published_weights, size_in_megabytes, timm_state

DIRECTORY = "ASKWELL_WEIGHTS"  # the environment variable
ENDINGS = (".safetensors", ".pth")


class DownloadingWeights(UserWarning):
    """Weights are not on this machine yet: says how large they are, whence they come and where they are kept."""


class WeightsFile(NamedTuple):
    """A file of weights and the sha256 of its content."""

    path: Path
    sha256: str


def resolved_weights(backbone: Backbone) -> Backbone:
    """The settings with the weights' file, absolute, and its sha256 filled in; those of random weights as they are.

    Raises WeightsNotFoundError, which says where to put the file; SettingsError for another file than the sha256 that is asked for.
    """
    if backbone.weights == RANDOM:
        return backbone
    found = find_weights(backbone)
    return backbone.model_copy(update={"weights": str(found.path), "sha256": found.sha256})


def find_weights(backbone: Backbone) -> WeightsFile:
    """The file that the settings mean. Published weights that are nowhere on this machine are downloaded, once, and checked.

    They are looked for as NAME.safetensors, NAME-*.safetensors or the same with .pth, in $ASKWELL_WEIGHTS and the user's cache; timm's as
    timm-NAME, because torchvision has networks of the same names.
    """
    if backbone.weights != PRETRAINED:
        path = Path(backbone.weights).expanduser().absolute()
        if not path.is_file():
            raise WeightsNotFoundError(
                f"expected a file of weights at {path}, found none; "
                f'name another, or "{PRETRAINED}" for the published ones, or "{RANDOM}".'
            )
    else:
        path = _published_file(backbone.name)
    digest = sha256_of(path)
    if backbone.sha256 not in (None, digest):
        raise SettingsError(
            f"expected weights with sha256 {backbone.sha256} in {path}, found {digest}; name the file that is meant."
        )
    return WeightsFile(path, digest)


def load_weights(path: Path) -> Mapping[str, Tensor]:
    """The state dict in a file, by safetensors or torch's weights-only load; SettingsError for anything else."""
    try:
        found = load_file(path) if path.suffix == ".safetensors" else torch.load(path, "cpu", weights_only=True)
    except pickle.UnpicklingError:  # whose own words advise to run the pickle
        raise SettingsError(
            f"expected weights in {path}, found what torch's weights-only load does not accept; "
            "name a state dict, in .safetensors or as torch.save writes it."
        ) from None
    except (SafetensorError, RuntimeError, EOFError, ValueError) as error:
        raise SettingsError(
            f"expected weights in {path}, found what cannot be read as such ({_first(error)})."
        ) from None
    if not isinstance(found, Mapping) or not all(isinstance(value, Tensor) for value in found.values()):
        raise SettingsError(
            f"expected a state dict, name -> tensor, in {path}, found a {type(found).__name__}; save that."
        )
    return found


def sha256_of(path: Path) -> str:
    """Of the file's content, as hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def weights_directories() -> list[Path]:
    """Where published weights are looked for: $ASKWELL_WEIGHTS, if it is set, and the user's cache."""
    named = os.environ.get(DIRECTORY)
    return [*([Path(named).expanduser().absolute()] if named else []), _cache()]


def _cache() -> Path:
    return Path(platformdirs.user_cache_dir("askwell")) / "weights"


def weights_at_hand(name: str) -> Path | None:
    """The file of a network's published weights, if it is on this machine."""
    bare = _file_name(name)
    for directory in weights_directories():
        for ending in ENDINGS:
            for path in (directory / f"{bare}{ending}", *sorted(directory.glob(f"{bare}-*{ending}"))):
                if path.is_file():
                    return path
    return None


def _file_name(name: str) -> str:
    """Without ending; timm's networks have names of their own, because torchvision has others of the same names."""
    return f"timm-{name.removeprefix(TIMM)}" if is_timm(name) else name


def _published_file(name: str) -> Path:
    bare, found = _file_name(name), weights_at_hand(name)
    if found is not None:
        return found
    _cache().mkdir(parents=True, exist_ok=True)
    with FileLock(_cache() / f"{bare}.lock"):  # another campaign may have been faster
        return _from_timm(name, bare) if is_timm(name) else _from_torchvision(name)


def _from_torchvision(name: str) -> Path:
    published = published_weights(name)
    target = _cache() / Path(published.url).name
    if target.is_file():
        return target
    _say(f"downloading {published.megabytes:.0f} MB of weights for {name} from {published.url} to {target}")
    try:
        torch.hub.download_url_to_file(published.url, str(target), published.hash_prefix, progress=False)
    except (OSError, RuntimeError) as error:  # RuntimeError: another checksum
        raise _not_found(name, name, f"{published.url} ({published.megabytes:.0f} MB)", error) from None
    return target


def _from_timm(name: str, bare: str) -> Path:
    target = _cache() / f"{bare}.safetensors"
    if target.is_file():
        return target
    megabytes = size_in_megabytes(name)
    _say(f"downloading about {megabytes:.0f} MB of timm's weights for {name}, to be kept in {target}")
    try:
        state = timm_state(name)
    except Exception as error:  # whatever the hub's client raises
        raise _not_found(name, bare, f"timm's place for it (about {megabytes:.0f} MB)", error) from None
    temporary = target.with_name(f".{target.name}.tmp")
    save_file({key: value.contiguous() for key, value in state.items()}, temporary)
    return temporary.replace(target)


def _not_found(name: str, file: str, source: str, error: Exception) -> WeightsNotFoundError:
    places = " or ".join(str(directory) for directory in weights_directories())
    return WeightsNotFoundError(
        f"expected weights for {name} as {file}.safetensors or {file}.pth in {places}, found none, and {source} could not be "
        f'reached ({_first(error)}); put the file there (${DIRECTORY} names a directory), name it as weights, or say "{RANDOM}".'
    )


def _say(sentence: str) -> None:
    warnings.warn(sentence, DownloadingWeights, stacklevel=4)


def _first(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]

"""A model by itself, which predicts on any machine: weights, recipe, classes and preprocessing. No images, no names of images or people.

```
model.toml                   what it is, complete      weights.safetensors   of the network that was trained
standardisation.safetensors  mean and deviation of a frozen trunk's features      README.md   the model card
```
The weights of a frozen trunk are not in it: they are published, and named by the sha256 of their file and of their content, so that the
same weights in another kind of file are recognised.
"""

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors.torch import load_file, save
from torch import Tensor

from askwell.campaign.data import DATABASE
from askwell.campaign.inputs import FEATURES
from askwell.campaign.model_card import model_card
from askwell.campaign.model_settings import ModelSettings
from askwell.campaign.seeds import derive_seed
from askwell.campaign.settings import (
    CampaignSettings,
    check_settings,
    read_campaign_settings,
    read_toml,
    settings_as_toml,
)
from askwell.errors import CampaignStateError, SettingsError
from askwell.learning.features import feature_file, is_written
from askwell.learning.precision import resolve_device, resolve_precision
from askwell.learning.recipe import Recipe
from askwell.models.backbone_settings import PRETRAINED, RANDOM
from askwell.models.catalogue import MODELS
from askwell.models.weights import find_weights, load_weights
from askwell.store.files import file_hash, replace_file
from askwell.store.store import CampaignStore, RoundRecord

MODEL_FILE, WEIGHTS, STANDARDISATION, CARD = (
    "model.toml",
    "weights.safetensors",
    "standardisation.safetensors",
    "README.md",
)


class SavedModel(NamedTuple):
    """What predicts: settings, with a recipe for this machine; the file of its weights; a frozen trunk's centre and scale [D]."""

    settings: ModelSettings
    weights: Path
    centre: Tensor | None = None
    scale: Tensor | None = None


def model_of_campaign(directory: Path) -> SavedModel:
    """The last round's model. Its images need not be at hand, but where a frozen trunk's features are gone.

    Raises CampaignStateError for no campaign, no finished round, or weights that are not as they were committed; SettingsError for a
    network that is the user's own function.
    """
    settings = read_campaign_settings(directory)
    if str(settings.recipe.model) not in MODELS:
        raise SettingsError(
            f"expected a network that askwell knows, found your own function {settings.recipe.model}; load its weights in Python."
        )
    record, ids = _last_round(directory)
    path = directory / record.model_file
    if not path.is_file() or file_hash(path) != record.model_hash:
        raise CampaignStateError(
            f"expected the weights of round {record.round} in {path} as they were committed, found "
            f"{'other content' if path.is_file() else 'no file'}; restore the campaign's directory from a backup."
        )
    centre = scale = None
    if settings.recipe.backbone is not None and settings.recipe.frozen and settings.recipe.backbone.standardise:
        centre, scale = _standardisation(directory, settings, ids)
    about = ModelSettings(
        askwell=version("askwell"),
        classes=settings.classes,
        image_shape=settings.image_shape,
        fit="squash" if settings.images is None else settings.images.fit,
        own_images=settings.images is None and settings.dataset is None,
        evaluation=settings.evaluation,
        samples=settings.full_samples,
        mask_seed=derive_seed(settings.seed, "masks", record.round),
        labels=record.labels,
        round=record.round,
        weights_sha256=record.model_hash,
        recipe=on_this_machine(settings.recipe),
    )
    return SavedModel(about, path, centre, scale)


def write_model(model: SavedModel, out: Path, measured: Mapping[str, float | None]) -> None:
    """Fill a new or empty directory; ``measured`` is for the card. Raises UsageError where the directory is in use."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise SettingsError(
            f"expected a new or empty directory for the model, found {out} in use; choose another --out."
        )
    out.mkdir(parents=True, exist_ok=True)
    replace_file(out / WEIGHTS, lambda path: shutil.copyfile(model.weights, path))
    updates: dict[str, object] = {"recipe": _portable(model.settings.recipe)}
    if model.centre is not None and model.scale is not None:
        tensors = {"centre": model.centre, "scale": model.scale}
        updates["standardisation_sha256"] = replace_file(
            out / STANDARDISATION,
            lambda path: path.write_bytes(save(tensors)),  # save_file would hide it from others
        )
    backbone = model.settings.recipe.backbone
    if backbone is not None and backbone.frozen and backbone.weights != RANDOM:
        updates["trunk_content"] = content_of(load_weights(Path(backbone.weights)))
    settings = model.settings.model_copy(update=updates)
    replace_file(out / CARD, lambda path: path.write_text(model_card(settings, measured), encoding="utf-8"))
    text = settings_as_toml(settings)
    replace_file(out / MODEL_FILE, lambda path: path.write_text(text, encoding="utf-8"))


def read_model(directory: Path, trunk: str | None = None) -> SavedModel:
    """The model in a directory, as ``write_model`` filled it; trunk names the file of a frozen trunk's weights, else it is looked for.

    Raises CampaignStateError for no model, or files that are not as they were written; SettingsError or WeightsNotFoundError where the
    trunk's weights are others or not to be found.
    """
    file = directory / MODEL_FILE
    if not file.is_file():
        raise CampaignStateError(
            f"expected a campaign or a model in {directory}, found no {MODEL_FILE}; check the path."
        )
    settings = check_settings(ModelSettings, read_toml(file), str(file))
    if str(settings.recipe.model) not in MODELS:
        raise SettingsError(f"expected a network that askwell knows in {file}, found {settings.recipe.model!r}.")
    hashes = {WEIGHTS: settings.weights_sha256, STANDARDISATION: settings.standardisation_sha256}
    for name, expected in hashes.items():
        path = directory / name
        if expected is not None and (not path.is_file() or file_hash(path) != expected):
            raise CampaignStateError(
                f"expected {path} as it was written, found {'other content' if path.is_file() else 'no file'}; "
                "copy the model's directory again."
            )
    recipe = on_this_machine(_found_trunk(settings, trunk))
    centre = scale = None
    if settings.standardisation_sha256 is not None:
        tensors = load_file(directory / STANDARDISATION)
        centre, scale = tensors["centre"], tensors["scale"]
    return SavedModel(settings.model_copy(update={"recipe": recipe}), directory / WEIGHTS, centre, scale)


def on_this_machine(recipe: Recipe) -> Recipe:
    """The recipe on the device it was trained on where this machine has it, else on what there is; tf32 is fp32 where it cannot be had."""
    try:
        device = resolve_device(recipe.device)
    except SettingsError:
        device = resolve_device("auto")
    try:
        precision = resolve_precision(recipe.precision, device)
    except SettingsError:
        precision = "fp32"
    return recipe.model_copy(update={"device": device, "precision": precision})


def content_of(weights: Mapping[str, Tensor]) -> str:
    """A hash of names, types, shapes and numbers, the same for the same weights in any kind of file."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        tensor = weights[name].detach().cpu().contiguous()
        digest.update(json.dumps([name, str(tensor.dtype), list(tensor.shape)]).encode())
        digest.update(tensor.flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def last_metrics(directory: Path) -> Mapping[str, float | None]:
    """What was measured of the last round's model."""
    return {name: value for name, value in _last_round(directory)[0].metrics.items() if name != "weight_decay"}


class _Listed:
    """A pool of which only the ids and the shape are known: enough to name the file of its features."""

    def __init__(self, ids: Sequence[str], image_shape: tuple[int, int, int]) -> None:
        self.ids, self.image_shape = ids, image_shape

    def __len__(self) -> int:
        return len(self.ids)

    def images(self, positions: Tensor) -> Tensor:
        raise CampaignStateError("the campaign's images are not at hand; open it with them.")


def _last_round(directory: Path) -> tuple[RoundRecord, list[str]]:
    if (directory / DATABASE).is_file():
        with CampaignStore(directory / DATABASE) as store:
            if records := store.round_records():
                return records[-1], store.ids()
    raise CampaignStateError(f"expected a campaign with a finished round in {directory}, found none; run it first.")


def _standardisation(directory: Path, settings: CampaignSettings, ids: Sequence[str]) -> tuple[Tensor, Tensor]:
    """Mean and deviation of the pool's features, from the note beside them; they are computed again where they are gone."""
    file = feature_file(directory / FEATURES, settings.recipe, _Listed(ids, settings.image_shape))
    if not is_written(file):
        from askwell.campaign.studies.reopening import reopened  # it needs the images

        with reopened(directory):
            pass
    note = json.loads(file.note.read_text(encoding="utf-8"))
    centre, scale = (torch.tensor(note[name], dtype=torch.float32) for name in ("mean", "std"))
    return centre, scale


def _portable(recipe: Recipe) -> Recipe:
    """Without this machine's paths and device. A trunk that was trained is whole in the weights, so it begins from nothing."""
    backbone = recipe.backbone
    if backbone is not None:
        frozen = backbone.frozen and backbone.weights != RANDOM
        update = {"weights": PRETRAINED} if frozen else {"weights": RANDOM, "sha256": None}
        backbone = backbone.model_copy(update=update)
    return recipe.model_copy(update={"device": "auto", "backbone": backbone})


def _found_trunk(settings: ModelSettings, trunk: str | None) -> Recipe:
    backbone = settings.recipe.backbone
    if backbone is None or not backbone.frozen or backbone.weights == RANDOM:
        return _portable(settings.recipe)
    found = find_weights(backbone.model_copy(update={"weights": trunk or PRETRAINED, "sha256": None}))
    if found.sha256 != backbone.sha256 and content_of(load_weights(found.path)) != settings.trunk_content:
        raise SettingsError(
            f"expected the weights of {backbone.name} with sha256 {backbone.sha256}, found others in {found.path}; "
            "name the right file with --weights."
        )
    here = backbone.model_copy(update={"weights": str(found.path), "sha256": found.sha256})
    return settings.recipe.model_copy(update={"backbone": here})

"""The last model of a campaign that people label, by itself: what its learner does not write down is found out from what it left."""

import json
import os
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

import torch
from torch import Tensor

from askwell.campaign.inputs_of_items import BLOCKS, RGB, SMALL_SIDE, directory_name
from askwell.campaign.labelling import DATABASE, LabellingSettings, read_labelling_settings
from askwell.campaign.learner import SAMPLES
from askwell.campaign.measuring import measured
from askwell.campaign.model_settings import ModelSettings
from askwell.campaign.network import from_scratch, on_a_trunk
from askwell.campaign.saved_model import SavedModel
from askwell.campaign.seeds import derive_seed
from askwell.errors import CampaignStateError
from askwell.learning.features import FeatureFile
from askwell.learning.recipe import Recipe
from askwell.models.backbone import backbone_side
from askwell.models.weights import load_weights
from askwell.pool.decoding import choose_form
from askwell.pool.listing import ListedImage
from askwell.store.files import file_hash
from askwell.store.labelling import LabellingStore
from askwell.store.store import CampaignStore

HEAD = "head."  # of the names of the weights of a head on a frozen trunk
FEATURES = "features"


def model_of_people(directory: Path) -> SavedModel:
    """The model of the last fit; CampaignStateError where there is none yet, or its weights are not as they were committed."""
    settings = read_labelling_settings(directory)
    with CampaignStore(directory / DATABASE) as store:
        records = store.round_records()
    if not records:
        raise CampaignStateError(f"expected a campaign with a fit in {directory}, found none; label some more images.")
    record = records[-1]
    path = directory / record.model_file
    if not path.is_file() or file_hash(path) != record.model_hash:
        raise CampaignStateError(
            f"expected the weights in {path} as they were committed; restore the campaign from a backup."
        )
    with LabellingStore(directory / DATABASE) as store:
        classes = store.classes()
        given = json.loads(store.predictions()[-1][2])["classes"]
        meant = [classes.meaning[name] for name in given]
        names = {name: classes.named(name).name for name in dict.fromkeys(meant)}
        frozen = any(name.startswith(HEAD) for name in load_weights(path))
        recipe = on_a_trunk(settings) if frozen else from_scratch()
        shape = _shape(directory, settings, recipe, store)
    centre, scale = _standardisation(directory / FEATURES / directory_name(recipe)) if frozen else (None, None)
    places = list(names)
    about = ModelSettings(
        askwell=version("askwell"),
        classes=tuple(names.values()),
        outputs=() if len(names) == len(given) else tuple(places.index(name) for name in meant),
        image_shape=shape,
        evaluation="mc_dropout",
        samples=SAMPLES,
        mask_seed=derive_seed(0, f"fit {settings.seed}", record.round),
        labels=record.labels,
        round=record.round,
        weights_sha256=record.model_hash,
        recipe=recipe,
    )
    return SavedModel(about, path, centre, scale)


def _shape(directory: Path, settings: LabellingSettings, recipe: Recipe, store: LabellingStore) -> tuple[int, int, int]:
    """What images are decoded to: as the trunk wants them, or as the learner chose by its first images."""
    if recipe.backbone is not None:
        side = backbone_side(recipe.backbone)
        return RGB, side, side
    files = store.files()
    first = json.loads((directory / FEATURES / directory_name(recipe) / BLOCKS).read_text(encoding="utf-8"))[0]
    items = [ListedImage(files[at].id, os.fsdecode(files[at].path), files[at].page) for at in first]
    form = choose_form(Path(settings.folder), items, size=None, channels="auto", fit="squash")
    return form.channels, min(form.size, SMALL_SIDE), min(form.size, SMALL_SIDE)


def _standardisation(directory: Path) -> tuple[Tensor, Tensor]:
    file = FeatureFile(directory, json.loads((directory / "first.json").read_text(encoding="utf-8")))
    note = json.loads(file.note.read_text(encoding="utf-8"))
    centre, scale = (torch.tensor(note[name], dtype=torch.float32) for name in ("mean", "std"))
    return centre, scale


def measured_of_people(directory: Path) -> Mapping[str, float | None]:
    """What today's answers to the random sample say of the last model; nothing where there are none, or it may have learned from them."""
    with LabellingStore(directory / DATABASE) as store:
        estimate = json.loads(measured(store)["estimate"]) or {}
        if estimate.get("model_round") != store.rounds_done() - 1:
            return {}
    names = {
        "accuracy": "accuracy",
        "low": "accuracy, 95 % from",
        "high": "accuracy, 95 % to",
        "n": "images measured on",
    }
    return {said: estimate[name] for name, said in names.items() if name in estimate}

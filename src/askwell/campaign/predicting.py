"""Labels for the rest: a model's class probabilities and uncertainties of every image of a folder or a named data set."""

import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from safetensors.torch import load_model
from torch import Tensor

from askwell.acquisition import ACQUISITIONS
from askwell.campaign.data import DATABASE, dataset_of
from askwell.campaign.exchanging import is_labelled_by_people, records_of
from askwell.campaign.saved_model import SavedModel
from askwell.campaign.settings import read_campaign_settings
from askwell.errors import NotStochasticError, SettingsError, UsageError
from askwell.exchange.predictions import Prediction
from askwell.exchange.records import SKIP
from askwell.learning.features import feature_file, write_features
from askwell.learning.randomness import seeded
from askwell.learning.supervised import new_model
from askwell.pool.catalogue import DATASETS
from askwell.pool.datasets import load_dataset
from askwell.pool.decoding import ImageForm
from askwell.pool.feature_pool import FeaturePool
from askwell.pool.folder import FolderPool
from askwell.pool.images import Pool
from askwell.pool.kept_classes import part_of
from askwell.pool.listing import list_images
from askwell.posterior.mc_dropout import MCDropout
from askwell.posterior.point import Point
from askwell.probability import mean_probs
from askwell.scoring.local import Posterior, stream_log_probs
from askwell.store.store import CampaignStore

Tell = Callable[[str, int, int], None]  # what is being done, images done, images in all


class Predicted(NamedTuple):
    """Predictions in the pool's order, and by id why the others have none."""

    predictions: list[Prediction]
    unreadable: dict[str, str]


def images_named(name: str, model: SavedModel) -> Pool:
    """All images of a folder, or of the pool of a named data set, in the form that the model was trained on.

    Raises UsageError where they are neither, SettingsError for images of another shape, or a model of images that were handed over.
    """
    settings = model.settings
    channels, height, width = settings.image_shape
    if settings.own_images or height != width:
        raise SettingsError(
            "expected a model of images in files or of a named data set, found one of arrays that were handed over; predict in Python."
        )
    if Path(name).expanduser().is_dir():
        root = Path(name).expanduser()
        pool: Pool = FolderPool(root, list_images(root).items, ImageForm(height, channels, settings.fit))
    elif name in DATASETS:
        pool = load_dataset(name, image_size=height if DATASETS[name].resizable else None).pool
    else:
        raise UsageError(f"expected a folder of images or a data set's name ({', '.join(DATASETS)}), found {name!r}.")
    if pool.image_shape != settings.image_shape:
        raise SettingsError(f"expected images of shape {settings.image_shape}, found {pool.image_shape} in {name}.")
    return pool


def images_without_label(directory: Path) -> Pool:
    """The own images of a campaign that a data set answers that have no label yet and are not set aside; SettingsError for another one."""
    check_knows_its_images(directory)
    data = dataset_of(read_campaign_settings(directory), directory)
    if data is None:
        raise SettingsError(f"the campaign in {directory} was created with images of your own; predict in Python.")
    with CampaignStore(directory / DATABASE) as store:
        known = store.labels().keys() | store.quarantined().keys()
    rest = [position for position in range(len(data.pool)) if position not in known]
    return part_of(data.pool, torch.tensor(rest, dtype=torch.int64))


def check_knows_its_images(directory: Path) -> None:
    """Raise SettingsError for a campaign that people label: only the caller can say where its images are by now."""
    if is_labelled_by_people(directory):
        raise SettingsError(
            "expected a folder of images beside a campaign that people label, found none named; "
            f"say `askwell predict {directory} FOLDER`, with --rest for its images without an answer."
        )


def without_answers(pool: Pool, directory: Path) -> Pool:
    """The images of a pool that have no label, nor another answer that ends the matter, in the campaign; by their ids."""
    known = {record.id for record in records_of(directory) if record.kind != SKIP}
    rest = [position for position, item in enumerate(pool.ids) if item not in known]
    return part_of(pool, torch.tensor(rest, dtype=torch.int64))


def predict(model: SavedModel, pool: Pool, *, samples: int | None = None, tell: Tell) -> Predicted:
    """Probabilities, means over ``samples`` posterior samples (the model's own number unless given), and uncertainties in nats."""
    classes, ids, unreadable = model.settings.classes, pool.ids, dict[int, str]()
    predictions = list[Prediction]()
    if len(pool) == 0:
        return Predicted(predictions, {})
    with _network_inputs(model, pool, tell) as inputs:
        chunks = stream_log_probs(
            posterior_of(model, inputs.image_shape, samples or model.settings.samples),
            inputs,
            torch.arange(len(pool)),
            classes=_outputs(model),
            progress=lambda done, total: tell("images", done, total),
            set_aside=unreadable.update,
        )
        for entries, outputs in chunks:
            log_probs = _by_class(outputs, model)
            total = ACQUISITIONS["max_entropy"](log_probs).double()
            epistemic = ACQUISITIONS["bald"](log_probs).double()
            columns = (entries, mean_probs(log_probs), total, (total - epistemic).clamp_min(0.0), epistemic)
            for entry, means, *uncertainties in zip(*(column.tolist() for column in columns), strict=True):
                predictions.append(Prediction(ids[int(entry)], dict(zip(classes, means, strict=True)), *uncertainties))
    return Predicted(predictions, {ids[position]: reason for position, reason in sorted(unreadable.items())})


def posterior_of(model: SavedModel, input_shape: tuple[int, int, int], samples: int) -> Posterior:
    """The network's MC-dropout posterior with the model's own masks; the network as a point where that is how it was measured."""
    settings, recipe = model.settings, model.settings.recipe
    device = torch.device(recipe.device)
    with seeded(0, device):  # the fresh weights are overwritten; the caller's random state is left alone
        network = new_model(recipe, input_shape, _outputs(model))
    load_model(network, model.weights)
    network = network.to(device).eval()
    if settings.evaluation == "mc_dropout":
        try:
            return MCDropout(network, samples=samples, seed=settings.mask_seed, precision=recipe.precision)
        except NotStochasticError:
            pass
    return Point(network, precision=recipe.precision)


def _outputs(model: SavedModel) -> int:
    return len(model.settings.outputs or model.settings.classes)


def _by_class(log_probs: Float[Tensor, "n T O"], model: SavedModel) -> Float[Tensor, "n T C"]:
    """Log-probabilities of classes, of those of the network's outputs: the outputs of classes that were merged since are taken together."""
    classes, outputs = len(model.settings.classes), torch.tensor(model.settings.outputs, dtype=torch.int64)
    if not len(outputs):
        return log_probs
    return torch.stack([log_probs[..., outputs == number].logsumexp(dim=-1) for number in range(classes)], dim=-1)


@contextmanager
def _network_inputs(model: SavedModel, pool: Pool, tell: Tell) -> Iterator[Pool]:
    """What the network reads: the images, or the features of a frozen trunk, which lie in a temporary file meanwhile."""
    recipe = model.settings.recipe
    if not recipe.frozen:
        yield pool
        return
    with tempfile.TemporaryDirectory(prefix="askwell-features-") as directory:
        file = feature_file(Path(directory), recipe, pool)
        write_features(file, recipe, pool, lambda done, total, _: tell("features", done, total))
        features = np.load(file.array, mmap_mode="r", allow_pickle=False)
        unreadable = json.loads(file.note.read_text(encoding="utf-8"))["unreadable"]
        reasons = {int(position): reason for position, reason in unreadable.items()}
        yield FeaturePool(pool, features, reasons, model.centre, model.scale)

"""Recipe and strategy chosen by repeated five-fold cross-validation inside ISIC 2016's training images. Its test images are not read.

A seed is a repeat: another division into folds, other initial labels and weights.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch

from askwell.campaign.campaign import resolved
from askwell.campaign.data import dataset_of
from askwell.campaign.inputs import FEATURES
from askwell.campaign.settings import ExperimentSettings, check_settings, settings_as_toml
from askwell.errors import SettingsError
from askwell.learning.features import FeatureFile, feature_file, is_written, read_features, write_features, write_part
from askwell.learning.recipe import Recipe
from askwell.learning.supervised import fit
from askwell.pool.datasets import Dataset
from askwell.pool.kept_classes import PoolPart
from askwell.pool.named.isic2016_splits import folds
from askwell.posterior.mc_dropout import MCDropout
from askwell.report.csv_files import count, fraction, number, read_rows, text, write_rows
from askwell.reproduction.handed_over import create_or_open
from askwell.scoring.evaluation import evaluate
from askwell.scoring.local import predict_log_probs
from askwell.store.files import replace_file
from askwell.store.lock import exclusive

SCORES_FILE, SETTINGS_OF_SCORES = "scores.csv", "recipe.toml"
_PARSERS = {"recipe": text, "repeat": count, "fold": count, "auc": fraction, "nll": number}


class FoldScore(NamedTuple):
    """What a recipe that was trained on all labels of four folds is worth on the fifth."""

    recipe: str
    repeat: int
    fold: int
    auc: float
    nll: float


def run_fold(
    directory: Path, settings: ExperimentSettings, strategy: str, seed: int, fold: int, features: Path
) -> None:
    """Create or continue the campaign of one strategy whose test set is one fold of one division."""
    whole = _training_images(settings)
    part = list(folds(whole, seed))[fold]
    recipe = resolved(settings.recipe)
    _part_features(directory / FEATURES, whole, part, recipe, features)
    with create_or_open(directory, settings, strategy, seed, part) as campaign:
        campaign.run(part.oracle, settings.rounds)


def run_recipe(file: Path, settings: ExperimentSettings, name: str, changes: Mapping[str, Any], features: Path) -> None:
    """Fit a recipe to four folds and measure it on the fifth, for all folds of all repeats; nothing is kept but the scores."""
    own = settings.model_copy(update={"recipe": resolved(changed_recipe(settings.recipe, name, changes))})
    file.parent.mkdir(parents=True, exist_ok=True)
    with exclusive(file.parent):
        if not is_measured(file, own):
            _measure(file, own, name, features)


def _measure(file: Path, settings: ExperimentSettings, name: str, features: Path) -> None:
    recipe, scores = settings.recipe, list[FoldScore]()
    whole = _training_images(settings)
    for repeat in range(settings.seeds):
        for number_of_fold, part in enumerate(folds(whole, repeat)):
            train, test = _part_features(file.parent / FEATURES / name, whole, part, recipe, features)
            pool = read_features(train, part.pool, train)
            network = fit(
                recipe, pool.images(torch.arange(len(pool))), part.oracle.labels, classes=len(part.classes), seed=repeat
            )
            predictive = predict_log_probs(
                MCDropout(network, samples=settings.full_samples, seed=repeat, precision=recipe.precision),
                read_features(test, part.test.images, train),
                torch.arange(len(part.test)),
                classes=len(part.classes),
            )
            found = evaluate(predictive, part.test.labels)
            assert found.auc is not None, "every fold has both classes"
            scores.append(FoldScore(name, repeat, number_of_fold, found.auc, found.nll))
            for each in (train, test):
                each.array.unlink()
                each.note.unlink()
    write_scores(file, scores)
    text_of = settings_as_toml(settings)
    replace_file(file.with_name(SETTINGS_OF_SCORES), lambda path: path.write_text(text_of, encoding="utf-8"))


def is_measured(file: Path, settings: ExperimentSettings) -> bool:
    """Whether the scores are there, of these settings; SettingsError where they are of others."""
    about = file.with_name(SETTINGS_OF_SCORES)
    if not file.exists() or not about.exists():
        return False
    if about.read_text(encoding="utf-8") != settings_as_toml(settings):
        raise SettingsError(
            f"expected the settings that the scores in {file} were measured with, found others; "
            "put them back as they were, or choose another --out."
        )
    return True


def changed_recipe(recipe: Recipe, name: str, changes: Mapping[str, Any]) -> Recipe:
    """The recipe with other values, tables merged; SettingsError, with the candidate's name, for a value that is wrong."""
    return check_settings(Recipe, _merged(recipe.model_dump(exclude_none=True), changes), f"recipe {name}")


def prepare_features(settings: ExperimentSettings, features: Path) -> None:
    """The features of all training images, computed once."""
    _whole_file(_training_images(settings), resolved(settings.recipe), features)


def write_scores(file: Path, scores: list[FoldScore]) -> None:
    """Replace the table atomically."""
    file.parent.mkdir(parents=True, exist_ok=True)
    write_rows(file, _PARSERS, scores)


def read_scores(file: Path) -> list[FoldScore]:
    """The rows of the table; CampaignStateError when it is not there or not as it was written."""
    return [FoldScore(**row) for row in read_rows(file, _PARSERS)]


def _training_images(settings: ExperimentSettings) -> Dataset:
    backbone = settings.recipe.backbone
    if backbone is None or not backbone.frozen:
        raise SettingsError("expected a recipe with a frozen trunk to be chosen on folds, found another; change it.")
    data = dataset_of(settings, Path())
    assert data is not None, "an experiment names its data set"
    return data


def _whole_file(whole: Dataset, recipe: Recipe, features: Path) -> FeatureFile:
    file = feature_file(features, recipe, whole.pool)
    if not is_written(file):
        write_features(file, recipe, whole.pool)
    return file


def _part_features(
    directory: Path, whole: Dataset, part: Dataset, recipe: Recipe, features: Path
) -> tuple[FeatureFile, FeatureFile]:
    """The files of a fold's pool and test images, taken from that of all training images."""
    source, files = _whole_file(whole, recipe, features), []
    for images in (part.pool, part.test.images):
        assert isinstance(images, PoolPart), "a fold is a part of the training images"
        file = feature_file(directory, recipe, images)
        if not is_written(file):
            write_part(source, images.positions, file)
        files.append(file)
    return files[0], files[1]


def _merged(values: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    own = {name: _merged(values.get(name, {}), new) if isinstance(new, dict) else new for name, new in changes.items()}
    return {**values, **own}

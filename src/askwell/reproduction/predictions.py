"""What a campaign's last network says of each test image, and beside it logistic regression on the same features: for paired tests."""

import warnings
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegressionCV

from askwell.campaign.steps import class_indices, load_round, predict_test
from askwell.campaign.studies.reopening import reopened
from askwell.campaign.workspace import Stage, Workspace
from askwell.report.csv_files import count, fraction, read_rows, text, write_rows
from askwell.store.lock import exclusive

PREDICTIONS_FILE = "predictions.csv"
LOGISTIC = "logistic_regression"
PENALTIES = tuple(float(10.0**power) for power in np.arange(-4.5, 0.5, 0.5))  # C, chosen by five folds of the pool
_PARSERS = {"arm": text, "seed": count, "labels": count, "id": text, "label": count, "probability": fraction}


class Prediction(NamedTuple):
    """The probability of the positive class (label 1) that an arm gives a test image, trained on so many labels."""

    arm: str
    seed: int
    labels: int
    id: str
    label: int
    probability: float


def predict_at_the_end(campaign: Path) -> None:
    """Predict the test images with the network of a finished campaign's last round; written beside its curve."""
    file = campaign / PREDICTIONS_FILE
    if file.exists():
        return
    with exclusive(campaign), reopened(campaign) as (workspace, rounds, oracle):
        settings, images = workspace.settings, workspace.test.images
        found = predict_test(workspace, load_round(workspace, rounds - 1), rounds - 1, _silence)
        labels = workspace.store.round_records()[-1].labels
        rows = _rows(settings.strategy, settings.seed, labels, workspace, found.log_probs[:, 1].exp().tolist())
        if settings.recipe.frozen and settings.seed == 0 and oracle is not None:
            answers = oracle.answer(list(workspace.pool.ids))
            truth = torch.tensor(class_indices(answers, settings.classes))
            rows += _rows(LOGISTIC, 0, len(truth), workspace, logistic_regression(workspace, truth))
        assert len(images) == len(found.labels), "every test image could be read"
        write_predictions(file, rows)


def logistic_regression(workspace: Workspace, labels: torch.Tensor) -> list[float]:
    """Of the positive class for each test image, by L2-regularised regression on the mean features of all pool images."""
    pool, test = (
        images.images(torch.arange(len(images))).mean(dim=(2, 3)).numpy()
        for images in (workspace.pool, workspace.test.images)
    )
    settings: dict[str, Any] = {"Cs": PENALTIES, "cv": 5, "scoring": "roc_auc", "max_iter": 20_000}
    model = LogisticRegressionCV(**settings)
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)  # the line it is compared with must be the right one
        warnings.simplefilter("ignore", FutureWarning)
        model.fit(pool, labels.numpy())
    return model.predict_proba(test)[:, 1].tolist()


def write_predictions(file: Path, rows: list[Prediction]) -> None:
    """Replace the table atomically."""
    write_rows(file, _PARSERS, rows)


def read_predictions(file: Path) -> list[Prediction]:
    """The rows of the table; CampaignStateError when it is not there or not as it was written."""
    return [Prediction(**row) for row in read_rows(file, _PARSERS)]


def _rows(arm: str, seed: int, labels: int, workspace: Workspace, probabilities: list[float]) -> list[Prediction]:
    test = workspace.test
    return [
        Prediction(arm, seed, labels, name, int(label), probability)
        for name, label, probability in zip(test.images.ids, test.labels, probabilities, strict=True)
    ]


def _silence(_: Stage) -> None:
    """Progress is told by campaign."""

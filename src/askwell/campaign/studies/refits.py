"""Fit a recipe anew on labels that a campaign has or could have had, and measure it on the campaign's test images."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor

from askwell.campaign.quarantine import quarantine_rows
from askwell.campaign.steps import MIB, answers_of, class_indices, posterior_of
from askwell.campaign.workspace import Notify, Workspace
from askwell.errors import UsageError
from askwell.learning.recipe import Recipe
from askwell.learning.tuning import LabelledBatch, fit_tuned
from askwell.pool.oracle import Oracle
from askwell.pool.reading import read_images
from askwell.scoring.evaluation import Evaluation, evaluate
from askwell.scoring.local import predict_log_probs


class Headway(NamedTuple):
    """How far a study is: pieces of work done and to do, and what is being done."""

    done: int
    total: int
    doing: str


Follow = Callable[[Headway], None]


class Refit(NamedTuple):
    """A fit that was measured and not kept: every label it saw, the seconds it took, what was measured."""

    labels: int
    seconds: float
    measured: Evaluation


class ReadableTest(NamedTuple):
    """The test images [N] that the campaign could read, by position, and their labels [N]."""

    positions: Tensor
    labels: Tensor


def unheard(_: Headway) -> None:
    """Nobody wants to know."""


def narrated(follow: Follow, done: int, total: int, what: str) -> Notify:
    """What hears the stages of one piece of work and tells of them as headway of the whole."""
    return lambda stage: follow(Headway(done, total, f"{what}: {stage.name} {stage.done / stage.total:.0%}"))


def refit(
    workspace: Workspace,
    recipe: Recipe,
    train: LabelledBatch,
    validation: LabelledBatch,
    *,
    seed: int,
    round_number: int,
    notify: Notify,
) -> Refit:
    """Fit the recipe and measure it as the campaign measures ``round_number``: the same test images, masks and way of evaluating.

    From fresh weights, and with weight decay tuned anew if the recipe tunes it: there is no round before this one to go on from.
    """
    settings = workspace.settings.model_copy(update={"recipe": recipe})
    workspace = replace(workspace, settings=settings)
    classes = len(settings.classes)
    began = time.perf_counter()
    progress = workspace.progress(notify, "fit", round_number)
    fitted = fit_tuned(recipe, train, validation, classes=classes, seed=seed, progress=progress)
    seconds = time.perf_counter() - began
    readable = readable_test(workspace)
    predictive = predict_log_probs(
        posterior_of(workspace, fitted.model, settings.evaluation, round_number),
        workspace.test.images,
        readable.positions,
        classes=classes,
        memory_bytes=settings.memory_mb * MIB,
        progress=workspace.progress(notify, "evaluate", round_number),
    )
    return Refit(len(train.labels) + len(validation.labels), seconds, evaluate(predictive, readable.labels))


def readable_test(workspace: Workspace) -> ReadableTest:
    """The test images but those that the campaign set aside."""
    lost = {row.id for row in quarantine_rows(workspace) if row.split == "test"}
    images = workspace.test.images
    readable = [position for position in range(len(images)) if images.ids[position] not in lost]
    positions = torch.tensor(readable, dtype=torch.int64)
    return ReadableTest(positions, workspace.test.labels[positions])


def labelled_batch(workspace: Workspace, round_number: int, role: str) -> LabelledBatch:
    """The images and labels that the campaign's fit of a round saw, in the order they were asked; role is "pool" or "validation".

    Raises UnreadableImagesError for one that cannot be read any more.
    """
    store = workspace.store
    labels, lost = store.labels(), store.quarantined()
    positions = [
        asked.position
        for asked in store.asked(up_to=round_number)
        if asked.role == role and asked.position in labels and asked.position not in lost
    ]
    return _batch(workspace, positions, [labels[position] for position in positions])


def known_batch(workspace: Workspace, oracle: Oracle, positions: Sequence[int]) -> LabelledBatch:
    """The images at these positions with the oracle's labels, which nobody records."""
    names = answers_of(oracle, [workspace.pool.ids[position] for position in positions], workspace.settings.classes)
    return _batch(workspace, positions, names)


def readable_first(workspace: Workspace, order: Sequence[int], count: int) -> list[int]:
    """The first ``count`` positions of the order whose images can be read; UsageError where there are not as many."""
    lost = set(workspace.store.quarantined())
    while True:
        positions = [position for position in order if position not in lost][:count]
        if len(positions) < count:
            raise UsageError(
                f"expected {count} unasked images that can be read, found {len(positions)}; choose an earlier round."
            )
        before = len(lost)
        read_images(workspace.pool, torch.tensor(positions, dtype=torch.int64), lost.update)
        if len(lost) == before:
            return positions


def joined(first: LabelledBatch, second: LabelledBatch) -> LabelledBatch:
    """Both batches as one, in this order."""
    return LabelledBatch(torch.cat([first.images, second.images]), torch.cat([first.labels, second.labels]))


def _batch(workspace: Workspace, positions: Sequence[int], names: Sequence[str]) -> LabelledBatch:
    images = read_images(workspace.pool, torch.tensor(positions, dtype=torch.int64)).images
    return LabelledBatch(images, torch.tensor(class_indices(names, workspace.settings.classes), dtype=torch.int64))

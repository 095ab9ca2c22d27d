"""The loop's steps: choose the initial items, ask for a fit, measure it, choose the next query. Each returns what to commit."""

import json
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load_model, save_model
from torch import Tensor, nn

from askwell.acquisition import ACQUISITIONS
from askwell.campaign.fitting import Outcome, RoundFit
from askwell.campaign.quarantine import all_readable, remember_test, set_aside
from askwell.campaign.seeds import derive_seed
from askwell.campaign.settings import ADAPTIVE
from askwell.campaign.strategies import Strategy, strategy_named
from askwell.campaign.workspace import Notify, Workspace
from askwell.errors import CampaignStateError, NonFiniteError, UnknownNameError, UsageError
from askwell.learning.randomness import seeded
from askwell.learning.recipe import Recipe
from askwell.learning.supervised import new_model
from askwell.learning.tuning import LabelledBatch, TuningRequest, with_decay
from askwell.pool.oracle import Oracle
from askwell.pool.reading import read_images
from askwell.pool.splits import balanced_split, counted_split, uniform_split
from askwell.posterior.mc_dropout import MCDropout
from askwell.posterior.point import Point
from askwell.probability import Scores
from askwell.scoring.adaptive import AdaptiveScores, score_adaptively
from askwell.scoring.evaluation import details, evaluate
from askwell.scoring.local import Posterior, predict_log_probs, score_pool
from askwell.selection import SELECTIONS
from askwell.store.files import file_hash, replace_file
from askwell.store.records import Chosen
from askwell.store.store import RoundRecord

MIB = 2**20


class Choice(NamedTuple):
    """A round's query, best first, and the seconds that scoring took."""

    chosen: list[Chosen]
    seconds: float | None


def choose_initial(workspace: Workspace, oracle: Oracle) -> Choice:
    """Round 0: the reserved validation items and the initial set, which is balanced by the oracle's labels or drawn at random.

    Items whose image cannot be read are set aside, and others are drawn.
    """
    while True:
        chosen = _draw_initial(workspace, oracle)
        if all_readable(workspace, chosen):
            return Choice([Chosen(position) for position in chosen], seconds=None)


def _draw_initial(workspace: Workspace, oracle: Oracle) -> list[int]:
    settings, store = workspace.settings, workspace.store
    quarantined = store.quarantined()
    readable = [position for position in store.positions("pool") if position not in quarantined]
    pool = torch.tensor(readable, dtype=torch.int64)
    generator = workspace.generator("initial")
    count = min(settings.initial, len(pool))
    if settings.initial_set == "random":
        drawn = uniform_split(len(pool), count, generator=generator)
    else:
        answers = answers_of(oracle, [workspace.pool.ids[position] for position in readable], settings.classes)
        labels = torch.tensor(class_indices(answers, settings.classes), dtype=torch.int64)
        if settings.initial_set == "balanced":
            drawn = balanced_split(labels, count, classes=len(settings.classes), generator=generator)
        else:
            drawn = counted_split(labels, settings.initial_set, generator=generator)
    validation = [position for position in store.positions("validation") if position not in quarantined]
    return [*pool[drawn].tolist(), *validation]


def choose_next(workspace: Workspace, round_number: int, notify: Notify) -> Choice:
    """Score every unasked item with the last round's network and select the round's query; empty when the pool is used up.

    Items whose image cannot be read are set aside and take no part in the selection.
    """
    strategy = strategy_named(workspace.settings.strategy)
    select = SELECTIONS[strategy.selection]
    began = time.perf_counter()
    while True:
        generator = workspace.generator("selection", round_number)
        positions = _candidates(workspace, round_number)
        if len(positions) == 0:
            return Choice([], seconds=None)
        if strategy.posterior is None:
            coin = torch.full((1, 1, 2), 0.5).log().expand(len(positions), 1, 2)
            scored = _Scored(positions, ACQUISITIONS[strategy.acquisition](coin, generator=generator), None)
        else:
            known = len(workspace.store.quarantined())
            scored = _scored(workspace, strategy, positions, round_number, notify)
            if workspace.settings.candidates is not None and len(workspace.store.quarantined()) > known:
                continue  # draw again, as a process that is begun anew would
        picked = select(scored.scores, workspace.settings.query, generator=generator)
        named = zip(scored.positions[picked].tolist(), scored.scores[picked].tolist(), strict=True)
        chosen = [Chosen(position, score, scored.samples) for position, score in named]
        if all_readable(workspace, [item.position for item in chosen]):
            return Choice(chosen, seconds=time.perf_counter() - began)


def _candidates(workspace: Workspace, round_number: int) -> Tensor:
    """The positions to choose from: all unasked ones, or as many of them, drawn anew, as the settings say."""
    unasked, count = torch.tensor(workspace.store.unasked(), dtype=torch.int64), workspace.settings.candidates
    if count is None or count >= len(unasked):
        return unasked
    return unasked[uniform_split(len(unasked), count, generator=workspace.generator("candidates", round_number))]


class _Scored(NamedTuple):
    """Positions [n] whose image can be read, the best of the pool among them, and their scores [n], from T samples each."""

    positions: Tensor
    scores: Scores
    samples: int | None


def _scored(workspace: Workspace, strategy: Strategy, positions: Tensor, round_number: int, notify: Notify) -> _Scored:
    """Score by the last round's network, adaptively where the settings say so."""
    assert strategy.posterior is not None, "a strategy without posterior scores nothing"
    settings, unreadable = workspace.settings, dict[int, str]()
    model = load_round(workspace, round_number - 1)
    posterior = posterior_of(workspace, model, strategy.posterior, round_number)
    if settings.samples == ADAPTIVE and isinstance(posterior, MCDropout):
        score = partial(score_adaptively, posterior, k=settings.query, first_precision=settings.rough_precision)
    else:
        score = partial(score_pool, posterior)
    found = score(
        workspace.pool,
        positions,
        ACQUISITIONS[strategy.acquisition],
        classes=len(settings.classes),
        memory_bytes=settings.memory_mb * MIB,
        progress=workspace.progress(notify, "score", round_number),
        set_aside=unreadable.update,
    )
    set_aside(workspace, unreadable)
    if isinstance(found, AdaptiveScores):
        return _Scored(positions[found.entries], found.scores, found.samples)
    readable = ~found.isnan()
    return _Scored(positions[readable], found[readable], posterior.samples)


def fit_of_round(workspace: Workspace, round_number: int, notify: Notify) -> RoundFit:
    """The fit of the recipe's network to all labels so far, for somebody to do."""
    settings = workspace.settings
    train, validation = labelled_so_far(workspace, round_number)
    recipe, start = _recipe_of_round(workspace, round_number)
    seed, progress = derive_seed(settings.seed, "fit", round_number), workspace.progress(notify, "fit", round_number)
    return RoundFit(
        round_number, TuningRequest(recipe, train, validation, len(settings.classes), seed, start, progress)
    )


def measured(workspace: Workspace, wanted: RoundFit, outcome: Outcome | None, notify: Notify) -> RoundRecord:
    """Write the network's weights to disk, and measure it on the test images. Raises the error that stands in its place."""
    if isinstance(outcome, NonFiniteError):
        raise outcome
    assert outcome is not None, "a fit has an outcome"
    file = Path("models") / f"round-{wanted.round:04d}.safetensors"
    (workspace.directory / "models").mkdir(exist_ok=True)
    digest = replace_file(workspace.directory / file, partial(_save, outcome.model))
    predictive, labels, groups = predict_test(workspace, outcome.model, wanted.round, notify)
    return RoundRecord(
        round=wanted.round,
        labels=len(wanted.request.train.labels) + len(wanted.request.validation.labels),
        seconds_fit=outcome.seconds,
        model_file=file.as_posix(),
        model_hash=digest,
        metrics={**evaluate(predictive, labels)._asdict(), "weight_decay": outcome.weight_decay},
        details=json.dumps(details(predictive, labels, groups).as_json()),
    )


class Predicted(NamedTuple):
    """Predictive log-probabilities [N, C] of the test images that can be read, their labels [N] and, if there are any, groups."""

    log_probs: Tensor
    labels: Tensor
    groups: tuple[str, ...] | None


def predict_test(workspace: Workspace, model: nn.Module, round_number: int, notify: Notify) -> Predicted:
    """Predict the test images by the settings' way of evaluating; those that cannot be read are left out, the same ones every time."""
    settings, test, unreadable = workspace.settings, workspace.test, dict[int, str]()
    predictive = predict_log_probs(
        posterior_of(workspace, model, settings.evaluation, round_number),
        test.images,
        torch.arange(len(test.images)),
        classes=len(settings.classes),
        memory_bytes=settings.memory_mb * MIB,
        progress=workspace.progress(notify, "evaluate", round_number),
        set_aside=unreadable.update,
    )
    remember_test(workspace, unreadable)
    entries = (~predictive.isnan().any(dim=1)).nonzero().flatten()
    groups = None if test.groups is None else tuple(test.groups[entry] for entry in entries.tolist())
    return Predicted(predictive[entries], test.labels[entries], groups)


def labelled_so_far(workspace: Workspace, round_number: int) -> tuple[LabelledBatch, LabelledBatch]:
    """The labelled training and validation images up to a round, in the order they were asked; those set aside are left out."""
    store = workspace.store
    labels, quarantined = store.labels(), store.quarantined()
    answered = [
        asked
        for asked in store.asked(up_to=round_number)
        if asked.position in labels and asked.position not in quarantined
    ]

    def batch(role: str) -> LabelledBatch:
        positions = [asked.position for asked in answered if asked.role == role]
        indices = class_indices([labels[position] for position in positions], workspace.settings.classes)
        read = read_images(workspace.pool, torch.tensor(positions, dtype=torch.int64), partial(set_aside, workspace))
        return LabelledBatch(read.images, torch.tensor(indices, dtype=torch.int64)[read.entries])

    return batch("pool"), batch("validation")


def answers_of(oracle: Oracle, ids: Sequence[str], classes: Sequence[str]) -> list[str]:
    """The oracle's answers, checked before anything is recorded: one for each id, each the name of a class."""
    answers = list(oracle.answer(ids))
    if len(answers) != len(ids):
        raise UsageError(f"expected one answer for each of {len(ids)} items, found {len(answers)}; check the oracle.")
    for answer in answers:
        if not isinstance(answer, str):
            raise UsageError(
                f"expected class names as answers, found {answer!r}; the classes are {', '.join(classes)}."
            )
    class_indices(answers, classes)
    return answers


def class_indices(names: Sequence[str], classes: Sequence[str]) -> list[int]:
    """Class names as indices; UnknownNameError for a name that is not a class."""
    index = {name: number for number, name in enumerate(classes)}
    for name in names:
        if name not in index:
            raise UnknownNameError("class", name, classes)
    return [index[name] for name in names]


def posterior_of(workspace: Workspace, model: nn.Module, kind: str, round_number: int) -> Posterior:
    """The network's MC-dropout posterior, or the network itself as a point."""
    settings = workspace.settings
    if kind == "point":
        return Point(model, precision=settings.recipe.precision)
    seed = derive_seed(settings.seed, "masks", round_number)
    return MCDropout(model, samples=settings.full_samples, seed=seed, precision=settings.recipe.precision)


def load_round(workspace: Workspace, round_number: int) -> nn.Module:
    """The network of a committed round, from its file; CampaignStateError when the file is not what was committed."""
    settings = workspace.settings
    record = workspace.store.round_records()[round_number]
    path = workspace.directory / record.model_file
    if not path.is_file() or file_hash(path) != record.model_hash:
        raise CampaignStateError(
            f"expected the weights of round {round_number} in {path} as they were committed, found "
            f"{'other content' if path.is_file() else 'no file'}; restore the campaign's directory from a backup."
        )
    device = torch.device(settings.recipe.device)
    with seeded(0, device):  # the fresh weights are overwritten; the caller's random state is left alone
        model = new_model(settings.recipe, workspace.pool.image_shape, len(settings.classes))
    load_model(model, path)
    return model.to(device).eval()


def _recipe_of_round(workspace: Workspace, round_number: int) -> tuple[Recipe, dict[str, Tensor] | None]:
    """The recipe with last round's weight decay between two tunings, and last round's weights for a warm start."""
    recipe = workspace.settings.recipe
    start = load_round(workspace, round_number - 1).state_dict() if recipe.warm_start and round_number > 0 else None
    decay = recipe.weight_decay
    if decay.tune and round_number % decay.tune_every != 0:
        value = workspace.store.round_records()[round_number - 1].metrics["weight_decay"]
        assert value is not None, "every round records its weight decay"
        recipe = with_decay(recipe, value)
    return recipe, start


def _save(model: nn.Module, path: Path) -> None:
    try:
        save_model(model, str(path))
    except SafetensorError as error:
        raise OSError(f"the weights could not be written to {path} ({error})") from error

"""The loop: ask, learn, classify the test images, again."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, final

import numpy as np
from jaxtyping import Float, Float64, Int

from askwell.baselines.mbr.bandwidth import spanning_tree_bandwidth
from askwell.baselines.mbr.classify import class_mass_factors, label_frequencies
from askwell.baselines.mbr.field import UNLABELLED, HarmonicField, checked_prior
from askwell.baselines.mbr.graph import Features, check_features, gaussian_graph, neighbour_shares
from askwell.baselines.mbr.risk import lowest_expected_risk, risk
from askwell.errors import SettingsError, ShapeError

Oracle = Callable[[Int[np.ndarray, " k"]], Sequence[int]]  # positions among the training images -> their classes
# field, how many to ask about, generator for ties -> positions among the training images, best first
Choose = Callable[[HarmonicField, int, np.random.Generator], Int[np.ndarray, " k"]]


@final
@dataclass(frozen=True)
class Settings:
    """How the field is built and asked.

    classes      C; labels are 0 ... C - 1
    query        questions in a round; 1 is Zhu's, more ask the best few together
    neighbours   k of the graph; None for a dense one
    bandwidth    sigma; None for ``spanning_tree_bandwidth`` of the training images that have no label at the start
    proportions  the classes' proportions for class-mass normalisation; None for those of the initial labels, each class counted once
                 more. Zhu, Ghahramani and Lafferty (2003) take those of all labels, but how often a class was asked about says how
                 hard it is, not how common
    """

    classes: int = 2
    query: int = 1
    neighbours: int | None = 10
    bandwidth: float | None = None
    proportions: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        if self.classes < 2 or self.query < 1:
            raise SettingsError(
                f"expected at least 2 classes and 1 question a round, found {self.classes} and {self.query}; set both."
            )
        if self.proportions is not None:
            checked_prior(self.proportions, self.classes)


class Round(NamedTuple):
    """What is known after a round; round 0 is the initial labels.

    asked         positions of the training images asked about in this round, best first
    labels        how many labels are known
    risk          the errors the field expects among the unlabelled training images
    transductive  the test images' classes, from a field over training and test images
    inductive     the test images' classes, from the training images' field alone
    """

    asked: Int[np.ndarray, " k"]
    labels: int
    risk: float
    transductive: Int[np.ndarray, " M"]
    inductive: Int[np.ndarray, " M"]


def ask(
    train: Features,
    test: Float[np.ndarray, "M D"],
    *,
    initial: Sequence[int],
    oracle: Oracle,
    settings: Settings,
    generator: np.random.Generator,
    choose: Choose = lowest_expected_risk,
) -> Iterator[Round]:
    """Ask the oracle for the initial labels, then for ``settings.query`` at a time until none is left; yields after each round.

    train [N, D], test [M, D], M may be 0. Questions come from the field over the training images alone: test images are neither
    candidates nor in the risk, nor in the bandwidth. ``transductive`` solves a second field over both, with the class masses of all its
    unlabelled nodes; ``inductive`` is the shares-weighted mean of the training images' f, with the class masses of those.
    Of equal classes the first is answered. Stop whenever you have enough (``itertools.islice``). Memory 8 N^2 + 8 (N + M)^2
    bytes; N^3 + (N + M)^3 operations once, 6 C N^2 for a look-ahead, 2 N^2 + 2 (N + M)^2 for a label.

    Raises, at the first round asked for, ShapeError for initial positions that repeat or do not exist, ShapeError for answers that
    are no classes, and what the graph and the field raise. Zhu, Lafferty and Ghahramani (2003).
    """
    labels = _initial_labels(train, initial, oracle, settings.classes)
    unlabelled = train[labels == UNLABELLED]
    bandwidth = spanning_tree_bandwidth(unlabelled) if settings.bandwidth is None else settings.bandwidth
    weights = gaussian_graph(train, bandwidth=bandwidth, neighbours=settings.neighbours)
    field = HarmonicField(weights, labels, settings.classes)
    answers = _TestAnswers(train, test, field, bandwidth, settings)
    asked = np.asarray(initial, dtype=np.int64)
    while True:
        yield Round(asked, int((field.labels != UNLABELLED).sum()), risk(field), *answers.classes(field))
        asked = choose(field, settings.query, generator)
        if len(asked) == 0:
            return
        for position, label in zip(asked.tolist(), _answers(oracle, asked, settings.classes), strict=True):
            field.learn(position, label)
            answers.learn(position, label)


@final
class _TestAnswers:
    """The test images' classes by both ways, kept up with what the training images' field learns."""

    def __init__(
        self,
        train: Features,
        test: Float[np.ndarray, "M D"],
        field: HarmonicField,
        bandwidth: float,
        settings: Settings,
    ) -> None:
        self._proportions = (
            label_frequencies(field.labels, settings.classes)
            if settings.proportions is None
            else np.asarray(settings.proportions)
        )
        self._shares = neighbour_shares(train, test, bandwidth=bandwidth, neighbours=settings.neighbours)
        self._joint: HarmonicField | None = None
        if len(test):
            both = np.concatenate([train, test.astype(train.dtype)])
            weights = gaussian_graph(both, bandwidth=bandwidth, neighbours=settings.neighbours)
            labels = np.concatenate([field.labels, np.full(len(test), UNLABELLED)])
            self._joint = HarmonicField(weights, labels, settings.classes)

    def learn(self, position: int, label: int) -> None:
        if self._joint is not None:
            self._joint.learn(position, label)

    def classes(self, field: HarmonicField) -> tuple[Int[np.ndarray, " M"], Int[np.ndarray, " M"]]:
        """Transductive and inductive."""
        inductive = (self._shares @ field.values * self._factors(field)).argmax(axis=1)
        if self._joint is None:
            return inductive, inductive
        values = self._joint.values[len(field.labels) :]
        return (values * self._factors(self._joint)).argmax(axis=1), inductive

    def _factors(self, field: HarmonicField) -> Float64[np.ndarray, " C"]:
        return class_mass_factors(field.values[field.unlabelled], self._proportions)


def _initial_labels(train: Features, initial: Sequence[int], oracle: Oracle, classes: int) -> Int[np.ndarray, " N"]:
    check_features(train)
    positions = np.asarray(initial, dtype=np.int64)
    if len(set(initial)) != len(positions) or not ((positions >= 0) & (positions < len(train))).all():
        raise ShapeError(
            f"expected initial positions among {len(train)} training images, each once, found {list(initial)[:20]}; correct them."
        )
    labels = np.full(len(train), UNLABELLED)
    labels[positions] = _answers(oracle, positions, classes)
    return labels


def _answers(oracle: Oracle, positions: Int[np.ndarray, " k"], classes: int) -> list[int]:
    answers = [int(answer) for answer in oracle(positions)]
    if len(answers) != len(positions) or not all(0 <= answer < classes for answer in answers):
        raise ShapeError(
            f"expected one class from 0 to {classes - 1} for each of {len(positions)} images, found {answers[:20]}; "
            "have the oracle answer every question."
        )
    return answers

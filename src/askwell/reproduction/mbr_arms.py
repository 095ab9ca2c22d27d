"""Figure 3's arms on a graph: MBR on pixels, MBR on what a network sees, and MBR as the paper's code has it.

    mbr           the harmonic field on pixels; two curves, transductive (mbr) and inductive (mbr_inductive)
    mbr_cnn       each round a network is trained on the labels so far, and the field is built on its last hidden layer; two curves
    mbr_authors   questions by the code's departures, and a network, trained on their answers each round, classifies

An arm yields its rounds without end, or until every node is labelled. It goes on after the queries of rounds already run (round 0: the
initial nodes) by running the last of them again; ``mbr`` begins anew, which is quicker than restoring its field.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from askwell.baselines.mbr.asking import Choose, Settings, ask
from askwell.baselines.mbr.bandwidth import spanning_tree_bandwidth
from askwell.baselines.mbr.classify import label_frequencies
from askwell.baselines.mbr.departures import departing
from askwell.baselines.mbr.field import UNLABELLED, HarmonicField
from askwell.baselines.mbr.graph import gaussian_graph
from askwell.campaign.campaign import resolved
from askwell.campaign.seeds import derive_seed
from askwell.campaign.settings import ExperimentSettings
from askwell.learning.supervised import fit
from askwell.posterior.point import Point
from askwell.reproduction.pair_graph import PairNodes
from askwell.scoring.evaluation import evaluate

Nodes = tuple[int, ...]


class ArmRound(NamedTuple):
    """The nodes asked about (round 0: the initial ones), and the accuracy of each of the arm's curves by name.

    seconds_fit is the network's training, seconds_score all else.
    """

    number: int
    asked: Nodes
    accuracy: Mapping[str, float]
    seconds_fit: float
    seconds_score: float


class Step(NamedTuple):
    """What a round found, and the nodes to ask next."""

    accuracy: Mapping[str, float]
    next: Nodes
    seconds_fit: float
    seconds_score: float


Arm = Callable[[PairNodes, ExperimentSettings, int, Sequence[Nodes]], Iterator[ArmRound]]


def mbr(nodes: PairNodes, settings: ExperimentSettings, seed: int, queries: Sequence[Nodes]) -> Iterator[ArmRound]:
    """The field on pixels; ``queries`` are not looked at."""
    began = time.perf_counter()
    rounds = ask(
        _flat(nodes.images),
        _flat(nodes.test_images),
        initial=nodes.initial,
        oracle=lambda positions: nodes.labels[positions].tolist(),
        settings=Settings(query=settings.query),
        generator=_generator(seed, 0),
    )
    for number, each in enumerate(rounds):
        accuracy = _both_ways(nodes, "mbr", each.transductive, each.inductive)
        seconds, began = time.perf_counter() - began, time.perf_counter()
        yield ArmRound(number, tuple(each.asked.tolist()), accuracy, 0.0, seconds)


def mbr_cnn(nodes: PairNodes, settings: ExperimentSettings, seed: int, queries: Sequence[Nodes]) -> Iterator[ArmRound]:
    """The field on the hidden units of the round's network. The classes' proportions are those of the initial labels throughout."""
    proportions = tuple(label_frequencies(_labels(nodes, nodes.initial), len(nodes.classes)).tolist())

    def step(number: int, known: Nodes) -> Step:
        began = time.perf_counter()
        model = _trained(nodes, settings, known, seed, number)
        fitted = time.perf_counter()
        rounds = ask(
            _hidden(model, nodes.images),
            _hidden(model, nodes.test_images),
            initial=known,
            oracle=lambda positions: nodes.labels[positions].tolist(),
            settings=Settings(query=settings.query, proportions=proportions),
            generator=_generator(seed, number),
        )
        now, after = next(rounds), next(rounds, None)
        accuracy = _both_ways(nodes, "mbr_cnn", now.transductive, now.inductive)
        asked = () if after is None else tuple(after.asked.tolist())
        return Step(accuracy, asked, fitted - began, time.perf_counter() - fitted)

    return _stepwise(nodes, queries, step)


def mbr_authors(
    nodes: PairNodes, settings: ExperimentSettings, seed: int, queries: Sequence[Nodes]
) -> Iterator[ArmRound]:
    """Questions by the departures of the paper's code; the round's network classifies, its weights scaled."""
    choose = departing(_flat(nodes.images), nodes.labels.tolist())
    return _stepwise(nodes, queries, _authors_step(nodes, settings, seed, choose))


MBR_ARMS: Mapping[str, Arm] = {"mbr": mbr, "mbr_cnn": mbr_cnn, "mbr_authors": mbr_authors}


def _authors_step(
    nodes: PairNodes, settings: ExperimentSettings, seed: int, choose: Choose
) -> Callable[[int, Nodes], Step]:
    pixels = _flat(nodes.images)
    graph = gaussian_graph(pixels, bandwidth=spanning_tree_bandwidth(pixels))  # only the field's labels are read

    def step(number: int, known: Nodes) -> Step:
        began = time.perf_counter()
        model = _trained(nodes, settings, known, seed, number)
        fitted = time.perf_counter()
        predictive = Point(model).log_probs(nodes.test_images)[:, 0].double()
        accuracy = {"mbr_authors": evaluate(predictive, nodes.test_labels).accuracy}
        field = HarmonicField(graph, _labels(nodes, known), len(nodes.classes))
        asked = tuple(choose(field, settings.query, _generator(seed, number)).tolist())
        return Step(accuracy, asked, fitted - began, time.perf_counter() - fitted)

    return step


def _stepwise(nodes: PairNodes, queries: Sequence[Nodes], step: Callable[[int, Nodes], Step]) -> Iterator[ArmRound]:
    so_far = list(queries) or [nodes.initial]
    while True:
        known = tuple(node for query in so_far for node in query)
        found = step(len(so_far) - 1, known)
        yield ArmRound(len(so_far) - 1, so_far[-1], found.accuracy, found.seconds_fit, found.seconds_score)
        if not found.next:
            return
        so_far.append(found.next)


def _trained(nodes: PairNodes, settings: ExperimentSettings, known: Nodes, seed: int, number: int) -> nn.Module:
    """The recipe's network on those labels, from the seed of the campaigns' networks of that round."""
    positions = torch.tensor(known)
    return fit(
        resolved(settings.recipe),
        nodes.images[positions],
        torch.from_numpy(nodes.labels)[positions],
        classes=len(nodes.classes),
        seed=derive_seed(seed, "fit", number),
    )


@torch.no_grad()
def _hidden(model: nn.Module, images: Tensor) -> np.ndarray:
    """The units before the last dropout and dense layer [N, H], without dropout."""
    layers = nn.Sequential(*list(model.children())[:-2])
    device = next(model.parameters()).device
    return torch.cat([layers(part.to(device)).float().cpu() for part in images.split(256)]).numpy()


def _labels(nodes: PairNodes, known: Nodes) -> np.ndarray:
    labels = np.full(len(nodes.labels), UNLABELLED)
    labels[list(known)] = nodes.labels[list(known)]
    return labels


def _both_ways(nodes: PairNodes, name: str, transductive: np.ndarray, inductive: np.ndarray) -> dict[str, float]:
    truth = nodes.test_labels.numpy()
    return {
        name: float((transductive == truth).mean()),
        f"{name}_inductive": float((inductive == truth).mean()),
    }


def _flat(images: Tensor) -> np.ndarray:
    return images.flatten(1).numpy()


def _generator(seed: int, number: int) -> np.random.Generator:
    return np.random.default_rng(derive_seed(seed, "graph ties", number))

"""Run one arm of MBR with one seed into a directory, round by round; killed anywhere, it goes on."""

import itertools
from pathlib import Path

import torch

from askwell.campaign.data import dataset_of
from askwell.campaign.settings import ExperimentSettings
from askwell.report.curves import CurvePoint, QueryRow, read_curve, read_queries, write_curve, write_queries
from askwell.reproduction.arm_settings import ARM_FILE, check_arm, write_arm
from askwell.reproduction.mbr_arms import MBR_ARMS, ArmRound, Nodes
from askwell.reproduction.pair_graph import PairNodes, pair_nodes
from askwell.store.lock import exclusive


def run_arm(directory: Path, settings: ExperimentSettings, name: str, seed: int, nodes: int) -> None:
    """Rounds 0 to ``settings.rounds`` into curve.csv and queries.csv, replaced after each; nothing where all are there.

    settings are the experiment's, its pair of classes among them. Raises SettingsError where the directory was begun with others,
    CampaignBusyError when another process runs this arm.
    """
    directory.mkdir(parents=True, exist_ok=True)
    with exclusive(directory):
        if (directory / ARM_FILE).exists():
            check_arm(directory, settings, nodes)
        else:
            write_arm(directory, settings, name, nodes, torch.get_num_threads())
        _run_rounds(directory, settings, name, seed, nodes)


def _run_rounds(directory: Path, settings: ExperimentSettings, name: str, seed: int, nodes: int) -> None:
    curve = read_curve(directory / "curve.csv") if (directory / "curve.csv").exists() else []
    if curve and max(point.round for point in curve) >= settings.rounds:
        return
    data = dataset_of(settings, directory)
    assert data is not None, "an experiment names its data set"
    pair = pair_nodes(data, nodes=nodes, initial=settings.initial, seed=seed)
    queries = read_queries(directory / "queries.csv") if curve else []
    arm = MBR_ARMS[name](pair, settings, seed, _asked(pair, queries))
    for found in itertools.takewhile(lambda found: found.number <= settings.rounds, arm):
        curve = [point for point in curve if point.round < found.number] + _points(pair, found, curve, seed)
        queries = [row for row in queries if row.round < found.number] + _rows(pair, found, name, seed)
        write_queries(directory / "queries.csv", queries)
        write_curve(directory / "curve.csv", curve)
        if found.number == settings.rounds:
            return


def _asked(pair: PairNodes, rows: list[QueryRow]) -> list[Nodes]:
    """The nodes of each round so far."""
    place = {item: node for node, item in enumerate(pair.ids)}
    last = max((row.round for row in rows), default=-1)
    return [tuple(place[row.id] for row in rows if row.round == number) for number in range(last + 1)]


def _points(pair: PairNodes, found: ArmRound, before: list[CurvePoint], seed: int) -> list[CurvePoint]:
    """One point for each of the arm's curves; the seconds are the first one's, so that they are not counted twice."""
    labels = (
        len(pair.initial)
        if found.number == 0
        else len(found.asked) + max(point.labels for point in before if point.round == found.number - 1)
    )
    first = next(iter(found.accuracy))
    return [
        CurvePoint(
            strategy=name,
            seed=seed,
            round=found.number,
            labels=labels,
            accuracy=accuracy,
            seconds_fit=found.seconds_fit if name == first else None,
            seconds_score=found.seconds_score if name == first else None,
        )
        for name, accuracy in found.accuracy.items()
    ]


def _rows(pair: PairNodes, found: ArmRound, name: str, seed: int) -> list[QueryRow]:
    return [
        QueryRow(name, seed, found.number, rank, pair.ids[node], pair.classes[pair.labels[node]])
        for rank, node in enumerate(found.asked)
    ]

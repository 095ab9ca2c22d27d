"""Figure 3's arms on a graph: the same start as the networks, and the same end however often they were stopped."""

from pathlib import Path

import numpy as np
import pytest
import torch
from reproduction_small import small_plan

from askwell.baselines.mbr.asking import Settings, ask
from askwell.campaign.data import dataset_of
from askwell.errors import SettingsError
from askwell.report.curves import read_curve, read_queries
from askwell.reproduction import mbr_running
from askwell.reproduction.mbr_arms import MBR_ARMS, _generator
from askwell.reproduction.mbr_running import run_arm
from askwell.reproduction.pair_graph import pair_nodes
from askwell.reproduction.running import Places, reproduce

PLAN = small_plan("figure3-code", strategy=("random",), pairs=("2v8",))
(CASE,) = PLAN.cases()
NODES = 60


@pytest.fixture(scope="module")
def data():
    return dataset_of(CASE.settings, Path())


@pytest.fixture(scope="module")
def nodes(data):
    return pair_nodes(data, nodes=NODES, initial=20, seed=0)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The plan's campaigns and arms, run to their end."""
    place = tmp_path_factory.mktemp("pair")
    reproduce([PLAN], [], Places(place / "runs", place / "results"), workers=1, notify=lambda headway: None)
    return place


def test_the_nodes_are_sorted_by_class_and_know_their_labels(data, nodes):
    assert len(nodes.ids) == len(set(nodes.ids)) == NODES
    assert nodes.labels.tolist() == sorted(nodes.labels.tolist())
    assert nodes.classes == ("2", "8")
    assert [nodes.classes[label] for label in nodes.labels] == data.oracle.answer(nodes.ids)
    for label in (0, 1):
        own = [item for item, each in zip(nodes.ids, nodes.labels, strict=True) if each == label]
        assert own == sorted(own)  # the pool's order
    position = data.pool.ids.position(nodes.ids[7])
    assert torch.equal(nodes.images[7], data.pool.images(torch.tensor([position]))[0] / 255)


def test_a_small_pool_is_taken_whole_and_seeds_differ(data):
    every = pair_nodes(data, nodes=10_000, initial=20, seed=0)
    assert len(every.ids) == len(data.pool)
    assert (
        pair_nodes(data, nodes=NODES, initial=20, seed=1).ids != pair_nodes(data, nodes=NODES, initial=20, seed=0).ids
    )


def test_all_arms_begin_with_the_labels_of_the_campaigns(whole):
    def initial(name: str) -> list[str]:
        rows = read_queries(whole / "runs/figure3-code/2v8" / name / "seed-0/queries.csv")
        return [row.id for row in rows if row.round == 0]

    assert len(initial("random")) == 20
    assert [initial(name) for name in MBR_ARMS] == [initial("random")] * len(MBR_ARMS)


def test_the_results_hold_networks_and_both_readings_of_each_field(whole):
    points = read_curve(whole / "results/figure3/code-2v8/curve.csv")
    names = ["random", "mbr", "mbr_inductive", "mbr_cnn", "mbr_cnn_inductive", "mbr_authors"]
    assert list(dict.fromkeys(point.strategy for point in points)) == names
    for name in names:
        assert [point.labels for point in points if point.strategy == name] == [20, 25, 30]


def test_every_label_is_the_oracles_and_no_item_is_asked_twice(whole, data):
    for name in MBR_ARMS:
        rows = read_queries(whole / "runs/figure3-code/2v8" / name / "seed-0/queries.csv")
        ids = [row.id for row in rows]
        assert len(set(ids)) == len(ids) == 30
        assert [row.label for row in rows] == data.oracle.answer(ids)


def test_mbr_is_the_baselines_own_loop(nodes):
    flat = nodes.images.flatten(1).numpy()
    rounds = ask(
        flat,
        nodes.test_images.flatten(1).numpy(),
        initial=nodes.initial,
        oracle=lambda positions: nodes.labels[positions].tolist(),
        settings=Settings(query=5),
        generator=_generator(0, 0),
    )
    arm = MBR_ARMS["mbr"](nodes, CASE.settings, 0, ())
    for number in range(3):
        expected, found = next(rounds), next(arm)
        assert found.asked == tuple(expected.asked.tolist())
        assert found.accuracy["mbr"] == np.mean(expected.transductive == nodes.test_labels.numpy())
        assert found.accuracy["mbr_inductive"] == np.mean(expected.inductive == nodes.test_labels.numpy())
        assert found.number == number


@pytest.mark.parametrize("name", MBR_ARMS)
def test_stopped_in_between_it_arrives_at_the_same(whole, tmp_path, name):
    begun = CASE.settings.model_copy(update={"rounds": 1})
    run_arm(tmp_path, begun, name, 0, PLAN.extra.mbr_nodes)
    run_arm(tmp_path, CASE.settings, name, 0, PLAN.extra.mbr_nodes)
    expected = whole / "runs/figure3-code/2v8" / name / "seed-0"
    assert (tmp_path / "queries.csv").read_bytes() == (expected / "queries.csv").read_bytes()
    found, wanted = read_curve(tmp_path / "curve.csv"), read_curve(expected / "curve.csv")
    assert [(p.strategy, p.round, p.labels, p.accuracy) for p in found] == [
        (p.strategy, p.round, p.labels, p.accuracy) for p in wanted
    ]


def test_what_is_finished_is_not_done_again(whole, monkeypatch):
    monkeypatch.setattr(mbr_running, "dataset_of", None)
    run_arm(whole / "runs/figure3-code/2v8/mbr/seed-0", CASE.settings, "mbr", 0, PLAN.extra.mbr_nodes)


def test_other_settings_are_refused(whole):
    with pytest.raises(SettingsError, match="begun with, found another nodes; put them back"):
        run_arm(whole / "runs/figure3-code/2v8/mbr/seed-0", CASE.settings, "mbr", 0, 999)


def test_an_arm_ends_when_every_node_is_labelled(data):
    few = pair_nodes(data, nodes=24, initial=20, seed=0)
    for name in ("mbr", "mbr_authors"):
        rounds = list(MBR_ARMS[name](few, CASE.settings, 0, ()))
        assert [len(each.asked) for each in rounds] == [20, 4]

"""The loop: what it asks, in which order, what it answers on test images, and what it must not look at."""

import itertools

import numpy as np
import pytest
import torch
from mbr_oracle import blobs
from torch import nn

from askwell.baselines.mbr.asking import Settings, ask
from askwell.baselines.mbr.bandwidth import spanning_tree_bandwidth
from askwell.baselines.mbr.classify import class_mass_factors, label_frequencies
from askwell.baselines.mbr.field import HarmonicField
from askwell.baselines.mbr.graph import gaussian_graph, neighbour_shares
from askwell.baselines.mbr.risk import at_random, lowest_expected_risk, risk
from askwell.errors import NonFiniteError, SettingsError, ShapeError
from askwell.pool.datasets import load_dataset

TRAIN, CLASSES = blobs(0, 25, [[0, 0, 0], [4, 0, 0], [0, 4, 0]])
TEST, TEST_CLASSES = blobs(1, 10, [[0, 0, 0], [4, 0, 0], [0, 4, 0]])
THREE = Settings(classes=3, neighbours=5)


def oracle(positions):
    return CLASSES[positions].tolist()


def rounds(count, *, train=TRAIN, test=TEST, settings=THREE, answers=oracle, initial=(0, 30, 60), seed=0, **others):
    generator = np.random.default_rng(seed)
    asking = ask(train, test, initial=initial, oracle=answers, settings=settings, generator=generator, **others)
    return list(itertools.islice(asking, count))


def test_every_round_is_what_building_it_anew_from_its_labels_gives():
    generator = np.random.default_rng(0)
    labels, both = np.full(75, -1), np.concatenate([TRAIN, TEST])
    initial = [0, 1, 30, 60]  # class 0 twice: its proportion stays 3 / 7, whatever is asked later
    labels[initial] = CLASSES[initial]
    wanted = label_frequencies(labels, 3)
    sigma = spanning_tree_bandwidth(TRAIN[labels < 0])
    for found in rounds(6, settings=Settings(classes=3, neighbours=5, query=2), initial=initial):
        if found.labels > 4:
            again = HarmonicField(gaussian_graph(TRAIN, bandwidth=sigma, neighbours=5), labels, 3)
            assert found.asked.tolist() == lowest_expected_risk(again, 2, generator).tolist()
        labels[found.asked] = CLASSES[found.asked]
        field = HarmonicField(gaussian_graph(TRAIN, bandwidth=sigma, neighbours=5), labels, 3)
        joint_labels = np.concatenate([labels, np.full(30, -1)])
        joint = HarmonicField(gaussian_graph(both, bandwidth=sigma, neighbours=5), joint_labels, 3)
        assert found.labels == (labels >= 0).sum()
        assert found.risk == pytest.approx(risk(field))
        joint_factors = class_mass_factors(joint.values[joint.unlabelled], wanted)
        assert (found.transductive == (joint.values[75:] * joint_factors).argmax(axis=1)).all()
        shares = neighbour_shares(TRAIN, TEST, bandwidth=sigma, neighbours=5)
        factors = class_mass_factors(field.values[field.unlabelled], wanted)
        assert (found.inductive == (shares @ field.values * factors).argmax(axis=1)).all()


def test_blobs_are_told_apart_with_one_label_each():
    first = rounds(1)[0]
    assert first.asked.tolist() == [0, 30, 60]
    assert first.transductive.tolist() == first.inductive.tolist() == TEST_CLASSES.tolist()


def test_all_is_asked_once_and_then_it_ends():
    done = rounds(1000, settings=Settings(classes=3, neighbours=5, query=10))
    assert sorted(np.concatenate([each.asked for each in done]).tolist()) == list(range(75))
    assert [each.labels for each in done] == [3, 13, 23, 33, 43, 53, 63, 73, 75]
    assert done[-1].risk == 0.0
    assert done[-1].inductive.tolist() == TEST_CLASSES.tolist()


def test_test_images_change_no_question_and_their_order_no_answer():
    some = rounds(5)
    others = rounds(5, test=TEST[::-1] + 0.0)
    without = rounds(5, test=np.zeros((0, 3)))
    for one, other, none in zip(some, others, without, strict=True):
        assert one.asked.tolist() == other.asked.tolist() == none.asked.tolist()
        assert one.risk == other.risk == none.risk
        assert one.transductive.tolist() == other.transductive.tolist()[::-1]
        assert one.inductive.tolist() == other.inductive.tolist()[::-1]
        assert len(none.transductive) == len(none.inductive) == 0


def test_the_inductive_answer_to_one_image_does_not_depend_on_the_others():
    for whole, part in zip(rounds(3), rounds(3, test=TEST[7:8]), strict=True):
        assert whole.inductive[7] == part.inductive[0]


def test_only_labels_that_were_asked_for_are_looked_at():
    questions = []

    def watched(positions):
        questions.append(positions.tolist())
        return oracle(positions)

    done = rounds(4, answers=watched)
    assert questions == [each.asked.tolist() for each in done]


def test_the_same_generator_gives_the_same_and_random_questions_another_each():
    assert [r.asked.tolist() for r in rounds(5, seed=3)] == [r.asked.tolist() for r in rounds(5, seed=3)]
    first, other = (rounds(5, seed=seed, choose=at_random) for seed in (0, 1))
    assert [r.asked.tolist() for r in first[1:]] != [r.asked.tolist() for r in other[1:]]


def test_known_proportions_are_those_of_the_answers():
    values = {}
    for name, proportions in {"mostly 0": (0.998, 0.001, 0.001), "mostly 2": (0.001, 0.001, 0.998)}.items():
        spread = TEST + np.random.default_rng(5).normal(0, 2, TEST.shape)
        values[name] = rounds(1, test=spread, settings=Settings(classes=3, neighbours=None, proportions=proportions))[0]
    assert (values["mostly 0"].inductive == 0).sum() > (values["mostly 2"].inductive == 0).sum()
    assert (values["mostly 0"].transductive == 2).sum() < (values["mostly 2"].transductive == 2).sum()


def test_a_network_s_features_make_the_cnn_version():
    images = torch.rand(40, 1, 8, 8, generator=torch.Generator().manual_seed(0)).double() * 0.2
    images[20:, :, 4:] += 0.8  # class 1 is bright below
    classes = [0] * 20 + [1] * 20
    layers = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(36, 12)).double()
    for number, parameter in enumerate(layers.parameters()):
        parameter.data = torch.randn(parameter.shape, generator=torch.Generator().manual_seed(number)).double()
    features = layers(images).detach().numpy()
    done = rounds(
        3,
        train=features[::2],
        test=features[1::2],
        initial=(0, 19),
        answers=lambda positions: [classes[2 * position] for position in positions],
        settings=Settings(neighbours=4),
    )
    assert done[-1].transductive.tolist() == done[-1].inductive.tolist() == classes[1::2]


def test_two_digits_are_told_apart_with_four_labels(askwell_data):
    data = load_dataset("mnist", data_dir=askwell_data)
    chosen = [torch.nonzero((labels == 2) | (labels == 8))[:, 0] for labels in (data.oracle.labels, data.test.labels)]
    pool, test = chosen[0][:600], chosen[1][:200]
    truth = (data.oracle.labels[pool] == 8).long().numpy()
    wanted = (data.test.labels[test] == 8).long().numpy()
    initial = np.concatenate([np.flatnonzero(truth == digit)[:2] for digit in (0, 1)]).tolist()
    train_features = data.pool.images(pool).flatten(1).double().numpy() / 255
    test_features = data.test.images.images(test).flatten(1).double().numpy() / 255
    done = rounds(
        20,
        train=train_features,
        test=test_features,
        initial=initial,
        answers=lambda k: truth[k].tolist(),
        settings=Settings(),
    )
    assert (done[-1].transductive == wanted).mean() > 0.94
    assert (done[-1].inductive == wanted).mean() > 0.94


@pytest.mark.parametrize("initial", [(0, 0), (0, 75), (-1, 3)])
def test_initial_positions_that_repeat_or_do_not_exist_are_refused(initial):
    with pytest.raises(ShapeError, match="initial positions among 75"):
        rounds(1, initial=initial)


@pytest.mark.parametrize("answers", [lambda k: [0] * (len(k) - 1), lambda k: [3] * len(k), lambda k: [-1] * len(k)])
def test_answers_that_are_missing_or_no_classes_are_refused(answers):
    with pytest.raises(ShapeError, match="one class from 0 to 2 for each of 3 images"):
        rounds(1, answers=answers)

    def later(positions):
        return oracle(positions) if len(positions) == 3 else answers(positions)

    with pytest.raises(ShapeError, match="one class from 0 to 2 for each of 1 images"):
        rounds(2, answers=later)


@pytest.mark.parametrize("wrong", [{"classes": 1}, {"query": 0}, {"proportions": (0.5, 0.6)}])
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(SettingsError, match="expected"):
        Settings(**wrong)


def test_features_that_are_not_finite_are_refused_wherever_they_are():
    broken = TEST.copy()
    broken[3, 1] = np.nan
    with pytest.raises(NonFiniteError):
        rounds(1, test=broken)
    with pytest.raises(NonFiniteError):
        rounds(1, train=np.concatenate([TRAIN[:-1], broken[3:4]]))

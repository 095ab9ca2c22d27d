"""evaluation.json: read as written, refused with the place of the fault; its reductions against plain loops."""

import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch

from askwell.errors import CampaignStateError
from askwell.report.calibration import ece_curves, reliabilities
from askwell.report.confusion import ConfusedPair, confusions
from askwell.report.curves import CurvePoint
from askwell.report.evaluations import CalibrationBin, RunEvaluation, read_evaluation, read_evaluations
from askwell.scoring.evaluation import details


def measurement(number: int = 0, **changes: Any) -> dict[str, Any]:
    usual = {
        "round": number,
        "items": 4,
        "groups": 2,
        "accuracy_se": 0.2,
        "confusion": [[0, 0, 3], [1, 0, 1]],
        "calibration": [[0, None, None], [4, 0.8, 0.75]],
    }
    return usual | changes


def run(*rounds: dict[str, Any], strategy: str = "bald", seed: int = 0, classes: tuple[str, ...] = ("cat", "dog")):
    return RunEvaluation.model_validate({"strategy": strategy, "seed": seed, "classes": classes, "rounds": rounds})


def written(path: Path, **changes: Any) -> Path:
    content = {"strategy": "bald", "seed": 0, "classes": ["cat", "dog"], "rounds": [measurement()]} | changes
    path.write_text(json.dumps(content))
    return path


def test_what_is_measured_is_what_is_read(tmp_path: Path) -> None:
    generator = torch.Generator().manual_seed(0)
    predictive = torch.randn(50, 3, generator=generator, dtype=torch.float64).log_softmax(-1)
    labels = torch.randint(0, 3, (50,), generator=generator)
    found = details(predictive, labels, [f"{i % 7}" for i in range(50)])
    path = written(tmp_path / "evaluation.json", classes=["a", "b", "c"], rounds=[{"round": 4, **found.as_json()}])
    read = read_evaluation(path)
    part = read.at(4)
    assert part is not None
    assert (part.items, part.groups, part.accuracy_se) == (50, 7, found.accuracy_se)
    assert part.confusion == found.confusion
    assert part.calibration == found.calibration
    assert read.at(3) is None


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"seed": -1}, ["seed", "greater than or equal to 0"]),
        ({"rounds": [measurement(items=5)]}, ["rounds.0", "the counts of confusion in round 0 must add up to 5 items"]),
        ({"rounds": [measurement(calibration=[[3, 0.5, 0.5]])]}, ["the counts of calibration", "4 items"]),
        ({"rounds": [measurement(calibration=[[4, None, 0.5]])]}, ["a bin of round 0 must be fractions"]),
        ({"rounds": [measurement(calibration=[[4, 0.5, 1.5]])]}, ["a bin of round 0 must be fractions"]),
        ({"rounds": [measurement(confusion=[[0, 2, 4]])]}, ["must not name a class beyond the 2 listed"]),
        ({"rounds": [measurement(confusion=[[0, 0, 5], [0, 1, -1]])]}, ["the counts of confusion"]),
        ({"rounds": [measurement(), measurement()]}, ["each round must occur once"]),
        ({"rounds": [measurement(accuracy_se="much")]}, ["rounds.0.accuracy_se"]),
    ],
)
def test_a_fault_is_named(tmp_path: Path, changes: dict[str, Any], words: list[str]) -> None:
    path = written(tmp_path / "evaluation.json", **changes)
    with pytest.raises(CampaignStateError) as caught:
        read_evaluation(path)
    for word in [str(path), "expected a campaign's measurements, found a fault", *words]:
        assert word in str(caught.value)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"strategy": "bald"}', "\ufeffcut"])
def test_another_file_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "evaluation.json"
    path.write_text(content)
    with pytest.raises(CampaignStateError, match="put back a copy of the file"):
        read_evaluation(path)


def test_an_absent_file_is_passed_over(tmp_path: Path) -> None:
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
    written(tmp_path / "new" / "evaluation.json", later="what a later version adds is left alone")
    (found,) = read_evaluations([tmp_path / "old", tmp_path / "new"])
    assert found.strategy == "bald"
    assert found.at(0) is not None


def test_reliability_is_of_all_images_of_all_seeds_at_the_last_round() -> None:
    runs = [
        run(
            measurement(0, calibration=[[4, 0.1, 0.1]]),
            measurement(2, calibration=[[1, 0.2, 0.0], [3, 0.9, 1.0]]),
        ),
        run(measurement(1, calibration=[[3, 0.4, 1 / 3], [0, None, None], [1, 0.6, 1.0]]), seed=1),
        run(measurement(0), strategy="random"),
    ]
    bald, random_ = reliabilities(runs)
    assert (bald.strategy, random_.strategy) == ("bald", "random")
    assert [part.items for part in bald.bins] == [4, 3, 1]  # the empty bins are left out
    assert [part.confidence for part in bald.bins] == pytest.approx([0.35, 0.9, 0.6])
    assert [part.accuracy for part in bald.bins] == pytest.approx([0.25, 1.0, 1.0])
    assert bald.confidence == pytest.approx((0.2 + 3 * 0.9 + 3 * 0.4 + 0.6) / 8)
    assert bald.accuracy == pytest.approx(5 / 8)
    assert random_.bins == (CalibrationBin(4, 0.8, 0.75),)
    assert reliabilities([run()]) == []


def test_ece_over_labels_is_a_mean_where_all_seeds_have_it() -> None:
    points = [CurvePoint("bald", 0, i, 10 * i, 0.5, ece=0.1 * i) for i in range(3)]
    points += [CurvePoint("bald", 1, i, 10 * i, 0.5, ece=None if i == 0 else 0.3) for i in range(4)]
    points += [CurvePoint("random", 0, 0, 10, 0.5)]
    found = ece_curves(points)
    assert list(found) == ["bald"]
    assert found["bald"].labels == (10, 20)
    assert found["bald"].accuracy == pytest.approx((0.2, 0.25))


def test_confused_pairs_by_hand() -> None:
    early = measurement(0, items=10, confusion=[[0, 1, 4], [1, 0, 3], [2, 0, 1], [2, 2, 2]], calibration=[[10, 1, 1]])
    late = measurement(1, items=10, confusion=[[0, 0, 4], [1, 1, 3], [2, 1, 1], [2, 2, 2]], calibration=[[10, 1, 1]])
    (found,) = confusions([run(early, late, classes=("cat", "dog", "owl"))])
    assert found.rounds == (0, 1)
    assert found.pairs == (
        ConfusedPair("owl", "dog", (0.0, 1 / 3)),
        ConfusedPair("cat", "dog", (1.0, 0.0)),
        ConfusedPair("dog", "cat", (1.0, 0.0)),
        ConfusedPair("owl", "cat", (1 / 3, 0.0)),
    )


def test_only_rounds_that_all_seeds_have_are_shown() -> None:
    def of(seed: int, rounds: range) -> RunEvaluation:
        return run(*(measurement(number) for number in rounds), seed=seed)

    assert [found.rounds for found in confusions([of(0, range(9)), of(1, range(8))])] == [(0, 3, 7)]
    assert [found.rounds for found in confusions([of(0, range(1))])] == [(0,)]
    assert confusions([of(0, range(2)), of(1, range(5, 6))]) == []
    assert confusions([run()]) == []


@pytest.mark.parametrize(("classes", "most"), [(20, 9), (21, 10)])
def test_many_classes_show_the_ten_most_confused_pairs(classes: int, most: int) -> None:
    generator = random.Random(classes)
    rounds: list[dict[str, Any]] = []
    total: Counter[tuple[int, int]] = Counter()
    for number in range(3):
        pairs = Counter((generator.randrange(classes), generator.randrange(classes)) for _ in range(3000))
        total += pairs
        triples = [[truth, predicted, count] for (truth, predicted), count in sorted(pairs.items())]
        rounds.append(measurement(number, items=3000, confusion=triples, calibration=[[3000, 1, 1]]))
    names = tuple(f"class {i:02d}" for i in range(classes))
    (found,) = confusions([run(*rounds, classes=names)])
    assert len(found.pairs) <= most
    assert all(pair.truth != pair.predicted for pair in found.pairs)
    if classes > 20:
        wrong = sorted((-n, pair) for pair, n in total.items() if pair[0] != pair[1])[:10]
        assert {(pair.truth, pair.predicted) for pair in found.pairs} == {(names[a], names[b]) for _, (a, b) in wrong}


def test_runs_whose_classes_stand_in_another_order_are_added_by_name() -> None:
    other = run(measurement(confusion=[[1, 1, 3], [0, 1, 1]]), seed=1, classes=("dog", "cat"))
    (found,) = confusions([run(measurement()), other])
    assert found.pairs == (ConfusedPair("dog", "cat", (1.0,)),)

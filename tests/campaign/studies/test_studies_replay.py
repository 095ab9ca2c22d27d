"""Replay: the campaign's own curve for its own recipe, nested random sets, no fit twice, and what it refuses."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor, nn

from askwell.campaign.campaign import Campaign
from askwell.campaign.studies import refits
from askwell.campaign.studies.refits import Headway, readable_first
from askwell.campaign.studies.reopening import Given, reopened
from askwell.campaign.studies.replay import Replay, random_order, replay
from askwell.campaign.studies.replay_memory import FitRow, mean_points, read_fits
from askwell.campaign.studies.transfer import ARMS, sentences, transfer
from askwell.errors import (
    CampaignExistsError,
    CampaignStateError,
    NotStochasticError,
    SettingsError,
    UnreadableImagesError,
    UsageError,
)
from askwell.learning.recipe import Recipe, WeightDecay
from askwell.pool.datasets import load_dataset
from askwell.pool.images import Pool
from askwell.report.curves import CurvePoint, read_curve

DIGITS = load_dataset("digits")


def small(image_shape: tuple[int, int, int], classes: int) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(256, 16), nn.ReLU(), nn.Dropout(0.5), nn.Linear(16, classes))


def narrow(image_shape: tuple[int, int, int], classes: int) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(256, 4), nn.Dropout(0.2), nn.Linear(4, classes))


QUICK = Recipe(model=small, steps=3, batch_size=8, device="cpu", weight_decay=WeightDecay(tune=(0.0, 1.0)))
OTHER = QUICK.model_copy(update={"model": narrow})
NAMES = ("bald", "random", "bald (new recipe)", "random (new recipe)")


class Few:
    """The first digits, to be quick."""

    def __init__(self, pool: Pool, count: int, unreadable: Sequence[int] = ()) -> None:
        self._pool, self._count, self._unreadable = pool, count, unreadable
        self.ids = pool.ids[:count]
        self.image_shape = pool.image_shape

    def __len__(self) -> int:
        return self._count

    def images(self, positions: Tensor) -> Tensor:
        bad = {int(position): "cut short" for position in positions if int(position) in self._unreadable}
        if bad:
            raise UnreadableImagesError(bad, "somewhere")
        return self._pool.images(positions)


class Asked:
    """The data set's oracle, which remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, ...]] = []

    def answer(self, ids: Sequence[str]) -> list[str]:
        self.asked.append(tuple(ids))
        return DIGITS.oracle.answer(ids)


POOL = Few(DIGITS.pool, 120)
TEST = replace(DIGITS.test, images=Few(DIGITS.test.images, 40), labels=DIGITS.test.labels[:40])
MINE = Given(POOL, TEST, DIGITS.oracle, QUICK)


def campaign(directory: Path, rounds: int = 2, **settings: Any) -> Path:
    wanted: dict[str, Any] = {"recipe": QUICK, "initial": 10, "query": 5, "samples": 3, "validation": 4, **settings}
    with Campaign.create(directory, pool=POOL, test=TEST, **wanted) as begun:
        begun.run(DIGITS.oracle, rounds)
    return directory


@pytest.fixture(scope="module")
def bald(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two campaigns that differ in their seed."""
    out = tmp_path_factory.mktemp("bald")
    for seed in (0, 1):
        campaign(out / f"seed-{seed}", seed=seed)
    return out


@pytest.fixture
def fits(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The seed of every fit made while the test runs."""
    made: list[int] = []
    fit_tuned = refits.fit_tuned

    def counted(*arguments: Any, seed: int, **keywords: Any) -> object:
        made.append(seed)
        return fit_tuned(*arguments, seed=seed, **keywords)

    monkeypatch.setattr(refits, "fit_tuned", counted)
    return made


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replays write no page, to be quick."""
    monkeypatch.setattr("askwell.campaign.studies.replay.write_report", lambda *_, **__: Path("report.html"))


def measured(points: Sequence[CurvePoint], strategy: str) -> list[tuple[object, ...]]:
    return [(p.seed, p.round, p.labels, p.accuracy, p.nll, p.ece, p.auc) for p in points if p.strategy == strategy]


def content(directory: Path) -> dict[str, str]:
    files = (path for path in sorted(directory.rglob("*")) if path.is_file())
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_the_campaigns_own_recipe_gives_its_own_curve_exactly(bald: Path, tmp_path: Path):
    before, threads = content(bald), torch.get_num_threads()
    result = replay([bald], QUICK, out=tmp_path / "r", given=MINE)
    own = [point for seed in (0, 1) for point in read_curve(bald / f"seed-{seed}" / "curve.csv")]
    assert len(own) == 6
    assert measured(result.points, "bald") == measured(own, "bald")
    assert measured(result.points, "bald (new recipe)") == measured(own, "bald")
    assert measured(result.points, "random (new recipe)") == measured(result.points, "random")
    assert measured(result.points, "random") != measured(own, "bald")
    assert [row[:3] for row in measured(result.points, "random")] == [row[:3] for row in measured(own, "bald")]
    assert result.transfer.change == (0.0, 0.0)
    assert read_curve(tmp_path / "r/curve.csv") == list(result.points)
    assert {path.name for path in (tmp_path / "r").iterdir()} == {
        "curve.csv", "fits.csv", "replay.json", "replay.toml", "report",
    }  # fmt: skip
    assert "random" in result.page.read_text(encoding="utf-8")
    assert content(bald) == before, "the campaigns were read, not written"
    assert torch.get_num_threads() == threads


@pytest.mark.usefixtures("undrawn")
def test_random_sets_are_nested_and_begin_with_the_initial_set(bald: Path, tmp_path: Path):
    oracle = Asked()
    replay([bald / "seed-0"], OTHER, out=tmp_path / "r", rounds=(1, 2), fits=2, given=MINE._replace(oracle=oracle))
    first, second, third, fourth = oracle.asked
    assert [len(asked) for asked in oracle.asked] == [5, 5, 10, 10], "two draws in each of two rounds"
    assert third[:5] == first
    assert fourth[:5] == second
    assert set(first) != set(second)
    with reopened(bald / "seed-0", MINE) as source:
        store = source.workspace.store
        initial = {asked.id for asked in store.asked(up_to=0)}
        orders = [random_order(source.workspace, draw) for draw in (0, 1)]
        assert len(initial) == 14, "the validation items are among them"
        assert sorted(orders[0]) == sorted(orders[1]) == [p for p in range(120) if POOL.ids[p] not in initial]
        assert tuple(POOL.ids[position] for position in orders[0][:10]) == third
        lame = replace(source.workspace, pool=Few(DIGITS.pool, 120, unreadable=orders[0][1:3]))
        assert readable_first(lame, orders[0], 4) == [orders[0][place] for place in (0, 3, 4, 5)]
        with pytest.raises(UsageError, match="expected 3 unasked images that can be read, found 1"):
            readable_first(lame, orders[0][:3], 3)


@pytest.mark.usefixtures("undrawn")
def test_fits_are_seeds_of_their_own_and_means_are_taken_over_them(bald: Path, tmp_path: Path, fits: list[int]):
    result = replay([bald / "seed-0"], OTHER, out=tmp_path / "r", rounds=(0, 2), fits=2, given=MINE)
    assert len(fits) == 2 * 2 + 2 * 4, "at round 0 both sets are the initial one, and fitted once"
    assert len(set(fits)) == 4, "by round and repetition; all four arms share the seed"
    rows = read_fits(tmp_path / "r")
    assert len(rows) == 16
    assert {row.point.strategy for row in rows} == set(NAMES)
    by_key = {row.key: row.point for row in rows}
    for point in result.points:
        both = [by_key[point.strategy, 0, point.round, fit].nll or 0.0 for fit in (0, 1)]
        assert point.nll == pytest.approx(np.mean(both))
    assert by_key["bald", 0, 2, 0].nll == read_curve(bald / "seed-0/curve.csv")[2].nll
    assert by_key["bald", 0, 2, 0].nll != by_key["bald", 0, 2, 1].nll
    assert len(result.transfer.own) == 2, "with one campaign its fits are the repeats"
    assert "One campaign (2 fits and 2 random sets)" in result.sentences[-1]


@pytest.mark.usefixtures("undrawn")
def test_a_replay_that_was_stopped_repeats_no_fit(bald: Path, tmp_path: Path, fits: list[int]):
    def run(name: str, notify: Callable[[Headway], None], resume: bool) -> Replay:
        return replay([bald], OTHER, out=tmp_path / name, every=2, resume=resume, notify=notify, given=MINE)

    def stop(headway: Headway) -> None:
        if headway.done == 5:
            raise KeyboardInterrupt

    heard: list[Headway] = []
    whole = run("whole", heard.append, resume=False)
    assert len(fits) == 2 * (2 + 4)
    assert heard[-1] == Headway(16, 16, "")
    assert {headway.total for headway in heard} == {16}
    assert any(headway.doing.startswith("random (new recipe), seed 1, round 2, fit 0: evaluate") for headway in heard)
    with pytest.raises(KeyboardInterrupt):
        run("stopped", stop, resume=True)
    kept = read_fits(tmp_path / "stopped")
    assert len(kept) == 5
    fits.clear()
    again = run("stopped", heard.append, resume=True)
    assert len(fits) == 2 * (2 + 4) - (2 + 1), "of the 5 rows kept one pair is copied"
    assert read_fits(tmp_path / "stopped")[:5] == kept
    for name in NAMES:
        assert measured(again.points, name) == measured(whole.points, name)
    fits.clear()
    assert run("stopped", heard.append, resume=True) == again
    assert fits == []
    refused: list[tuple[dict[str, Any], str]] = [
        ({"fits": 2, "every": 2}, "another fits;"),
        ({"rounds": (1,)}, "another rounds;"),
    ]
    for changed, message in refused:
        with pytest.raises(SettingsError, match=message):
            replay([bald], OTHER, out=tmp_path / "whole", resume=True, given=MINE, **changed)
    with pytest.raises(SettingsError, match="found another recipe;"):
        replay([bald], QUICK, out=tmp_path / "whole", every=2, resume=True, given=MINE)
    with pytest.raises(SettingsError, match="found another seeds, sources;"):
        replay([bald / "seed-0"], OTHER, out=tmp_path / "whole", every=2, resume=True, given=MINE)
    with pytest.raises(CampaignExistsError, match=r"found a replay in .* add --resume"):
        replay([bald], OTHER, out=tmp_path / "whole", given=MINE)
    assert fits == []


def without_dropout(image_shape: tuple[int, int, int], classes: int) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(256, classes))


@pytest.mark.usefixtures("undrawn")
def test_what_is_refused_before_anything_is_written(bald: Path, tmp_path: Path):
    other, random = (
        campaign(tmp_path / "entropy", 0, strategy="max_entropy"),
        campaign(tmp_path / "random", 0, strategy="random"),
    )
    longer = campaign(tmp_path / "longer", 0, query=6, seed=2)
    unfinished = tmp_path / "unfinished"
    Campaign.create(unfinished, pool=POOL, test=TEST, recipe=QUICK, validation=4, initial=10).close()
    point = QUICK.model_copy(update={"model": without_dropout})
    (tmp_path / "nothing").mkdir()
    for directories, settings, error, message in (
        ([tmp_path / "nothing"], {}, UsageError, "expected campaigns whose strategy asks a network .* found none"),
        ([random], {}, UsageError, "found campaigns with random labels only"),
        ([bald, other], {}, UsageError, "of one strategy in .* found bald, max_entropy"),
        ([bald, longer], {}, UsageError, "differ in their seed only"),
        ([bald], {"rounds": (1, 3)}, UsageError, "expected rounds from 0 to 2, found 3"),
        ([bald], {"rounds": (-1,)}, UsageError, "expected rounds from 0 to 2, found -1"),
        ([bald], {"every": 0}, SettingsError, "at least 1, found 0 and 1"),
        ([bald], {"recipe": point}, NotStochasticError, "Point"),
        ([bald], {"recipe": Recipe(device="warp")}, SettingsError, "found 'warp'"),
        ([bald], {"given": MINE._replace(oracle=None)}, UsageError, "found only those that were asked for"),
        ([bald], {"given": Given(recipe=QUICK)}, SettingsError, "images of your own"),
        ([bald], {"given": MINE._replace(recipe=None)}, SettingsError, "trains your own network"),
        ([unfinished], {}, CampaignStateError, "with a finished round in .* found none; run it first"),
    ):
        with pytest.raises(error, match=message):
            replay(directories, **{"recipe": OTHER, "out": tmp_path / "r", "given": MINE, **settings})
    assert not (tmp_path / "r").exists()
    warm = OTHER.model_copy(update={"warm_start": True})
    result = replay([bald / "seed-1", random], warm, out=tmp_path / "r", rounds=(0,), given=MINE)
    assert result.transfer.own == (0.0,), "the initial set is both sets, and the random campaign is passed over"
    assert result.sentences[-1] == "A recipe here starts warm; in a replay every fit begins from fresh weights."


@pytest.mark.usefixtures("undrawn")
def test_a_named_data_set_is_loaded_again_and_a_pool_that_was_used_up_is_replayed(tmp_path: Path):
    named = QUICK.model_copy(update={"model": "bcnn"})
    values = {"dataset": "digits", "recipe": named, "initial": 1100, "query": 100, "samples": 1, "validation": 1}
    with Campaign.create_from(tmp_path / "c", values, DIGITS.pool, DIGITS.test) as begun:
        begun.run(DIGITS.oracle, 1)
    result = replay([tmp_path], OTHER, out=tmp_path / "r", rounds=(1,))
    assert [row.labels for row in result.transfer.rows] == [1197], "the random set is everything too"


def four(advantages: Sequence[tuple[float, float]], labels: Sequence[int] = (10, 30)) -> list[CurvePoint]:
    """Points of the four arms: random at .5 throughout, the acquired sets ahead by each seed's two advantages."""
    ahead = {name: [0.0 if "random" in name else pair["new" in name] for pair in advantages] for name in NAMES}
    return [
        CurvePoint(name, seed, place, count, accuracy=0.5 + ahead[name][seed])
        for name in NAMES
        for seed in range(len(advantages))
        for place, count in enumerate(labels)
    ]


def test_what_is_left_of_an_advantage():
    found = transfer(four([(0.10, 0.02), (0.06, 0.02)]), "bald")
    assert tuple(arm.name("bald") for arm in ARMS) == NAMES
    assert found.own == pytest.approx((0.10, 0.06))
    assert found.new == pytest.approx((0.02, 0.02))
    assert found.share_left == pytest.approx(0.25)
    assert found.table()[0] == ("10", "58.00 %", "50.00 %", "+8.00", "52.00 %", "50.00 %", "+2.00")
    said = sentences(found, campaigns=2, fits=1)
    assert said[0].startswith("On average from 10 to 30 labels, the set that bald acquired was worth +8.00 points")
    assert said[1] == "25 % of the advantage is left."
    assert said[2].endswith("is -6.00 points (campaign by campaign -8.00, -4.00).")
    assert said[3] == "With 2 campaigns (1 fit and 1 random set for each) this is an observation, not a test."
    for pairs, words in (
        ([(0.10, -0.02)], "Nothing of the advantage is left"),
        ([(0.10, 0.12)], "All of the advantage is left"),
        ([(0.10, 0.02), (-0.01, 0.02)], "is not clear, so no share"),
        ([(0.0, 0.02)], "is not clear, so no share"),
    ):
        assert words in sentences(transfer(four(pairs, labels=(10,)), "bald"), campaigns=len(pairs), fits=1)[1]


def test_intervals_and_a_test_from_eight_campaigns_on():
    pairs = [(0.10, 0.01 * seed) for seed in range(8)]
    change = [new - own for own, new in pairs]
    low, high = stats.t.interval(0.95, 7, loc=sum(change) / 8, scale=stats.sem(change))
    said = sentences(transfer(four(pairs), "bald"), campaigns=8, fits=2)
    assert f"95 % interval {100 * low:+.2f} to {100 * high:+.2f}, paired sign-flip test p = .0079 (" in said[2]
    assert said[3] == "Interval and test are over 8 campaigns (2 fits and 2 random sets for each)."
    assert "interval" not in sentences(transfer(four(pairs), "bald"), campaigns=1, fits=8)[2], "fits are no campaigns"
    assert "interval" not in sentences(transfer(four(pairs[:7]), "bald"), campaigns=7, fits=1)[2]


def test_the_mean_of_fits_is_one_point_and_undefined_where_one_is():
    rows = [
        FitRow(fit, CurvePoint("bald", 0, 1, 20, accuracy=0.5 + fit / 4, nll=1.0 + fit, auc=None if fit else 0.5))
        for fit in (0, 1)
    ]
    assert mean_points(rows) == [CurvePoint("bald", 0, 1, 20, accuracy=0.625, nll=1.5, auc=None)]

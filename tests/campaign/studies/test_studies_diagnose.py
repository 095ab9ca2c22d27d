"""Diagnose: scores that are the true drop correlate fully, the same T and masks give the same pick, and nothing else is touched."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor, nn

from askwell.acquisition import bald, max_entropy
from askwell.campaign.campaign import Campaign
from askwell.campaign.seeds import derive_seed
from askwell.campaign.steps import load_round, posterior_of
from askwell.campaign.studies.agreement import bootstrapped, noise_of, overlap, rank_correlation
from askwell.campaign.studies.diagnose import diagnose
from askwell.campaign.studies.drops import stratified
from askwell.campaign.studies.picks import part_of_pool, part_size, picked, random_parts, spreads
from askwell.campaign.studies.refits import Headway
from askwell.campaign.studies.reopening import Given, reopened
from askwell.errors import CampaignStateError, SettingsError, UsageError
from askwell.learning.recipe import Recipe
from askwell.pool.datasets import load_dataset
from askwell.pool.images import as_labelled, as_pool
from askwell.pool.oracle import oracle
from askwell.posterior.mc_dropout import MCDropout
from askwell.report.curves import read_queries
from askwell.scoring.local import score_pool

DIGITS = load_dataset("digits")
FEW = torch.arange(120)
POOL = as_pool(DIGITS.pool.images(FEW), ids=[DIGITS.pool.ids[position] for position in range(120)])
TEST = as_labelled((DIGITS.test.images.images(torch.arange(40)), DIGITS.test.labels[:40]), classes=DIGITS.classes)
ORACLE = oracle(DIGITS.oracle.labels[FEW], ids=POOL.ids, classes=DIGITS.classes)


def small(image_shape: tuple[int, int, int], classes: int) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(256, 16), nn.ReLU(), nn.Dropout(0.5), nn.Linear(16, classes))


QUICK = Recipe(model=small, steps=3, batch_size=8, device="cpu")
MINE = Given(POOL, TEST, ORACLE, QUICK)
T = 4


def campaign(directory: Path, rounds: int = 2, **settings: Any) -> Path:
    wanted: dict[str, Any] = {"recipe": QUICK, "initial": 10, "query": 5, "samples": T, **settings}
    with Campaign.create(directory, pool=POOL, test=TEST, **wanted) as begun:
        begun.run(ORACLE, rounds)
    return directory


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A campaign of three rounds; tests only read it."""
    return campaign(tmp_path_factory.mktemp("asked") / "c")


class Recorded:
    """An acquisition function that remembers the log_probs it saw, and gives each item the score that is known for it."""

    def __init__(self, known: Mapping[bytes, float] | None = None) -> None:
        self.rows: list[Tensor] = []
        self.known = known or {}

    def __call__(self, log_probs: Tensor) -> Tensor:
        self.rows.extend(log_probs.unbind())
        return torch.tensor([self.known.get(row.numpy().tobytes(), 0.0) for row in log_probs], dtype=torch.float64)


def content(directory: Path) -> dict[str, str]:
    files = (path for path in sorted(directory.rglob("*")) if path.is_file())
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_scores_that_are_the_true_drop_correlate_fully(asked: Path, tmp_path: Path):
    settings: dict[str, Any] = {"candidates": 8, "repeats": 2, "samples": (), "given": MINE, "out": tmp_path}
    seen = Recorded()
    first = diagnose(asked, acquisitions={"bald": bald, "seen": seen}, **settings)
    assert first.drops is not None
    drops = {candidate.id: float(np.mean(candidate.drops)) for candidate in first.drops.candidates}
    assert len(set(drops.values())) == 8
    taken = {row.id for row in read_queries(asked / "queries.csv")}
    unasked = [item_id for item_id in POOL.ids if item_id not in taken]
    assert first.unasked == len(unasked) == len(seen.rows) == 100
    true = {
        row.numpy().tobytes(): drops[item_id]
        for item_id, row in zip(unasked, seen.rows, strict=True)
        if item_id in drops
    }
    known = {"bald": bald, "true": Recorded(true), "false": Recorded({key: -drop for key, drop in true.items()})}
    again = diagnose(asked, acquisitions=known, **settings)
    assert again.drops is not None
    assert again.drops.candidates[3].drops == first.drops.candidates[3].drops, "the same seed, the same fits"
    assert again.drops.correlations["true"] == pytest.approx((1.0, 1.0, 1.0))
    assert again.drops.correlations["false"].value == pytest.approx(-1.0)
    assert again.drops.correlations["bald"] == first.drops.correlations["bald"]
    assert first.drops.correlations["seen"] == (None, None, None), "a constant predicts nothing"
    scores = [candidate.scores["bald"] for candidate in first.drops.candidates]
    value = first.drops.correlations["bald"].value
    assert value == pytest.approx(stats.spearmanr(scores, list(drops.values()))[0])
    other = diagnose(asked, acquisitions={"bald": bald}, seed=1, **{**settings, "repeats": 1})
    assert other.drops is not None
    assert [each.id for each in other.drops.candidates] != list(drops)


def test_a_drop_is_the_loss_without_less_the_loss_with_the_label(asked: Path, tmp_path: Path):
    from askwell.campaign.studies.refits import joined, known_batch, labelled_batch, refit

    found = diagnose(asked, candidates=2, repeats=1, samples=(), given=MINE, out=tmp_path).drops
    assert found is not None
    with reopened(asked, MINE) as source:
        workspace = source.workspace
        train, none = (labelled_batch(workspace, 2, role) for role in ("pool", "validation"))
        assert (len(train.labels), len(none.labels)) == (20, 0)
        seed = derive_seed(0, "diagnose fit 0", 2)
        measured = []
        for batch in (train, joined(train, known_batch(workspace, ORACLE, [POOL.ids.index(found.candidates[1].id)]))):
            done = refit(workspace, QUICK, batch, none, seed=seed, round_number=2, notify=lambda _: None)
            measured.append(done.measured.nll)
    assert found.baseline == (measured[0],)
    assert found.candidates[1].drops == (measured[0] - measured[1],)
    assert found.noise == (None, None, None), "one fit has no halves"


def test_the_pick_by_samples_and_masks(asked: Path, tmp_path: Path):
    found = diagnose(asked, round_number=1, samples=(2, T, 9), candidates=0, given=MINE, out=tmp_path)
    assert found.drops is None
    assert found.pick == tuple(row.id for row in read_queries(asked / "queries.csv") if row.round == 2)
    with reopened(asked, MINE) as source:
        workspace = source.workspace
        model = load_round(workspace, 1)
        taken = {each.position for each in workspace.store.asked(up_to=1)}
        unasked = torch.tensor([position for position in range(120) if position not in taken])
        own = MCDropout(model, samples=T, seed=derive_seed(0, "masks", 2))
        fewer = MCDropout(model, samples=2, seed=derive_seed(0, "masks", 2))
        other = MCDropout(model, samples=T, seed=derive_seed(0, "diagnose masks", 0))
        for name, acquisition in (("bald", bald), ("max_entropy", max_entropy)):
            changes = found.picks[name]
            assert list(changes.samples) == [2, T, 9]
            assert changes.samples[T] == pytest.approx((1.0, 1.0))
            assert len(changes.masks) == 5
            reference = score_pool(own, POOL, unasked, acquisition, classes=10)
            for drawn, change in ((fewer, changes.samples[2]), (other, changes.masks[0])):
                scores = score_pool(drawn, POOL, unasked, acquisition, classes=10)
                kept = set(picked(workspace, reference, 2).tolist()) & set(picked(workspace, scores, 2).tolist())
                assert change.overlap == len(kept) / 5
                assert change.rank_correlation == pytest.approx(stats.spearmanr(reference, scores)[0])
                assert change.rank_correlation != pytest.approx(1)


def test_a_part_of_the_pool_keeps_what_is_in_it(asked: Path):
    assert [part_size(*sizes) for sizes in ((59_000, 10), (20_000, 10), (19_999, 10), (60, 10), (4, 10))] == [
        2000, 2000, 1999, 10, 4,
    ]  # fmt: skip
    with reopened(asked, MINE) as source:
        workspace = source.workspace
        posterior = posterior_of(workspace, load_round(workspace, 2), "mc_dropout", 3)
        positions = torch.tensor(workspace.store.unasked())
        scores = torch.arange(100, dtype=torch.float64)
        parts = random_parts(workspace, posterior, positions, seed=0)
        assert len({tuple(entries.tolist()) for entries in parts.entries}) == 10
        found = part_of_pool(workspace, posterior, positions, scores, parts, 3)
    assert found.size == 10
    assert found.score_whole == 97
    assert found.overlap == pytest.approx(np.mean([(entries >= 95).float().mean() * 2 for entries in parts.entries]))
    assert found.score_part == pytest.approx(np.mean([entries[-5:].double().mean() for entries in parts.entries]))
    assert found.spread_random == parts.spread


def test_the_spread_of_a_pick(asked: Path):
    images = torch.zeros(3, 1, 16, 16, dtype=torch.uint8)
    images[2] = 255

    class Fixed:
        samples = 1

        def log_probs(self, images: Tensor) -> Tensor:
            white = images.flatten(1).amax(dim=1).long()
            return torch.nn.functional.one_hot(white, 10).log()[:, None]

    with reopened(asked, MINE) as source:
        workspace = replace(source.workspace, pool=as_pool(images))
        picks = [torch.tensor(pick) for pick in ([0, 1], [2, 0], [0, 1, 2])]
        same, apart, mixed = spreads(workspace, Fixed(), picks)
        assert same == (0.0, 0.0)
        assert apart == pytest.approx((1.0, 1.0))
        assert mixed == pytest.approx((2 / 3, 2 / 3))
        assert spreads(workspace, Fixed(), [torch.tensor([2])]) == [(None, None)]


def test_it_is_written_whole_and_nothing_else_is(tmp_path: Path):
    directory = campaign(tmp_path / "c", 1)
    before, threads, heard = content(directory), torch.get_num_threads(), list[Headway]()
    found = diagnose(directory, candidates=2, repeats=2, samples=(2,), given=MINE, notify=heard.append)
    written = json.loads((directory / "diagnose.json").read_text(encoding="utf-8"))
    assert written == json.loads(json.dumps(found.as_json(), allow_nan=False))
    assert {name: text for name, text in content(directory).items() if name != "diagnose.json"} == before
    assert torch.get_num_threads() == threads
    assert heard[-1] == Headway(6 + 2 * 3, 12, "")
    assert [each.done for each in heard] == sorted(each.done for each in heard)
    assert {each.total for each in heard} == {12}
    assert any(each.doing.startswith("fit 2 of 2, candidate 1 of 2: evaluate") for each in heard)
    assert written["round"] == 1
    assert written["picks"]["bald"]["samples"]["4"] == {"overlap": 1.0, "rank_correlation": pytest.approx(1.0)}
    assert len(written["drops"]["candidates"][0]["drops"]) == 2
    names = [table.title for table in found.tables()]
    assert len(names) == 3
    for table in found.tables():
        assert {len(row) for row in table.rows} == {len(table.header)}
    assert {row[0] for row in found.tables()[0].rows} == set(written["drops"]["rank_correlations"])
    assert any("The test images measured the drops and chose nothing" in sentence for sentence in found.sentences())


def test_strategies_without_scores_or_without_masks(tmp_path: Path):
    random = campaign(tmp_path / "random", 0, strategy="random")
    found = diagnose(random, candidates=0, samples=(2,), given=MINE)
    assert found.acquisition == "bald"
    assert "The strategy scores nothing; bald scores are used in its place." in found.sentences()
    point = campaign(tmp_path / "point", 0, strategy="point_max_entropy")
    found = diagnose(point, candidates=2, repeats=1, samples=(2,), given=MINE)
    assert found.acquisition == "max_entropy"
    assert found.picks["max_entropy"].masks == ()
    assert any("neither T nor masks" in sentence for sentence in found.sentences())
    assert found.picks["bald"].samples[1].rank_correlation is None, "a point's bald is 0 for every item"
    assert [table.header[0] for table in found.tables()] == ["acquisition", "acquisition"]


def test_what_cannot_be_diagnosed(asked: Path, tmp_path: Path):
    used_up = campaign(tmp_path / "used up", 2, initial=100, query=10, initial_set="random")
    refused: list[tuple[Path, dict[str, Any], type[Exception], str]] = [
        (asked, {"round_number": 3}, UsageError, "expected a round from 0 to 2, found 3"),
        (asked, {"round_number": -1}, UsageError, "expected a round from 0 to 2, found -1"),
        (asked, {"samples": (0,)}, SettingsError, "at least 1"),
        (asked, {"repeats": 0}, SettingsError, "at least 1"),
        (asked, {"candidates": -1}, SettingsError, "at least 0"),
        (used_up, {}, UsageError, "expected unasked items after round 2, found none left"),
        (tmp_path, {}, CampaignStateError, "expected a campaign in"),
    ]
    for directory, settings, error, message in refused:
        with pytest.raises(error, match=message):
            diagnose(directory, out=tmp_path / "out", given=MINE, **settings)
    assert not (tmp_path / "out").exists()
    found = diagnose(used_up, round_number=1, samples=(), candidates=50, repeats=1, given=MINE._replace(oracle=None))
    assert found.drops is None
    assert any("not measured: it takes candidates whose labels are known" in said for said in found.sentences())
    assert found.unasked == 10


def test_candidates_come_from_every_quantile():
    scores = torch.randperm(40, generator=torch.Generator().manual_seed(0)).double()
    drawn = [stratified(scores, 8, generator=torch.Generator().manual_seed(seed)) for seed in range(20)]
    assert all([int(score) // 5 for score in scores[entries]] == list(range(8)) for entries in drawn)
    assert {int(score) for entries in drawn for score in scores[entries]} == set(range(40)), "and from anywhere in it"
    assert sorted(stratified(scores, 100, generator=torch.Generator().manual_seed(0)).tolist()) == list(range(40))
    ties = {tuple(stratified(scores * 0, 2, generator=torch.Generator().manual_seed(s)).tolist()) for s in range(20)}
    assert max(first for first, _ in ties) >= 20 > min(second for _, second in ties), "ties in random order"


def rounded(shape: Sequence[int], seed: int) -> np.ndarray:
    """Numbers with ties."""
    return np.random.default_rng(seed).normal(size=shape).round(1)


def test_rank_correlation_is_scipys():
    first, second = rounded((6, 30), 0), rounded((6, 30), 1) + rounded((6, 30), 0)
    wanted = [stats.spearmanr(a, b)[0] for a, b in zip(first, second, strict=True)]
    assert rank_correlation(first, second) == pytest.approx(wanted)
    assert np.isnan(rank_correlation(first, second * 0)).all()
    assert float(rank_correlation(first[0], np.exp(first[0]))) == pytest.approx(1)


def test_the_bootstrap_interval_covers_the_truth():
    covered, generator = 0, np.random.default_rng(0)
    for _ in range(50):
        x = generator.normal(size=60)
        found = bootstrapped(x, x + generator.normal(size=60), generator=generator)
        assert found.low is not None
        assert found.high is not None
        covered += found.low <= 0.690 <= found.high  # Spearman's of normal numbers with Pearson's 1/sqrt(2)
    assert 43 <= covered <= 50
    few = bootstrapped(np.arange(7.0), np.arange(7.0), generator=generator)
    assert few == (pytest.approx(1.0), None, None), "no interval from fewer than 8"


def test_how_repeats_agree():
    generator = np.random.default_rng(0)
    true, noise = generator.normal(size=4000), generator.normal(size=(4, 4000))
    found = noise_of(true + noise, generator=generator)
    assert found.reliability == pytest.approx(4 / 5, abs=0.02), "the share of the mean's variance that is true"
    assert found.ceiling == pytest.approx(float(np.corrcoef(true, (true + noise).mean(axis=0))[0, 1]), abs=0.02)
    odd = noise_of((true + noise)[:3], generator=generator)
    assert odd.reliability == pytest.approx(3 / 4, abs=0.02)
    assert noise_of(np.tile(true, (2, 1)), generator=generator) == pytest.approx((1.0, 1.0, 1.0))
    drowned = noise_of(noise, generator=generator)
    assert drowned.halves == pytest.approx(0, abs=0.05)
    assert drowned.ceiling is not None
    assert drowned.ceiling < 0.3
    assert noise_of(noise[:1], generator=generator) == (None, None, None)
    assert noise_of(noise[:2] * 0, generator=generator) == (None, None, None)
    assert overlap(np.array([1, 2, 3, 4]), np.array([4, 9, 1, 7])) == 0.5


def test_two_repeats_in_exactly_opposite_orders_are_not_reliable():
    opposite = np.array([[0.1, 0.2], [0.2, 0.1]])
    assert noise_of(opposite, generator=np.random.default_rng(0)) == (-1.0, 0.0, 0.0)

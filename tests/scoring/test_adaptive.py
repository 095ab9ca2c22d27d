"""Adaptive sampling: the k best by all T samples, all scores at T, and a share of other picks that the model promises."""

import math

import pytest
import torch
from torch import Tensor, nn

from askwell.acquisition import ACQUISITIONS, bald
from askwell.errors import SettingsError, UnreadableImagesError
from askwell.pool.images import as_pool
from askwell.posterior.mc_dropout import MCDropout
from askwell.scoring import adaptive
from askwell.scoring.adaptive import MISSED, AdaptiveScores, count_reachable, score_adaptively
from askwell.scoring.local import score_pool

CLASSES, ITEMS, K = 4, 600, 5
POOL = as_pool(torch.randint(0, 256, (ITEMS, 1, 4, 4), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)))
EVERYTHING = torch.arange(ITEMS)


def posterior(samples: int = 100, weight: float = 3.0) -> MCDropout:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = nn.Sequential(
            nn.Flatten(), nn.Linear(16, 24), nn.ReLU(), nn.Dropout(0.5), nn.Linear(24, CLASSES, bias=False)
        )
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(weight)
    return MCDropout(network, samples=samples, seed=7)


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch):
    """A model learnt from 60 items instead of 1,000."""
    monkeypatch.setattr(adaptive, "FEWEST", 60)


@pytest.mark.parametrize("name", ["bald", "max_entropy", "variation_ratios", "mean_std", "margin", "least_confidence"])
@pytest.mark.usefixtures("few")
def test_the_best_are_those_of_all_samples_and_nothing_else_is_compared(name: str):
    acquisition = ACQUISITIONS[name]
    full = score_pool(posterior(), POOL, EVERYTHING, acquisition, classes=CLASSES)
    found = score_adaptively(posterior(), POOL, EVERYTHING, acquisition, k=K, classes=CLASSES)
    assert (found.samples, found.first_samples) == (100, adaptive.FIRST_SAMPLES)
    assert torch.equal(found.scores, full[found.entries]), "bit for bit the scores of all samples"
    assert torch.equal(found.entries, found.entries.unique()), "ascending, none twice"
    assert set(found.entries[found.scores.topk(K).indices].tolist()) == set(full.topk(K).indices.tolist())


@pytest.mark.usefixtures("few")
def test_most_items_are_scored_roughly_only():
    found = score_adaptively(posterior(), POOL, EVERYTHING, bald, k=K, classes=CLASSES)
    assert K <= len(found.entries) < ITEMS / 2


@pytest.mark.usefixtures("few")
def test_the_same_however_the_pool_is_cut_and_for_positions_in_any_order():
    reference = score_adaptively(posterior(), POOL, EVERYTHING, bald, k=K, classes=CLASSES)
    cut = score_adaptively(posterior(), POOL, EVERYTHING, bald, k=K, classes=CLASSES, memory_bytes=1)
    assert torch.equal(cut.entries, reference.entries)
    assert torch.equal(cut.scores, reference.scores)
    positions = torch.randperm(ITEMS, generator=torch.Generator().manual_seed(3))
    shuffled = score_adaptively(posterior(), POOL, positions, bald, k=K, classes=CLASSES)
    assert set(positions[shuffled.entries].tolist()) == set(reference.entries.tolist())


@pytest.mark.usefixtures("few")
def test_a_rough_score_in_bf16_only_widens_or_narrows_who_is_scored_fully():
    full = score_pool(posterior(), POOL, EVERYTHING, bald, classes=CLASSES)
    found = score_adaptively(posterior(), POOL, EVERYTHING, bald, k=K, classes=CLASSES, first_precision="bf16")
    assert torch.equal(found.scores, full[found.entries])
    assert set(found.entries[found.scores.topk(K).indices].tolist()) == set(full.topk(K).indices.tolist())


@pytest.mark.usefixtures("few")
def test_where_nothing_tells_the_items_apart_all_are_scored_fully():
    found = score_adaptively(posterior(weight=0.0), POOL, EVERYTHING, bald, k=K, classes=CLASSES)
    assert len(found.entries) == ITEMS, "else the ties would be broken by the rough score"
    assert found.samples == 100


@pytest.mark.parametrize(("samples", "items"), [(20, ITEMS), (100, 60), (100, 3), (100, 0)])
@pytest.mark.usefixtures("few")
def test_where_it_would_not_pay_every_item_is_scored_at_once(samples: int, items: int):
    heard: list[tuple[int, int]] = []
    found = score_adaptively(
        posterior(samples),
        POOL,
        EVERYTHING[:items],
        bald,
        k=K,
        classes=CLASSES,
        progress=lambda *at: heard.append(at),
    )
    assert torch.equal(found.entries, EVERYTHING[:items])
    assert (found.samples, found.first_samples) == (samples, samples)
    assert not heard or heard[-1] == (items, items)


@pytest.mark.usefixtures("few")
def test_progress_never_goes_back():
    heard: list[tuple[int, int]] = []
    found = score_adaptively(
        posterior(), POOL, EVERYTHING, bald, k=K, classes=CLASSES, progress=lambda *at: heard.append(at)
    )
    assert [done for done, _ in heard] == sorted(done for done, _ in heard)
    assert heard[-1] == (ITEMS + len(found.entries), ITEMS + len(found.entries))


class Torn:
    """A pool with unreadable images, some of which can still be read the first time."""

    image_shape = POOL.image_shape
    ids = POOL.ids

    def __init__(self, torn: set[int], later: set[int]) -> None:
        self.torn = torn
        self.later = later
        self.read: set[int] = set()

    def __len__(self) -> int:
        return len(POOL)

    def images(self, positions: Tensor) -> Tensor:
        wanted = set(positions.tolist())
        gone = (self.torn | (self.later & self.read)) & wanted
        if gone:
            raise UnreadableImagesError(dict.fromkeys(gone, "torn"), "item")
        self.read |= wanted
        return POOL.images(positions)


@pytest.mark.usefixtures("few")
def test_unreadable_images_are_in_no_entry():
    full = score_pool(posterior(), POOL, EVERYTHING, bald, classes=CLASSES)
    best = full.argsort(descending=True).tolist()
    gone: dict[int, str] = {}
    found = score_adaptively(
        posterior(),
        Torn({best[0]}, {best[2]}),
        EVERYTHING,
        bald,
        k=K,
        classes=CLASSES,
        set_aside=gone.update,
    )
    assert set(gone) == {best[0], best[2]}
    assert found.entries[found.scores.argsort(descending=True)[:K]].tolist() == [best[1], *best[3 : K + 2]]


def test_k_of_nothing_is_refused(plain_error: type[Exception]):
    with pytest.raises(SettingsError, match="at least 1 item, found k = 0"):
        score_adaptively(posterior(), POOL, EVERYTHING, bald, k=0, classes=CLASSES)


def reachable_slowly(rough: list[float], full: list[float], k: int) -> int:
    """The formula of the module's docstring, number by number."""
    pairs = [(x, y) for x, y in zip(rough, full, strict=False) if not math.isnan(y)]
    mean_x, mean_y = (sum(column) / len(pairs) for column in zip(*pairs, strict=True))
    b = sum((x - mean_x) * (y - mean_y) for x, y in pairs) / sum((x - mean_x) ** 2 for x, _ in pairs)
    a = mean_y - b * mean_x
    lower = [y - a - b * x for x, y in pairs[len(pairs) // 2 :]]
    s = math.sqrt(sum(error * error for error in lower) / len(lower))
    threshold = sorted((y for _, y in pairs), reverse=True)[k - 1]
    chances = [0.5 * math.erfc(-(a + b * x - threshold) / s / math.sqrt(2)) for x in rough[len(full) :]]
    for dropped in range(len(chances)):
        if sum(chances[dropped:]) <= MISSED:
            return dropped
    return len(chances)


@pytest.mark.parametrize("seed", range(6))
def test_reachable_items_by_the_formula(seed: int):
    generator = torch.Generator().manual_seed(seed)
    rough = torch.randn(400, generator=generator, dtype=torch.float64).sort(descending=True).values
    full = 0.9 * rough + 0.1 + 0.2 * torch.randn(400, generator=generator, dtype=torch.float64)
    full = full[: 40 + 10 * seed].clone()
    full[3] = math.nan
    assert count_reachable(rough, full, 5) == reachable_slowly(rough.tolist(), full.tolist(), 5)


def test_too_few_full_scores_say_nothing():
    rough = torch.arange(30, 0, -1, dtype=torch.float64)
    assert count_reachable(rough, rough[:4], 5) == 26
    assert count_reachable(rough, torch.full((10,), math.nan, dtype=torch.float64), 5) == 20


def test_other_picks_are_as_rare_as_promised():
    """Where the model holds, at most MISSED of the picks are others; 300 pools of 3,000, by the rule alone."""
    other, scored = 0, 0
    for seed in range(300):
        generator = torch.Generator().manual_seed(seed)
        rough = torch.randn(3000, generator=generator, dtype=torch.float64).sort(descending=True).values
        full = rough + 0.4 * torch.randn(3000, generator=generator, dtype=torch.float64)
        known = 200
        while reachable := count_reachable(rough, full[:known], K):
            known = min(known + reachable, 3000)
        other += set(full[:known].topk(K).indices.tolist()) != set(full.topk(K).indices.tolist())
        scored += known
    assert other <= 300 * MISSED
    assert scored < 300 * 1500, "or it would hold because everything is scored"


def test_the_answer_names_its_parts():
    assert AdaptiveScores._fields == ("entries", "scores", "samples", "first_samples")

"""Noise in the pool is as much as was said, where it was said, and nowhere else."""

import pytest
import torch
from reproduction_small import small_plan

from askwell.pool.datasets import load_dataset
from askwell.report.curves import QueryRow, read_queries
from askwell.reproduction.aleatoric import noisy_shares, read_shares, write_shares
from askwell.reproduction.corruption import corrupted
from askwell.reproduction.running import Places, reproduce

DATA = load_dataset("digits")
N = len(DATA.pool)
SHARE = 0.2


def pixels(data):
    return data.pool.images(torch.arange(len(data.pool)))


@pytest.fixture(scope="module")
def wrong():
    return corrupted(DATA, "noise", SHARE, 0)


@pytest.fixture(scope="module")
def mixed():
    return corrupted(DATA, "ambiguous", SHARE, 0)


def test_the_share_of_wrong_labels_is_exact_and_the_others_are_right(wrong):
    before, after = (data.oracle.answer(DATA.pool.ids) for data in (DATA, wrong.data))
    changed = {item for item, old, new in zip(DATA.pool.ids, before, after, strict=True) if old != new}
    assert changed == wrong.noisy
    assert len(changed) == round(SHARE * N)
    assert torch.equal(pixels(wrong.data), pixels(DATA))


def test_wrong_labels_are_spread_over_all_other_classes(wrong):
    steps = [
        (int(new) - int(old)) % 10
        for old, new in zip(*(data.oracle.answer(sorted(wrong.noisy)) for data in (DATA, wrong.data)), strict=True)
    ]
    assert set(steps) == set(range(1, 10))
    assert max(map(steps.count, range(1, 10))) < 2.5 * len(steps) / 9


def test_mixtures_stand_behind_the_pool_and_leave_it_as_it_was(mixed):
    count = round(SHARE * N)
    ids = list(mixed.data.pool.ids)
    assert ids[:N] == list(DATA.pool.ids)
    assert set(ids[N:]) == mixed.noisy
    assert len(mixed.noisy) == count
    assert torch.equal(pixels(mixed.data)[:N], pixels(DATA))
    assert mixed.data.oracle.answer(ids[:N]) == DATA.oracle.answer(ids[:N])


def test_a_mixture_lies_between_two_images_of_different_classes_and_is_called_one_of_them(mixed):
    originals, labels = pixels(DATA).flatten(1).float(), DATA.oracle.answer(DATA.pool.ids)
    for position in range(N, N + 3):
        item = mixed.data.pool.ids[position]
        target = mixed.data.pool.images(torch.tensor([position]))[0].flatten().float()
        (answer,) = mixed.data.oracle.answer([item])
        assert any(answer in pair and len(pair) == 2 for pair in explained_by(target, originals, labels))


def explained_by(target, originals, labels):
    """The sets of classes of every two images whose mixture in shares .4 to .6 is the target up to rounding; by brute force."""
    # a x + (1 - a) y = t with a in [.4, .6] needs |t - x| <= .6 |x - y|, so each x is tried against every y at once
    for x in range(len(originals)):
        difference = originals[x] - originals
        against = target - originals
        a = ((against * difference).sum(dim=1) / difference.square().sum(dim=1).clamp(min=1.0)).clamp(0.4, 0.6)
        error = (against - a[:, None] * difference).abs().amax(dim=1)
        for y in (error < 1.01).nonzero().flatten().tolist():
            yield frozenset({labels[x], labels[y]})


@pytest.mark.parametrize("kind", ["noise", "ambiguous"])
def test_the_same_seed_gives_the_same_noise_and_the_test_images_are_untouched(kind):
    first, again, other = (corrupted(DATA, kind, SHARE, seed) for seed in (3, 3, 4))
    assert first.noisy == again.noisy
    ids = first.data.pool.ids
    assert first.data.oracle.answer(ids) == again.data.oracle.answer(ids) != other.data.oracle.answer(ids)
    assert torch.equal(pixels(first.data), pixels(again.data))
    assert first.data.test is DATA.test


def test_shares_are_counted_up_to_each_round_and_without_the_initial_items():
    asked = {0: "ab", 1: "cd", 2: "ef"}
    rows = [
        QueryRow("bald", 1, number, rank, item, "0")
        for number, items in asked.items()
        for rank, item in enumerate(items)
    ]
    shares = noisy_shares(rows, frozenset("adef"))
    assert [tuple(share) for share in shares] == [("bald", 1, 1, 4, 2, 1), ("bald", 1, 2, 6, 4, 3)]


def test_campaigns_on_a_noisy_pool_are_run_counted_and_resumed(tmp_path):
    plan = small_plan("aleatoric-code", strategy=("bald", "random"))
    places = Places(tmp_path / "runs", tmp_path / "results")
    reproduce([plan], [], places, workers=1, notify=lambda headway: None)
    for kind in ("noise", "ambiguous"):
        result = tmp_path / "results/aleatoric" / f"code-{kind}"
        shares = read_shares(result / "shares.csv")
        noisy = corrupted(DATA, kind, plan.extra.share, 0).noisy
        assert shares == noisy_shares(read_queries(result / "queries.csv"), noisy)
        assert {(share.strategy, share.labels, share.asked) for share in shares} == {
            (name, 20 + 5 * number, 5 * number) for name in ("bald", "random") for number in (1, 2)
        }
    before = (tmp_path / "results/aleatoric/code-noise/curve.csv").read_bytes()
    reproduce([plan], [], places, workers=1, notify=lambda headway: None)
    assert (tmp_path / "results/aleatoric/code-noise/curve.csv").read_bytes() == before


def test_shares_read_back_as_they_were_written(tmp_path):
    shares = noisy_shares([QueryRow("bald", 0, 1, 0, "a", "0")], frozenset("a"))
    write_shares(tmp_path / "shares.csv", shares)
    assert read_shares(tmp_path / "shares.csv") == shares

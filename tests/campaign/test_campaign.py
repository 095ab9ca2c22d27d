"""A campaign in one process: what it writes, what it refuses, and that the same seed gives the same result."""

import csv
import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from askwell.campaign.campaign import Campaign
from askwell.campaign.settings import ExperimentSettings, check_settings
from askwell.campaign.steps import load_round
from askwell.campaign.workspace import Stage
from askwell.errors import (
    CampaignBusyError,
    CampaignExistsError,
    CampaignStateError,
    NonFiniteError,
    NotStochasticError,
    SettingsError,
    StoreUnavailableError,
    UnknownNameError,
)
from askwell.learning.precision import resolve_precision
from askwell.learning.recipe import Recipe, WeightDecay
from askwell.pool.images import LabelledImages, as_pool
from askwell.pool.oracle import oracle
from askwell.scoring.local import score_pool
from askwell.store.store import CampaignStore, LabelEvent

CLASSES = 3
LABELS = torch.arange(90) % CLASSES
IMAGES = (
    torch.randint(0, 100, (90, 1, 8, 8), generator=torch.Generator().manual_seed(0)) + 50 * LABELS[:, None, None, None]
).byte()
POOL, TEST = IMAGES[:60], (IMAGES[60:], LABELS[60:])
ORACLE = oracle(LABELS[:60])
QUICK = Recipe(steps=8, batch_size=8, device="cpu")


def small(directory: Path, **settings: object) -> Campaign:
    wanted = {"recipe": QUICK, "initial": 6, "query": 5, "samples": 4, **settings}
    return Campaign.create(directory, pool=POOL, test=TEST, **wanted)  # pyright: ignore[reportArgumentType]


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("strategy", ["bald", "power_bald", "random", "point_bald", "variation_ratios_votes"])
def test_what_a_campaign_leaves_behind(tmp_path: Path, strategy: str):
    with small(tmp_path / "c", strategy=strategy, validation=4) as campaign:
        campaign.run(oracle=ORACLE, rounds=3)
        page = campaign.report()
    curve, queries = table(tmp_path / "c" / "curve.csv"), table(tmp_path / "c" / "queries.csv")
    assert [row["labels"] for row in curve] == ["10", "15", "20", "25"], "validation labels count"
    assert [row["round"] for row in curve] == ["0", "1", "2", "3"]
    assert all(
        0 <= float(row["accuracy"]) <= 1 and math.isfinite(float(row["nll"])) and row["auc"] == "" for row in curve
    )
    assert all(row["seconds_score"] for row in curve[:-1])
    assert curve[-1]["seconds_score"] == "", "nothing is scored after the last round"
    assert len(queries) == 6 + 15
    assert len({row["id"] for row in queries}) == 21, "no item is asked twice"
    for row in queries:
        assert row["label"] == str(int(LABELS[int(row["id"].removeprefix("item-"))]))
        assert (row["score"] == "") == (row["round"] == "0")
    first = [row["label"] for row in queries if row["round"] == "0"]
    assert sorted(first) == ["0", "0", "1", "1", "2", "2"], "balanced"
    if strategy in {"bald", "variation_ratios_votes"}:
        for number in ("1", "2", "3"):
            scores = [float(row["score"]) for row in queries if row["round"] == number]
            assert scores == sorted(scores, reverse=True)
    if strategy == "point_bald":
        assert {float(row["score"]) for row in queries if row["score"]} == {0.0}, "a point knows no disagreement"
    assert page.stat().st_size > 10_000
    assert {path.suffix for path in page.parent.iterdir()} == {".html", ".png", ".svg"}


def test_same_seed_same_campaign_and_strategies_share_what_they_should(tmp_path: Path):
    def run(name: str, **settings: object) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
        with small(tmp_path / name, **settings) as campaign:
            campaign.run(ORACLE, 2)
        curve = [
            {k: v for k, v in row.items() if "seconds" not in k and k != "strategy"}
            for row in table(tmp_path / name / "curve.csv")
        ]
        return curve, table(tmp_path / name / "queries.csv")

    first, again, other, random = run("a"), run("b"), run("c", seed=1), run("d", strategy="random")
    assert first == again
    assert first[1] != other[1]
    assert first[0][0] == random[0][0], "the same initial set, weights and masks: the same round 0"
    assert first[0][1] != random[0][1]


def test_rounds_can_be_added_later_with_the_same_result(tmp_path: Path):
    with small(tmp_path / "at once") as campaign:
        campaign.run(ORACLE, 3)
    with small(tmp_path / "bit by bit") as campaign:
        campaign.run(ORACLE, 1)
        campaign.run(ORACLE, 1)
    with Campaign.open(tmp_path / "bit by bit", pool=POOL, test=TEST) as campaign:
        campaign.run(ORACLE, 3)
    assert (tmp_path / "at once/queries.csv").read_text() == (tmp_path / "bit by bit/queries.csv").read_text()


def test_a_pool_that_runs_out_ends_the_campaign(tmp_path: Path):
    with small(tmp_path / "c", query=25, initial=20) as campaign:
        campaign.run(ORACLE, 100)
        assert [point.labels for point in campaign.curve()] == [20, 45, 60]
        campaign.run(ORACLE, 100)
        assert len(campaign.curve()) == 3


def test_warm_start_and_tuning_go_through_the_loop(tmp_path: Path):
    decay = WeightDecay(tune=(0.0, 5.0), tune_every=2)
    recipe = QUICK.model_copy(update={"warm_start": True, "weight_decay": decay})
    stages: list[Stage] = []
    with small(tmp_path / "c", recipe=recipe, validation=10) as campaign:
        campaign.run(ORACLE, 3, notify=stages.append)
        records = campaign._workspace.store.round_records()
    fits = {
        number: max(stage.total for stage in stages if stage.name == "fit" and stage.round == number)
        for number in range(4)
    }
    assert fits == {0: 16, 1: 8, 2: 16, 3: 8}, "tuned in every second round, kept in between"
    assert records[1].metrics["weight_decay"] == records[0].metrics["weight_decay"]
    assert {stage.name for stage in stages} == {"fit", "evaluate", "score"}


def test_an_initial_set_of_so_many_of_each_class(tmp_path: Path):
    with small(tmp_path / "c", initial=9, initial_set=[6, 1, 2]) as campaign:
        campaign.run(oracle=ORACLE, rounds=0)
    labels = [row["label"] for row in table(tmp_path / "c" / "queries.csv")]
    assert [labels.count(str(each)) for each in range(CLASSES)] == [6, 1, 2]
    with Campaign.open(tmp_path / "c", pool=POOL, test=TEST) as campaign:
        assert campaign.settings.initial_set == (6, 1, 2)


@pytest.mark.parametrize(
    ("counts", "sentence"),
    [
        ([6, 1, 1], "initial_set to add up to initial = 9, found 8"),
        ([8, 1], "an initial number for each of 3 classes, found 2"),
    ],
)
def test_an_initial_set_that_cannot_be_is_refused(tmp_path: Path, counts: list[int], sentence: str):
    with pytest.raises(SettingsError, match=sentence):
        small(tmp_path / "c", initial=9, initial_set=counts)
    assert not (tmp_path / "c").exists()


def broken(image_shape: tuple[int, int, int], classes: int) -> nn.Module:
    """A network that yields NaN for a white image."""

    class Broken(nn.Sequential):
        def forward(self, input: Tensor) -> Tensor:
            white = input.flatten(1).amin(dim=1, keepdim=True) == 1
            return super().forward(input).masked_fill(white, torch.nan)

    return Broken(nn.Dropout(0.5), nn.Flatten(), nn.Linear(64, classes))


def test_nan_is_named_and_the_round_is_not_committed(tmp_path: Path):
    pool = POOL.clone()
    pool[10] = 255
    recipe = QUICK.model_copy(update={"model": broken})
    with Campaign.create(tmp_path / "c", pool=pool, test=TEST, recipe=recipe, initial=6, samples=4) as campaign:
        with pytest.raises(NonFiniteError, match="found NaN for item 'item-10'"):
            campaign.run(ORACLE, 2)
        store = campaign._workspace.store
        assert store.rounds_done() == 1, "no white image was in round 0's fit or test, so it stays"
        assert not store.has_query(1)


def test_a_second_process_is_refused(tmp_path: Path):
    with small(tmp_path / "c") as campaign:
        with Campaign.open(tmp_path / "c", pool=POOL, test=TEST) as second:

            def intrude(stage: Stage) -> None:
                with pytest.raises(CampaignBusyError, match="another process is running the campaign"):
                    second.run(ORACLE, 1)

            campaign.run(ORACLE, 0, notify=intrude)
        assert len(campaign.curve()) == 1


def test_an_interrupt_leaves_a_campaign_that_goes_on(tmp_path: Path):
    def interrupt(stage: Stage) -> None:
        if stage.round == 2 and stage.name == "score":
            raise KeyboardInterrupt

    with small(tmp_path / "c") as campaign, pytest.raises(KeyboardInterrupt):
        campaign.run(ORACLE, 3, notify=interrupt)
    with small(tmp_path / "whole") as campaign:
        campaign.run(ORACLE, 3)
    with Campaign.open(tmp_path / "c", pool=POOL, test=TEST) as campaign:
        campaign.run(ORACLE, 3)
    assert (tmp_path / "c/queries.csv").read_text() == (tmp_path / "whole/queries.csv").read_text()


def test_what_open_refuses(tmp_path: Path):
    with small(tmp_path / "c") as campaign:
        campaign.run(ORACLE, 1)
    with pytest.raises(CampaignExistsError, match=r"found campaign\.toml in"):
        small(tmp_path / "c")
    with pytest.raises(CampaignStateError, match=r"expected a campaign in .* found no campaign.toml"):
        Campaign.open(tmp_path / "nothing")
    with pytest.raises(SettingsError, match="created with images of your own"):
        Campaign.open(tmp_path / "c")
    with pytest.raises(CampaignStateError, match=r"expected the 60 items .* found 50"):
        Campaign.open(tmp_path / "c", pool=POOL[:50], test=TEST)
    renamed = as_pool(POOL, ids=[f"other-{number}" for number in range(60)])
    with pytest.raises(CampaignStateError, match=r"expected item 'item-00' at position 0 .* found 'other-0'"):
        Campaign.open(tmp_path / "c", pool=renamed, test=TEST)
    with pytest.raises(CampaignStateError, match="found another"):
        Campaign.open(tmp_path / "c", pool=POOL, test=TEST, recipe=Recipe(steps=9))
    weights = tmp_path / "c/models/round-0000.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    with Campaign.open(tmp_path / "c", pool=POOL, test=TEST) as campaign:
        with pytest.raises(CampaignStateError, match="found other content"):
            load_round(campaign._workspace, 0)
        weights.unlink()
        with pytest.raises(CampaignStateError, match="found no file"):
            load_round(campaign._workspace, 0)


def test_what_create_refuses_and_that_nothing_is_written(tmp_path: Path):
    for settings, error, message in (
        ({"strategy": "bold"}, UnknownNameError, "did you mean bald"),
        ({"query": 0}, SettingsError, "setting 'query' of the campaign cannot be used: .* found 0"),
        ({"initial": 70}, SettingsError, "fit in the pool of 60"),
        ({"recipe": Recipe(device="warp")}, SettingsError, "expected a device that this machine has, found 'warp'"),
    ):
        with pytest.raises(error, match=message):
            small(tmp_path / "c", **settings)
    with pytest.raises(SettingsError, match="expected pool and test images of shape"):
        Campaign.create(tmp_path / "c", pool=POOL, test=(torch.zeros(3, 1, 9, 9, dtype=torch.uint8), [0, 1, 2]))
    assert not (tmp_path / "c").exists()


def test_open_recognises_the_campaign_it_was(tmp_path: Path):
    with small(tmp_path / "c") as campaign:
        campaign.run(ORACLE, 1)
    curve = (tmp_path / "c/curve.csv").read_text()
    renamed = LabelledImages(as_pool(TEST[0]), TEST[1], ("2", "0", "1"))
    for changed, error, message in (
        ({"pool": 255 - POOL, "test": TEST}, CampaignStateError, "expected the images and test labels"),
        ({"pool": POOL, "test": (TEST[0], 2 - TEST[1])}, CampaignStateError, "expected the images and test labels"),
        ({"pool": POOL, "test": renamed}, SettingsError, "expected the classes"),
        ({"pool": POOL, "test": (TEST[0][:, :, :7], TEST[1])}, SettingsError, "resize them"),
        ({"pool": POOL, "test": (TEST[0].float(), TEST[1])}, SettingsError, "convert one of them"),
    ):
        with pytest.raises(error, match=message):
            Campaign.open(tmp_path / "c", **changed)
    settings = tmp_path / "c/campaign.toml"
    text = settings.read_text()
    settings.write_text(text.replace("query = 5", "query = 6"))
    with pytest.raises(CampaignStateError, match=r"found another campaign\.toml"):
        Campaign.open(tmp_path / "c", pool=POOL, test=TEST)
    settings.unlink()
    with pytest.raises(CampaignExistsError, match=r"found campaign\.db in"):
        small(tmp_path / "c", seed=5)
    settings.write_text(text)
    (tmp_path / "c/campaign.db").rename(tmp_path / "moved.db")
    with pytest.raises(CampaignStateError, match=r"expected campaign.db beside models, curve.csv"):
        Campaign.open(tmp_path / "c", pool=POOL, test=TEST)
    (tmp_path / "moved.db").rename(tmp_path / "c/campaign.db")
    with (
        Campaign.open(tmp_path / "c", pool=POOL, test=TEST) as campaign,
        pytest.raises(SettingsError, match="expected rounds >= 0"),
    ):
        campaign.run(ORACLE, -1)
    assert (tmp_path / "c/curve.csv").read_text() == curve


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        (("0",), "expected one answer for each of 6 items, found 1"),
        (("0", "1", "2", "0", "1", "x"), "there is no class called 'x'"),
        (("0", "1", "2", "0", "1", 2), "expected class names as answers, found 2"),
    ],
)
def test_wrong_answers_are_not_recorded(
    tmp_path: Path, answers: tuple[object, ...], message: str, plain_error: Callable[[str], str]
):
    oracle_code = f"type('Wrong', (), {{'answer': lambda self, ids: list({answers!r})}})()"
    said = plain_error(
        "import torch; from askwell import Campaign, Recipe\n"
        "images, labels = torch.arange(60 * 64).reshape(60, 1, 8, 8).byte(), torch.arange(60) % 3\n"
        "campaign = Campaign.create("
        f"{str(tmp_path / 'c')!r}, pool=images, test=(images, labels), recipe=Recipe(steps=1), initial=6, "
        f"initial_set='random', samples=2)\n"
        f"campaign.run({oracle_code}, 0)"
    )
    assert message in said
    with CampaignStore(tmp_path / "c/campaign.db") as store:
        assert store.labels() == {}


def test_what_the_first_fit_would_show_is_seen_before_anything_is_written(tmp_path: Path):
    for settings, error, message in (
        (
            {"recipe": QUICK.model_copy(update={"weight_decay": WeightDecay(tune=(0.1,))})},
            SettingsError,
            "needs labels to tune on",
        ),
        (
            {"recipe": QUICK.model_copy(update={"weight_decay": WeightDecay(value=1.0, layers=("nosuch",))})},
            SettingsError,
            "nosuch",
        ),
        ({"recipe": QUICK.model_copy(update={"model": without_dropout})}, NotStochasticError, "Point"),
        ({"recipe": Recipe(device="meta")}, SettingsError, "expected a device"),
    ):
        with pytest.raises(error, match=message):
            small(tmp_path / "c", **settings)
    assert not (tmp_path / "c").exists()
    point = QUICK.model_copy(update={"model": without_dropout})
    with small(tmp_path / "c", recipe=point, strategy="random", evaluation="point") as campaign:
        campaign.run(ORACLE, 1)


def without_dropout(image_shape: tuple[int, int, int], classes: int) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(64, classes))


def test_a_full_disk_is_one_sentence_and_loses_nothing(tmp_path: Path):
    with small(tmp_path / "c") as campaign:
        campaign.run(ORACLE, 1)
        store = campaign._workspace.store
        with store.engine.connect() as connection:
            pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
            connection.exec_driver_sql(
                f"PRAGMA max_page_count = {pages}"
            )  # of the pooled connection: no page may be added
        with pytest.raises(StoreUnavailableError, match=r"could not be written .*full.*; nothing committed is lost"):
            store.record(2, [LabelEvent(0, "label", "x" * 100_000, "a")])
    with Campaign.open(tmp_path / "c", pool=POOL, test=TEST) as campaign:
        campaign.run(ORACLE, 2)
        assert len(campaign.curve()) == 3


def test_a_network_of_ones_own_must_be_handed_over_again(tmp_path: Path):
    recipe = QUICK.model_copy(update={"model": broken})
    Campaign.create(tmp_path / "c", pool=POOL, test=TEST, recipe=recipe, initial=6).close()
    with pytest.raises(SettingsError, match="trains your own network"):
        Campaign.open(tmp_path / "c", pool=POOL, test=TEST)
    Campaign.open(tmp_path / "c", pool=POOL, test=TEST, recipe=recipe).close()


def test_adaptive_sampling_asks_what_all_samples_would(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("askwell.scoring.adaptive.FEWEST", 20)
    asked = {}
    for samples in (100, "adaptive"):
        with small(tmp_path / str(samples), samples=samples, query=2) as campaign:
            campaign.run(oracle=ORACLE, rounds=3)
        with CampaignStore(tmp_path / str(samples) / "campaign.db") as store:
            asked[samples] = store.asked()
    assert asked["adaptive"] == asked[100], "the same items, with the same scores"
    assert {item.samples for item in asked["adaptive"] if item.round == 0} == {None}
    assert {item.samples for item in asked["adaptive"] if item.round > 0} == {100}
    rough = resolve_precision("auto", "cpu")
    assert f'rough_precision = "{rough}"' in (tmp_path / "adaptive/campaign.toml").read_text()
    assert "rough_precision" not in (tmp_path / "100/campaign.toml").read_text()
    assert 'samples = "adaptive"' in (tmp_path / "adaptive/campaign.toml").read_text()
    Campaign.open(tmp_path / "adaptive", pool=POOL, test=TEST).close()


@pytest.mark.parametrize("strategy", ["power_bald", "variation_ratios_votes"])
def test_strategies_that_need_every_score_refuse_adaptive_sampling(tmp_path: Path, strategy: str):
    with pytest.raises(SettingsError, match=f'"adaptive" finds the highest scores only, and {strategy} looks at all'):
        small(tmp_path / "c", samples="adaptive", strategy=strategy)
    assert not (tmp_path / "c").exists()


@pytest.mark.parametrize("samples", [0, -1, "many", "0", "1.5"])
def test_samples_are_a_number_or_adaptive(samples: object):
    with pytest.raises(
        SettingsError, match=r"'samples' of here .*: expected a number of at least 1, or \"adaptive\", found"
    ):
        check_settings(ExperimentSettings, {"samples": samples}, "here")
    assert check_settings(ExperimentSettings, {"samples": "50"}, "here").full_samples == 50
    assert check_settings(ExperimentSettings, {"samples": "adaptive"}, "here").full_samples == 100


def test_candidates_are_drawn_anew_for_each_query_and_alone_are_scored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    seen: list[tuple[int, ...]] = []

    def watched(posterior: object, pool: object, positions: Tensor, *arguments: object, **settings: object) -> Tensor:
        seen.append(tuple(positions.tolist()))
        return score_pool(posterior, pool, positions, *arguments, **settings)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr("askwell.campaign.steps.score_pool", watched)
    with small(tmp_path / "c", candidates=8, query=3) as campaign:
        campaign.run(oracle=ORACLE, rounds=4)
    queries = table(tmp_path / "c/queries.csv")
    assert [len(set(positions)) for positions in seen] == [8] * 4
    assert len({tuple(sorted(positions)) for positions in seen}) == 4
    for number, positions in enumerate(seen, start=1):
        asked = {row["id"] for row in queries if row["round"] == str(number)}
        assert asked <= {f"item-{position:02d}" for position in positions}
        earlier = {row["id"] for row in queries if int(row["round"]) < number}
        assert not earlier & {f"item-{position:02d}" for position in positions}


def test_more_candidates_than_are_left_are_all_of_them(tmp_path: Path):
    for name, candidates in (("some", 1000), ("all", None)):
        with small(tmp_path / name, candidates=candidates) as campaign:
            campaign.run(oracle=ORACLE, rounds=2)
    assert (tmp_path / "some/queries.csv").read_text() == (tmp_path / "all/queries.csv").read_text()


def test_fewer_candidates_than_are_asked_for_are_refused(tmp_path: Path):
    with pytest.raises(SettingsError, match="expected at least query = 5 candidates, found 4"):
        small(tmp_path / "c", candidates=4)

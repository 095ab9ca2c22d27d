"""Labels out of a real campaign and into another, and the rest predicted: on a folder of images and on digits."""

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from askwell.campaign.campaign import Campaign
from askwell.campaign.exchanging import records_of
from askwell.campaign.labelling import begin_or_resume, index_folder
from askwell.campaign.learner import Learner
from askwell.campaign.predicting import images_named, predict
from askwell.campaign.saved_model import model_of_campaign, read_model
from askwell.campaign.steps import load_round, posterior_of
from askwell.campaign.studies.reopening import reopened
from askwell.errors import CampaignStateError
from askwell.exchange.predictions import read_predictions
from askwell.exchange.records import Record
from askwell.models.backbone_settings import Backbone
from askwell.models.weights import find_weights, load_weights
from askwell.pool.folder_dataset import load_folder
from askwell.scoring.local import predict_log_probs
from askwell.store.classes import ClassChange
from askwell.store.labelling import LabellingStore
from askwell.store.records import LabelEvent

Told = Callable[[str], tuple[int, str, str]]
RECIPE = "[recipe]\nsteps = 4\nbatch_size = 8\ndevice = 'cpu'\nprecision = 'fp32'\n"
SIZE = "--seeds 1 --rounds 1 --query 3 --initial 4 --samples 3 --workers 1 --threads 1"


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Forty labelled photographs in two folders, with names that spreadsheets and shells do not like."""
    random = np.random.default_rng(0)
    for number in range(40):
        label = ("benign", "malignant")[number % 2]
        pixels = (60 + 100 * (number % 2) + random.integers(-40, 40, (10, 14, 3))).astype(np.uint8)
        (tmp_path / "photos" / label).mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(tmp_path / f"photos/{label}/=é, {number:02d}.png")
    return tmp_path / "photos"


def begin(told: Told, photos: Path, out: Path, more: str = "", recipe: str = RECIPE) -> Path:
    config = out.with_suffix(".toml")
    config.write_text(recipe)
    code, _, said = told(f"run {config} --images {photos} --strategy bald --image-size 16 {SIZE} {more} --out {out}")
    assert code == 0, said
    return out / "bald/seed-0"


@pytest.mark.parametrize(
    ("form", "name"), [("csv", "l.csv"), ("jsonl", "l.jsonl"), ("labelstudio", "l.json"), ("folders", "l")]
)
def test_labels_go_out_of_one_campaign_and_into_another(told: Told, photos: Path, tmp_path: Path, form: str, name: str):
    first = begin(told, photos, tmp_path / "first")
    code, printed, said = told(f"export {first} --format {form} --out {tmp_path / name}")
    assert code == 0, said
    assert ("7 of 7 labels written" if form == "folders" else "7 answers (7 label)") in printed
    with Campaign.create_from(tmp_path / "second", {"initial": 2, "seed": 5}, *_images(photos)) as second:
        assert second.settings.classes == ("benign", "malignant")
    before = {record.id: record.label for record in records_of(first)}
    code, printed, said = told(f"import {tmp_path / 'second'} {tmp_path / name} --dry-run --json")
    assert code == 0, said
    assert (json.loads(printed)["added"], json.loads(printed)["taken"]) == (7, 0)
    assert records_of(tmp_path / "second") == []
    assert told(f"import {tmp_path / 'second'} {tmp_path / name}")[1].startswith("7 answers taken, 0 known already")
    assert {record.id: record.label for record in records_of(tmp_path / "second")} == before
    if form in ("csv", "jsonl"):
        assert _to_the_microsecond(tmp_path / "second") == _to_the_microsecond(first), "who, when and how long too"
    assert told(f"import {tmp_path / 'second'} {tmp_path / name}")[1].startswith("0 answers taken, 7 known already")


def _to_the_microsecond(campaign: Path) -> list[Record]:
    return [record._replace(time=round(record.time or 0.0, 6)) for record in records_of(campaign)]


def _images(photos: Path):
    data = load_folder(photos, size=16)
    return data.pool, data.test


def test_an_import_reports_and_keeps_what_there_is(told: Told, photos: Path, tmp_path: Path):
    campaign = begin(told, photos, tmp_path / "out")
    known = records_of(campaign)[0]
    other = {"benign": "malignant", "malignant": "benign"}[str(known.label)]
    open_items = sorted(set(_images(photos)[0].ids) - {record.id for record in records_of(campaign)})
    with (tmp_path / "old.csv").open("w", newline="") as file:
        csv.writer(file).writerows(
            [
                ("image", "diagnosis"),
                (known.id, other),
                (open_items[0], "benign"),
                ("nowhere.png", "benign"),
                (open_items[1], "mole"),
            ]
        )
    code, printed, said = told(f"import {campaign} {tmp_path}/old.csv:image,diagnosis --strict")
    assert code == 1
    assert "0 answers taken (1 could be), 0 known already, 3 not taken" in printed
    for reason in ("has another answer: 1", "unknown image: 1", "unknown class: 1"):
        assert reason in said
    code, printed, said = told(
        f"import {campaign} {tmp_path}/old.csv:image,diagnosis --annotator kim --rename mole=benign"
    )
    assert code == 0, said
    assert "2 answers taken" in printed
    now = {record.id: record for record in records_of(campaign)}
    assert now[known.id] == known
    assert (now[open_items[0]].label, now[open_items[0]].annotator) == ("benign", "kim")
    assert told(f"import {campaign} {tmp_path}/old.csv --rename mole")[2].startswith("error: expected OLD=NEW")


def test_a_campaign_predicts_the_rest_and_its_model_the_same_elsewhere(told: Told, photos: Path, tmp_path: Path):
    campaign = begin(told, photos, tmp_path / "out")
    code, _, said = told(f"predict {campaign} --out {tmp_path}/rest.csv")
    assert code == 0, said
    rest = read_predictions(tmp_path / "rest.csv")
    answered = {record.id for record in records_of(campaign)}
    assert {each.id for each in rest} == set(_images(photos)[0].ids) - answered
    assert told(f"predict {campaign} {photos} --out {tmp_path}/all.csv")[0] == 0
    everything = {each.id: each for each in read_predictions(tmp_path / "all.csv")}
    assert len(everything) == 40
    for each in rest:
        assert everything[each.id] == each
        assert sum(each.probabilities.values()) == pytest.approx(1)
        assert each.total == pytest.approx(each.aleatoric + each.epistemic)
        assert 0 <= each.epistemic <= each.total + 1e-9
    with reopened(campaign) as (workspace, rounds, _):
        posterior = posterior_of(workspace, load_round(workspace, rounds - 1), "mc_dropout", rounds - 1)
        logs = predict_log_probs(posterior, workspace.pool, torch.arange(len(workspace.pool)), classes=2)
        for item, row in zip(workspace.pool.ids, logs.exp().tolist(), strict=True):
            assert list(everything[item].probabilities.values()) == pytest.approx(row), "as the campaign measures"
    assert told(f"export {campaign} --format model --out {tmp_path}/model")[0] == 0
    shutil.rmtree(tmp_path / "out")
    assert told(f"predict {tmp_path}/model {photos} --out {tmp_path}/again.csv")[0] == 0
    assert (tmp_path / "again.csv").read_bytes() == (tmp_path / "all.csv").read_bytes()
    text = b"".join(path.read_bytes() for path in (tmp_path / "model").iterdir())
    for private in ("=é", "oracle", str(tmp_path)):
        assert private.encode() not in text
    assert "accuracy" in (tmp_path / "model/README.md").read_text()
    (tmp_path / "model/weights.safetensors").write_bytes(b"other")
    code, _, said = told(f"predict {tmp_path}/model {photos}")
    assert code == 1
    assert "found other content; copy the model's directory again" in said


def test_images_that_cannot_be_read_are_named(told: Told, photos: Path, tmp_path: Path):
    campaign = begin(told, photos, tmp_path / "out")
    (tmp_path / "new").mkdir()
    shutil.copy(photos / "benign/=é, 00.png", tmp_path / "new/good.png")
    (tmp_path / "new/bad.png").write_bytes(b"no picture")
    code, _, said = told(f"predict {campaign} {tmp_path}/new --out {tmp_path}/new.csv")
    assert code == 0
    assert [each.id for each in read_predictions(tmp_path / "new.csv")] == ["good.png"]
    assert "not predicted: 'bad.png'" in said
    for line, sentence in {
        f"predict {tmp_path}/new {photos}": "expected a campaign or a model",
        f"predict {campaign} {tmp_path}/nowhere": "expected a folder of images or a data set's name",
        f"predict {campaign} digits": "expected images of shape (3, 16, 16), found (1, 16, 16)",
        f"export {tmp_path}/new": "expected a campaign in",
    }.items():
        code, _, said = told(line)
        assert code in (1, 2)
        assert sentence in said


def test_a_frozen_trunks_model_is_the_head_and_the_name_of_its_trunk(
    told: Told, photos: Path, tmp_path: Path, imagenet_weights: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("ASKWELL_WEIGHTS", str(imagenet_weights))
    recipe = RECIPE + "[recipe.backbone]\nname = 'squeezenet1_1'\nside = 32\nfit = 'frozen'\nhidden = [8]\n"
    campaign = begin(told, photos, tmp_path / "out", recipe=recipe)
    assert told(f"predict {campaign} {photos} --out {tmp_path}/all.csv")[0] == 0
    with reopened(campaign) as (workspace, rounds, _):
        posterior = posterior_of(workspace, load_round(workspace, rounds - 1), "mc_dropout", rounds - 1)
        logs = predict_log_probs(posterior, workspace.pool, torch.arange(len(workspace.pool)), classes=2)
        ids = workspace.pool.ids
    found = {each.id: each for each in read_predictions(tmp_path / "all.csv")}
    for item, row in zip(ids, logs.exp().tolist(), strict=True):
        assert list(found[item].probabilities.values()) == pytest.approx(row, abs=1e-5), "as the campaign measures"
    assert told(f"export {campaign} --format model --out {tmp_path}/model")[0] == 0
    assert len({path.stat().st_mode for path in (tmp_path / "model").iterdir()}) == 1, "as the umask says, all of them"
    shutil.rmtree(tmp_path / "out")
    assert sum(path.stat().st_size for path in (tmp_path / "model").iterdir()) < 200_000, "the trunk is not in it"
    assert told(f"predict {tmp_path}/model {photos} --out {tmp_path}/again.csv")[0] == 0
    assert (tmp_path / "again.csv").read_bytes() == (tmp_path / "all.csv").read_bytes()
    trunk = load_weights(find_weights(Backbone(name="squeezenet1_1")).path)
    (tmp_path / "weights").mkdir()
    save_file(dict(trunk), tmp_path / "weights/same.safetensors", metadata={"another": "file"})
    line = f"predict {tmp_path}/model {photos} --out {tmp_path}/again.csv --weights {tmp_path}/weights"
    assert told(f"{line}/same.safetensors")[0] == 0, "the same weights in another file"
    save_file({name: tensor + 1 for name, tensor in trunk.items()}, tmp_path / "weights/other.safetensors")
    code, _, said = told(f"{line}/other.safetensors")
    assert code == 2
    assert "name the right file with --weights" in said
    assert set(load_file(tmp_path / "model/standardisation.safetensors")) == {"centre", "scale"}


def test_digits_go_out_as_class_folders_of_png(told: Told, tmp_path: Path):
    (tmp_path / "small.toml").write_text(RECIPE)
    assert told(f"run {tmp_path}/small.toml --dataset digits --strategy random {SIZE} --out {tmp_path}/out")[0] == 0
    campaign = tmp_path / "out/random/seed-0"
    assert told(f"export {campaign} --format folders --out {tmp_path}/classes")[0] == 0
    for record in records_of(campaign):
        file = tmp_path / f"classes/{record.label}/{record.id}#image.png"
        with Image.open(file) as image:
            assert image.size == (16, 16)
    _, printed, said = told(f"import {campaign} {tmp_path}/classes")
    assert "0 answers taken, 7 known already, 0 not taken" in printed, said
    model = model_of_campaign(campaign)
    found = predict(model, images_named("digits", model), tell=lambda *_: None)
    assert len(found.predictions) == 1197
    with pytest.raises(CampaignStateError, match=r"found no model\.toml"):
        read_model(campaign)


def test_skips_and_undos_are_exported_as_they_stand(told: Told, photos: Path, tmp_path: Path):
    campaign = begin(told, photos, tmp_path / "out")
    with Campaign.open(campaign) as opened:
        store = opened.workspace.store
        first, second, third = store.unasked()[:3]
        store.record(
            2,
            [
                LabelEvent(first, "skip", None, "kim", 1.5),
                LabelEvent(second, "unsure", None, "kim"),
                LabelEvent(second, "undo", None, "kim"),
                LabelEvent(third, "bad", None, "kim"),
            ],
        )
    kinds = {record.id: record.kind for record in records_of(campaign) if record.kind != "label"}
    assert sorted(kinds.values()) == ["bad", "skip"]
    assert "9 answers (7 label, 1 skip, 1 bad)" in told(f"export {campaign} --out {tmp_path}/l.csv")[1]


@pytest.mark.parametrize(
    "trunk", [pytest.param(False, id="from scratch", marks=pytest.mark.slow), pytest.param(True, id="frozen trunk")]
)
def test_a_campaign_that_people_label(
    told: Told,
    photos: Path,
    tmp_path: Path,
    trunk: bool,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
):
    """Earlier labels in, a class merged, labels and the model out; the model says what the campaign's learner said of its sample."""
    weights = request.getfixturevalue("imagenet_weights") if trunk else tmp_path / "nothing"
    monkeypatch.setenv("ASKWELL_WEIGHTS", str(weights))
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda _: str(tmp_path / "cache"))
    directory = tmp_path / "photos-askwell"
    settings = begin_or_resume(photos, directory, ["benign", "malignant", "other"])
    with LabellingStore(directory / "campaign.db") as store:
        for _ in index_folder(store, photos, directory, settings, lambda: True):
            pass
    code, printed, said = told(f"import {directory} {photos} --annotator kim")
    assert code == 0, said
    assert printed.startswith("40 answers taken, 0 known already, 0 not taken")
    with LabellingStore(directory / "campaign.db") as store:
        assert store.standing("kim").labels == {"c1": 20, "c2": 20, "c3": 0}
        store.change_classes("kim", ClassChange("rename", class_id="c1", name="good"), "rename")
    records = records_of(directory)
    assert {record.label for record in records} == {"good", "malignant"}
    assert {record.annotator for record in records} == {"kim"}
    assert told(f"export {directory} --format jsonl --out {tmp_path}/l.jsonl")[0] == 0
    assert "40 known already" in told(f"import {directory} {tmp_path}/l.jsonl")[1]
    code, _, said = told(f"export {directory} --format folders --out {tmp_path}/sorted")
    assert code == 2
    assert "say --images FOLDER" in said
    assert told(f"export {directory} --format folders --images {photos} --out {tmp_path}/sorted")[0] == 0
    assert len(list((tmp_path / "sorted/good").rglob("*.png"))) == 20
    with LabellingStore(directory / "campaign.db") as store:
        learner = Learner(store, directory, photos, settings)
        while store.rounds_done() == 0:
            learner.step()
        store.change_classes("kim", ClassChange("merge", class_id="c3", into="c1"), "merge")
        sample = json.loads(store.predictions()[-1][2])
        files = store.files()
    code, _, said = told(f"predict {directory} {photos} --out {tmp_path}/all.csv")
    assert code == 0, said
    found = {each.id: each for each in read_predictions(tmp_path / "all.csv")}
    assert len(sample["probabilities"]) == 8
    for position, row in sample["probabilities"].items():
        together = dict(zip(sample["classes"], row, strict=True))
        of = found[files[int(position)].id].probabilities
        assert of == pytest.approx({"good": together["c1"] + together["c3"], "malignant": together["c2"]}, abs=2e-3)
    assert told(f"predict {directory} {photos} --rest --out {tmp_path}/rest.csv")[0] == 0
    assert read_predictions(tmp_path / "rest.csv") == []
    assert told(f"export {directory} --format model --out {tmp_path}/model")[0] == 0
    assert "accuracy" in (tmp_path / "model/README.md").read_text()
    assert "kim" not in (tmp_path / "model/README.md").read_text() + (tmp_path / "model/model.toml").read_text()
    shutil.rmtree(directory)
    assert told(f"predict {tmp_path}/model {photos} --out {tmp_path}/again.csv")[0] == 0
    assert (tmp_path / "again.csv").read_bytes() == (tmp_path / "all.csv").read_bytes()

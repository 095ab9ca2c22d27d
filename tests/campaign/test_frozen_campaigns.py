"""Campaigns on cached features: they resume, they share what was computed, and they are what the whole network's numbers say."""

import json
import shutil

import pytest
import torch

from askwell.campaign import experiment, inputs
from askwell.campaign.campaign import Campaign
from askwell.campaign.experiment import check_experiment, run_experiment
from askwell.campaign.settings import ExperimentSettings, check_settings, read_campaign_settings
from askwell.errors import SettingsError
from askwell.learning.recipe import Recipe
from askwell.models.weights import sha256_of
from askwell.pool.datasets import Dataset
from askwell.pool.images import as_labelled, as_pool
from askwell.pool.oracle import DatasetOracle, oracle

SEED = torch.Generator().manual_seed(5)
IMAGES = torch.randint(0, 256, (60, 3, 24, 24), dtype=torch.uint8, generator=SEED)
LABELS = (IMAGES[:, 0].float().mean(dim=(1, 2)) > IMAGES[:, 1].float().mean(dim=(1, 2))).long()
POOL, TEST = IMAGES[:40], (IMAGES[40:], LABELS[40:])
BACKBONE = {"name": "squeezenet1_1", "weights": "none", "side": 32, "fit": "frozen", "hidden": (8,)}


def recipe(**changes) -> Recipe:
    values = {"backbone": {**BACKBONE, **changes.pop("backbone", {})}, "steps": 3, "batch_size": 8, "device": "cpu"}
    return Recipe.model_validate({**values, **changes})


def create(directory, own: Recipe, **settings):
    return Campaign.create(
        directory, pool=POOL, test=TEST, recipe=own, strategy="bald", initial=8, query=4, samples=5, **settings
    )


def numbers(campaign: Campaign):
    return [(point.labels, point.accuracy, point.nll, point.auc) for point in campaign.curve()]


@pytest.mark.parametrize("augmentation", ["none", "flips", "positive_flips"])
def test_a_campaign_on_features_resumes_with_the_same_numbers(tmp_path, augmentation, monkeypatch):
    own = recipe(augmentation=augmentation, backbone={"views": "mean"} if augmentation == "flips" else {})
    with create(tmp_path / "whole", own) as campaign:
        campaign.run(oracle(LABELS[:40]), 2)
        wanted = numbers(campaign)
        assert len(list((tmp_path / "whole" / "features").glob("*.npy"))) == 2
    with create(tmp_path / "parts", own) as campaign:
        campaign.run(oracle(LABELS[:40]), 1)
    monkeypatch.setattr(inputs, "write_features", None)  # what is there is not computed again
    with Campaign.open(tmp_path / "parts", pool=POOL, test=TEST) as campaign:
        campaign.run(oracle(LABELS[:40]), 2)
        assert numbers(campaign) == wanted
        assert campaign.workspace.pool.image_shape == (3, 24, 24)  # to look at, it is images


def test_features_that_were_lost_are_computed_again(tmp_path):
    with create(tmp_path / "a", recipe()) as campaign:
        campaign.run(oracle(LABELS[:40]), 1)
    shutil.rmtree(tmp_path / "a" / "features")
    stages = []
    with Campaign.open(tmp_path / "a", pool=POOL, test=TEST) as campaign:
        campaign.run(oracle(LABELS[:40]), 2, notify=stages.append)
    assert any(stage.name.startswith("features, ") and "images/s" in stage.name for stage in stages)


def test_an_experiment_computes_its_features_once_and_every_campaign_has_them(tmp_path, monkeypatch):
    settings = ExperimentSettings.model_validate(
        {
            "dataset": "digits",
            "strategy": ["bald", "random"],
            "seeds": 1,
            "rounds": 1,
            "samples": 3,
            "recipe": recipe(backbone={"pooling": "mean"}, precision="fp32").model_dump(exclude={"model"}),
        }
    )
    written, write = [], inputs.write_features
    monkeypatch.setattr(
        inputs, "write_features", lambda file, *rest: written.append(file.directory) or write(file, *rest)
    )
    told = []
    run_experiment(settings, tmp_path, workers=1, threads=1, notify=told.append)
    assert written == [tmp_path / "features"] * 2
    own = sorted((tmp_path / "features").glob("*.npy"))
    for strategy in settings.strategy:
        theirs = sorted((tmp_path / strategy / "seed-0" / "features").glob("*.npy"))
        assert [sha256_of(file) for file in theirs] == [sha256_of(file) for file in own]
        assert (tmp_path / strategy / "seed-0" / "curve.csv").read_text().count("\n") == 3
    assert any("images/s" in standing.doing for standing in told)
    said = inputs.first_passes(tmp_path)
    assert [sentence.split(" images")[0] for sentence in said] == ["the features of 1197", "the features of 600"]
    assert all("images/s; they are kept in" in sentence for sentence in said)
    check_experiment(settings, tmp_path, resume=True)
    run_experiment(settings, tmp_path, workers=1, threads=1, notify=told.append)
    assert len(written) == 2


def test_what_an_earlier_try_left_is_kept_only_for_the_same_pixels(tmp_path, monkeypatch):
    written, write = [], inputs.write_features
    monkeypatch.setattr(inputs, "write_features", lambda file, *rest: written.append(file.key) or write(file, *rest))
    images, own = IMAGES.clone(), recipe()

    def prepare() -> int:
        before = len(written)
        pool, test = as_pool(images[:40]), as_labelled((images[40:], LABELS[40:]))
        answers = DatasetOracle(pool.ids, LABELS[:40], test.classes)
        data = Dataset("noise", test.classes, pool, test, answers, "torch's generator")
        inputs.experiment_features(tmp_path, own, data, lambda *_: None)
        return len(written) - before

    assert prepare() == 2
    assert prepare() == 0
    images[50] += 1
    assert prepare() == 1
    assert prepare() == 0


def test_features_beside_other_images_are_not_taken(tmp_path):
    """Images that were handed over may have the ids of others."""
    with create(tmp_path / "a", recipe()) as campaign:
        campaign.run(oracle(LABELS[:40]), 0)
        wanted = numbers(campaign)
    other = 255 - IMAGES
    with Campaign.create(
        tmp_path / "other", pool=other[:40], test=(other[40:], LABELS[40:]), recipe=recipe(), initial=8, samples=5
    ) as campaign:
        campaign.run(oracle(LABELS[:40]), 0)
    shutil.move(tmp_path / "other" / "features", tmp_path / "features")
    with create(tmp_path / "b" / "c", recipe()) as campaign:
        campaign.run(oracle(LABELS[:40]), 0)
        assert numbers(campaign) == wanted


@pytest.mark.parametrize(("fit", "head"), [("whole", "bayesian"), ("last_blocks", "own"), ("frozen", "bayesian")])
def test_weights_of_another_network_are_refused_before_any_image_is_read(tmp_path, monkeypatch, fit, head):
    torch.save({"a": torch.zeros(1)}, tmp_path / "w.pth")
    backbone = {"name": "squeezenet1_1", "weights": str(tmp_path / "w.pth"), "fit": fit, "head": head}
    settings = ExperimentSettings.model_validate({"seeds": 1, "rounds": 0, "recipe": {"backbone": backbone}})
    monkeypatch.setattr(experiment, "dataset_of", None)
    monkeypatch.setattr(experiment, "_run_in_workers", None)
    with pytest.raises(SettingsError, match=r"^expected weights of squeezenet1_1"):
        run_experiment(settings, tmp_path / "out", workers=2, threads=1, notify=lambda _: None)
    assert not (tmp_path / "out").exists()


def test_the_weights_file_is_recorded_and_its_place_may_change(tmp_path):
    from safetensors.torch import save_file

    from askwell.models.networks import build_network

    save_file(build_network("squeezenet1_1").state_dict(), tmp_path / "one.safetensors")
    own = recipe(backbone={"weights": str(tmp_path / "one.safetensors")})
    with create(tmp_path / "a", own) as campaign:
        campaign.run(oracle(LABELS[:40]), 0)
    stored = read_campaign_settings(tmp_path / "a").recipe.backbone
    assert stored is not None
    assert stored.sha256 == sha256_of(tmp_path / "one.safetensors")
    shutil.copy(tmp_path / "one.safetensors", tmp_path / "two.safetensors")
    file = tmp_path / "a" / "campaign.toml"
    file.write_text(file.read_text().replace("one.safetensors", "two.safetensors"))
    moved = recipe(backbone={"weights": str(tmp_path / "two.safetensors")})
    with Campaign.open(tmp_path / "a", pool=POOL, test=TEST, recipe=moved) as campaign:
        campaign.run(oracle(LABELS[:40]), 1)
    (tmp_path / "two.safetensors").write_bytes(b"other")
    with pytest.raises(SettingsError, match="expected weights with sha256"):
        create(
            tmp_path / "b",
            own.model_copy(
                update={"backbone": stored.model_copy(update={"weights": str(tmp_path / "two.safetensors")})}
            ),
        )


@pytest.mark.parametrize("fit", ["whole", "last_blocks"])
def test_the_trunk_is_trained_where_it_is_said(tmp_path, fit):
    with create(tmp_path / "a", recipe(backbone={"fit": fit, "blocks": 1})) as campaign:
        campaign.run(oracle(LABELS[:40]), 1)
        assert len(campaign.curve()) == 2
    assert not (tmp_path / "a" / "features").exists()


def test_settings_that_do_not_fit_are_refused_before_anything_is_written(tmp_path):
    with pytest.raises(SettingsError, match="mirror images only"):
        check_settings(Recipe, {"backbone": BACKBONE, "augmentation": "affine_elastic"}, "the recipe")
    three = (IMAGES[40:], torch.arange(20) % 3)
    with pytest.raises(SettingsError, match="positive_flips needs 2 classes"):
        Campaign.create(tmp_path / "a", pool=POOL, test=three, recipe=recipe(augmentation="positive_flips"))
    assert not (tmp_path / "a").exists()
    assert json.loads(recipe().model_dump_json())["model"] == "backbone"

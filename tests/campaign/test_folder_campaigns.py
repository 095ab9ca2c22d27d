"""Campaigns on real folders of real files: broken ones, changed ones, moved ones."""

import csv
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from askwell.campaign.campaign import Campaign
from askwell.campaign.data import frozen_dataset, prepared, read_items
from askwell.campaign.experiment import check_experiment, run_experiment
from askwell.campaign.relinking import find_moved, write_moved
from askwell.campaign.settings import ExperimentSettings, check_settings
from askwell.campaign.workspace import Stage
from askwell.errors import AskwellError, CampaignStateError, DatasetCorruptError, DatasetNotFoundError, UsageError
from askwell.learning.recipe import Recipe
from askwell.pool.folder_dataset import load_folder
from askwell.store.store import CampaignStore

CLASSES = ("cat", "dog", "owl")
PER_CLASS = 20


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Sixty grey PNGs in three subfolders, nested, the file names repeated in each."""
    random = np.random.default_rng(0)
    for shade, name in zip((40, 120, 200), CLASSES, strict=True):
        for number in range(PER_CLASS):
            file = tmp_path / "photos" / name / f"batch {number % 2}" / f"{number:02d}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray((shade + random.integers(-30, 30, (12, 12))).astype(np.uint8)).save(file)
    return tmp_path / "photos"


def settings(photos: Path, **own: object) -> ExperimentSettings:
    images = {"folder": str(photos), **own.pop("images", {})}  # pyright: ignore[reportGeneralTypeIssues, reportCallIssue]
    recipe = {"steps": 6, "batch_size": 8, "device": "cpu"}
    small = {"strategy": ["bald"], "seeds": 1, "rounds": 2, "query": 4, "initial": 6, "samples": 3, "recipe": recipe}
    return check_settings(ExperimentSettings, {**small, **own, "images": images}, "the test")


def run(wanted: ExperimentSettings, out: Path, *, resume: bool = False) -> tuple[str, ...]:
    check_experiment(wanted, out, resume=resume)
    ready, notes = prepared(wanted, out)
    run_experiment(ready, out, workers=1, threads=1, notify=lambda _: None)
    return notes


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
        return list(csv.DictReader(file))


def results(campaign: Path) -> tuple[list[dict[str, str]], str]:
    """The curve without its seconds, and the queries."""
    curve = [{k: v for k, v in row.items() if "seconds" not in k} for row in table(campaign / "curve.csv")]
    return curve, (campaign / "queries.csv").read_text()


def test_a_folder_is_an_experiment(photos: Path, tmp_path: Path):
    run(settings(photos, strategy=["bald", "random"]), tmp_path / "out")
    items = table(tmp_path / "out/items.csv")
    assert len(items) == 60
    assert sum(item["split"] == "test" for item in items) == 12
    assert {item["label"] for item in items} == set(CLASSES)
    campaign = tmp_path / "out/bald/seed-0"
    assert (campaign / "items.csv").read_text() == (tmp_path / "out/items.csv").read_text()
    assert [row["labels"] for row in table(campaign / "curve.csv")] == ["6", "10", "14"]
    for row in table(campaign / "queries.csv"):
        assert row["id"].split("/")[0] == row["label"]
    with Campaign.open(campaign) as opened:
        assert opened.settings.image_shape == (1, 12, 12), "the files' own side, grey"
        stored = opened._workspace.store.hashes()
        assert len(stored) == 48, "bald has read them all, and remembers their content"
        assert opened.report().exists()
    assert not (campaign / "quarantine.csv").exists()


def test_new_files_change_nothing(photos: Path, tmp_path: Path):
    run(settings(photos), tmp_path / "whole")
    run(settings(photos, rounds=1), tmp_path / "out")
    shutil.copy(photos / "cat/batch 0/00.png", photos / "cat/aaa.png")
    run(settings(photos), tmp_path / "out", resume=True)
    assert results(tmp_path / "out/bald/seed-0") == results(tmp_path / "whole/bald/seed-0")


def spoil(photos: Path) -> list[str]:
    """Six files that are no pictures, in the place of six that were."""
    names = [f"{name}/batch 0/{number:02d}.png" for name in CLASSES for number in (2, 4)]
    contents = [
        b"",
        b"a text",
        (photos / names[2]).read_bytes()[:60],
        b"<svg/>",
        b"\x89PNG\r\n\x1a\n",
        b"%!PS-Adobe-3.0 EPSF",
    ]
    for name, content in zip(names, contents, strict=True):
        (photos / name).write_bytes(content)
    return names


@pytest.mark.parametrize("strategy", ["bald", "random"])
def test_unreadable_images_are_set_aside_and_a_killed_run_ends_the_same(photos: Path, tmp_path: Path, strategy: str):
    names = spoil(photos)
    wanted = settings(photos, strategy=[strategy], rounds=3, validation=6)
    run(wanted, tmp_path / "whole")
    whole = tmp_path / f"whole/{strategy}/seed-0"
    aside = {row["id"]: row for row in table(whole / "quarantine.csv")}
    if strategy == "bald":
        assert set(aside) == set(names), "scoring reads the whole pool"
    assert aside.keys() <= set(names)
    assert all(row["reason"] for row in aside.values())
    asked = {row["id"] for row in table(whole / "queries.csv")}
    assert len(asked) == 6 + 3 * 4, "others were asked in their place"
    assert not asked & set(names)

    ready, _ = prepared(wanted, tmp_path / "out")
    for stage in ("fit", "evaluate", "score"):
        interrupted(ready, tmp_path / "out", stage)
    run_experiment(ready, tmp_path / "out", workers=1, threads=1, notify=lambda _: None)
    assert results(tmp_path / f"out/{strategy}/seed-0") == results(whole)


def interrupted(ready: ExperimentSettings, out: Path, name: str) -> None:
    """Run until that stage of some round after the first begins."""

    def stop(stage: Stage) -> None:
        if stage.name == name and stage.round > 0:
            raise KeyboardInterrupt

    def heard(standing: object) -> None:
        if f": {name}" in getattr(standing, "doing", "") and "round 0" not in getattr(standing, "doing", ""):
            raise KeyboardInterrupt

    if name == "score" and ready.strategy == ("random",):
        return
    with pytest.raises(KeyboardInterrupt):
        run_experiment(ready, out, workers=1, threads=1, notify=heard)


def test_a_file_that_changes_or_goes_is_set_aside_and_its_label_stays(photos: Path, tmp_path: Path):
    run(settings(photos, rounds=1), tmp_path / "out")
    campaign = tmp_path / "out/bald/seed-0"
    changed, gone = [row["id"] for row in table(campaign / "queries.csv")][:2]
    shutil.copy(photos / "owl/batch 1/19.png", photos / changed)
    (photos / gone).unlink()
    run(settings(photos), tmp_path / "out", resume=True)
    aside = {row["id"]: row["reason"] for row in table(campaign / "quarantine.csv")}
    assert "changed since it was first read" in aside[changed]
    assert "gone" in aside[gone]
    assert [row["labels"] for row in table(campaign / "curve.csv")] == ["6", "10", "12"], (
        "two labels are not learned from"
    )
    with CampaignStore(campaign / "campaign.db") as store:
        assert len(store.labels()) == 14, "and all are kept"


def test_a_changed_test_image_is_refused(photos: Path, tmp_path: Path):
    run(settings(photos, rounds=0), tmp_path / "out")
    tested = next(item["path"] for item in table(tmp_path / "out/items.csv") if item["split"] == "test")
    kept = (photos / tested).read_bytes()
    before = results(tmp_path / "out/bald/seed-0")
    for content in (b"nothing", (photos / "owl/batch 1/19.png").read_bytes() + b" "):
        (photos / tested).write_bytes(content)
        with pytest.raises(CampaignStateError, match="put the"):
            run(settings(photos), tmp_path / "out", resume=True)
        assert results(tmp_path / "out/bald/seed-0")[0] == before[0], "no round was committed"
    (photos / tested).write_bytes(kept)
    run(settings(photos), tmp_path / "out", resume=True)


def test_a_folder_that_goes_stops_the_campaign_and_loses_nothing(photos: Path, tmp_path: Path):
    ready, _ = prepared(settings(photos), tmp_path / "out")

    def vanish(standing: object) -> None:
        if "round 1: fit" in getattr(standing, "doing", "") and photos.exists():
            photos.rename(tmp_path / "elsewhere")

    with pytest.raises(DatasetNotFoundError, match="found no such folder or an empty one; put it back"):
        run_experiment(ready, tmp_path / "out", workers=1, threads=1, notify=vanish)
    campaign = tmp_path / "out/bald/seed-0"
    assert not (campaign / "quarantine.csv").exists()
    with pytest.raises(CampaignStateError, match=r"found no such folder; if they were moved, resume with --images"):
        run(settings(photos), tmp_path / "out", resume=True)
    (tmp_path / "elsewhere").rename(photos)
    run(settings(photos), tmp_path / "out", resume=True)
    run(settings(photos), tmp_path / "whole")
    assert results(campaign) == results(tmp_path / "whole/bald/seed-0")


def test_a_pool_that_is_mostly_unreadable_is_the_disks_fault(photos: Path, tmp_path: Path):
    ready, _ = prepared(settings(photos), tmp_path / "out")
    for file in sorted(photos.rglob("*.png"))[:45]:
        file.write_bytes(b"")
    with pytest.raises(DatasetCorruptError, match="check the disk"):
        run_experiment(ready, tmp_path / "out", workers=1, threads=1, notify=lambda _: None)
    assert not (tmp_path / "out/bald/seed-0/quarantine.csv").exists()


def move(photos: Path, new: Path, *, rename: bool, lose: int = 0) -> None:
    photos.rename(new)
    if rename:
        (new / "cat").rename(new / "felis")
        (new / "dog/batch 0/00.png").rename(new / "dog/first.png")
    for file in sorted(new.rglob("*.png"))[:lose]:
        file.unlink()


@pytest.mark.parametrize("rename", [False, True])
def test_a_folder_that_moved_is_found_again(photos: Path, tmp_path: Path, rename: bool):
    run(settings(photos), tmp_path / "whole")
    run(settings(photos, rounds=1), tmp_path / "out")
    move(photos, tmp_path / "archive", rename=rename)
    moved = settings(tmp_path / "archive")
    with pytest.raises(AskwellError, match="another folder"):
        check_experiment(moved, tmp_path / "out", resume=True)
    relinking = find_moved(moved, tmp_path / "out")
    assert relinking is not None
    assert relinking.missing == ()
    assert relinking.by_content == (21 if rename else 0)
    write_moved(relinking, tmp_path / "out")
    assert find_moved(moved, tmp_path / "out") is None
    run(moved, tmp_path / "out", resume=True)
    assert results(tmp_path / "out/bald/seed-0") == results(tmp_path / "whole/bald/seed-0")


def test_another_folder_altogether_is_refused(photos: Path, tmp_path: Path):
    run(settings(photos, rounds=0), tmp_path / "out")
    (tmp_path / "other").mkdir()
    Image.new("L", (8, 8)).save(tmp_path / "other/x.png")
    with pytest.raises(CampaignStateError, match="found none of them"):
        find_moved(settings(tmp_path / "other"), tmp_path / "out")


def test_folders_that_cannot_be_an_experiment(photos: Path, tmp_path: Path, plain_error: Callable[[str], str]):
    (tmp_path / "empty").mkdir()
    for folder, message in ((tmp_path / "empty", "image"), (tmp_path / "nowhere", "nowhere")):
        with pytest.raises(UsageError, match=message):
            prepared(settings(folder), tmp_path / "out")
    only = tmp_path / "only"
    shutil.copytree(photos / "cat", only / "cat")
    with pytest.raises(UsageError, match="class"):
        prepared(settings(only), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_groups_stay_together(photos: Path, tmp_path: Path):
    wanted = settings(photos, images={"group_by": r"(\d\d)\.png"}, validation=5, rounds=0)
    run(wanted, tmp_path / "out")
    items = {row["id"]: row for row in table(tmp_path / "out/items.csv")}
    sides: dict[str, set[str]] = {}
    for row in items.values():
        sides.setdefault(row["group"], set()).add(row["split"])
    assert all(len(split) == 1 for split in sides.values())
    with CampaignStore(tmp_path / "out/bald/seed-0/campaign.db") as store:
        groups = store.groups()
        reserved = set(store.positions("validation"))
    assert len(reserved) >= 5
    assert {groups[position] for position in reserved}.isdisjoint(
        {group for position, group in groups.items() if position not in reserved}
    )


@pytest.mark.parametrize("broken", ["fsync", "replace"])
def test_a_model_that_cannot_be_written_leaves_the_round_before(
    photos: Path, tmp_path: Path, broken: str, monkeypatch: pytest.MonkeyPatch
):
    """As when the power goes, or the disk is full, in the middle of writing a network's weights."""
    run(settings(photos), tmp_path / "whole")
    run(settings(photos, rounds=0), tmp_path / "out")
    campaign = tmp_path / "out/bald/seed-0"
    before = {path: path.read_bytes() for path in campaign.rglob("*") if path.suffix in {".csv", ".safetensors"}}
    with monkeypatch.context() as patched:
        if broken == "fsync":
            patched.setattr(os, "fsync", refuse)
        else:
            original = Path.replace
            patched.setattr(Path, "replace", lambda self, to: refuse() if "models" in str(to) else original(self, to))
        with pytest.raises(OSError, match="No space left"):
            run(settings(photos), tmp_path / "out", resume=True)
    assert {path: path.read_bytes() for path in before} == before
    assert not list(campaign.rglob("*.tmp"))
    run(settings(photos), tmp_path / "out", resume=True)
    assert results(campaign) == results(tmp_path / "whole/bald/seed-0")


def refuse(*_: object) -> None:
    raise OSError(28, "No space left on device")


def test_files_that_are_all_gone_for_a_while_are_not_set_aside(photos: Path, tmp_path: Path):
    """An unmounted disk may leave the folders; random reads few images at a time and must not take it for their end."""
    wanted = settings(photos, strategy=["random"], rounds=1)
    run(wanted, tmp_path / "out")
    shutil.copytree(photos, tmp_path / "kept")
    for file in photos.rglob("*.png"):
        file.unlink()
    longer = settings(photos, strategy=["random"], rounds=3)
    with pytest.raises(DatasetNotFoundError, match=r"were looked for gone; put them back"):
        run(longer, tmp_path / "out", resume=True)
    assert not (tmp_path / "out/random/seed-0/quarantine.csv").exists()
    shutil.copytree(tmp_path / "kept", photos, dirs_exist_ok=True)
    run(longer, tmp_path / "out", resume=True)
    run(longer, tmp_path / "whole")
    assert results(tmp_path / "out/random/seed-0") == results(tmp_path / "whole/random/seed-0")


def test_a_test_image_missing_from_the_new_place_is_said_before_anything_is_changed(photos: Path, tmp_path: Path):
    run(settings(photos, rounds=0), tmp_path / "out")
    photos.rename(tmp_path / "archive")
    before = (tmp_path / "out/items.csv").read_text()
    tested = next(item["path"] for item in table(tmp_path / "out/items.csv") if item["split"] == "test")
    (tmp_path / "archive" / tested).unlink()
    with pytest.raises(CampaignStateError, match=r"found 1 missing in .*put them there, or begin a new experiment"):
        find_moved(settings(tmp_path / "archive"), tmp_path / "out")
    assert (tmp_path / "out/items.csv").read_text() == before


def test_labels_may_move_with_the_folder_or_be_left_out_when_resuming(photos: Path, tmp_path: Path):
    def with_labels(place: Path) -> ExperimentSettings:
        own = {"labels": str(place / "labels.csv"), "group_by": f"{place / 'labels.csv'}:patient"}
        return settings(place, images=own, rounds=1)

    lines = [
        f"{file.relative_to(photos)},{file.parts[-3]},p{number // 3}"
        for number, file in enumerate(sorted(photos.rglob("*.png")))
    ]
    (photos / "labels.csv").write_text("\n".join(["image,label,patient", *lines]))
    run(with_labels(photos), tmp_path / "out")
    moved = tmp_path / "archive"
    photos.rename(moved)
    relinking = find_moved(with_labels(moved), tmp_path / "out")
    assert relinking is not None
    write_moved(relinking, tmp_path / "out")
    run(with_labels(moved), tmp_path / "out", resume=True)
    run(settings(moved, rounds=2), tmp_path / "out", resume=True)
    with pytest.raises(UsageError, match="found another labels"):
        run(settings(moved, images={"labels": str(moved / "other.csv")}), tmp_path / "out", resume=True)


def test_all_campaigns_of_an_experiment_are_measured_on_the_same_images(photos: Path, tmp_path: Path):
    run(settings(photos, rounds=0), tmp_path / "out")
    tested = next(item["path"] for item in table(tmp_path / "out/items.csv") if item["split"] == "test")
    (photos / tested).unlink()
    with pytest.raises(CampaignStateError, match="expected the same test images as in round 0"):
        run(settings(photos, rounds=0, seeds=2), tmp_path / "out", resume=True)


def test_a_later_campaign_that_was_killed_when_it_began_still_holds_to_the_first(photos: Path, tmp_path: Path):
    run(settings(photos, rounds=0), tmp_path / "out")
    tested = next(item["path"] for item in table(tmp_path / "out/items.csv") if item["split"] == "test")
    ready, _ = prepared(settings(photos, rounds=0, seeds=2), tmp_path / "out")
    data = frozen_dataset(ready.images, tmp_path / "out")  # pyright: ignore[reportArgumentType]
    values = {**ready.model_dump(exclude={"seeds", "rounds", "strategy", "recipe"}), "recipe": ready.recipe, "seed": 1}
    items = read_items(tmp_path / "out")
    Campaign.create_from(tmp_path / "out/bald/seed-1", values, data.pool, data.test, data.groups, items).close()
    (photos / tested).write_bytes(b"no image any more")
    with pytest.raises(CampaignStateError, match="seed 1: expected the same test images as in round 0"):
        run_experiment(
            ready.model_copy(update={"rounds": 0}), tmp_path / "out", workers=1, threads=1, notify=lambda _: None
        )


def test_changed_content_is_seen_through_the_python_interface_too(photos: Path, tmp_path: Path):
    recipe = Recipe(steps=6, batch_size=8, device="cpu")
    data = load_folder(photos)
    with Campaign.create(
        tmp_path / "c", pool=data.pool, test=data.test, recipe=recipe, strategy="random", initial=6, query=3, samples=3
    ) as campaign:
        campaign.run(data.oracle, 1)
    changed = table(tmp_path / "c/queries.csv")[0]["id"]
    (photos / changed).write_bytes((photos / changed).read_bytes() + b" ")
    again = load_folder(photos)
    with Campaign.open(tmp_path / "c", pool=again.pool, test=again.test, recipe=recipe) as campaign:
        campaign.run(again.oracle, 2)
    assert [row["id"] for row in table(tmp_path / "c/quarantine.csv")] == [changed]


def test_campaigns_on_a_folder_in_lock_step(photos: Path, tmp_path: Path):
    """Each has a pool of its own, whose decoders end between turns and start again."""
    wanted = settings(photos, strategy=["bald", "random"])
    check_experiment(wanted, tmp_path / "alone", resume=False)
    for name, lockstep in (("alone", False), ("together", True)):
        ready, _ = prepared(wanted, tmp_path / name)
        run_experiment(ready, tmp_path / name, workers=1, threads=1, notify=lambda _: None, lockstep=lockstep)
    for strategy in ("bald", "random"):
        alone, together = (results(tmp_path / name / strategy / "seed-0") for name in ("alone", "together"))
        assert [row["labels"] for row in together[0]] == [row["labels"] for row in alone[0]]
        assert [line.split(",")[4] for line in together[1].splitlines()] == [
            line.split(",")[4] for line in alone[1].splitlines()
        ]

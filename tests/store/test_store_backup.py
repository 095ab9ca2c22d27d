"""A backup is the campaign: restored and compared file by file and row by row, also of one that is being run."""

import hashlib
import json
import os
import sqlite3
import zipfile
from contextlib import closing
from pathlib import Path

import pytest

from askwell.errors import CampaignStateError, SettingsError, StoreUnavailableError
from askwell.store.backup import Backup, backup_campaign
from askwell.store.connections import schema_version
from askwell.store.records import Chosen
from askwell.store.store import CampaignStore, LabelEvent, RoundRecord

KEPT = (
    "campaign.toml",
    "items.csv",
    "curve.csv",
    "queries.csv",
    "evaluation.json",
    "quarantine.csv",
    "report/report.html",
)


def begun(directory: Path, rounds: int = 2) -> CampaignStore:
    """A small campaign with everything in it, open."""
    (directory / "models").mkdir(parents=True)
    (directory / "report").mkdir()
    (directory / "features").mkdir()
    for name in KEPT:
        (directory / name).write_text(f"{name} of {directory.name}")
    for name in ("features/block", "report/.report.html.tmp", "notes.txt"):
        (directory / name).write_text("left out")
    store = CampaignStore(directory / "campaign.db")
    store.add_items([f"image-{number}" for number in range(40)], reserved=[39], groups=[str(n % 7) for n in range(40)])
    for number in range(rounds):
        commit(directory, store, number)
    store.quarantine({5: "truncated"})
    store.remember_hashes({1: "hash"})
    return store


def commit(directory: Path, store: CampaignStore, number: int) -> None:
    weights = f"weights {number}".encode() * 100
    file = f"models/round-{number:04d}.safetensors"
    (directory / file).write_bytes(weights)
    store.commit_query(number, [Chosen(10 + number, None if number == 0 else 0.5)])
    store.record(number, [LabelEvent(10 + number, "label", "moth", "ann", 1.5)])
    record = RoundRecord(
        number, number + 1, 0.5, file, hashlib.sha256(weights).hexdigest(), {"accuracy": 0.5, "auc": None}
    )
    store.commit_round(record._replace(details=json.dumps({"items": number})))


def everything(store: CampaignStore) -> list[object]:
    asked, records = store.asked(), store.round_records()
    return [
        *(store.ids(), store.positions("validation"), store.groups(), store.hashes(), store.quarantined(), asked),
        *(store.labels(), records, store.evaluation_details(), store.unasked(), store.seconds_scoring()),
    ]


def restored(file: Path, place: Path) -> Path:
    with zipfile.ZipFile(file) as archive:
        archive.extractall(place)
    return place


def test_a_restored_backup_is_the_campaign(tmp_path: Path):
    directory, file = tmp_path / "moths", tmp_path / "moths.zip"
    with begun(directory) as store:
        expected = everything(store)
    backup = backup_campaign(directory, file)
    assert backup == Backup(file, len(KEPT) + 3, file.stat().st_size, 2)
    place = restored(file, tmp_path / "restored")
    found = {path.relative_to(place).as_posix() for path in place.rglob("*") if path.is_file()}
    assert found == {*KEPT, "campaign.db", "models/round-0000.safetensors", "models/round-0001.safetensors"}
    assert all((place / name).read_bytes() == (directory / name).read_bytes() for name in found - {"campaign.db"})
    with CampaignStore(place / "campaign.db") as store:
        assert everything(store) == expected
    assert {path.name for path in tmp_path.iterdir()} == {"moths", "moths.zip", "restored"}


def test_a_campaign_that_another_process_runs_is_backed_up_as_it_was_at_one_moment(tmp_path: Path, store_child):
    directory, file = tmp_path / "moths", tmp_path / "moths.zip"
    with begun(directory) as store:
        store_child("hold", directory)
        expected = everything(store)
        assert (directory / "campaign.db-wal").stat().st_size > 0, "what was committed is in the write-ahead log"
        (directory / "models" / "round-0002.safetensors").write_bytes(b"not yet committed")
        with store.engine.connect().execution_options(askwell_writes=True) as unfinished:
            unfinished.exec_driver_sql("DELETE FROM metrics")
            assert backup_campaign(directory, file).rounds == 2
        store_child("release", directory)
        commit(directory, store, 2)
    place = restored(file, tmp_path / "restored")
    assert not (place / "models" / "round-0002.safetensors").exists()
    with CampaignStore(place / "campaign.db") as store:
        assert everything(store) == expected


def test_an_experiment_is_backed_up_with_its_places(tmp_path: Path):
    root, file = tmp_path / "runs", tmp_path / "runs.zip"
    places = ["bald/seed-0", "bald/seed-1", "random/seed-0"]
    for rounds, place in enumerate(places):
        begun(root / place, rounds).close()
    (root / "report").mkdir()
    (root / "report" / "report.html").write_text("of all")
    (root / "items.csv").write_text("the plan")
    assert backup_campaign(root, file).rounds == 0 + 1 + 2
    restored(file, tmp_path / "restored")
    for name in ("report/report.html", "items.csv"):
        assert (tmp_path / "restored" / name).read_text() == (root / name).read_text()
    for place in places:
        with CampaignStore(root / place / "campaign.db") as one:
            expected = everything(one)
        with CampaignStore(tmp_path / "restored" / place / "campaign.db") as other:
            assert everything(other) == expected


def test_an_older_campaign_is_backed_up_as_it_is(old_campaign: Path, tmp_path: Path):
    with closing(sqlite3.connect(old_campaign / "campaign.db")) as connection:
        weights = [(number, f"weights {number}".encode()) for number in range(2)]
        for number, content in weights:
            (old_campaign / "models" / f"round-{number:04d}.safetensors").write_bytes(content)
            digest = hashlib.sha256(content).hexdigest()
            connection.execute("UPDATE rounds SET model_hash = ? WHERE round = ?", (digest, number))
        connection.commit()
    assert backup_campaign(old_campaign, tmp_path / "old.zip").rounds == 2
    place = restored(tmp_path / "old.zip", tmp_path / "restored")
    assert schema_version(place / "campaign.db") == schema_version(old_campaign / "campaign.db") == 1
    with CampaignStore(place / "campaign.db") as store:
        assert len(store.labels()) == 30


def test_nothing_is_overwritten_and_nothing_written_into_the_campaign(tmp_path: Path):
    directory = tmp_path / "moths"
    begun(directory).close()
    (tmp_path / "there.zip").write_text("precious")
    for file, sentence in [
        (tmp_path / "there.zip", "expected a new file for the backup, found .* there already"),
        (directory / "moths.zip", "expected a place for the backup outside of"),
        (tmp_path / "moths" / ".." / "moths" / "models" / "moths.zip", "expected a place for the backup outside of"),
        (tmp_path / "none" / "moths.zip", "expected a directory for the backup, found none"),
    ]:
        with pytest.raises(SettingsError, match=sentence):
            backup_campaign(directory, file)
    assert (tmp_path / "there.zip").read_text() == "precious"
    (tmp_path / "empty").mkdir()
    with pytest.raises(CampaignStateError, match=r"expected a campaign in .* or below it, found no campaign\.db"):
        backup_campaign(tmp_path / "empty", tmp_path / "empty.zip")
    assert {path.name for path in tmp_path.iterdir()} == {"moths", "there.zip", "empty"}


@pytest.mark.parametrize("damage", ["other content", "no file"])
def test_models_that_are_not_as_committed_stop_the_backup(tmp_path: Path, damage: str):
    directory = tmp_path / "moths"
    begun(directory).close()
    model = directory / "models" / "round-0001.safetensors"
    if damage == "no file":
        model.unlink()
    else:
        model.write_bytes(b"bits have rotted")
    with pytest.raises(
        CampaignStateError, match=f"round-0001.safetensors as they were committed, found {damage}; no backup was"
    ):
        backup_campaign(directory, tmp_path / "moths.zip")
    assert [path.name for path in tmp_path.iterdir()] == ["moths"]


def test_a_newer_campaign_is_left_alone(tmp_path: Path):
    begun(tmp_path / "moths").close()
    with closing(sqlite3.connect(tmp_path / "moths" / "campaign.db")) as connection:
        connection.execute("UPDATE about SET value = '99' WHERE key = 'schema_version'")
        connection.commit()
    with pytest.raises(CampaignStateError, match="found schema 99"):
        backup_campaign(tmp_path / "moths", tmp_path / "moths.zip")
    assert [path.name for path in tmp_path.iterdir()] == ["moths"]


@pytest.mark.parametrize("broken", ["fsync", "replace", "write"])
def test_a_full_disk_is_one_sentence_and_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str):
    directory = tmp_path / "moths"
    with begun(directory) as store:
        expected = everything(store)

        def fail(*_: object, **__: object):
            raise OSError(28, "No space left on device")

        owner, name = {"fsync": (os, "fsync"), "replace": (Path, "replace"), "write": (zipfile.ZipFile, "write")}[
            broken
        ]
        with monkeypatch.context() as patched:
            patched.setattr(owner, name, fail)
            with pytest.raises(
                StoreUnavailableError, match=r"moths.zip could not be written .*No space left.* is as it was: make room"
            ):
                backup_campaign(directory, tmp_path / "moths.zip")
        assert everything(store) == expected
    assert [path.name for path in tmp_path.iterdir()] == ["moths"]
    assert backup_campaign(directory, tmp_path / "moths.zip").rounds == 2


def test_a_backup_that_reads_back_otherwise_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    begun(tmp_path / "moths").close()
    close = zipfile.ZipFile.close

    def flip(archive: zipfile.ZipFile) -> None:
        written = archive.mode == "w" and archive.fp is not None
        close(archive)
        if written:
            content = bytearray(Path(str(archive.filename)).read_bytes())
            content[content.index(b"weights 1")] ^= 1
            Path(str(archive.filename)).write_bytes(content)

    monkeypatch.setattr(zipfile.ZipFile, "close", flip)
    with pytest.raises(StoreUnavailableError, match=r"could not be written .*Bad CRC-32"):
        backup_campaign(tmp_path / "moths", tmp_path / "moths.zip")
    assert [path.name for path in tmp_path.iterdir()] == ["moths"]

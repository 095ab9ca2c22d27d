"""Two processes on one new campaign, a disk that is full, a database that is damaged: fine, or one sentence."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import event, func, insert, select

from askwell.errors import CampaignStateError, SettingsError, StoreUnavailableError
from askwell.store import opening
from askwell.store.connections import writing
from askwell.store.places import check_place
from askwell.store.schema import about
from askwell.store.store import CampaignStore, LabelEvent


def test_processes_that_begin_the_same_campaign_at_one_instant_are_all_fine(tmp_path: Path, store_child):
    for attempt in range(4):
        directory = tmp_path / str(attempt)
        directory.mkdir()
        assert store_child("race", directory, "6") == ["fine"] * 6
        with CampaignStore(directory / "campaign.db") as store:
            assert (store.item_count(), len(store.positions("validation")), store.hashes()) == (500, 9, {0: "hash"})


def test_a_transaction_that_reads_first_may_still_write(tmp_path: Path):
    """Another one must not come in between, or the first would be told that the database is locked."""
    path = tmp_path / "campaign.db"
    with CampaignStore(path) as first, CampaignStore(path) as second:
        event.listen(second.engine, "begin", lambda connection: connection.exec_driver_sql("PRAGMA busy_timeout = 0"))
        with writing(first.engine) as connection:
            assert connection.scalar(select(func.count()).select_from(about)) == 1
            assert second.remembered("who") is None, "reading goes on meanwhile"
            with pytest.raises(StoreUnavailableError, match="database is locked"):
                second.remember("who", "second")
            connection.execute(insert(about).values(key="who", value="first"))
        assert second.remember("who", "second") == "first"


@pytest.mark.parametrize(
    ("ids", "reserved", "groups"),
    [(["a", "c"], [1], None), (["a"], [], None), (["a", "b"], [0], None), (["a", "b"], [1], ["g", None])],
)
def test_the_second_to_bring_items_must_bring_the_same(tmp_path: Path, ids, reserved, groups):
    with CampaignStore(tmp_path / "campaign.db") as store:
        store.add_items(["a", "b"], reserved=[1])
        store.add_items(["a", "b"], reserved=[1])
        with pytest.raises(CampaignStateError, match="found 2 others than those given; another process has begun"):
            store.add_items(ids, reserved, groups)
        assert store.first_difference(["a", "b"]) is None
        assert store.positions("validation") == [1]


def test_a_full_disk_is_one_sentence_and_nothing_of_the_transaction_stays(tmp_path: Path):
    with CampaignStore(tmp_path / "campaign.db") as store:
        store.add_items(["a", "b"], reserved=[])

        def fill(connection):
            pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
            connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")

        event.listen(store.engine, "begin", fill)
        answers = [LabelEvent(0, "label", "x" * 100, "ann")] * 200
        with pytest.raises(
            StoreUnavailableError, match=r"could not be written .*full.*; nothing committed is lost: make room"
        ):
            store.record(0, answers)
        event.remove(store.engine, "begin", fill)
        with store.engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA max_page_count = 1000000")
        assert store.labels() == {}
        store.record(0, answers)
        assert store.labels() == {0: "x" * 100}


def test_a_kill_while_the_database_is_made_leaves_room_for_a_new_one(tmp_path: Path, store_child):
    for number, moment in enumerate(["CREATE TABLE about", "CREATE TABLE metrics", "INSERT INTO about", "commit"]):
        directory = tmp_path / str(number)
        directory.mkdir()
        assert store_child("open", directory, moment) == -9
        with CampaignStore(directory / "campaign.db") as store:
            store.add_items(["a"], reserved=[])
            assert store.item_count() == 1


def test_an_empty_file_becomes_a_campaign_and_another_database_does_not(tmp_path: Path):
    (tmp_path / "empty.db").touch()
    CampaignStore(tmp_path / "empty.db").close()
    with closing(sqlite3.connect(tmp_path / "other.db")) as connection:
        connection.execute("CREATE TABLE photos (name)")
    before = (tmp_path / "other.db").read_bytes()
    with pytest.raises(
        CampaignStateError, match=r"expected a campaign's database in .*, found something else \(the tables photos\)"
    ):
        CampaignStore(tmp_path / "other.db")
    assert (tmp_path / "other.db").read_bytes() == before


def test_a_directory_with_odd_characters_holds_a_campaign_too(tmp_path: Path):
    directory = tmp_path / "50% of #1? ünï 😀"
    directory.mkdir()
    for _ in range(2):
        with CampaignStore(directory / "campaign.db") as store:
            store.remember("key", "value")
    assert {path.name for path in directory.iterdir()} == {"campaign.db", ".lock"}


def test_damage_found_while_reading_is_one_sentence(tmp_path: Path):
    path = tmp_path / "campaign.db"
    with CampaignStore(path) as store:
        store.add_items([f"image-{number}" for number in range(5000)], reserved=[])
    content = path.read_bytes()
    path.write_bytes(content[:8192] + b"\xff" * (len(content) - 8192))
    with pytest.raises(CampaignStateError, match=r"found something else .*restore it from a backup"):  # noqa: SIM117
        with CampaignStore(path) as store:
            store.unasked()


def test_a_store_does_not_open_where_it_cannot_be_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / ".stfolder").mkdir()
    with pytest.raises(SettingsError, match="Syncthing"):
        CampaignStore(tmp_path / "campaign.db")
    assert not (tmp_path / "campaign.db").exists()
    (tmp_path / ".stfolder").rmdir()
    network = f"1 1 0:1 / {tmp_path} rw - nfs4 server:/home rw"
    monkeypatch.setattr(opening, "check_place", lambda directory: check_place(directory, network))
    with pytest.raises(SettingsError, match="network file system"):
        CampaignStore(tmp_path / "campaign.db")

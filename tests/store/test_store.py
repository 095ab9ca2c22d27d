"""The store: durable pragmas, whole transactions, labels as events."""

import sqlite3
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.exc import IntegrityError

from askwell.errors import CampaignStateError, UsageError
from askwell.store.records import Chosen
from askwell.store.schema import SCHEMA_VERSION
from askwell.store.store import CampaignStore, LabelEvent, RoundRecord, current_labels

IDS = ["a/1.png", "a/2,\n.png", "ünïcode/😀.png", "b/4.png"]


@pytest.fixture
def store(tmp_path: Path):
    with CampaignStore(tmp_path / "campaign.db") as opened:
        opened.add_items(IDS, reserved=[3])
        yield opened


def record(number: int) -> RoundRecord:
    return RoundRecord(
        number, 20, 1.5, f"models/round-{number:04d}.safetensors", "hash", {"accuracy": 0.5, "auc": None}
    )


def test_every_commit_reaches_the_disk(store: CampaignStore):
    with store.engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2  # FULL
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1


def test_items_keep_their_ids_and_roles(store: CampaignStore):
    assert store.item_count() == 4
    assert store.first_difference(IDS) is None
    assert store.first_difference([*IDS[:2], "other", IDS[3]]) == (2, IDS[2], "other")
    assert store.positions("pool") == [0, 1, 2]
    assert store.positions("validation") == [3]


def test_many_items_are_written_in_blocks(tmp_path: Path):
    with CampaignStore(tmp_path / "campaign.db") as store:
        store.add_items([f"{number}" for number in range(25_001)], reserved=[])
        assert store.item_count() == 25_001
        assert store.unasked() == list(range(25_001))


def test_a_query_is_asked_once_and_in_order(store: CampaignStore):
    assert not store.has_query(0)
    store.commit_query(0, [Chosen(2), Chosen(3)])
    store.commit_query(1, [Chosen(0, 0.5, 100)], seconds=2.0)
    assert store.has_query(0)
    assert store.has_query(1)
    assert [(asked.round, asked.rank, asked.id, asked.role, asked.score, asked.samples) for asked in store.asked()] == [
        (0, 0, IDS[2], "pool", None, None),
        (0, 1, IDS[3], "validation", None, None),
        (1, 0, IDS[0], "pool", 0.5, 100),
    ]
    assert [asked.position for asked in store.asked(up_to=0)] == [2, 3]
    assert store.unasked() == [1]
    assert store.seconds_scoring() == {1: 2.0}


def test_an_empty_query_counts_as_chosen(store: CampaignStore):
    store.commit_query(0, [])
    assert store.has_query(0)
    assert store.asked() == []


def test_asking_an_item_twice_or_choosing_a_round_twice_changes_nothing(store: CampaignStore):
    store.commit_query(0, [Chosen(0)])
    with pytest.raises(IntegrityError):
        store.commit_query(1, [Chosen(1), Chosen(0)])
    with pytest.raises(IntegrityError):
        store.commit_query(0, [Chosen(1)])
    assert not store.has_query(1)
    assert [asked.position for asked in store.asked()] == [0]


def test_labels_are_derived_from_events(store: CampaignStore):
    store.record(0, [LabelEvent(0, "label", "cat", "ann"), LabelEvent(1, "label", "dog", "ann")])
    store.record(0, [LabelEvent(0, "label", "dog", "bob"), LabelEvent(1, "undo", None, "ann")])
    store.record(1, [LabelEvent(2, "unsure", None, "ann")])
    assert store.labels() == {0: "dog"}
    store.record(1, [LabelEvent(0, "undo", None, "bob")])
    assert store.labels() == {0: "cat"}


def test_an_event_must_make_sense(store: CampaignStore):
    for event in (
        LabelEvent(0, "label", None, "a"),
        LabelEvent(0, "guess", "x", "a"),
        LabelEvent(99, "label", "x", "a"),
    ):
        with pytest.raises(IntegrityError):
            store.record(0, [LabelEvent(1, "label", "x", "a"), event])
    assert store.labels() == {}


def test_a_round_is_committed_once(store: CampaignStore):
    store.commit_round(record(0))
    with pytest.raises(IntegrityError):
        store.commit_round(record(0))
    store.commit_round(record(1))
    assert store.rounds_done() == 2
    assert store.round_records() == [record(0), record(1)]


def test_the_details_of_a_round_are_committed_with_it(store: CampaignStore):
    store.commit_round(record(0)._replace(details='{"items": 3}'))
    store.commit_round(record(1))
    with pytest.raises(IntegrityError):
        store.commit_round(record(1)._replace(details='{"items": 4}'))
    assert store.evaluation_details() == {0: '{"items": 3}'}
    assert store.round_records() == [record(0), record(1)]


def test_groups_are_kept_where_there_are_any(tmp_path: Path):
    with CampaignStore(tmp_path / "campaign.db") as store:
        with pytest.raises(UsageError, match=r"expected a group \(or None\) for each of 4 items, found 1"):
            store.add_items(IDS, [], ["patient 1"])
        assert store.item_count() == 0
        store.add_items(IDS, [], ["patient 1", None, "ü😀", "patient 1"])
        assert store.groups() == {0: "patient 1", 2: "ü😀", 3: "patient 1"}
        assert store.ids() == IDS


def test_quarantined_items_are_not_asked_and_keep_their_first_reason(store: CampaignStore):
    assert store.quarantined() == {}
    store.quarantine({2: "truncated", 3: "empty file"})
    store.quarantine({2: "gone", 0: "not an image"})
    store.quarantine({})
    assert store.quarantined() == {0: "not an image", 2: "truncated", 3: "empty file"}
    assert store.unasked() == [1]
    with pytest.raises(IntegrityError):
        store.quarantine({1: "x", 99: "no such item"})
    assert store.unasked() == [1]


def test_a_content_hash_is_written_once(store: CampaignStore):
    store.remember_hashes({0: "aa", 2: "cc"})
    store.remember_hashes({0: "other", 1: "bb"})
    store.remember_hashes({})
    assert store.hashes() == {0: "aa", 1: "bb", 2: "cc"}


def test_what_is_remembered_first_stays(store: CampaignStore):
    assert store.remembered("images") is None
    assert store.remember("images", "these") == "these"
    assert store.remember("images", "others") == "these"
    assert store.remembered("images") == "these"


def test_everything_is_there_after_opening_again(tmp_path: Path):
    path = tmp_path / "campaign.db"
    with CampaignStore(path) as store:
        store.add_items(IDS, reserved=[])
        store.commit_query(0, [Chosen(0)])
        store.record(0, [LabelEvent(0, "label", "cat", "ann", 1.25)])
        store.commit_round(record(0))
    assert not path.with_name("campaign.db-wal").exists(), "a closed campaign is one file"
    with CampaignStore(path) as store:
        assert store.labels() == {0: "cat"}
        assert store.rounds_done() == 1


def test_another_schema_or_no_database_is_refused_in_one_sentence(tmp_path: Path):
    path = tmp_path / "campaign.db"
    CampaignStore(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE about SET value = '99' WHERE key = 'schema_version'")
    connection.close()
    with pytest.raises(
        CampaignStateError, match=rf"expected a campaign of schema {SCHEMA_VERSION} or older .* found schema 99"
    ):
        CampaignStore(path)
    (tmp_path / "other.db").write_bytes(b"not a database, but long enough to look like one" * 100)
    with pytest.raises(CampaignStateError, match="expected a campaign's database"):
        CampaignStore(tmp_path / "other.db")


EVENTS = st.lists(
    st.tuples(st.integers(0, 3), st.sampled_from(["label", "skip", "unsure", "bad", "undo"]), st.sampled_from("xyz"))
)


@given(EVENTS)
def test_undo_takes_back_exactly_one_answer(said: list[tuple[int, str, str]]):
    """Against a slow oracle: cancel each undo with the nearest answer before it, then read the last one left."""
    events = [LabelEvent(p, kind, label if kind == "label" else None, "a") for p, kind, label in said]
    expected = {}
    for position in range(4):
        mine = [event for event in events if event.position == position]
        while any(event.kind == "undo" for event in mine):
            first = next(index for index, event in enumerate(mine) if event.kind == "undo")
            mine = mine[: max(0, first - 1)] + mine[first + 1 :]
        if mine and mine[-1].kind == "label":
            expected[position] = mine[-1].label
    assert current_labels(events) == expected

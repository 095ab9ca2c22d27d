"""Export -> import gives the same labels in every format, whatever ids, classes and annotators are called."""

import csv
import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote
from xml.etree import ElementTree

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from askwell.errors import UsageError
from askwell.exchange.class_folders import read_class_folders, write_class_folders
from askwell.exchange.csv_labels import RUN_BY_SPREADSHEETS, guarded, read_own_csv, unguarded, write_csv
from askwell.exchange.folder_names import distinct_names, folder_name, original, path_name
from askwell.exchange.json_lines import read_jsonl, write_jsonl
from askwell.exchange.label_studio import (
    labelling_interface,
    read_label_studio,
    read_predictions_of_tasks,
    write_label_studio,
)
from askwell.exchange.matching import match
from askwell.exchange.predictions import Prediction, read_predictions, write_predictions
from askwell.exchange.records import Reading, Record
from askwell.pool.item_names import ItemNames
from askwell.pool.listing import ListedImage

NASTY = (
    "a,b",
    'say "x"',
    "two\nlines",
    "carriage\rreturn",
    "\r\n",
    "🦉",
    "=1+1",
    "-2",
    "+3",
    "@SUM(A1)",
    "'=x",
    "''@",
    " =y",
    "\t",
    "é",
    "e\u0301",
)
NASTY_NAMES = (
    *NASTY,
    "'",
    "CON",
    "nul.png",
    "..",
    ".",
    "a/b",
    "..\\x",
    "%41",
    "A",
    "a",
    "x.",
    "x ",
    "__MACOSX",
    "\u2028",
    "\x00",
    "＝1",
    ";=1",
)
text = st.one_of(st.sampled_from(NASTY_NAMES), st.text(min_size=1, max_size=12))
moments = st.none() | st.integers(0, 4_000_000_000_000_000).map(lambda microseconds: microseconds / 1_000_000)
seconds = st.none() | st.floats(0, 1e6)


@st.composite
def answered(draw: st.DrawFn) -> list[Record]:
    """Distinct items, with classes of a few names."""
    ids = draw(st.lists(text, min_size=1, max_size=6, unique=True))
    classes = draw(st.lists(text, min_size=1, max_size=3, unique=True))
    kinds = st.sampled_from(["label", "label", "label", "skip", "unsure", "bad"])
    records = []
    for item in ids:
        kind = draw(kinds)
        label = draw(st.sampled_from(classes)) if kind == "label" else None
        records.append(Record(item, label, kind, draw(st.just("") | text), draw(moments), draw(seconds)))
    return records


@contextmanager
def a_place() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as directory:
        yield Path(directory)


def taken_back(reading: Reading, records: list[Record]) -> list[Record]:
    """What a campaign with these items and classes takes from the file."""
    ids = [record.id for record in records]
    classes = list(dict.fromkeys(record.label for record in records if record.label is not None))
    items = [ListedImage(item, item) for item in ids]
    matched = match(reading, set(ids), ItemNames(items), ids, classes)
    assert matched.problems == []
    return sorted(matched.records, key=lambda record: ids.index(record.id))


@pytest.mark.parametrize(
    ("write", "read"),
    [(write_csv, read_own_csv), (write_jsonl, read_jsonl), (write_label_studio, read_label_studio)],
    ids=["csv", "jsonl", "labelstudio"],
)
@given(records=answered())
@example(records=[Record(name, name, "label", name, 1.5, 0.1) for name in NASTY])
def test_files_give_back_the_same_records(write: Callable, read: Callable, records: list[Record]):
    with a_place() as place:
        write(place / "file", records)
        reading = read(place / "file")
        assert reading is not None
        assert taken_back(reading, records) == records


@given(records=answered())
@example(records=[Record(name, name) for name in NASTY_NAMES])
def test_class_folders_give_back_the_same_labels(records: list[Record]):
    labelled = [record for record in records if record.kind == "label"]
    if not labelled:
        return
    with a_place() as place:
        assert write_class_folders(place / "out", records, lambda item: item.encode(), copy=False) == []
        found = taken_back(read_class_folders(place / "out"), labelled)
        assert [(record.id, record.label) for record in found] == [(record.id, record.label) for record in labelled]
        files = [path for path in (place / "out").rglob("*") if path.is_file() and path.suffix == ".png"]
        assert sorted(path.read_bytes() for path in files) == sorted(record.id.encode() for record in labelled)
        assert all(path.resolve().is_relative_to((place / "out").resolve()) for path in files), "nothing gets out"


@pytest.mark.parametrize("name_of", [folder_name, path_name])
@given(names=st.lists(text, unique=True, max_size=12))
@example(names=list(NASTY_NAMES))
def test_names_of_folders_are_distinct_on_every_system_and_come_back(name_of: Callable, names: list[str]):
    paths = distinct_names(names, name_of)
    assert len({path.casefold() for path in paths.values()}) == len(names)
    for name, path in paths.items():
        assert original(path) == name
        assert all(part not in ("", ".", "..") and not part.startswith(".") for part in path.split("/"))
        assert not set(path) & set('\\<>:"|?*\r\n\t\0')
        assert name_of is path_name or "/" not in path


def test_a_name_that_no_file_can_have_is_refused():
    with pytest.raises(UsageError, match="at most 255 bytes, found one of 400"):
        path_name("ä" * 200)


@given(text)
def test_no_spreadsheet_runs_what_is_written_and_it_comes_back(name: str):
    written = guarded(name)
    assert unguarded(written) == name
    assert written.lstrip(" ")[:1] not in ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")
    assert (written == name) == (RUN_BY_SPREADSHEETS.match(name) is None)


def test_a_csv_is_a_plain_table(tmp_path: Path):
    write_csv(
        tmp_path / "labels.csv",
        [Record("a/1.png", "benign", "label", "kim", 1795877100.25, 2.5), Record("b.png", None, "skip")],
    )
    assert (tmp_path / "labels.csv").read_text() == (
        "id,label,kind,annotator,time,duration\na/1.png,benign,label,kim,2026-11-28T14:45:00.250000Z,2.5\nb.png,,skip,,,\n"
    )
    with (tmp_path / "labels.csv").open(newline="") as file:
        assert next(csv.DictReader(file))["label"] == "benign"


def test_label_studio_gets_what_it_documents(tmp_path: Path):
    """Keys and values as on its pages "Label Studio JSON format of annotated tasks" and "Import pre-annotated data"."""
    predictions = [
        Prediction("a b/1.png", {"benign": 0.75, "malignant": 0.25}, 0.6, 0.4, 0.2),
        Prediction("2.png", {"benign": 0.1, "malignant": 0.9}, 0.3, 0.2, 0.1),
    ]
    write_label_studio(
        tmp_path / "tasks.json",
        [Record("a b/1.png", "benign", "label", "kim", 0.0, 4.25)],
        predictions,
        model="round 7",
    )
    first, second = json.loads((tmp_path / "tasks.json").read_text())
    choice = {"from_name": "label", "to_name": "image", "type": "choices", "value": {"choices": ["benign"]}}
    assert first["annotations"] == [{"result": [choice], "was_cancelled": False, "lead_time": 4.25}]
    assert first["predictions"] == [{"model_version": "round 7", "score": 0.75, "result": [choice]}]
    assert unquote(first["data"]["image"]) == "/data/local-files/?d=a b/1.png"
    assert "annotations" not in second
    assert second["predictions"][0]["result"][0]["value"] == {"choices": ["malignant"]}
    assert read_predictions_of_tasks(tmp_path / "tasks.json") == [
        ("a b/1.png", "benign", 0.75),
        ("2.png", "malignant", 0.9),
    ]
    assert read_label_studio(tmp_path / "tasks.json").predictions == 2


@given(
    st.lists(
        st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=8),
        min_size=1,
        max_size=4,
        unique=True,
    )
)
def test_the_labelling_interface_offers_the_classes(classes: list[str]):
    view = ElementTree.fromstring(labelling_interface(classes))
    assert [choice.get("value") for choice in view.iter("Choice")] == classes
    control, image = view.find("Choices"), view.find("Image")
    assert control is not None
    assert image is not None
    assert (control.get("name"), control.get("toName"), image.get("value")) == ("label", "image", "$image")


@given(
    st.lists(text, min_size=2, max_size=4, unique=True), st.lists(text, min_size=1, max_size=4, unique=True), st.data()
)
def test_predictions_come_back_to_the_last_bit(classes: list[str], ids: list[str], data: st.DataObject):
    numbers = st.floats(0, 1)
    predictions = [
        Prediction(item, {name: data.draw(numbers) for name in classes}, *(data.draw(numbers) for _ in range(3)))
        for item in ids
    ]
    with a_place() as place:
        write_predictions(place / "file", classes, predictions)
        assert read_predictions(place / "file") == predictions

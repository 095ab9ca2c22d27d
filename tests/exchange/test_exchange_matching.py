"""What somebody's names mean: certain or reported."""

import json
from pathlib import Path

import pytest
from PIL import Image

from askwell.errors import UnknownNameError, UsageError
from askwell.exchange.class_folders import read_class_folders, write_class_folders
from askwell.exchange.formats import FORMATS, format_of, read_labels
from askwell.exchange.matching import match
from askwell.exchange.records import Claim, Problem, Reading, Record
from askwell.pool.item_names import ItemNames
from askwell.pool.label_files import TableSource
from askwell.pool.listing import ListedImage

IDS = ["a/1.png", "b/1.png", "c.png", "D.JPG"]
CLASSES = ("benign", "malignant")
NAMES = ItemNames([ListedImage(item, item) for item in IDS])


def write_images(root: Path, names: list[str]) -> Path:
    """Grey images, each of another shade."""
    for shade, name in enumerate(names):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (2, 2), shade).save(root / name)
    return root


def matched(reading: Reading, renamed: dict[str, str] | None = None):
    return match(reading, set(IDS), NAMES, IDS, CLASSES, renamed)


def said(*claims: Claim):
    return matched(Reading(list(claims), []))


@pytest.mark.parametrize("name", ["c.png", "./c.png", "c", "C.PNG"])
def test_an_image_may_be_called_in_several_ways(name: str):
    assert said(Claim((name,), "benign")).records == [Record("c.png", "benign")]


def test_what_can_be_two_images_is_reported():
    records, problems = said(Claim(("1.png",), "benign"))
    assert records == []
    assert problems[0][:2] == ("ambiguous image", "1.png")
    assert "'a/1.png' or 'b/1.png'" in problems[0].said


def test_unknown_images_and_classes_are_reported_with_the_nearest_name_but_not_taken():
    records, problems = said(Claim(("zz.png",), "benign"), Claim(("c.png",), "Benign"), Claim(("D.JPG",), "nevus"))
    assert records == []
    assert problems == [
        Problem("unknown image", "zz.png", "no item is called so"),
        Problem("unknown class", "c.png", "'Benign'; if 'benign' is meant, say --rename Benign=benign"),
        Problem("unknown class", "D.JPG", "'nevus'"),
    ]
    renamed = matched(Reading([Claim(("c.png",), "Benign")], []), {"Benign": "benign"})
    assert renamed.records == [Record("c.png", "benign")]
    with pytest.raises(UsageError, match="renamed to one of the classes benign, malignant, found 'good'"):
        matched(Reading([], []), {"Benign": "good"})


def test_of_askwells_own_files_an_id_means_that_item_alone():
    assert said(Claim(("c",), "benign", exact=True)).problems == [Problem("unknown image", "c", "no item has this id")]


def test_two_answers_for_one_image_are_reported_and_a_skip_gives_way():
    records, problems = said(Claim(("c.png",), "benign"), Claim(("c",), "malignant"), Claim(("D.JPG",), None, "skip"))
    assert records == [Record("D.JPG", None, "skip")]
    assert problems == [Problem("several answers", "c.png", "'benign' and 'malignant'")]
    agreeing = said(Claim(("c.png",), None, "skip"), Claim(("c.png",), "benign"), Claim(("c.png",), "benign"))
    assert agreeing == ([Record("c.png", "benign")], [])


def test_a_foreign_class_folder_that_can_mean_two_images_is_reported(tmp_path: Path):
    """benign/1.png may be the pool's 1.png, sorted, or its benign/1.png."""
    write_images(tmp_path, ["benign/1.png", "benign/2.png", "3.png"])
    ids = ["1.png", "benign/1.png", "2.png"]
    names = ItemNames([ListedImage(item, item) for item in ids])
    records, problems = match(read_class_folders(tmp_path), set(ids), names, ids, CLASSES)
    assert records == [Record("2.png", "benign")]
    assert sorted(problem.reason for problem in problems) == ["ambiguous image", "unclear answer"]


@pytest.mark.parametrize("copy", [False, True])
def test_class_folders_link_or_copy_and_images_may_be_moved_between_them(tmp_path: Path, copy: bool):
    root = write_images(tmp_path / "photos", ["a/1.png", "b/1.png", "c.png"])
    records = [
        Record("a/1.png", "benign"),
        Record("b/1.png", "benign"),
        Record("c.png", "malignant"),
        Record("D.JPG", "benign"),
    ]

    def source(item: str) -> Path:
        return (root / item).resolve(strict=True)

    out = tmp_path / "out"
    problems = write_class_folders(out, records, source, copy=copy)
    assert [(problem.reason, problem.about) for problem in problems] == [("no file", "D.JPG")]
    assert sorted(path.relative_to(out).as_posix() for path in out.rglob("*.png")) == [
        "benign/a/1.png", "benign/b/1.png", "malignant/c.png",
    ]  # fmt: skip
    for path in out.rglob("*.png"):
        assert path.is_symlink() != copy
        assert path.read_bytes() == (root / path.relative_to(out / path.relative_to(out).parts[0])).read_bytes()
    (out / "benign/b/1.png").rename(out / "malignant/1.png")
    (out / "malignant" / "b").mkdir()
    (out / "malignant/1.png").rename(out / "malignant/b/1.png")
    found = matched(read_class_folders(out))
    assert {record.id: record.label for record in found.records} == {
        "a/1.png": "benign", "b/1.png": "malignant", "c.png": "malignant",
    }  # fmt: skip
    with pytest.raises(UsageError, match="expected a new or empty directory"):
        write_class_folders(out, records, source, copy=copy)


def test_label_studios_own_export_is_read(tmp_path: Path):
    """As Label Studio 1.x exports "JSON": an uploaded file, one on a local disk, one skipped, and one with two choices."""
    benign, malignant = (
        {"from_name": "kind", "to_name": "img", "type": "choices", "value": {"choices": [name]}} for name in CLASSES
    )
    done = {"lead_time": 4.288, "completed_by": 10, "was_cancelled": False, "created_at": "2021-03-09T22:16:08.728353Z"}
    tasks = [
        {"image": "/data/upload/3/1a2b3c4d-c.png", "annotations": [{"result": [benign], **done}]},
        {"image": "/data/local-files/?d=photos/a%2F1.png", "annotations": [{"result": [malignant]}]},
        {"image": "b/1.png", "annotations": [{"result": [], "was_cancelled": True}], "predictions": [{"result": []}]},
        {"image": "D.JPG", "annotations": [{"result": [benign, malignant]}]},
        {"image": "D.JPG", "annotations": []},
    ]
    written = [{"id": n, "data": {"image": task.pop("image")}, **task} for n, task in enumerate(tasks, start=1)]
    (tmp_path / "tasks.json").write_text(json.dumps(written))
    reading = read_labels(TableSource(tmp_path / "tasks.json", ()), "labelstudio", NAMES)
    assert reading.predictions == 1
    records, problems = match(
        reading, set(IDS), ItemNames([ListedImage(item, item) for item in IDS], Path("photos")), IDS, CLASSES
    )
    assert records == [
        Record("c.png", "benign", "label", "10", 1615328168.728353, 4.288),
        Record("a/1.png", "malignant"),
        Record("b/1.png", None, "skip"),
    ]
    assert problems == [Problem("unclear answer", "D.JPG", "task 4: 2 choices where one class is expected")]


def test_columns_of_a_foreign_table_that_are_not_read_are_named(tmp_path: Path):
    (tmp_path / "x.csv").write_text("image,reader,label\nc.png,Dr. A,benign\n")
    reading = read_labels(TableSource(tmp_path / "x.csv", ()), "csv", NAMES)
    assert (reading.claims, reading.columns) == ([Claim(("c.png",), "benign")], ("reader",))


def test_what_is_of_no_format_is_refused(tmp_path: Path):
    (tmp_path / "x.json").write_text('[{"image": "c.png", "choice": "benign"}]')
    (tmp_path / "x.jsonl").write_text('{"id": "c.png", "label": "benign"}\n[]\n')
    (tmp_path / "x.csv").write_bytes(b"id,label,kind\nc.png,\xff,label\n")
    for name, sentence in {
        "x.json": 'not "JSON-MIN"',
        "x.jsonl": "in line 2 of",
        "x.csv": "found other bytes at",
    }.items():
        path = tmp_path / name
        with pytest.raises(UsageError, match=sentence):
            read_labels(TableSource(path, ()), format_of(path), NAMES)
    with pytest.raises(UsageError, match="name the --format"):
        format_of(tmp_path / "x.parquet")
    with pytest.raises(UnknownNameError, match="no format called 'cvs'; did you mean csv"):
        read_labels(TableSource(tmp_path / "x.csv", ()), "cvs", NAMES)
    assert set(FORMATS) == {"csv", "jsonl", "labelstudio", "folders"}

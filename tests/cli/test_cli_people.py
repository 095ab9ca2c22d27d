"""The commands on a campaign that people label: what they say to somebody who has never used them before."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from askwell.campaign.labelling import begin_or_resume, index_folder
from askwell.store.labelling import LabellingStore

Told = Callable[[str], tuple[int, str, str]]
COUNT = 24


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of images, and where the commands are given: beside it."""
    for number in range(COUNT):
        label = ("benign", "malignant")[number % 2]
        (tmp_path / "photos" / label).mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (number, 0, 0)).save(tmp_path / f"photos/{label}/{number:02d}.png")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "photos"


@pytest.fixture
def campaign(photos: Path, told: Told) -> Path:
    """A campaign on that folder, with an answer for each image."""
    directory = photos.with_name("photos-askwell")
    settings = begin_or_resume(photos, directory, ["benign", "malignant"])
    with LabellingStore(directory / "campaign.db") as store:
        for _ in index_folder(store, photos, directory, settings, lambda: True):
            pass
    assert told("import photos-askwell photos --annotator kim")[0] == 0
    return directory


def test_class_folders_without_an_image_are_refused_and_some_are_counted(campaign: Path, photos: Path, told: Told):
    other = photos.with_name("other")
    (other / "benign").mkdir(parents=True)
    code, _, said = told("export photos-askwell --format folders --images other --out sorted")
    assert code == 2
    assert f"expected the images of {COUNT} labels, found none of them" in said
    assert not Path("sorted").exists()
    for number in (0, 2):
        Image.new("L", (8, 8)).save(other / f"benign/{number:02d}.png")
    code, printed, said = told("export photos-askwell --format folders --images other --out sorted")
    assert code == 0
    assert printed.strip() == f"sorted: 2 of {COUNT} labels written"
    assert f"no file: {COUNT - 2}" in said


def test_a_directory_to_write_into_that_is_not_there_is_said(campaign: Path, told: Told):
    for form in ("csv", "jsonl", "labelstudio"):
        code, _, said = told(f"export photos-askwell --format {form} --out nodir/x")
        assert (code, said) == (
            2,
            "error: expected the directory nodir, found none; make it, or choose another --out. ",
        )
    code, _, said = told("predict photos-askwell photos --out nodir/x.csv")
    assert code == 2
    assert "expected the directory nodir, found none" in said, "before anything is predicted"


def test_predict_without_a_folder_says_what_to_name(campaign: Path, told: Told):
    code, _, said = told("predict photos-askwell")
    assert code == 2
    assert "say `askwell predict photos-askwell FOLDER`, with --rest" in said


@pytest.mark.parametrize(
    ("name", "text", "remark"),
    [
        ("own.csv", "id,label,kind\n", "the table holds no rows"),
        ("theirs.csv", "image,label\n", "the table holds no rows"),
        ("theirs.csv", "image,label\nbenign/00.png,\n", "no row of the table names a class"),
        ("none.jsonl", "", "the file holds no labels"),
        ("own.csv", "id,label,kind\nbenign/00.png,benign,label\n", ""),
    ],
)
def test_an_import_of_nothing_says_so(campaign: Path, told: Told, name: str, text: str, remark: str):
    Path(name).write_text(text)
    code, printed, said = told(f"import photos-askwell {name}")
    assert (code, printed[:15]) == (0, "0 answers taken")
    assert said.strip() == (f"note: {remark}." if remark else "")
    assert json.loads(told(f"import photos-askwell {name} --json")[1])["remark"] == remark


def test_a_campaign_without_a_model_and_one_whose_sample_was_released_have_a_report(campaign: Path, told: Told):
    code, printed, said = told("report photos-askwell")
    assert code == 0, said
    assert "The accuracy is not measured yet" in printed
    assert "How long the answers took is not known." in printed
    with LabellingStore(campaign / "campaign.db") as store:
        store.release_sample("seed")
    assert "cannot be measured any more" in " ".join(told("report photos-askwell")[1].split())


def test_what_takes_experiments_only_says_so_of_a_campaign_that_people_label(campaign: Path, told: Told):
    for line in ("diagnose photos-askwell", "replay photos-askwell --model bcnn"):
        code, _, said = told(line)
        assert code == 1
        assert "expected a campaign of `askwell run` in photos-askwell, found one that people label" in said
    code, _, said = told("report photos-askwell other")
    assert code == 2
    assert "expected one campaign that people label, found 2 directories" in said
    assert told("report other --names")[0] == 2


@pytest.mark.parametrize("command", ["label", "predict", "export", "import", "report"])
def test_the_help_has_an_example_and_names_campaigns_that_people_label(command: str, told: Told):
    code, printed, _ = told(f"{command} --help")
    assert code == 0
    assert f"Example: askwell {command} photos" in printed
    assert command == "label" or printed.count("photos-askwell") >= 2

"""The report of a campaign that people label: its numbers are the store's, and it tells no names unless it is asked to."""

import json
import shutil
from pathlib import Path

import pytest
from PIL import Image
from report_pages import Page

from askwell.campaign.labelling import begin_or_resume, index_folder
from askwell.campaign.measuring import measured
from askwell.cli.app import run_command_line
from askwell.store.labelling import LabellingStore
from askwell.store.labelling_records import Answer
from askwell.store.records import RoundRecord


@pytest.fixture
def measured_campaign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two people, one of whom is unsure at times, and a model that is right of every second image of the sample, fitted twice."""
    photos = tmp_path / "photos"
    for number in range(40):
        folder = photos / ("benign", "malignant")[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (number, 0, 0)).save(folder / f"{number:02d}.png")
    monkeypatch.chdir(tmp_path)
    shutil.copy(photos / "benign/00.png", photos / "benign/copy of 00.png")
    directory = photos.with_name("photos-askwell")
    settings = begin_or_resume(photos, directory, ["benign", "malignant"])
    with LabellingStore(directory / "campaign.db") as store:
        list(index_folder(store, photos, directory, settings, lambda: True))
        places = {file.id: position for position, file in store.files().items()}
        broken = next(at for at in places.values() if at not in {each for each, _, _ in store.sample_answers()})
        store.quarantine(broken, "it is not an image of a format that is read: it begins b'patient Smith'")
        for number in range(20):
            who = "kim" if number < 16 else "lee"
            question = store.questions(who)[0]
            said = ("label", "c1") if number % 4 or question.evaluation else ("unsure", None)
            store.answer(who, Answer(question.position, question.key, *said, 2.0 + number))
            if number in (5, 19):
                sample = [position for position, _, _ in store.sample_answers()]
                probabilities = {str(at): [0.8, 0.2] if place % 2 else [0.2, 0.8] for place, at in enumerate(sample)}
                record = RoundRecord(number // 10, number, 1.5, f"models/{number}", "0" * 64, {})
                store.commit_fit(record, json.dumps({"classes": ["c1", "c2"], "probabilities": probabilities}))
    return directory


def test_a_report_of_labelling_tells_answers_pace_rounds_and_the_estimate_and_no_names(
    measured_campaign: Path, capsys: pytest.CaptureFixture[str]
):
    assert run_command_line(["report", "photos-askwell"]) == 0
    printed = capsys.readouterr().out
    html = Path("photos-askwell/report/report.html").read_text()
    with LabellingStore(measured_campaign / "campaign.db") as store:
        estimate, curve = (json.loads(measured(store)[name]) for name in ("estimate", "curve"))
        equal, answers = len(store.contents()), store.answers_in_full()
    page = Page(html)
    assert page.tables["What was answered"][1:] == [
        ["benign", str(labels := sum(each.kind == "label" for each in answers)), "100.0 %"],
        ["malignant", "0", "0.0 %"],
        ["(unsure)", str(20 - labels), "–"],
    ]
    assert page.tables["Who answered"][1:] == [["person 1", "16", "9.50"], ["person 2", "4", "19.5"]]
    assert page.tables["Rounds"][1:] == [["0", "5", "1.50"], ["1", "19", "1.50"]]
    assert len(curve) == 2
    assert estimate["n"] >= 1
    assert len(page.tables["How right is the model?"]) == 1 + len(curve)
    assert f"is right for {100 * estimate['accuracy']:.1f} %" in page.text
    assert f"{100 * estimate['low']:.1f} % to {100 * estimate['high']:.1f} %, n = {estimate['n']})" in page.text
    taken = sum(each.duration or 0 for each in answers)
    assert f"20 answers took {taken / 60:.1f} minutes of work" in page.text
    assert equal == 2
    assert "2 images are equal to another one" in page.text
    assert page.tables["Images set aside"][1:] == [["it is not an image of a format that is read", "1"]]
    for told_nowhere in ("kim", "lee", "Smith", ".png", str(measured_campaign.parent), "<img", "data:image"):
        assert told_nowhere not in html.replace("estimated_accuracy.png", "")
    assert f"20 of 41 images are answered: {labels} with a class, {20 - labels} unsure, 0 bad." in " ".join(
        printed.split()
    )


def test_names_are_in_a_report_that_is_asked_for_them(measured_campaign: Path):
    assert run_command_line(["report", "photos-askwell", "--names", "--out", "named"]) == 0
    page = Page(Path("named/report.html").read_text())
    assert [row[0] for row in page.tables["Who answered"][1:]] == ["kim", "lee"]
    assert page.tables["Images set aside"][1][2].endswith(".png")
    assert str(measured_campaign.with_name("photos")) in page.text

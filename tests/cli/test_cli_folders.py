"""The command line on a folder of one's own: from the first run to the moved folder, replay, diagnose, backup."""

import io
import json
import re
import shlex
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from askwell.cli.app import run_command_line

RECIPE = "[recipe]\nsteps = 4\nbatch_size = 8\ndevice = 'cpu'\n"
Told = Callable[[str], tuple[int, str, str]]


@pytest.fixture
def told(capfd: pytest.CaptureFixture[str]) -> Told:
    """Runs a command in this process: exit code, and what it printed with line breaks as spaces."""

    def tell(line: str) -> tuple[int, str, str]:
        code = run_command_line(shlex.split(line))
        printed = capfd.readouterr()
        return code, re.sub(r"\s+", " ", printed.out), re.sub(r"\s+", " ", printed.err)

    return tell


@pytest.fixture
def begun(tmp_path: Path, told: Told) -> str:
    """A folder of 40 labelled images, one of them broken, and the command that has run an experiment on it."""
    random = np.random.default_rng(0)
    (tmp_path / "photos").mkdir()
    with (tmp_path / "labels.csv").open("w") as table:
        print("image,diagnosis,patient", file=table)
        for number in range(40):
            label = ("benign", "malignant")[number % 2]
            pixels = (60 + 100 * (number % 2) + random.integers(-40, 40, (10, 14, 3))).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / f"photos/{number:02d}.jpg")
            print(f"{number:02d},{label},p{number // 4}", file=table)
    (tmp_path / "photos/05.jpg").write_bytes(b"not a picture")
    (tmp_path / "photos/drawing.svg").write_text("<svg/>")
    config = tmp_path / "small.toml"
    config.write_text(RECIPE)
    labels = f"--labels {tmp_path}/labels.csv --group-by {tmp_path}/labels.csv:patient --image-size 16"
    size = "--seeds 1 --rounds 2 --query 3 --initial 4 --samples 3 --workers 1 --threads 1"
    command = f"run {config} --images {tmp_path}/photos {labels} --strategy bald,random {size} --out {tmp_path}/out"
    code, printed, said = told(command)
    assert code == 0, said
    assert "1 image was set aside: 1 of the" in printed
    assert "05.jpg" in (tmp_path / "out/report/report.html").read_text()
    assert ".svg" in said, "what is no image is said before work starts"
    assert "random" in printed
    return command


def test_the_report_shows_the_images(begun: str, tmp_path: Path):
    page = (tmp_path / "out/report/report.html").read_text()
    assert page.count("data:image/png;base64,") >= 6
    assert "photos" in page


def test_a_moved_folder_is_asked_about_when_images_are_missing(
    begun: str, tmp_path: Path, told: Told, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "photos").rename(tmp_path / "archive")
    code, _, said = told(f"{begun} --resume")
    assert code != 0
    assert "no such folder; if they were moved, resume with --images" in said
    moved = begun.replace(f"--images {tmp_path}/photos", f"--images {tmp_path}/archive").replace(
        "--rounds 2", "--rounds 3"
    )
    code, _, said = told(moved)
    assert code == 2
    assert "add --resume" in said
    for name in ("00.jpg", "01.jpg", "02.jpg"):
        (tmp_path / "archive" / name).unlink()
    before = (tmp_path / "out/items.csv").read_text()
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    code, _, said = told(f"{moved} --resume")
    assert code == 1
    assert "3 are missing ('00.jpg', '01.jpg', '02.jpg'). Go on without them?" in said
    assert "nothing was changed" in said
    assert (tmp_path / "out/items.csv").read_text() == before
    tested = {line.split(",")[1] for line in before.splitlines() if line.startswith("test,")}
    code, _, said = told(f"{moved} --resume --yes")
    if tested & {"00.jpg", "01.jpg", "02.jpg"}:
        assert "expected the same test images as in round 0" in said
    else:
        assert code == 0, said
        assert "37 of 40 images found" in said


def test_replay_diagnose_backup(begun: str, tmp_path: Path, told: Told):
    campaign = tmp_path / "out/bald/seed-0"
    code, printed, said = told(f"replay {tmp_path}/out/bald --model bcnn_full --every 2 --out {tmp_path}/replay")
    assert code == 0, said
    assert "bcnn_full" in printed or "new recipe" in printed
    assert (tmp_path / "replay/curve.csv").exists()
    code, _, said = told(f"replay {tmp_path}/out/bald --out {tmp_path}/other")
    assert code == 2
    assert "give --model or --recipe" in said
    code, _, said = told(f"replay {tmp_path}/out/bald --model bcnn --rounds 1,x --out {tmp_path}/other")
    assert code == 2
    assert "expected whole numbers with commas for --rounds" in said
    code, printed, said = told(f"diagnose {campaign} --round 1 --candidates 4 --repeats 1 --json")
    assert code == 0, said
    assert json.loads(printed)["round"] == 1
    code, printed, _ = told(f"diagnose {campaign} --candidates 0")
    assert code == 0
    assert "margin" in printed
    code, printed, said = told(f"backup {tmp_path}/out {tmp_path}/copy.zip")
    assert code == 0, said
    assert "read back and whole" in printed
    with zipfile.ZipFile(tmp_path / "copy.zip") as archive:
        assert {"bald/seed-0/campaign.db", "bald/seed-0/items.csv", "random/seed-0/campaign.toml"} <= set(
            archive.namelist()
        )
    code, _, said = told(f"backup {tmp_path}/out {tmp_path}/copy.zip")
    assert code == 2, "an existing file is not overwritten"


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ("--images nowhere", "nowhere"),
        ("--dataset mnist --images photos", "found both"),
        ("--dataset digits --image-size 32", "the images of digits are of one size as published"),
        ("--test-share 0.5", "folder"),
        ("--images photos --test-share 2", "test_share"),
    ],
)
def test_mistakes_with_folders_get_one_sentence(tmp_path: Path, told: Told, options: str, sentence: str):
    code, _, said = told(f"run {options} --out {tmp_path}/out")
    assert code == 2, said
    assert said.startswith("error: "), said
    assert sentence in said
    assert "Traceback" not in said
    assert not (tmp_path / "out").exists()

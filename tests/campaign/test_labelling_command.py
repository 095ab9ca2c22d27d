"""`askwell label` as people run it: first images, learning behind them, killed parts started again, stopped and taken up where it was."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2 as httpx
import PIL.Image
import pytest
from sklearn.datasets import load_digits

from askwell.campaign import processes
from askwell.campaign.labelling import begin_or_resume, index_folder, unused_classes
from askwell.campaign.processes import DEFAULT_PORT, last_port
from askwell.cli.app import run_command_line
from askwell.errors import SettingsError
from askwell.store.labelling import LabellingStore

PATIENCE = 300.0
COUNT = 40


class Running:
    """The command in a process of its own, and somebody who labels by its link."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder = folder
        command = [sys.executable, "-m", "askwell", "label", str(folder), "--no-browser", *options]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.link = self.process.stdout.readline().strip()
        assert self.link.startswith("http://127.0.0.1:"), self.process.communicate()
        self.client = httpx.Client(base_url=self.link.split("/?")[0], timeout=PATIENCE)
        assert self.client.get("/", params={"token": self.link.split("token=")[1]}).status_code == 303

    def state(self) -> dict[str, Any]:
        while True:
            try:
                return self.client.get("/api/state").json()
            except httpx.TransportError:  # the page's process was killed: its connections end, and a new one takes over
                time.sleep(0.1)

    def answer(self, label: str) -> int:
        question = self.client.get("/api/next").json()
        body = {"id": question["id"], "key": question["key"], "kind": "label", "label": label, "seconds": 1}
        assert self.client.post("/api/answers", json=body).status_code == 200
        return question["id"]

    def until(self, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        until = time.monotonic() + PATIENCE
        while not holds(state := self.state()):
            assert time.monotonic() < until, state
            assert self.process.poll() is None, self.process.communicate()
            time.sleep(0.2)
        return state

    def stop(self) -> str:
        self.client.close()
        self.process.send_signal(signal.SIGINT)
        return self.process.communicate(timeout=60)[1]


def children(parent: int, module: str) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
            if module.encode() in words and int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1]) == parent:
                found.append(int(entry.name))
        except (OSError, ValueError):
            continue
    return found


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, imagenet_weights: Path) -> Path:
    monkeypatch.setenv("ASKWELL_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("ASKWELL_WEIGHTS", str(imagenet_weights))
    digits = load_digits()
    place = tmp_path / "digits"
    place.mkdir()
    for number in range(COUNT):
        PIL.Image.fromarray((digits.images[number] * 15).astype("uint8")).save(place / f"{number:03d}.png")
    (place / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    return place


@pytest.fixture
def labels() -> list[str]:
    return [f"c{1 + int(target)}" for target in load_digits().target]


@pytest.fixture
def run() -> Iterator[Callable[..., Running]]:
    running: list[Running] = []

    def begin(folder: Path, *options: str) -> Running:
        running.append(Running(folder, *options))
        return running[-1]

    yield begin
    for each in running:
        if each.process.poll() is None:
            each.stop()


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="finds processes by /proc")
def test_it_learns_behind_the_answers_survives_kills_and_goes_on_where_it_was(folder: Path, labels: list[str], run):
    classes = "0,1,2,3,4,5,6,7,8,9"
    first = run(folder, "--classes", classes)
    name = {number: f"{number:03d}.png" for number in range(COUNT)}
    answered = []
    for _ in range(12):
        position = first.client.get("/api/next").json()["id"]
        item = first.client.get(f"/api/items/{position}").json()["name"]
        answered.append(first.answer("c1" if item == "broken.png" else labels[int(item[:3])]))
    assert len(set(answered)) == 12
    state = first.until(lambda state: state["round"] is not None and state["worker"]["doing"] == "waiting")
    assert (state["total"], state["answers"], state["evaluation"]["size"]) == (COUNT + 1, 12, 8)
    assert state["estimate"]["n"] == 1, "every eighth of 12"
    assert state["estimate"]["low"] <= state["estimate"]["accuracy"] <= state["estimate"]["high"]
    shown = first.client.get("/api/next").json()["items"]
    assert first.client.get(f"/api/items/{answered[0]}").json()["name"] in [*name.values(), "broken.png"]
    for process in children(first.process.pid, "askwell.web"):
        os.kill(process, signal.SIGKILL)
    assert first.until(lambda state: True)["answers"] == 12
    assert first.client.get("/api/next").json()["items"] == shown
    for process in children(first.process.pid, "askwell.campaign.worker"):
        os.kill(process, signal.SIGKILL)
    state = first.until(lambda state: state["worker"]["crashes"] == 1)
    assert "started again" in state["worker"]["message"]
    heard = first.stop()
    assert "Learning stopped" in heard
    assert "the page's process ended and was started again" in heard
    assert first.process.returncode == 0
    second = run(folder)
    assert second.state()["answers"] == 12
    assert {item["id"] for item in second.client.get("/api/next").json()["items"]} == {item["id"] for item in shown}
    with LabellingStore(folder.with_name("digits-askwell") / "campaign.db") as store:
        sample = {position for position, _, _ in store.sample_answers()}
        broken = {position for position, file in store.files().items() if file.id == "broken.png"}
        rounds = store.predictions()
        assert {position for position, _ in store.training_labels()} == set(answered) - sample - broken
        assert rounds[0][1] <= 11, "answers to the sample were not trained on"
        assert set(map(int, json.loads(rounds[0][2])["probabilities"])) <= sample


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="finds processes by /proc")
def test_a_worker_that_dies_three_times_stays_away_and_labelling_goes_on(folder: Path, run):
    running = run(folder, "--classes", "even,odd")
    for crashes in (1, 2, 3):
        workers: list[int] = []
        while not workers:
            workers = children(running.process.pid, "askwell.campaign.worker")
        os.kill(workers[0], signal.SIGKILL)
        state = running.until(lambda state, crashes=crashes: state["worker"]["crashes"] == crashes)
        assert "SIGKILL" in state["worker"]["message"]
    assert state["worker"]["doing"] == "stopped"
    assert "Learning stopped 3 times" in state["worker"]["message"]
    assert "Start the command again" in state["worker"]["message"]
    answered = [running.answer("c1") for _ in range(12)]
    assert running.state()["answers"] == len(set(answered)) == 12
    assert not children(running.process.pid, "askwell.campaign.worker")
    heard = running.stop()
    assert heard.count("was started again") == 2
    assert heard.count("is not started again") == 1


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ((), "at least 2 different classes"),
        (("--classes", "a"), "at least 2 different classes"),
        (("--classes", "a,A"), "at least 2 different classes"),
        (("--classes", "a,=b"), "begins with ="),
        (("--classes", "a,b", "--annotators", "ann,@bob"), "begins with @"),
        (("--classes", "a,b", "--host", "0.0.0.0"), "of this machine or a private network"),
        (("--classes", "a,b", "--host", "8.8.8.8", "--insecure"), "of this machine or a private network"),
        (("--classes", "a,b", "--host", "192.168.1.5"), "expected --insecure"),
        (("--classes", "a,b", "--weights", "/none/w.pth"), "expected a file of weights at /none/w.pth, found none"),
        (("--classes", "a,b", "--backbone", "squeezenet9"), "squeezenet9"),
        (("--classes", "a,b", "--groups", "patient-(.*)_"), "matches none of 41"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_written(
    folder: Path, options: tuple[str, ...], sentence: str, capsys: pytest.CaptureFixture[str]
):
    assert run_command_line(["label", str(folder), "--no-browser", *options]) == 2
    assert sentence in " ".join(capsys.readouterr().err.split())
    assert not folder.with_name("digits-askwell").exists()


def test_what_differs_from_the_beginning_is_said(folder: Path, capsys: pytest.CaptureFixture[str]):
    directory = folder.with_name("digits-askwell")
    settings = begin_or_resume(folder, directory, ["even", "odd"], groups="^(.)")
    assert begin_or_resume(folder, directory, ["even", "odd"]) == settings
    assert unused_classes(directory, ["Even", "odd"]) is None
    assert unused_classes(directory, []) is None
    assert "(even, odd), and --classes changes none" in (unused_classes(directory, ["cat", "dog"]) or "")
    for name, value in (("backbone", "resnet18"), ("weights", "/other.pth"), ("groups", "^(..)")):
        assert run_command_line(["label", str(folder), "--no-browser", f"--{name}", value]) == 2
        assert f"expected --{name} {getattr(settings, name)}, as when the campaign was begun" in capsys.readouterr().err


def test_a_port_that_is_in_use_is_said(folder: Path, capsys: pytest.CaptureFixture[str]):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        assert run_command_line(["label", str(folder), "--no-browser", "--classes", "a,b", "--port", port]) == 2
    assert f"expected to listen on port {port} of 127.0.0.1" in " ".join(capsys.readouterr().err.split())


def test_a_port_is_kept_and_another_one_is_said(folder: Path, run):
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with contextlib.suppress(OSError):  # somebody else has it, which is as good
            other.bind(("127.0.0.1", DEFAULT_PORT))
            other.listen()
        first = run(folder, "--classes", "a,b")
        assert first.client.base_url.port != DEFAULT_PORT
        assert run_command_line(["label", str(folder), "--no-browser"]) == 1, "it runs already, which is said at once"
        assert "served on port" not in first.stop()
    second = run(folder)
    former = second.client.base_url.port
    assert former == first.client.base_url.port
    assert "served on port" not in second.stop()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    said = run(folder, "--port", str(port)).stop()
    assert f"the page was served on port {former} before and is on {port} now" in said
    assert f"with --port {former}." in said
    assert last_port(folder.with_name("digits-askwell")) == port


def test_the_former_port_is_waited_for_and_then_another_is_taken(monkeypatch: pytest.MonkeyPatch):
    other = socket.socket()
    other.bind(("127.0.0.1", 0))
    other.listen()
    former = other.getsockname()[1]
    monkeypatch.setattr(processes, "SECONDS_FOR_PORT", 0.0)
    with processes.listening_socket("127.0.0.1", None, former) as taken:
        assert taken.getsockname()[1] != former
    monkeypatch.setattr(processes, "SECONDS_FOR_PORT", PATIENCE)
    monkeypatch.setattr(time, "sleep", lambda _: other.close())  # its holder lets go of it while it is waited for
    with processes.listening_socket("127.0.0.1", None, former) as taken:
        assert taken.getsockname()[1] == former


@pytest.mark.parametrize("text", ["", "eighty", "0", "65536", "-1"])
def test_a_port_that_cannot_be_is_no_former_one(tmp_path: Path, text: str):
    (tmp_path / processes.PORT_FILE).write_text(text)
    assert last_port(tmp_path) is None


def test_another_folder_is_refused_and_a_moved_one_is_not(folder: Path, tmp_path: Path):
    directory = tmp_path / "campaign"
    settings = begin_or_resume(folder, directory, ["a", "b"])
    with LabellingStore(directory / "campaign.db") as store:
        assert list(index_folder(store, folder, directory, settings, lambda: True))[-1] == COUNT + 1
    other = tmp_path / "other"
    other.mkdir()
    PIL.Image.new("L", (8, 8)).save(other / "mine.png")
    with pytest.raises(
        SettingsError, match=r"images that the campaign was begun with, .* found none of [0-9]+ in .*other"
    ):
        begin_or_resume(other, directory, [])
    moved = folder.rename(tmp_path / "moved")
    assert begin_or_resume(moved, directory, []) == settings


def test_a_renamed_folder_leads_to_its_campaign(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.chdir(tmp_path)
    directory = tmp_path / "digits-askwell"
    settings = begin_or_resume(folder, directory, ["a", "b"])
    with LabellingStore(directory / "campaign.db") as store:
        list(index_folder(store, folder, directory, settings, lambda: True))
    renamed = folder.rename(tmp_path / "renamed")
    for options in ((), ("--classes", "a,b")):
        assert run_command_line(["label", "renamed", "--no-browser", *options]) == 2
        said = " ".join(capsys.readouterr().err.split())
        assert "the images of the campaign digits-askwell, whose folder" in said
        assert "say --campaign digits-askwell to go on with it, or another --campaign to begin anew." in said
    assert run_command_line(["label", "digits", "--no-browser"]) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "its campaign is in digits-askwell" in said
    assert "say `askwell label FOLDER --campaign digits-askwell` with its new name." in said
    assert (
        sorted(path.name for path in tmp_path.iterdir())
        == ["digits-askwell", "renamed", "state"][: 3 if (tmp_path / "state").exists() else 2]
    )
    assert begin_or_resume(renamed, tmp_path / "new", ["a", "b"]).folder == str(renamed)
    assert begin_or_resume(renamed, directory, []) == settings


def test_a_folder_with_other_images_beside_a_lost_one_begins_a_campaign(folder: Path, tmp_path: Path):
    directory = tmp_path / "digits-askwell"
    settings = begin_or_resume(folder, directory, ["a", "b"])
    with LabellingStore(directory / "campaign.db") as store:
        list(index_folder(store, folder, directory, settings, lambda: True))
    (tmp_path / "broken-askwell").mkdir()
    (tmp_path / "broken-askwell/campaign.toml").write_text("kind = ")
    (tmp_path / "other").mkdir()
    PIL.Image.new("L", (8, 8)).save(tmp_path / "other/mine.png")
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    assert begin_or_resume(copy, tmp_path / "copy-askwell", ["a", "b"]).folder == str(copy), "its folder is still there"
    folder.rename(tmp_path / "moved")
    assert begin_or_resume(tmp_path / "other", tmp_path / "other-askwell", ["a", "b"]).folder.endswith("other")


def test_an_empty_folder_and_no_folder_are_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "empty").mkdir()
    for name, sentence in (
        ("empty", "expected at least one image"),
        ("none", "expected a folder of images, found none"),
    ):
        assert run_command_line(["label", str(tmp_path / name), "--classes", "a,b", "--no-browser"]) == 2
        assert sentence in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["empty"]

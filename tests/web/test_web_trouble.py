"""What goes wrong while people label, on a real server: one sentence each, and nothing is lost."""

import resource
import shutil
import sys
from pathlib import Path

import httpx2 as httpx
import PIL.Image
import pytest
from web_server import Served, said, write_images

from askwell.store.labelling import LabellingStore


@pytest.fixture
def served(tmp_path: Path, serve) -> Served:
    write_images(tmp_path / "photos", 12)
    return serve(tmp_path / "photos")


def question_body(served: Served, label: str = "c1") -> dict[str, object]:
    question = served.client().get("/api/next").json()
    return {"id": question["id"], "key": question["key"], "kind": "label", "label": label, "seconds": 1}


@pytest.mark.parametrize("empty", [False, True])
def test_a_folder_that_is_gone_or_empty_is_said_and_labelling_goes_on_when_it_is_back(served: Served, empty: bool):
    client = served.client()
    away = served.folder.rename(served.folder.with_name("away"))
    if empty:
        served.folder.mkdir()  # where a disk was taken away
    reply = client.get("/api/images/3")
    assert (reply.status_code, said(reply)) == (
        503,
        "the folder of images is gone; put it back, and labelling goes on.",
    )
    assert client.post("/api/answers", json=question_body(served)).status_code == 200
    if empty:
        served.folder.rmdir()
    away.rename(served.folder)
    assert client.get("/api/images/3").status_code == 200
    assert client.get("/api/state").json()["answers"] == 1


def test_one_file_that_is_gone_is_told_from_the_folder_and_one_that_changed_is_shown_anew(served: Served):
    client = served.client()
    kept = served.folder.joinpath("003.png").rename(served.folder.with_name("003.png"))
    reply = client.get("/api/images/3")
    assert (reply.status_code, said(reply)) == (404, "the file of this image is gone; skip it, or put it back.")
    shutil.move(kept, served.folder / "003.png")
    before = client.get("/api/images/3").content
    PIL.Image.new("RGB", (24, 24), "teal").save(served.folder / "003.png")
    after = client.get("/api/images/3")
    assert (after.status_code, after.content != before) == (200, True)


def test_a_clock_that_is_set_back_or_put_on_loses_nothing(tmp_path: Path, serve):
    """Two hours back, then three on: questions that are shown stay answerable, nobody is shown another's, answers stay in their order."""
    write_images(tmp_path / "photos", 40)
    served = serve(tmp_path / "photos", clock=True)
    ann, bob = served.client(), served.client("bob")

    def shown(client: httpx.Client) -> list[dict[str, object]]:
        return client.get("/api/next").json()["items"]

    def answer(client: httpx.Client, question: dict[str, object], label: str) -> int:
        body = {"id": question["id"], "key": question["key"], "kind": "label", "label": label, "seconds": 1}
        reply = client.post("/api/answers", json=body)
        assert reply.status_code == 200, reply.text
        return reply.json()["sequence"]

    before = shown(ann)
    sequences = [answer(ann, before[0], "c1")]
    for hours in (-2, 1):
        served.set_clock(hours * 3600)
        mine, theirs = shown(ann), shown(bob)
        assert {each["id"] for each in mine}.isdisjoint(each["id"] for each in theirs)
        sequences.append(answer(ann, before.pop(1), "c2"))  # it was shown by the former clock
        sequences.append(answer(bob, theirs[0], "c1"))
        assert ann.get("/").status_code == 200
    assert sequences == sorted(sequences)
    said_last = [each["label"] for each in ann.get("/api/history").json()["answers"]]
    assert said_last == ["c2", "c2", "c1"], "latest first, whatever the clock said"
    assert ann.get("/api/state").json()["answers"] == 5


def test_when_every_image_has_an_answer_the_page_is_told(served: Served):
    client = served.client()
    for _ in range(12):
        assert client.post("/api/answers", json=question_body(served)).status_code == 200
    reply = client.get("/api/next").json()
    assert (reply["items"], reply["id"], reply["reason"]) == ([], None, "all_answered")
    state = client.get("/api/state").json()
    assert (state["remaining"], state["answers"]) == (0, 12)


def test_images_that_nobody_is_asked_about_are_told_from_those_with_an_answer(served: Served):
    with LabellingStore(served.directory / "campaign.db") as store:
        store.quarantine(7, "cut off")
    client = served.client()
    for _ in range(11):
        assert client.post("/api/answers", json=question_body(served)).status_code == 200
    assert client.get("/api/next").json()["reason"] == "all_asked"
    assert client.get("/api/state").json()["remaining"] == 0


@pytest.mark.skipif(sys.platform != "linux", reason="limits another process's files by prlimit")
def test_a_full_disk_is_said_and_nothing_is_lost(served: Served):
    """No room: the server's files cannot grow any more. Then there is room again, and the same request counts once."""
    assert served.process is not None
    client = served.client()
    assert client.post("/api/answers", json=question_body(served)).status_code == 200
    body = question_body(served, "c2")
    log = served.directory / "campaign.db-wal"
    resource.prlimit(served.process.pid, resource.RLIMIT_FSIZE, (log.stat().st_size, resource.RLIM_INFINITY))
    for _ in range(2):
        reply = client.post("/api/answers", json=body)
        assert reply.status_code == 503, reply.text
        assert "nothing committed is lost: make room" in said(reply)
    assert client.get("/api/state").json()["answers"] == 1
    assert client.get("/api/images/0").status_code == 200
    resource.prlimit(served.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    first = client.post("/api/answers", json=body)
    assert first.status_code == 200
    assert client.post("/api/answers", json=body).json() == first.json()
    served.kill()
    served.start()
    assert served.client().get("/api/state").json()["answers"] == 2

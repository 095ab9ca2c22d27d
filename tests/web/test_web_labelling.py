"""The page's API over a real server: answers are kept through kill -9, given once, never overwritten, and can be taken back."""

import subprocess
import sys
import threading
from pathlib import Path

import httpx2 as httpx
import PIL.Image
import pytest
from web_server import Served, write_images

from askwell.exchange.csv_labels import read_own_csv
from askwell.exchange.json_lines import read_jsonl
from askwell.exchange.label_studio import read_label_studio

GONE = (
    httpx.TransportError,
    RuntimeError,
    AssertionError,
)  # the server was killed, the client closed, nothing left to ask


def answer(client: httpx.Client, label: str = "c1", kind: str = "label") -> dict[str, object]:
    question = client.get("/api/next").json()
    body = {"id": question["id"], "key": question["key"], "kind": kind, "seconds": 1.5}
    reply = client.post("/api/answers", json={**body, "label": label} if kind == "label" else body)
    assert reply.status_code == 200, reply.text
    return {**body, **reply.json()}


@pytest.fixture
def served(tmp_path: Path, serve) -> Served:
    write_images(tmp_path / "photos", 40)
    return serve(tmp_path / "photos")


def test_the_web_process_imports_neither_torch_nor_the_loop():
    script = (
        "import sys, askwell.web.__main__, askwell.web.serving, askwell.web.image_process\n"
        "print(sorted(name for name in sys.modules if name.split('.')[0] in ('torch', 'torchvision', 'matplotlib', 'sklearn')"
        " or name.startswith(('askwell.campaign', 'askwell.learning', 'askwell.models'))))"
    )
    found = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert found.stdout.strip() == "[]"


def test_a_person_labels_looks_back_edits_and_takes_back(served: Served):
    client = served.client()
    first = client.get("/api/next").json()
    assert len(first["items"]) == 11
    assert (first["id"], first["key"], first["image"]) == tuple(
        first["items"][0][name] for name in ("id", "key", "image")
    )
    held = ",".join(item["key"] for item in first["items"][:10])
    assert client.get("/api/next", params={"have": held}).json()["items"] == first["items"][10:]
    given = [answer(client, "c1"), answer(client, "c2"), answer(client, kind="skip"), answer(client, kind="unsure")]
    assert [row["undo_depth"] for row in given] == [1, 2, 3, 4]
    state = client.get("/api/state").json()
    assert (state["answers"], state["remaining"], state["total"], state["per_hour"]) == (3, 37, 40, 2400)
    assert [row["answers"] for row in state["classes"]] == [1, 1]
    assert state["evaluation"] == {"size": 8, "released": False}
    history = client.get("/api/history", params={"limit": 2}).json()["answers"]
    assert [row["kind"] for row in history] == ["unsure", "skip"]
    older = client.get("/api/history", params={"before": history[-1]["sequence"]}).json()["answers"]
    assert [row["label"] for row in older] == ["c2", "c1"]
    change = {"id": older[0]["id"], "label": "c1", "key": "edit-0001", "expected_sequence": older[0]["sequence"]}
    assert client.post("/api/answers/edit", json=change).status_code == 200
    assert client.post("/api/answers/edit", json={**change, "key": "edit-0002"}).status_code == 409
    grid = client.get("/api/items", params={"class": "c1"}).json()
    assert {row["id"] for row in grid["items"]} == {older[0]["id"], older[1]["id"]}
    assert grid["after"] is None
    taken = client.post("/api/undo", json={"key": "undo-0001"}).json()
    assert (taken["id"], taken["answer"]["label"]) == (older[0]["id"], "c1")
    assert client.get(f"/api/items/{taken['id']}").json()["answer"]["label"] == "c2", "the edit was taken back"
    assert taken["current"]["label"] == "c2", "which is said"
    again = client.post("/api/undo", json={"key": "undo-0002"}).json()
    assert (again["id"], again["current"]) == (given[3]["id"], None)
    assert again["key"] in {item["key"] for item in client.get("/api/next").json()["items"]}
    assert client.get(f"/api/items/{given[0]['id']}").json()["name"].endswith(".png")


def test_classes_change_by_the_page(served: Served):
    client = served.client()
    for label in ("c1", "c1", "c2"):
        answer(client, label)
    merged = client.post("/api/classes", json={"kind": "merge", "id": "c1", "into": "c2", "idempotency": "m-1"}).json()
    assert merged["touched"] == 2
    assert [(row["id"], row["answers"]) for row in merged["classes"]] == [("c2", 3)]
    back = client.post("/api/classes/undo", json={"sequence": merged["sequence"]}).json()
    assert [row["answers"] for row in back["classes"]] == [2, 1]
    refused = client.post("/api/classes", json={"kind": "add", "name": "=1+1", "idempotency": "a-1"})
    assert refused.status_code == 400
    assert "begins with =" in refused.json()["error"]


def test_changes_of_the_classes_are_listed_while_they_are_in_force(served: Served):
    client = served.client()
    answer(client, "c1")

    def change(**what: str) -> int:
        reply = client.post("/api/classes", json={**what, "idempotency": f"k-{len(made)}"})
        assert reply.status_code == 200, reply.text
        made.append(reply.json()["sequence"])
        return made[-1]

    def listed() -> list[tuple[str, str, str | None, str | None, bool]]:
        rows = client.get("/api/classes/changes").json()["changes"]
        assert all(row["annotator"] == "ann" and row["time"] > 0 for row in rows)
        return [tuple(row[name] for name in ("kind", "name", "before", "into", "undoable")) for row in rows]

    made: list[int] = []
    begun = [("add", "malignant", None, None, True), ("add", "benign", None, None, False)]
    assert listed() == begun, "benign was answered with"
    retired = change(kind="retire", id="c2")
    change(kind="rename", id="c1", name="good")
    change(kind="split", id="c1", name="odd")
    merged = change(kind="merge", id="c3", into="c1")
    assert listed()[:4] == [
        ("merge", "odd", None, "good", True),
        ("split", "odd", None, "good", True),
        ("rename", "good", "benign", None, True),
        ("retire", "malignant", None, None, True),
    ]
    client.post("/api/classes/undo", json={"sequence": merged})
    assert listed()[0][:2] == ("split", "odd"), "neither what was undone nor the undo"
    for number in range(10):
        change(kind="rename", id="c1", name=f"good {number}")
    kinds = [row[0] for row in listed()]
    assert kinds == ["rename"] * 10 + ["retire"], "a retired class can be brought back however long ago it was"
    assert client.post("/api/classes", json={"kind": "retire", "id": "c2", "idempotency": "twice"}).status_code == 409
    back = client.post("/api/classes/undo", json={"sequence": retired}).json()
    assert [row["retired"] for row in back["classes"]] == [False] * 3


def test_a_key_is_changed_and_cleared(served: Served):
    client = served.client()
    for number, (wanted, key) in enumerate((("x", "x"), ("", None), ("y", "y"))):
        change = {"kind": "rename", "id": "c2", "key": wanted, "idempotency": f"k-{number}"}
        assert client.post("/api/classes", json=change).json()["classes"][1]["key"] == key
    assert client.get("/api/state").json()["classes"][0]["key"] == "1"


def test_images_are_encoded_anew_without_metadata(served: Served):
    folder = served.folder
    exif = PIL.Image.Exif()
    exif[0x010E] = "name of a patient"
    PIL.Image.new("RGB", (3000, 600), "teal").save(folder / "000.png", "JPEG", exif=exif, comment=b"name of a patient")
    client = served.client()
    view, thumb = (client.get(f"/api/images/0?size={size}") for size in ("view", "thumb"))
    for reply, longest in ((view, 2560), (thumb, 192)):
        assert reply.status_code == 200
        assert b"name of a patient" not in reply.content
        (served.directory / "got").write_bytes(reply.content)
        with PIL.Image.open(served.directory / "got") as image:
            assert max(image.size) == longest
            assert not image.getexif()
            assert reply.headers["content-type"] == f"image/{(image.format or '').lower()}"
    (folder / "001.png").unlink()
    assert client.get("/api/images/1").status_code == 404
    (folder / "002.png").write_bytes(b"no image at all")
    assert client.get("/api/images/2").status_code == 422
    assert client.get("/api/images/3").status_code == 200


def test_the_guess_on_a_measuring_image_stays_hidden_until_it_is_answered(served: Served):
    client = served.client()
    items = client.get("/api/next").json()["items"]
    evaluation = next(item for item in items if item["evaluation"])
    assert items.index(evaluation) == 7
    assert client.get(f"/api/items/{evaluation['id']}/guess").status_code == 403
    body = {"id": evaluation["id"], "key": evaluation["key"], "kind": "label", "label": "c1"}
    assert client.post("/api/answers", json=body).status_code == 200
    guess = client.get(f"/api/items/{evaluation['id']}/guess").json()
    assert (guess["probabilities"], guess["why"].startswith("It measures how good the model is")) == ([], True)
    assert client.get(f"/api/items/{items[0]['id']}/guess").status_code == 200


def test_two_tabs_and_a_lost_reply(served: Served):
    """Both tabs hold the same questions; a request that is sent again counts once, and the slower tab overwrites nothing."""
    one, other = served.client(), served.client()
    question = one.get("/api/next").json()["items"][0]
    assert other.get("/api/next").json()["items"][0] == question
    body = {"id": question["id"], "key": question["key"], "kind": "label", "label": "c1", "seconds": 2}
    first = one.post("/api/answers", json=body)
    assert one.post("/api/answers", json=body).json() == first.json()
    assert other.post("/api/answers", json={**body, "label": "c2"}).status_code == 409
    assert one.get("/api/state").json()["answers"] == 1
    assert other.get("/api/history").json()["answers"][0]["label"] == "c1"
    theirs = served.client("bob").get("/api/next").json()["items"]
    assert not {item["id"] for item in theirs} & {item["id"] for item in one.get("/api/next").json()["items"]}


def test_killed_at_any_moment_every_answer_that_got_its_reply_is_kept_once(served: Served):
    confirmed: list[tuple[int, str]] = []
    for wanted in (6, 12, 18):
        stop = threading.Event()

        def label(annotator: str, stop: threading.Event = stop) -> None:
            try:
                client = served.client(annotator)
                while not stop.is_set():
                    confirmed.append((int(str(answer(client)["id"])), annotator))
            except GONE:
                return

        people = [threading.Thread(target=label, args=(name,)) for name in ("ann", "bob")]
        for person in people:
            person.start()
        while len(confirmed) < wanted and any(person.is_alive() for person in people):
            stop.wait(0.01)
        served.kill()
        stop.set()
        for person in people:
            person.join()
        served.start()
    client = served.client()
    for position, annotator in confirmed:
        found = client.get(f"/api/items/{position}").json()["answer"]
        assert (found["label"], found["annotator"]) == ("c1", annotator)
    assert len({position for position, _ in confirmed}) == len(confirmed) > 15
    assert len(confirmed) <= client.get("/api/state").json()["answers"] <= len(confirmed) + 6


def test_the_answers_go_out_as_a_file_that_reads_back(served: Served, tmp_path: Path):
    client = served.client()
    given = [answer(client, "c1"), answer(client, "c2"), answer(client, kind="unsure"), answer(client, kind="skip")]
    readers = {"csv": read_own_csv, "jsonl": read_jsonl, "labelstudio": read_label_studio}
    for form, read in readers.items():
        reply = client.get("/api/export", params={"format": form})
        assert reply.status_code == 200
        assert "attachment" in reply.headers["content-disposition"]
        file = tmp_path / f"out-{form}"
        file.write_bytes(reply.content)
        claims = read(file).claims
        assert sorted((claim.kind, claim.label) for claim in claims if claim.kind != "skip") == [
            ("label", "benign"),
            ("label", "malignant"),
            ("unsure", None),
        ]
        names = [client.get(f"/api/items/{row['id']}").json()["name"] for row in given]
        assert {name for claim in claims for name in claim.names} & set(names) == set(names)
    assert client.get("/api/export", params={"format": "xlsx"}).status_code == 422

"""Attacks on the server, and what each of them got: a test for each."""

import socket
from collections.abc import Callable
from pathlib import Path

import httpx2 as httpx
import PIL.Image
import pytest
from web_server import Served, said, write_images

from askwell.store.labelling_records import NewItem

SECRET = "secret of another folder"


@pytest.fixture
def served(tmp_path: Path, serve: Callable[..., Served]) -> Served:
    folder = tmp_path / "photos"
    write_images(folder, 12)
    outside = tmp_path / "outside.png"
    PIL.Image.new("RGB", (8, 8)).save(outside)
    (folder / "link.png").symlink_to(outside)
    (folder / "up").symlink_to(tmp_path)
    (folder / "page.png").write_text(f"<script>alert('{SECRET}')</script>")
    (folder / "drawing.eps").write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n")
    PIL.Image.new("1", (30_000, 30_000)).save(folder / "bomb.png")
    (folder / "<img src=x onerror=alert(1)>.png").write_bytes((folder / "000.png").read_bytes())
    names = [
        "000.png",
        "link.png",
        "up/outside.png",
        "page.png",
        "drawing.eps",
        "bomb.png",
        "<img src=x onerror=alert(1)>.png",
    ]
    hostile = ["../outside.png", "/etc/passwd", str(outside), "a/../../outside.png", ".", "000.png/../../outside.png"]
    items = [NewItem(name, name) for name in names] + [NewItem(f"h{n}", path) for n, path in enumerate(hostile)]
    return serve(folder, items)


def test_every_attack_is_refused_with_a_sentence(served: Served):
    client = served.client()
    own = served.address
    refused = {
        "no token": (httpx.get(f"{own}/api/state"), 401),
        "a made-up token": (httpx.get(f"{own}/?token=" + "A" * 43), 401),
        "a made-up cookie": (httpx.get(f"{own}/api/state", headers={"Cookie": "askwell-0-ann=AAAA"}), 401),
        "another Host (DNS rebinding)": (client.get("/api/state", headers={"Host": "evil.example"}), 421),
        "a Host that looks like ours": (client.get("/api/state", headers={"Host": "127.0.0.1.evil.example"}), 421),
        "another Origin (CSRF)": (
            client.post("/api/release", json={}, headers={"Origin": "https://evil.example"}),
            403,
        ),
        "Origin null": (client.post("/api/release", json={}, headers={"Origin": "null"}), 403),
        "an image embedded elsewhere": (client.get("/api/images/0", headers={"Sec-Fetch-Site": "cross-site"}), 403),
        "a form of another site": (
            client.post("/api/undo", content='{"key":"k"}', headers={"Content-Type": "text/plain"}),
            422,
        ),
        "../ in an address": (client.get("/static/../page.html.jinja"), 404),
        "an encoded ../": (client.get("/static/%2e%2e%2fpage.html.jinja"), 404),
        "../ for a number": (client.get("/api/images/..%2f..%2fetc%2fpasswd"), 404),
        "a path for a number": (client.get("/api/images/passwd"), 422),
        "a number beyond SQLite's": (client.get(f"/api/images/{2**64}"), 422),
        "HTML named .png": (client.get("/api/images/3"), 422),
        "EPS": (client.get("/api/images/4"), 422),
        "30,000 x 30,000 pixels": (client.get("/api/images/5"), 422),
        "a link out of the folder": (client.get("/api/images/1"), 403),
        "a linked folder outside": (client.get("/api/images/2"), 403),
        **{f"a hostile campaign {n}": (client.get(f"/api/images/{7 + n}"), 403) for n in range(6)},
    }
    found = {attack: reply.status_code for attack, (reply, _) in refused.items()}
    assert found == {attack: status for attack, (_, status) in refused.items()}
    for reply, _ in refused.values():
        assert said(reply).endswith(".")
        assert reply.headers["cache-control"] == "no-store"
        assert reply.headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in reply.headers["content-security-policy"]
        assert SECRET not in reply.text
        assert "location" not in reply.headers
    assert client.get("/api/images/0").status_code == 200
    assert client.get("/api/state").json()["evaluation"]["released"] is False


def test_anothers_token_answers_nothing_of_mine(served: Served):
    ann, bob = served.client("ann"), served.client("bob")
    question = ann.get("/api/next").json()
    body = {"id": question["id"], "key": question["key"], "kind": "bad"}
    assert bob.post("/api/answers", json=body).status_code == 409
    renamed = {name.replace("-ann", "-bob"): value for name, value in ann.cookies.items()}
    assert httpx.get(f"{served.address}/api/state", cookies=renamed).status_code == 401, "a cookie under another's name"
    assert ann.post("/api/answers", json=body).status_code == 200


def test_a_body_of_a_hundred_megabytes_is_not_read(served: Served):
    client = served.client()
    cookie = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
    head = f"POST /api/answers HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: {cookie}\r\nContent-Type: application/json\r\n"
    for length in (f"Content-Length: {100 * 2**20}\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n"):
        with socket.create_connection(("127.0.0.1", served.port), timeout=60) as connection:
            connection.sendall((head + length).encode())
            part, sent = b" " * 2**16, 0
            try:
                while sent < 100 * 2**20:
                    connection.sendall(part if "Length" in length else b"10000\r\n" + part + b"\r\n")
                    sent += len(part)
            except OSError:  # the server has hung up
                pass
            assert sent < 32 * 2**20
    assert client.get("/api/state").status_code == 200


def test_scripts_in_names_are_data(served: Served):
    client = served.client()
    assert client.get("/api/items/6").json()["name"] == "<img src=x onerror=alert(1)>.png"
    added = client.post("/api/classes", json={"kind": "add", "name": "<script>alert(1)</script>", "idempotency": "k"})
    assert added.headers["content-type"] == "application/json"
    assert added.json()["classes"][-1]["name"] == "<script>alert(1)</script>"
    for name in ("a\u0000b", "a\nb", "-1", "@me", "\u202egnp.exe", "\u200b", "be\u200bnign", "\u200d"):
        assert client.post("/api/classes", json={"kind": "add", "name": name, "idempotency": "n"}).status_code == 400


def test_the_link_sets_a_strict_cookie_and_leads_to_a_clean_address(served: Served):
    reply = httpx.get(f"{served.address}/", params={"token": served.tokens["ann"]})
    assert (reply.status_code, reply.headers["location"]) == (303, "/")
    cookie = reply.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert httpx.get(f"{served.address}/").status_code == 401, "and without the cookie there is no page"


def test_only_hashes_of_tokens_are_kept_and_not_in_the_campaign(served: Served, tmp_path: Path):
    kept = list((tmp_path / "state").rglob("*.json"))
    assert len(kept) == 1
    assert kept[0].stat().st_mode & 0o777 == 0o600
    for file in [*kept, *served.directory.iterdir()]:
        for token in served.tokens.values():
            assert token.encode() not in file.read_bytes()

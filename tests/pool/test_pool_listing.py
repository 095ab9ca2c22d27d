"""Listing a folder: which files are items, under which ids, and what is said of the others."""

import os
import socket
import unicodedata
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import pytest
from image_files import noise, stored_pixels
from PIL import Image

import askwell.pool.image_formats
from askwell.errors import UsageError
from askwell.pool import listing
from askwell.pool.listing import LeftOut, ListedImage, list_images


def touch(root: Path, *names: str) -> Path:
    """Empty files of those names."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return root


def ids(root: Path) -> list[str]:
    return [item.id for item in list_images(root).items]


def reasons(root: Path) -> dict[str, LeftOut]:
    return {left.reason: left for left in list_images(root).left_out}


def test_every_image_at_any_depth_is_an_item_sorted_by_id(tmp_path: Path):
    names = [
        "b/a.PNG",
        "a.jpg",
        "b/c/d/e/a.jpeg",
        "z.webp",
        "b/a.tiff",
        "b-/a.bmp",
        "b/x.heic",
        "b/x.dcm",
        "c.jpg/d.jpg",
    ]
    touch(tmp_path, *names)
    found = list_images(tmp_path)
    assert found.root == tmp_path
    assert found.items == tuple(ListedImage(name, name, 0) for name in sorted(names))
    assert found.left_out == ()


def test_no_file_but_tiff_files_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    touch(tmp_path, "a.jpg", "b.png", "c/d.dcm", "e.svg", "f.tif")
    opened: list[str] = []
    monkeypatch.setattr(listing, "tiff_pages", lambda path: opened.append(str(path)) or 1)
    monkeypatch.setattr(os, "open", None)
    monkeypatch.setattr("builtins.open", None)
    assert len(list_images(tmp_path).items) == 4
    assert opened == [str(tmp_path / "f.tif")]


def test_other_files_are_counted_by_suffix_with_the_first_three_names(tmp_path: Path):
    touch(tmp_path, "a.jpg", "4.svg", "x/3.SVG", "2.svg", "1.svg", "labels.csv", "README")
    assert list_images(tmp_path).left_out == (
        LeftOut(".svg files are not read", 4, ("1.svg", "2.svg", "4.svg")),
        LeftOut(".csv files are not read", 1, ("labels.csv",)),
        LeftOut("files without a suffix are not read", 1, ("README",)),
    )


def test_hidden_files_and_folders_are_counted_once_each(tmp_path: Path):
    touch(tmp_path, "a.jpg", ".git/1.jpg", ".git/2.jpg", "._a.jpg", "__MACOSX/a.jpg", "b/Thumbs.db", "b/.x/y/z.png")
    assert ids(tmp_path) == ["a.jpg"]
    assert reasons(tmp_path)[listing.HIDDEN] == LeftOut(listing.HIDDEN, 5, ("._a.jpg", ".git", "__MACOSX"))


@pytest.mark.parametrize(("names", "extra"), [(("a.heic", "b.HEIF"), "heic"), (("a.dcm", "b.dicom"), "dicom")])
def test_formats_without_their_reader_are_counted_with_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, names: tuple[str, ...], extra: str
):
    touch(tmp_path, "a.jpg", *names)
    monkeypatch.setattr(askwell.pool.image_formats.importlib.util, "find_spec", lambda name: None)
    found = list_images(tmp_path)
    assert [item.id for item in found.items] == ["a.jpg"]
    assert found.left_out == (
        LeftOut(f'{extra.upper()} images are read after: pip install "askwell[{extra}]"', 2, names),
    )


def test_links_to_folders_are_not_followed_and_links_to_files_are_items(tmp_path: Path):
    root = touch(tmp_path / "root", "a.jpg", "deep/b.jpg")
    touch(tmp_path, "outside.jpg")
    (root / "deep" / "loop").symlink_to(root)
    (root / "self").symlink_to(root / "self")
    (root / "c.jpg").symlink_to(tmp_path / "outside.jpg")
    (root / "broken.jpg").symlink_to(tmp_path / "nowhere.jpg")
    (root / "album.jpg").symlink_to(root / "deep")
    assert ids(root) == ["a.jpg", "broken.jpg", "c.jpg", "deep/b.jpg"]
    assert reasons(root) == {
        listing.LINKED: LeftOut(listing.LINKED, 2, ("album.jpg", "deep/loop")),
        "files without a suffix are not read": LeftOut("files without a suffix are not read", 1, ("self",)),
    }


def test_pipes_and_sockets_are_no_images(tmp_path: Path):
    touch(tmp_path, "a.jpg")
    os.mkfifo(tmp_path / "pipe.jpg")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(tmp_path / "socket.png"))
        assert reasons(tmp_path) == {listing.SPECIAL: LeftOut(listing.SPECIAL, 2, ("pipe.jpg", "socket.png"))}


def test_ids_are_in_one_unicode_form_and_the_second_of_a_name_is_left_out(tmp_path: Path):
    composed, decomposed = unicodedata.normalize("NFC", "é.jpg"), unicodedata.normalize("NFD", "é.jpg")
    touch(tmp_path / "one", decomposed)
    touch(tmp_path / "two", decomposed, composed)
    [item] = list_images(tmp_path / "one").items
    assert item == ListedImage(composed, decomposed)
    found = list_images(tmp_path / "two")
    assert [item.id for item in found.items] == [composed]
    assert found.left_out == (LeftOut(listing.SAME_NAME, 1, (composed,)),)


def test_names_that_are_not_utf_8_get_a_printable_id_and_open(tmp_path: Path):
    folder = os.fsencode(tmp_path) + b"/gr\xfcn"
    os.mkdir(folder)  # noqa: PTH102 - bytes
    with open(folder + b"/caf\xe9.png", "wb") as file:  # noqa: PTH123
        file.write(b"content")
    [item] = list_images(tmp_path).items
    assert item.id == "gr\\xfcn/caf\\xe9.png"
    item.id.encode("utf-8")
    assert (tmp_path / item.path).read_bytes() == b"content"


@pytest.mark.parametrize("name", ["😀\n🦉.jpg", "a b'\".jpg", "#1?&%.jpg", "a\\b.jpg", "x" * 250 + ".jpg"])
def test_unusual_names_are_kept(tmp_path: Path, name: str):
    touch(tmp_path, name)
    assert list_images(tmp_path).items == (ListedImage(name, name),)


def test_every_page_of_a_tiff_file_is_an_item_unless_they_differ_in_size(tmp_path: Path):
    pages = [Image.fromarray(noise(4, 5, seed=page)) for page in range(3)]
    pages[0].save(tmp_path / "stack.tif", save_all=True, append_images=pages[1:])
    pages[0].save(tmp_path / "pyramid.tiff", save_all=True, append_images=[pages[0].resize((2, 2))])
    (tmp_path / "renamed.png").write_bytes((tmp_path / "stack.tif").read_bytes())
    found = list_images(tmp_path)
    assert found.items == (
        ListedImage("renamed.png", "renamed.png"),
        ListedImage("stack.tif", "stack.tif"),
        ListedImage("stack.tif#page-0002", "stack.tif", 1),
        ListedImage("stack.tif#page-0003", "stack.tif", 2),
    )
    assert found.left_out == (LeftOut(listing.UNEVEN, 1, ("pyramid.tiff",)),)


def test_a_folder_that_cannot_be_read_is_counted_and_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    touch(tmp_path, "a.jpg", "secret/b.jpg")
    scan = os.scandir

    def scan_or_refuse(path: str):
        if str(path).endswith("secret"):
            raise PermissionError(13, "Permission denied", path)
        return scan(path)

    monkeypatch.setattr(os, "scandir", scan_or_refuse)  # the tests may run as root, who may read everything
    assert ids(tmp_path) == ["a.jpg"]
    assert reasons(tmp_path) == {listing.UNREADABLE: LeftOut(listing.UNREADABLE, 1, ("secret",))}


@pytest.mark.parametrize("backwards", [False, True])
def test_listing_is_the_same_in_any_order_of_the_file_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, backwards: bool
):
    touch(tmp_path, *(f"{folder}/{name}.{suffix}" for folder in "ab" for name in "xyz" for suffix in ("png", "txt")))
    scan = os.scandir

    def scan_in_order(path: str):
        return nullcontext(sorted(scan(path), key=lambda entry: entry.name, reverse=backwards))

    monkeypatch.setattr(os, "scandir", scan_in_order)
    found = list_images(tmp_path)
    assert [item.id for item in found.items] == [f"{folder}/{name}.png" for folder in "ab" for name in "xyz"]
    assert found.left_out == (LeftOut(".txt files are not read", 6, ("a/x.txt", "a/y.txt", "a/z.txt")),)


def test_no_folder_and_no_image_are_refused(tmp_path: Path, plain_error: Callable[[str], str]):
    touch(tmp_path / "text", "notes.txt", "old/.hidden.jpg")
    (tmp_path / "empty").mkdir()
    (tmp_path / "file.jpg").write_bytes(stored_pixels(noise(2, 2)))

    def error(name: str) -> str:
        return plain_error(f"from askwell.pool.listing import list_images\nlist_images({str(tmp_path / name)!r})")

    assert error("gone").startswith("UsageError: expected a folder of images, found nothing at ")
    assert "found a file at" in error("file.jpg")
    assert "found an empty folder; name a folder of BMP, DICOM" in error("empty")
    assert "none (.txt files are not read: 1, such as 'notes.txt'; hidden files" in error("text")
    with pytest.raises(UsageError, match="expected a folder of images"):
        list_images(tmp_path / "gone")

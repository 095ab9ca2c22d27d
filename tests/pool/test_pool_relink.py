"""A folder that has moved: its images are found by their paths, then by content, and what is missing is named."""

import shutil
from pathlib import Path

import pytest
from folder_trees import write_images
from PIL import Image

from askwell.errors import UsageError
from askwell.pool import relink as relink_module
from askwell.pool.duplicates import content_hash
from askwell.pool.folder_plan import plan_folder
from askwell.pool.folder_settings import FolderSettings
from askwell.pool.relink import relink

NAMES = [f"{label}/{number}.png" for label in "ab" for number in range(3)]


@pytest.fixture
def planned(tmp_path):
    """The items of a folder, and the hashes of their contents."""
    old = write_images(tmp_path / "old", NAMES)
    items = plan_folder(FolderSettings(folder=str(old))).items
    return items, {item.id: str(content_hash(old / item.path)) for item in items}


def paths(relinked):
    return {item.id: item.path for item in relinked.items}


def without_content(items):
    return [item._replace(content=None) for item in items]


def test_a_copied_folder_of_which_nothing_was_read_is_found_by_paths_and_no_file_is_read(
    planned, tmp_path, monkeypatch
):
    items = without_content(planned[0])
    shutil.copytree(tmp_path / "old", tmp_path / "new")
    monkeypatch.setattr(Path, "open", lambda *_: pytest.fail("a file is read"))
    assert relink(items, tmp_path / "new", {}) == (tuple(items), (), 0)


@pytest.fixture
def many(tmp_path):
    """The items of a folder of more images than are sampled, copied to a new one, and the hashes of their contents."""
    old = write_images(tmp_path / "old", [f"{label}/{number:03d}.png" for label in "ab" for number in range(75)])
    shutil.copytree(old, tmp_path / "new")
    items = without_content(plan_folder(FolderSettings(folder=str(old))).items)
    return items, {item.id: str(content_hash(old / item.path)) for item in items}


def heard(items, new, hashes):
    """What relinking finds, and how many files it said it read."""
    told = []
    found = relink(items, new, hashes, progress=lambda done, total: told.append((done, total)))
    assert [done for done, _ in told] == list(range(1, len(told) + 1))
    assert told[-1] == (len(told), len(told))
    return found, len(told)


def rotate(folder, names):
    """Each file gets the content of the next."""
    contents = [(folder / name).read_bytes() for name in names]
    for name, content in zip(names, [*contents[1:], contents[0]], strict=True):
        (folder / name).write_bytes(content)


def test_of_many_files_found_by_path_some_are_compared(many, tmp_path, monkeypatch):
    items, hashes = many
    read = []
    monkeypatch.setattr(relink_module, "content_hash", lambda file: read.append(file) or content_hash(file))
    assert heard(items, tmp_path / "new", hashes) == ((tuple(items), (), 0), 64)
    places = [place for place, item in enumerate(items) if tmp_path / "new" / item.path in read]
    assert len(places) == len(read) == 64
    assert {after - before for before, after in zip(places, [*places[1:], len(items)], strict=True)} == {2, 3}


@pytest.mark.parametrize("from_plan", [True, False])
def test_pictures_that_changed_their_names_are_found_by_content(many, tmp_path, from_plan):
    items, hashes = many
    names = sorted(hashes)
    rotate(tmp_path / "new", names)
    of_plan = [item._replace(content=hashes[item.id] if from_plan else "of before") for item in items]
    found, read = heard(of_plan, tmp_path / "new", {} if from_plan else hashes)
    assert (found.missing, found.by_hash, read) == ((), 150, 150)
    assert paths(found) == {name: names[place - 1] for place, name in enumerate(names)}


def test_only_the_files_that_differ_are_sought_by_content(many, tmp_path):
    items, hashes = many
    first, second, third = (items[place].id for place in (0, 1, 2))
    rotate(tmp_path / "new", [first, second])
    (tmp_path / "new" / third).write_bytes(b"another picture")
    found, read = heard(items, tmp_path / "new", hashes)
    assert (found.missing, found.by_hash, read) == ((third,), 2, 150)
    assert paths(found) == {**{name: name for name in hashes}, first: second, second: first}


def test_other_pictures_under_the_same_names_are_missing(planned, tmp_path):
    items, hashes = planned
    write_images(tmp_path / "new", NAMES, side=5)
    found, read = heard(items, tmp_path / "new", hashes)
    assert (set(found.missing), found.by_hash, read) == (set(NAMES), 0, len(NAMES))
    assert heard(without_content(items), tmp_path / "new", {NAMES[0]: hashes[NAMES[0]]})[0].missing == (NAMES[0],)


def test_renamed_files_are_found_by_content(planned, tmp_path):
    items, hashes = planned
    new = tmp_path / "new"
    shutil.copytree(tmp_path / "old", new)
    (new / "x" / "y").mkdir(parents=True)
    (new / "a" / "1.png").rename(new / "x" / "y" / "emoji 🦋.png")
    (new / "b" / "2.png").rename(new / "b" / "two.png")
    told = []
    found = relink(items, new, hashes, progress=lambda done, total: told.append((done, total)))
    assert found.missing == ()
    assert found.by_hash == 2
    moved = {"a/1.png": "x/y/emoji 🦋.png", "b/2.png": "b/two.png"}
    assert paths(found) == {name: moved.get(name, name) for name in NAMES}
    assert [item._replace(path="") for item in found.items] == [item._replace(path="") for item in items]
    assert told == [*((done, 4) for done in range(1, 5)), (5, 6), (6, 6)]  # those found by path, then those no item has


def test_another_unicode_form_of_a_path_is_the_same_path(tmp_path):
    old = write_images(tmp_path / "old", [f"{label}/cafe\u0301 {number}.png" for label in "ab" for number in range(3)])
    items = plan_folder(FolderSettings(folder=str(old))).items
    write_images(tmp_path / "new", sorted(item.id for item in items))
    found = relink(items, tmp_path / "new", {})
    assert found.missing == ()
    assert [item.path for item in found.items] == [item.id for item in items] != [item.path for item in items]


def test_what_is_gone_and_what_was_never_read_is_missing(planned, tmp_path):
    items, hashes = planned
    new = tmp_path / "new"
    shutil.copytree(tmp_path / "old", new)
    (new / "a" / "0.png").unlink()
    (new / "b" / "0.png").rename(new / "b" / "other.png")
    del hashes["b/0.png"]
    found = relink(without_content(items), new, hashes)
    assert set(found.missing) == {"a/0.png", "b/0.png"}
    assert found.by_hash == 0
    assert paths(found) == {name: name for name in NAMES}


def test_what_was_read_when_planned_is_known(planned, tmp_path):
    items = planned[0]
    shutil.copytree(tmp_path / "old", tmp_path / "new")
    (tmp_path / "new/a/1.png").rename(tmp_path / "new/first.png")
    found = relink(items, tmp_path / "new", {})
    assert (found.missing, found.by_hash, paths(found)["a/1.png"]) == ((), 1, "first.png")


def test_equal_files_are_found_once_each(tmp_path):
    old = write_images(tmp_path / "old", NAMES, same={"a/1.png": "a/0.png", "a/2.png": "a/0.png"})
    items = plan_folder(FolderSettings(folder=str(old), test_share=0.5)).items
    hashes = {item.id: str(content_hash(old / item.path)) for item in items}
    new = tmp_path / "new"
    shutil.copytree(old / "b", new / "b")
    for name in ("x.png", "y.png"):
        shutil.copy(old / "a" / "0.png", new / name)
    found = relink(sorted(items, key=lambda item: item.id), new, hashes)
    assert paths(found) == {**{name: name for name in NAMES}, "a/0.png": "x.png", "a/1.png": "y.png"}
    assert found.missing == ("a/2.png",)


def test_pages_are_found_again_as_pages(tmp_path):
    old = write_images(tmp_path / "old", ["b/1.png", "b/2.png"])
    pages = [Image.new("L", (4, 4), value) for value in (7, 8)]
    (old / "a").mkdir()
    pages[0].save(old / "a" / "s.tif", save_all=True, append_images=pages[1:])
    items = plan_folder(FolderSettings(folder=str(old), test_share=0.5)).items
    hashes = {item.id: str(content_hash(old / item.path)) for item in items}
    shutil.copytree(old, tmp_path / "new")
    (tmp_path / "new" / "a" / "s.tif").rename(tmp_path / "new" / "t.tif")
    found = relink(items, tmp_path / "new", hashes)
    assert {item.id: (item.path, item.page) for item in found.items if item.id.startswith("a")} == {
        "a/s.tif": ("t.tif", 0),
        "a/s.tif#page-0002": ("t.tif", 1),
    }
    assert found.by_hash == 2


def test_a_folder_without_images_is_refused(planned, tmp_path):
    items, hashes = planned
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="at least one image in"):
        relink(items, tmp_path / "empty", hashes)

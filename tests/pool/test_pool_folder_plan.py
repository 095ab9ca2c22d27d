"""A plan of a folder: labels, groups, equal images and the split; every refusal; the real ISIC images."""

import hashlib
import shutil
from collections import Counter

import pytest
from folder_trees import write_images, write_table
from hypothesis import given, reject
from hypothesis import strategies as st
from PIL import Image

from askwell.errors import UsageError
from askwell.pool.folder_plan import plan_folder
from askwell.pool.folder_settings import FolderSettings


def plan(folder, *, seed=0, **settings):
    return plan_folder(FolderSettings(folder=str(folder), **settings), seed=seed)


def ids(plan, split):
    return [item.id for item in plan.items if item.split == split]


def classed(*classes, count=5):
    return [f"{name}/{number // 2}/{number}.png" for name in classes for number in range(count)]


def test_a_class_per_subfolder_however_deep(tmp_path):
    found = plan(write_images(tmp_path, ["b/1.png", "b/x/y/1.png", "a/1.png", "a/x/2.png", "root.png"]))
    assert found.classes == ("a", "b")
    assert {item.id: item.label for item in found.items} == {
        "a/1.png": "a",
        "a/x/2.png": "a",
        "b/1.png": "b",
        "b/x/y/1.png": "b",
    }
    assert found.notes == (f"1 image of {tmp_path} left out for being in no subfolder, namely 'root.png'.",)
    assert (found.form.size, found.form.channels, found.form.fit) == (4, 1, "squash")


def test_the_pool_comes_first_and_each_split_in_the_order_of_the_ids(tmp_path):
    found = plan(write_images(tmp_path, classed("a", "b", count=20)))
    assert [item.split for item in found.items] == ["pool"] * 32 + ["test"] * 8
    assert ids(found, "pool") == sorted(ids(found, "pool"))
    assert ids(found, "test") == sorted(ids(found, "test"))
    assert Counter(item.label for item in found.items if item.split == "test") == {"a": 4, "b": 4}
    assert all(item.path == item.id and item.page == 0 and item.group is None for item in found.items)


def test_the_test_share_is_drawn_by_the_seed_alone(tmp_path):
    write_images(tmp_path, classed("a", "b", count=20))
    splits = [ids(plan(tmp_path, seed=seed), "test") for seed in (0, 0, 1)]
    assert splits[0] == splits[1] != splits[2]
    assert len(ids(plan(tmp_path, test_share=0.5), "test")) == 20


def test_classes_are_in_numerical_order_where_they_are_numbers_and_as_given_where_they_are(tmp_path):
    write_images(tmp_path, classed("10", "9", "-1", "2.5", count=2))
    assert plan(tmp_path).classes == ("-1", "2.5", "9", "10")
    given_order = ("9", "10", "2.5", "-1", "unseen")
    found = plan(tmp_path, classes=given_order)
    assert found.classes == given_order
    assert "No pool image is of the class 'unseen'." in found.notes
    assert "No test image is of the class 'unseen'." in found.notes


@pytest.mark.parametrize("odd", ["x", "nan", "inf"])
def test_classes_are_in_alphabetical_order_otherwise(tmp_path, odd):
    write_images(tmp_path, classed("10", "9", odd, count=2))
    assert plan(tmp_path).classes == tuple(sorted(["10", "9", odd]))


def test_labels_from_a_table(tmp_path):
    write_images(tmp_path / "photos", ["a.png", "x/b.png", "c.png", "d.png", "e.png"])
    labels = write_table(tmp_path / "l.csv", [("a", "no"), ("b.png", "yes"), ("c", "yes"), ("d", "no"), ("f", "no")])
    found = plan(tmp_path / "photos", labels=labels)
    assert {item.id: item.label for item in found.items} == {
        "a.png": "no",
        "x/b.png": "yes",
        "c.png": "yes",
        "d.png": "no",
    }
    assert found.notes == (
        f"1 of 5 rows of l.csv name no image in {tmp_path / 'photos'}, such as 'f'.",
        f"1 image of {tmp_path / 'photos'} left out for having no label in the table, namely 'e.png'.",
    )


def test_what_the_listing_leaves_out_is_said(tmp_path):
    write_images(tmp_path, classed("a", "b"))
    (tmp_path / "a" / "drawing.svg").write_text("<svg/>")
    (found,) = plan(tmp_path).notes
    assert found == f"In {tmp_path}, .svg files are not read: 1, such as 'a/drawing.svg'."


def test_a_test_folder_is_the_test_set(tmp_path):
    write_images(tmp_path / "train", classed("a", "b"))
    write_images(tmp_path / "test", ["a/9.png", "b/9.png", "a/0/0.png"], side=5)
    found = plan(tmp_path / "train", test_folder=str(tmp_path / "test"))
    assert ids(found, "pool") == sorted(classed("a", "b"))
    assert ids(found, "test") == ["test:a/0/0.png", "test:a/9.png", "test:b/9.png"]
    assert [item.path for item in found.items if item.split == "test"] == ["a/0/0.png", "a/9.png", "b/9.png"]
    assert found.notes == ()


def test_a_test_folder_inside_the_folder_is_no_class(tmp_path):
    write_images(tmp_path, [*classed("a", "b"), "test/a/x.png", "test/b/x.png"])
    found = plan(tmp_path, test_folder=str(tmp_path / "test"))
    assert found.classes == ("a", "b")
    assert len(ids(found, "pool")) == 10
    with pytest.raises(UsageError, match=r"besides those in .*, found none; pool and test images need a folder each"):
        plan(tmp_path, test_folder=str(tmp_path))


def test_a_test_folder_with_its_own_table_and_a_class_the_pool_lacks(tmp_path):
    write_images(tmp_path / "train", classed("a", "b"))
    write_images(tmp_path / "test", ["x.png", "y.png"], side=5)
    table = write_table(tmp_path / "t.csv", [("image", "label"), ("x", "a"), ("y", "c")])
    settings = {"test_folder": str(tmp_path / "test"), "test_labels": table}
    with pytest.raises(
        UsageError, match=r"among the classes a, b, found 'c' for 'y.png' in .*test; correct it, or name all"
    ):
        plan(tmp_path / "train", **settings)
    found = plan(tmp_path / "train", classes=("a", "b", "c"), **settings)
    assert [item.label for item in found.items if item.split == "test"] == ["a", "c"]
    assert found.notes == ("No pool image is of the class 'c'.", "No test image is of the class 'b'.")


@given(
    patients=st.lists(st.integers(0, 9), min_size=24, max_size=24),
    copies=st.lists(st.tuples(st.integers(0, 23), st.integers(0, 23)), max_size=4),
    share=st.sampled_from([0.2, 0.5]),
)
def test_a_group_and_equal_images_are_on_one_side(tmp_path_factory, patients, copies, share):
    folder = tmp_path_factory.mktemp("photos")
    names = [f"{'ab'[place % 2]}/p{patient}-{place}.png" for place, patient in enumerate(patients)]
    same = {names[copy]: names[original] for copy, original in copies if copy > original}
    same = {copy: original for copy, original in same.items() if original not in same}
    write_images(folder, names, same=same)
    try:
        found = plan(folder, group_by=r"p(\d)", test_share=share)
    except UsageError:  # groups too large for the share
        reject()
    split = {item.id: item.split for item in found.items}
    group = {item.id: item.group for item in found.items}
    by_patient = [{name for name in names if f"/p{patient}-" in name} for patient in range(10)]
    for together in [*by_patient, *({copy, original} for copy, original in same.items())]:
        assert len({split[name] for name in together}) <= 1
        assert len({group[name] for name in together}) <= 1
        assert len(together) < 2 or None not in {group[name] for name in together}
    assert all(owner is None or owner in split for owner in group.values())


def test_groups_that_are_in_the_test_folder_are_left_out_of_the_pool(tmp_path):
    write_images(tmp_path / "train", [f"{label}/p{patient}.png" for label in "ab" for patient in range(4)])
    write_images(tmp_path / "test", ["a/p3_again.png", "b/p9.png"], side=5)
    found = plan(tmp_path / "train", test_folder=str(tmp_path / "test"), group_by=r"p\d")
    assert ids(found, "pool") == ["a/p0.png", "a/p1.png", "a/p2.png", "b/p0.png", "b/p1.png", "b/p2.png"]
    assert [item.group for item in found.items] == ["a/p0.png", "a/p1.png", "a/p2.png"] * 2 + [None, None]
    (said,) = found.notes
    assert said == (
        "2 images left out of the pool, because others of their group are in the test folder, such as 'a/p3.png'."
    )


def test_images_without_a_group_are_counted(tmp_path):
    write_images(tmp_path, [*classed("a", "b"), "a/p1_1.png", "a/p1_2.png"])
    (said,) = plan(tmp_path, group_by=r"p\d").notes
    assert said == ("10 of 12 images have no group in group_by and are groups of their own, such as 'a/0/0.png'.")


def test_equal_images_are_said_once_and_contradictions_too(tmp_path):
    names = classed("a", "b", count=10)
    same = {"a/0/1.png": "a/0/0.png", "b/0/0.png": "a/0/0.png", "b/4/9.png": "b/4/8.png"}
    found = plan(write_images(tmp_path, names, same=same))
    assert found.notes == (
        "5 files have the same content as another, such as 'a/0/0.png' and 'a/0/1.png'; equal files form one group.",
        "3 files have the same content as another with a different label, such as 'a/0/0.png' and 'b/0/0.png'; "
        "at most one of the labels can be right.",
    )
    group = {item.id: item.group for item in found.items}
    assert {name for name, owner in group.items() if owner == "a/0/0.png"} == {"a/0/0.png", "a/0/1.png", "b/0/0.png"}
    assert group["b/4/9.png"] == group["b/4/8.png"] == "b/4/8.png"
    assert group["a/1/2.png"] is None


def test_equal_content_in_pool_and_test_is_reported(tmp_path):
    write_images(tmp_path / "train", classed("a", "b"))
    write_images(tmp_path / "test", ["a/x.png", "a/y.png", "b/x.png"], same={"a/y.png": "a/x.png"})
    found = plan(tmp_path / "train", test_folder=str(tmp_path / "test"))
    assert len(ids(found, "pool")) == 10  # a published split stays what it is
    assert found.notes == (
        "2 files have the same content as another, such as 'test:a/x.png' and 'test:a/y.png'; "
        "equal files form one group.",
        "3 test files have the same content as one of the pool, such as 'test:a/x.png' and 'a/0/0.png'; "
        "what is measured on them says nothing about new images.",
        "2 files have the same content as another with a different label, such as 'a/1/2.png' and 'test:b/x.png'; "
        "at most one of the labels can be right.",
    )
    assert {item.id: item.group for item in found.items if item.split == "test"} == {
        "test:a/x.png": "test:a/x.png",
        "test:a/y.png": "test:a/x.png",
        "test:b/x.png": None,
    }


def test_pages_of_one_file_belong_together(tmp_path):
    write_images(tmp_path, classed("a", "b"))
    pages = [Image.new("L", (4, 4), value) for value in (7, 8, 9)]
    pages[0].save(tmp_path / "a" / "stack.tif", save_all=True, append_images=pages[1:])
    items = {item.id: item for item in plan(tmp_path).items}
    stack = [items[f"a/stack.tif{page}"] for page in ("", "#page-0002", "#page-0003")]
    assert [(item.group, item.page, item.path) for item in stack] == [
        ("a/stack.tif", page, "a/stack.tif") for page in range(3)
    ]
    assert len({item.split for item in stack}) == 1


def test_progress_tells_of_the_files_read(tmp_path):
    told = []
    settings = FolderSettings(folder=str(write_images(tmp_path, classed("a", "b"))))
    plan_folder(settings, progress=lambda done, total: told.append((done, total)))
    assert told[-1][0] == told[-1][1] == len(told) > 0


def test_one_class_only_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"at least 2 classes in .*, found only 'a' \(5 images\); check the labels"):
        plan(write_images(tmp_path, classed("a")))


def test_no_subfolder_and_no_table_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"a subfolder for each class in .*, found 2 images and no subfolder"):
        plan(write_images(tmp_path, ["1.png", "2.png"]))


def test_a_table_for_other_images_is_refused(tmp_path):
    write_images(tmp_path, ["1.png", "2.png"])
    labels = write_table(tmp_path / "labels.csv", [("image", "label"), ("x", "a"), ("y", "b")])
    with pytest.raises(UsageError, match=r"to name images such as '1.png', found 2 rows that name none, such as 'x'"):
        plan(tmp_path, labels=labels)


def test_a_label_that_is_no_class_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"among the classes a, c, found 'b' for 'b/0/0.png' in"):
        plan(write_images(tmp_path, classed("a", "b")), classes=("a", "c"))


def test_one_group_for_all_is_refused(tmp_path):
    with pytest.raises(UsageError, match="found 1 of up to 10 images; give a test folder"):
        plan(write_images(tmp_path, classed("a", "b")), group_by="png")


def test_a_pool_that_loses_a_class_to_its_groups_is_refused(tmp_path):
    write_images(tmp_path / "train", ["a/p1.png", "b/p2.png", "b/p3.png"])
    write_images(tmp_path / "test", ["a/p1_again.png", "b/p9.png"], side=5)
    with pytest.raises(UsageError, match="at least 2 classes left for the pool, found 1"):
        plan(tmp_path / "train", test_folder=str(tmp_path / "test"), group_by=r"p\d")


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"at least one image in .*, found an empty folder"):
        plan(tmp_path)


def test_labels_that_differ_in_capitals_only_are_refused_unless_they_are_named(tmp_path):
    write_images(tmp_path, [f"{number}.png" for number in range(8)])
    labels = write_table(
        tmp_path / "l.csv", [(str(number), ("cat", "Cat", "dog", "cat")[number % 4]) for number in range(8)]
    )
    with pytest.raises(
        UsageError, match=r"way to write each class in .*l.csv, found 'cat' and 'Cat'; write them alike"
    ):
        plan(tmp_path, labels=labels)
    assert plan(tmp_path, labels=labels, classes=("Cat", "cat", "dog")).classes == ("Cat", "cat", "dog")


def test_folders_that_differ_in_capitals_only_are_classes(tmp_path):
    (tmp_path / "probe").mkdir()
    if (tmp_path / "PROBE").exists():
        pytest.skip("this file system does not tell capitals apart")
    assert plan(write_images(tmp_path, classed("a", "A"))).classes == ("A", "a")


def test_labels_that_are_one_number_are_one_class_or_refused(tmp_path):
    write_images(tmp_path, [f"{number}.png" for number in range(8)])
    labels = write_table(
        tmp_path / "l.csv", [(str(number), ("0", "0.0", "1.0", "1")[number % 4]) for number in range(8)]
    )
    assert plan(tmp_path, labels=labels).classes == ("0", "1")
    labels = write_table(tmp_path / "l.csv", [(str(number), ("0", "0.0", "x", "y")[number % 4]) for number in range(8)])
    with pytest.raises(UsageError, match=r"found '0' and '0.0'; write them alike"):
        plan(tmp_path, labels=labels)


def test_a_test_table_with_other_names_for_all_classes_is_refused_with_both(tmp_path):
    write_images(tmp_path / "train", classed(*(f"c{number:02d}" for number in range(12)), count=2))
    write_images(tmp_path / "test", ["x.png", "y.png"], side=5)
    table = write_table(tmp_path / "t.csv", [("image", "label"), ("x", "10.0"), ("y", "9.0")])
    with pytest.raises(UsageError) as caught:
        plan(tmp_path / "train", test_folder=str(tmp_path / "test"), test_labels=table)
    assert str(caught.value) == (
        "expected labels among the classes c00, c01, c02, c03, c04, c05, c06, c07, c08, c09, ... (12 in all), "
        f"found none of them in {tmp_path / 'test'}, but 9, 10; write the classes alike for pool and test images, best in one "
        "table for both (such as a manifest.csv), or name all classes if they are indeed others."
    )


def test_the_content_is_known_of_the_files_that_were_read_whole(tmp_path):
    for number, name in enumerate(["a/small 1.bmp", "a/small 2.bmp", "a/large 1.bmp", "b/large 2.bmp", "b/alone.bmp"]):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        side = 300 if "large" in name else 4 + number // 4
        Image.new("L", (side, side), number).save(tmp_path / name)
    pages = [Image.new("L", (4, 4), value) for value in (7, 8)]
    pages[0].save(tmp_path / "b/stack.tif", save_all=True, append_images=pages[1:])
    for name in ("b/large 2.bmp", "b/stack.tif"):
        shutil.copy(tmp_path / name, tmp_path / name.replace(".", " again."))
    found = {item.id: item.content for item in plan(tmp_path).items}
    assert {name for name, content in found.items() if content is None} == {"a/large 1.bmp", "b/alone.bmp"}
    assert len(found) == 10
    for name in found.keys() - {"a/large 1.bmp", "b/alone.bmp"}:
        assert found[name] == hashlib.sha256((tmp_path / name.partition("#")[0]).read_bytes()).hexdigest()


def test_the_real_images_of_isic_with_the_challenges_table(askwell_data):
    root = askwell_data / "isic2016"
    found = plan(root / "train", labels=str(root / "ISBI2016_ISIC_Part3_Training_GroundTruth.csv"))
    assert Counter((item.split, item.label) for item in found.items) == {
        ("pool", "benign"): 548,
        ("test", "benign"): 137,
        ("pool", "malignant"): 132,
        ("test", "malignant"): 33,
    }
    assert found.classes == ("benign", "malignant")
    assert (found.form.size, found.form.channels) == (64, 3)
    (said,) = found.notes
    assert said.startswith("50 of 900 rows of ISBI2016_ISIC_Part3_Training_GroundTruth.csv name no image in ")


def test_the_real_images_of_isic_in_two_folders_with_one_table(askwell_data):
    root = askwell_data / "isic2016"
    table = f"{root / 'manifest.csv'}:image_id,malignant"
    found = plan(root / "train", labels=table, test_folder=str(root / "test"), test_labels=table, size=32)
    assert Counter((item.split, item.label) for item in found.items) == {
        ("pool", "0"): 685,
        ("pool", "1"): 165,
        ("test", "0"): 283,
        ("test", "1"): 71,
    }
    assert found.form.size == 32
    assert len(found.notes) == 2


def test_the_challenges_two_tables_are_refused_with_their_classes_and_go_with_the_manifest(askwell_data):
    root = askwell_data / "isic2016"
    train = root / "ISBI2016_ISIC_Part3_Training_GroundTruth.csv"
    tests = {"test_folder": str(root / "test"), "test_labels": str(root / "ISBI2016_ISIC_Part3_Test_GroundTruth.csv")}
    with pytest.raises(
        UsageError, match=r"classes benign, malignant, found none of them in .*test, but 0, 1; .* one table for both"
    ):
        plan(root / "train", labels=str(train), **tests)
    found = plan(root / "train", labels=f"{root / 'manifest.csv'}:image_id,malignant", size=32, **tests)
    assert found.classes == ("0", "1")
    assert sum(item.split == "test" for item in found.items) > 350

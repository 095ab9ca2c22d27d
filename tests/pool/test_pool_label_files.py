"""Tables of labels: read whatever the separator and the names, matched to the right images, refused in one sentence."""

import csv
import io
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from askwell.errors import UsageError
from askwell.pool.item_names import ItemNames
from askwell.pool.label_files import find_table, read_table, read_values
from askwell.pool.listing import ListedImage

# what a file can be called: anything but a slash, NUL and a line that is not a name
NAME = st.text(
    st.characters(exclude_characters="/\0", exclude_categories=["Cs"]) | st.sampled_from(list(",;\"\n\r\t'🦋é")),
    min_size=1,
    max_size=12,
).filter(str.strip)


def items(*ids):
    return [ListedImage(name, name) for name in ids]


def values(tmp_path, content, *ids, columns=""):
    """What a table with that content says of the items, by id."""
    path = tmp_path / "labels.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    listed = items(*ids)
    table = read_values(find_table(f"{path}{columns}", tmp_path), ItemNames(listed, tmp_path), "label")
    return {listed[position].id: value for position, value in table.values.items()}


@given(names=st.lists(NAME, min_size=1, max_size=6, unique=True), separator=st.sampled_from(",;\t"), bom=st.booleans())
def test_any_name_survives_the_table(tmp_path_factory, names, separator, bom):
    ids = [f"{number}/x.png" for number in range(len(names))]
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=separator).writerows([("image", "label"), *zip(ids, names, strict=True)])
    path = tmp_path_factory.mktemp("tables") / "labels.csv"
    path.write_bytes(text.getvalue().encode("utf-8-sig" if bom else "utf-8"))
    assert read_table(path) == [
        ["image", "label"],
        *([item_id, name] for item_id, name in zip(ids, names, strict=True)),
    ]


@given(names=st.lists(NAME, min_size=1, max_size=6, unique=True), separator=st.sampled_from(",;\t"))
def test_images_of_any_name_are_found(tmp_path_factory, names, separator):
    listed = items(*dict.fromkeys(unicodedata.normalize("NFC", f"photos/{name}.png") for name in names))
    text = io.StringIO(newline="")
    rows = [(item.id, str(number)) for number, item in enumerate(listed)]
    csv.writer(text, delimiter=separator).writerows([("image", "label"), *rows])
    path = tmp_path_factory.mktemp("tables") / "labels.csv"
    path.write_bytes(text.getvalue().encode())
    found = read_values(find_table(str(path), path.parent), ItemNames(listed, path.parent), "label")
    assert found.values == {number: str(number) for number in range(len(listed))}
    assert found.strangers == 0


@pytest.mark.parametrize(
    "content",
    [
        "image,label\na.png,cat\nb.png,dog\n",
        "a.png,cat\nb.png,dog\n",
        "a;cat\r\nb;dog\r\n",
        "file name\tspecies\nsub/a.png\tcat\nsub/b.png\tdog\n",
        "Path,Class\n./sub\\a.png, cat \nsub/b,dog\n\n,\n",
        "split,image_id,malignant,present\ntrain,a,cat,1\ntest,b,dog,1\n",
        "label,filename\ncat,a.png\ndog,b.png\n",
        "image_id,finding\na,cat\nb,dog\n",
        "malignant,x\ncat,a\ndog,b\n",
    ],
)
def test_tables_with_and_without_header_say_the_same(tmp_path, content):
    assert values(tmp_path, content, "sub/a.png", "sub/b.png") == {"sub/a.png": "cat", "sub/b.png": "dog"}


@pytest.mark.parametrize(
    ("content", "label"),
    [("malignant.png,x\nb.png,y\n", "x"), ("image,malignant\nb,y\n", None), ("b,malignant\n", None)],
)
def test_a_first_row_that_names_an_image_is_no_header(tmp_path, content, label):
    found = values(tmp_path, content, "malignant.png", "b.png")
    assert found.get("malignant.png") == label
    assert found["b.png"] == ("malignant" if content.startswith("b") else "y")


@pytest.mark.parametrize("columns", [":dx", ":image_id,dx", ':"image_id",dx'])
def test_columns_can_be_named(tmp_path, columns):
    content = "lesion_id,image_id,dx,target\nL1,a,cat,0\nL1,b,dog,1\n"
    assert values(tmp_path, content, "a.png", "b.png", columns=columns) == {"a.png": "cat", "b.png": "dog"}


def test_column_names_may_hold_colons_and_commas(tmp_path):
    content = '"what: in, it",id\ncat,a\ndog,b\n'
    assert values(tmp_path, content, "a.png", columns=':id,"what: in, it"') == {"a.png": "cat"}


def test_a_relative_table_is_looked_for_inside_the_folder(tmp_path, monkeypatch):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "labels.csv").write_text("a,b\n")
    assert find_table("labels.csv:x", tmp_path / "photos").path == tmp_path / "photos" / "labels.csv"
    (tmp_path / "labels.csv").write_text("a,b\n")
    monkeypatch.chdir(tmp_path)
    assert find_table("labels.csv", tmp_path / "photos").path.resolve() == tmp_path / "labels.csv"


def test_the_more_exact_way_to_name_an_image_goes_first(tmp_path):
    ids = ("a.png", "x/a.png", "x/b.jpg", "y/c.png", "b", "b.jpg.png")
    content = "a.png,path\nx/b,path without suffix\nc.png,file name\nx/a.png,another path\nb,no suffix\nb.jpg.png,two\n"
    assert values(tmp_path, content, *ids) == {
        "a.png": "path",
        "x/b.jpg": "path without suffix",
        "y/c.png": "file name",
        "x/a.png": "another path",
        "b": "no suffix",
        "b.jpg.png": "two",
    }


def test_names_that_can_mean_two_images_are_refused_with_both(tmp_path):
    ids = ("x/a.png", "y/a.png", "y/a.jpg", "c.png")
    assert values(tmp_path, "x/a.png,1\ny/a.jpg,2\n", *ids) == {"x/a.png": "1", "y/a.jpg": "2"}
    with pytest.raises(UsageError, match=r"found 'a', which can be 'x/a.png' or 'y/a.png'; write the paths"):
        values(tmp_path, "c,1\na,2\n", *ids)
    with pytest.raises(UsageError, match=r"found 'y/a', which can be 'y/a.png' or 'y/a.jpg'"):
        values(tmp_path, "c,1\ny/a,2\n", *ids)


def test_the_name_of_a_file_means_all_its_pages_and_a_page_its_own(tmp_path):
    pages = [ListedImage("s.tif", "s.tif"), *(ListedImage(f"s.tif#page-000{n}", "s.tif", n - 1) for n in (2, 3))]
    path = tmp_path / "labels.csv"
    path.write_text("s,cat\ns.tif#page-0003,dog\n")
    assert read_values(find_table(str(path), tmp_path), ItemNames(pages, tmp_path), "label").values == {
        0: "cat",
        1: "cat",
        2: "dog",
    }


def test_pages_are_found_by_any_spelling_of_their_id(tmp_path):
    root = tmp_path / "scans"
    names = ItemNames([ListedImage("s.tif", "s.tif"), ListedImage("s.tif#page-0002", "s.tif", 1)], root)
    for name in ("s.tif#page-0002", f"{root}/s.tif#page-0002", "scans/s.tif#page-0002", "S.TIF#page-0002"):
        assert (names.positions(name), names.is_page(name)) == ([1], True)
    for name in ("s", "s.tif", "scans/s", "S.tif"):
        assert (names.positions(name), names.is_page(name)) == ([0, 1], False)
    assert names.positions("s.tif#page-0003") == []


@pytest.mark.parametrize("before", ["{root}/", "flat/", "data/flat/", "./flat/", "flat\\"])
@pytest.mark.parametrize("name", ["x/a0.png", "x/a0", "X/A0.PNG"])
def test_a_path_may_begin_with_the_folder(tmp_path, before, name):
    root = tmp_path / "data" / "flat"
    names = ItemNames(items("b.png", "x/a0.png"), root)
    assert names.positions(before.format(root=root) + name) == [1]


def test_an_absolute_path_leads_through_links(tmp_path, monkeypatch):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    for start in ("real", "link"):
        assert ItemNames(items("a.png"), tmp_path / "link").positions(f"{tmp_path}/{start}/a.png") == [0]
    monkeypatch.chdir(tmp_path)
    relative = ItemNames(items("a.png"), Path("real"))
    assert relative.positions(f"{tmp_path}/real/a.png") == relative.positions("real/a.png") == [0]


def test_what_stands_before_a_path_counts_only_where_it_is_no_folder_inside_and_only_of_this_folder(tmp_path):
    names = ItemNames(items("a.png", "flat/a.png", "x/b.png"), tmp_path / "flat")
    assert names.positions("flat/a.png") == [1]
    assert names.positions("flat/flat/a.png") == [1]
    assert names.positions(f"{tmp_path}/flat/a.png") == [0]
    for name in ("flat/b.png", "other/a.png", "/flat/a.png", f"{tmp_path}/a.png", "xflat/a.png"):
        assert names.positions(name) == []


def test_capitals_count_only_as_long_as_something_is_found(tmp_path):
    ids = ("img_1.jpg", "x/Two.png", "x/two.png", "three.png", "THREE.jpg")
    content = "IMG_1.JPG,cat\nX/Two.png,refused\n"
    assert values(tmp_path, "IMG_1.JPG,1\nx/two.png,2\nTHREE,3\nthree,4\n", *ids) == {
        "img_1.jpg": "1",
        "x/two.png": "2",
        "THREE.jpg": "3",
        "three.png": "4",
    }
    with pytest.raises(UsageError, match=r"found 'X/Two.png', which can be 'x/Two.png' or 'x/two.png'; write"):
        values(tmp_path, content, *ids)


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (["0.0", "1.0", "2."], ["0", "1", "2"]),
        (["0", "1.0", ""], ["0", "1", None]),
        (["-3.00", "007.0", "+1"], ["-3", "7", "1"]),
        (["007", "7", "1"], ["007", "7", "1"]),  # no number with a point: codes, perhaps
        (["0.0", "0.5", "1.0"], ["0.0", "0.5", "1.0"]),
        (["0.0", "1.0", "unknown"], ["0.0", "1.0", "unknown"]),
        (["1.0", "2.0", "9" * 5000 + ".0"], ["1.0", "2.0", "9" * 5000 + ".0"]),
    ],
)
def test_whole_numbers_lose_their_point_where_all_are(tmp_path, column, expected):
    names = ["a.png", "b.png", "c.png"]
    content = "".join(f"{name},{value}\n" for name, value in zip(names, column, strict=True))
    found = values(tmp_path, content, *names)
    assert [found.get(name) for name in names] == expected


def test_one_image_twice_with_one_number_is_one_label(tmp_path):
    assert values(tmp_path, "a.png,0\na,0.0\nb.png,1\n", "a.png", "b.png") == {"a.png": "0", "b.png": "1"}


ONE_HOT = "image,MEL,NV,BCC,malignant\na,1.0,0.0,0.0,0.0\nb,0.0,1.0,0.0,0.0\nc,0.0,0.0,0.0,1.0\n"


@pytest.mark.parametrize("content", [ONE_HOT, ONE_HOT.replace(".0", ""), ONE_HOT.replace("image", "x")])
def test_a_column_for_each_class_is_refused_and_none_of_them_suggested(tmp_path, content):
    with pytest.raises(UsageError) as caught:
        values(tmp_path, content, "a.png", "b.png", "c.png")
    assert str(caught.value) == (
        f"expected one column of class names in {tmp_path / 'labels.csv'}, found 4 columns of 0 and 1 with a single 1 in every "
        "row, a column for each class ('MEL', 'NV', 'BCC', ...); write the class of each row into one column."
    )


def test_a_column_for_each_class_can_be_asked_for_and_does_not_hide_one_of_names(tmp_path):
    ids = ("a.png", "b.png", "c.png")
    chosen = {"a.png": "0", "b.png": "0", "c.png": "1"}
    assert values(tmp_path, ONE_HOT, *ids, columns=":malignant") == chosen
    with_names = "image,malignant,benign,label\na,0,1,x\nb,0,1,x\nc,1,0,y\n"
    assert values(tmp_path, with_names, *ids) == {"a.png": "x", "b.png": "x", "c.png": "y"}


@pytest.mark.parametrize("content", ["image,label\n0,1\n1,0\n", "0,1\n1,0\n", "image,label,source\n0,1,x\n1,0,y\n"])
def test_images_named_0_and_1_are_no_classes(tmp_path, content):
    assert values(tmp_path, content, "0.png", "1.png") == {"0.png": "1", "1.png": "0"}


@pytest.mark.parametrize(
    "rows",
    [
        "a,0,1\nb,1,1\nc,0,1\n",  # a class and a flag
        "a,0,1\nb,0,1\nc,0,1\n",  # one class and a flag
        "a,0,1\nb,1,0\nc,0,0\n",
        "a,0,2\nb,1,0\nc,0,1\n",
    ],
)
def test_other_columns_of_numbers_are_no_classes(tmp_path, rows):
    found = values(tmp_path, f"image,malignant,present\n{rows}", "a.png", "b.png", "c.png")
    assert found == {f"{row[0]}.png": row[2] for row in rows.split()}


@pytest.mark.parametrize("name", [" a.png", "a.png ", "x\\a.png", "./a.png"])
def test_a_name_means_first_what_it_says_to_the_letter(tmp_path, name):
    assert values(tmp_path, f"{name},odd\na.png,plain\n", name, "a.png") == {name: "odd", "a.png": "plain"}


def test_names_are_compared_in_one_unicode_form(tmp_path):
    assert values(tmp_path, "cafe\u0301.png,x\n", "caf\u00e9.png") == {"caf\u00e9.png": "x"}


def test_rows_that_name_no_image_are_counted_and_rows_without_value_say_nothing(tmp_path):
    path = tmp_path / "labels.csv"
    path.write_text("a,cat\nnobody,dog\nb,\nnothing,cat\n")
    table = read_values(find_table(str(path), tmp_path), ItemNames(items("a.png", "b.png"), tmp_path), "label")
    assert table == ({0: "cat"}, 4, 2, "nobody")


def test_the_same_label_twice_is_one_and_two_labels_are_refused(tmp_path):
    assert values(tmp_path, "a.png,cat\na,cat\n", "a.png") == {"a.png": "cat"}
    with pytest.raises(UsageError, match=r"one label for each image, found 'cat' and 'dog' for 'a' in labels.csv"):
        values(tmp_path, "a.png,cat\na,dog\n", "a.png")


@pytest.mark.parametrize(
    ("content", "columns", "sentence"),
    [
        (
            "id,image,label\n1,a,cat\n",
            "",
            r"found 'id', 'image', 'label' in its first row; name both as in 'labels.csv:",
        ),
        ("image,dx,label\na,x,cat\n", "", "recognise the image's and the label's column"),
        ("1,a,cat\n2,b,dog\n", "", "write a header line if it has none"),
        ("a,x,cat\n", ":cat", "recognise the image's and the label's column"),
        (
            "image,label\na,x\n",
            ":image,lable",
            r"a column 'lable' in the first row of .*labels.csv, once, found 'image', 'label'",
        ),
        ("x,x\na,x\n", ":x", "a column 'x' in the first row of .*, once, found 'x', 'x'"),
        ("image,label\na,x\n", ":", "expected 'column' or 'image_column,column' after"),
        ("image,label\na,x\n", ":a,b,c", "found 'a,b,c'; put a name that holds a comma into double quotes"),
        ("", "", "found an empty file"),
        ("a\nb\n", "", "found a single column"),
        ("a,b\nc,d,e\n", "", "found with commas, 2 columns in the first row and 3 in line 2"),
        ('a,b\n"c,d\n', "", "found with commas, unexpected end of data"),
        ("a;x,1\nb;y,2\n", "", "one way to separate the columns of .*, found commas and semicolons; quote"),
        (b"a,caf\xe9\n", "", "UTF-8 text in .*labels.csv, found other bytes at 5; save it as CSV in UTF-8"),
    ],
)
def test_what_cannot_be_understood_is_refused_in_one_sentence(tmp_path, content, columns, sentence):
    with pytest.raises(UsageError, match=sentence) as caught:
        values(tmp_path, content, "a.png", columns=columns)
    assert "\n" not in str(caught.value)


def test_a_table_that_is_not_there_is_asked_for(tmp_path):
    with pytest.raises(UsageError, match=r"a table at 'nothing.csv:x', there or inside .*, found no such file"):
        find_table("nothing.csv:x", tmp_path)

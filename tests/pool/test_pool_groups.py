"""Groups: found by an expression or in a table, joined where they overlap, refused when they cannot be meant."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from askwell.errors import UsageError
from askwell.pool.groups import group_keys, joined, same_key
from askwell.pool.listing import ListedImage


def items(*ids):
    return [ListedImage(name, name) for name in ids]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        (r"^p(\d+)", ["1", "1", "22", None]),
        (r"p\d+", ["p1", "p1", "p22", None]),
        (r"_(a)?", [None, None, None, "a"]),
        (r"x*", [None, None, None, "x"]),
    ],
)
def test_the_first_bracket_or_the_whole_match_is_the_group(tmp_path, expression, expected):
    assert group_keys(expression, [items("p1/a.png", "p1/b.png", "p22/a.png"), items("x_a.png")], [tmp_path] * 2) == [
        expected[:3],
        expected[3:],
    ]


@pytest.mark.parametrize("column", ["patient_id", "image_id,patient_id"])
def test_a_column_of_a_table_names_the_group(tmp_path, column):
    (tmp_path / "patients.csv").write_text("image_id,patient_id\na,P1\nb,P2\nc,P1\nd,\n")
    sides = [items("a.png", "b.png", "d.png"), items("c.png", "e.png")]
    assert group_keys(f"patients.csv:{column}", sides, [tmp_path] * 2) == [["P1", "P2", None], ["P1", None]]


def test_a_table_may_name_the_images_of_each_folder_by_its_path(tmp_path):
    roots = [tmp_path / "train", tmp_path / "test"]
    roots[0].mkdir()
    (roots[0] / "patients.csv").write_text(f"image,patient\ntrain/a.png,p1\n{roots[1]}/a.png,P1\n")
    assert group_keys("patients.csv:patient", [items("a.png"), items("a.png")], roots) == [["p1"], ["P1"]]


@pytest.mark.parametrize(
    ("group_by", "sentence"),
    [
        ("(", r"expected group_by to be a regular expression or 'file.csv:column', found '\('"),
        ("zzz", "found that 'zzz' matches none of 2; it is searched in the id"),
        ("gone.csv:patient", "a table at 'gone.csv:patient', there or inside"),
        ("patients.csv", "name the column of patients.csv that holds the group, found 'patients.csv'"),
        ("patients.csv:person", "a column 'person' in the first row of .*patients.csv, once, found 'image', 'patient'"),
        (
            "others.csv:patient",
            "expected .*others.csv to name images such as 'a.png', found 1 rows that name none, such as 'x'",
        ),
        (
            "empty.csv:patient",
            "expected .*empty.csv to name images such as 'a.png', found rows that name images, and nothing",
        ),
    ],
)
def test_what_groups_nothing_is_refused_in_one_sentence(tmp_path, group_by, sentence):
    (tmp_path / "patients.csv").write_text("image,patient\na,P1\n")
    (tmp_path / "others.csv").write_text("image,patient\nx,P1\n")
    (tmp_path / "empty.csv").write_text("image,patient\na,\n")
    with pytest.raises(UsageError, match=sentence) as caught:
        group_keys(group_by, [items("a.png", "b.png")], [tmp_path])
    assert "\n" not in str(caught.value)


@given(sets=st.lists(st.lists(st.integers(0, 9), min_size=1, max_size=4), max_size=8))
def test_joined_is_reachability(sets):
    reached = [{position} for position in range(10)]
    for _ in range(10):
        for members in sets:
            together = set().union(*(reached[position] for position in members))
            for position in together:
                reached[position] |= together
    assert joined(10, sets) == [min(each) for each in reached]


def test_positions_of_one_key_are_one_set():
    assert same_key(["a", None, "b", "a", None]) == [[0, 3], [2]]

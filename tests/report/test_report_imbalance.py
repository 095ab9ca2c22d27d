"""The report on two classes: tables against the numbers they come from, and the sentence on collapsed fits."""

from dataclasses import replace
from pathlib import Path

from askwell.report.curves import CurvePoint, QueryRow
from askwell.report.evaluations import RunEvaluation
from askwell.report.imbalance import collapsed, found_table, imbalance_table, positive_class
from askwell.report.page import write_report

CLASSES = ("benign", "malignant")


def run(*confusions, strategy="bald", seed=0, classes=CLASSES, two=True) -> RunEvaluation:
    rounds = [
        {
            "round": number,
            "items": 10,
            "groups": 10,
            "accuracy_se": 0.1,
            "confusion": confusion,
            "calibration": [[10, 0.7, 0.6]],
            "balanced_accuracy": 0.5 + number / 10,
            "two_classes": {"prevalence": 0.2, "average_precision": 0.4 + seed / 10, "sensitivity": 0.3}
            if two
            else None,
        }
        for number, confusion in enumerate(confusions)
    ]
    return RunEvaluation.model_validate({"strategy": strategy, "seed": seed, "classes": classes, "rounds": rounds})


ALL_BENIGN, MIXED = [[0, 0, 8], [1, 0, 2]], [[0, 0, 7], [0, 1, 1], [1, 1, 2]]
POINTS = [
    CurvePoint("bald", seed, number, 10 + number, 0.8, auc=0.6 + seed / 10) for seed in (0, 1) for number in (0, 1)
]


def test_the_table_is_of_the_last_round_and_means_over_seeds():
    found = imbalance_table(POINTS, [run(ALL_BENIGN, MIXED), run(MIXED, MIXED, seed=1)])
    assert found.rows == (("bald", "0.650", "0.450", "0.200", "0.300", "0.600"),)
    assert imbalance_table(POINTS, [run(ALL_BENIGN, MIXED, two=False)]).rows == ()


def test_collapsed_fits_are_named():
    assert collapsed([run(MIXED), run(MIXED, seed=1)]) == []
    (sentence,) = collapsed([run(ALL_BENIGN, MIXED), run(ALL_BENIGN, ALL_BENIGN, seed=2, two=False)])
    assert sentence.startswith("bald: in 3 of 4 fits every test image was taken for benign (seed 0: 0; seed 2: 0, 1).")


def test_positives_found_are_counted_without_the_initial_ones():
    rows = [
        QueryRow(
            "bald", seed, number, rank, f"{seed}{number}{rank}", "malignant" if rank <= number + seed else "benign"
        )
        for seed in (0, 1)
        for number in range(4)
        for rank in range(4)
    ]
    assert found_table(rows, "malignant").rows == (("bald", "2.5 of 4", "6.0 of 8", "10.0 of 12"),)
    assert found_table([row for row in rows if row.seed == 0], "malignant").rows == (
        ("bald", "2 of 4", "5 of 8", "9 of 12"),
    )
    assert found_table([], "malignant").rows == ()
    for last, columns in ((1, [1]), (6, [1, 2, 3, 4, 5, 6]), (100, [1, 15, 29, 43, 57, 71, 85, 100])):
        rounds = [replace(rows[0], round=number) for number in range(last + 1)]
        assert found_table(rounds, "malignant").header == ("strategy", *(f"by round {number}" for number in columns))


def test_the_positive_class_is_the_second_of_two():
    assert positive_class([run(MIXED), run(MIXED, seed=1)]) == "malignant"
    assert positive_class([run(MIXED), run(MIXED, classes=("a", "b"))]) is None
    assert positive_class([run(MIXED, classes=("a", "b", "c"))]) is None


def test_the_page_says_it(tmp_path: Path):
    queries = [QueryRow("bald", 0, 1, 0, "x", "malignant")]
    page = write_report(
        POINTS[:2], queries, tmp_path, title="t", settings={}, evaluations=[run(ALL_BENIGN, MIXED)]
    ).read_text(encoding="utf-8")
    assert "Finding “malignant”" in page
    assert "1 of 1" in page
    assert "in 1 of 2 fits every test image was taken for benign" in page
    assert "95 % of the others" in page

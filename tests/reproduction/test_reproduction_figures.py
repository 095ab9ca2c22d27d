"""Figures and tables come from the committed files alone."""

import json

import pytest
from reproduction_small import SETTINGS

from askwell.errors import CampaignStateError
from askwell.report.curves import CurvePoint, write_curve
from askwell.reproduction.aleatoric import NoisyShare, write_shares
from askwell.reproduction.figures import _without_defect, draw
from askwell.reproduction.markdown import markdown
from askwell.reproduction.published import AUTHORS_FILE, BINARY_RUN, SET_A, authors_curves
from askwell.reproduction.results import accuracies, read_results
from askwell.reproduction.tables import LESION_TABLES, TABLES, _crossing, filled


def put(place, experiment, name, curves, *, seeds=3, initial=20, validation=0, shares=()):
    """Results in which every seed has these curves, a little apart."""
    points = [
        CurvePoint(strategy, seed, number, labels + validation, min(1.0, accuracy + 0.001 * seed))
        for strategy, curve in curves.items()
        for seed in range(seeds)
        for number, (labels, accuracy) in enumerate(zip(curve.labels, curve.accuracy, strict=True))
    ]
    directory = place / "results" / experiment / name
    directory.mkdir(parents=True)
    write_curve(directory / "curve.csv", points)
    run = {
        "labels": {"initial": initial, "validation": validation, "acquired": 980, "all": 1000 + validation},
        "seeds": list(range(seeds)),
        "rounds": {strategy: {str(seed): "98 of 98" for seed in range(seeds)} for strategy in curves},
        "hours": {"fit": 1.0, "score": 0.5, "fit and score": 1.5},
    }
    (directory / "run.json").write_text(json.dumps(run))
    if shares:
        write_shares(directory / "shares.csv", shares)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """Results in which preset code is what the authors stored, drawn."""
    place, file = tmp_path_factory.mktemp("drawn"), SETTINGS / AUTHORS_FILE
    stored, point, pair = (
        authors_curves(file, run, model)
        for run, model in ((SET_A, "bayesian"), (SET_A, "deterministic"), (BINARY_RUN, "bayesian"))
    )
    coded = {**stored, "variation_ratios_votes": stored["variation_ratios"]}
    del coded["variation_ratios"]
    for experiment in ("figure1", "table2"):
        put(place, experiment, "code", coded)
    put(place, "figure1", "code-mean-std-defective", {"mean_std_defective": stored["random"]})
    put(place, "table1", "text", stored, validation=100)
    put(place, "table1", "text-mc", stored, validation=100)
    for batch in (65, 128):
        put(place, "figure1", f"code-batch-{batch}", {"random": stored["random"]}, seeds=1)
    for name in ("code", "code-mc"):
        put(place, "figure2", name, {"bald": stored["bald"], "point_bald": point["bald"]})
    for digits in ("2v8", "3v8", "4v9"):
        put(place, "figure3", f"code-{digits}", {"bald": pair["bald"], "mbr_authors": pair["mbr"]})
    shares = [NoisyShare("bald", seed, 8, 100, 80, 8 + 4 * seed) for seed in (0, 1)]
    put(place, "aleatoric", "code-noise", {"bald": stored["bald"]}, seeds=2, shares=shares)
    written = draw(SETTINGS, place)
    return place, written


def table(place, name):
    text = (place / "README.md").read_text()
    lines = text.split(f"<!-- begin {name} -->\n")[1].split(f"\n<!-- end {name} -->")[0].splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_a_figure_for_each_result_and_all_of_them_written(drawn):
    place, written = drawn
    names = {"figure1-code", "figure1-mean-std", "table1-text", "figure2-code", "figure3-code"}
    assert {path.name for path in (place / "figures").iterdir()} == {
        f"{name}.{kind}" for name in names for kind in ("png", "svg")
    }
    assert all(path.stat().st_size > 2000 for path in written)


def test_drawing_again_changes_nothing(tmp_path):
    stored = authors_curves(SETTINGS / AUTHORS_FILE, SET_A)
    put(tmp_path, "figure1", "code", {"bald": stored["bald"]})
    written = draw(SETTINGS, tmp_path)
    before = [path.read_bytes() for path in written]
    assert draw(SETTINGS, tmp_path) == written
    assert [path.read_bytes() for path in written] == before


def test_the_page_names_every_table_once():
    page = (SETTINGS / "README.md").read_text()
    for name in TABLES:
        assert page.count(f"<!-- begin {name} -->") == page.count(f"<!-- end {name} -->") == 1


def test_table_2_gives_the_authors_errors_back(drawn):
    rows = {row[0]: row for row in table(drawn[0], "table2")[2:]}
    assert rows["bald"][1:4] == ["1.80 %", "1.80 %", "1.70 % (0.10, n = 3)"]  # three seeds .1 points apart
    assert rows["variation_ratios"][1] == "1.64 %"
    assert rows["bald"][4] == "–"


def test_agreement_is_as_far_as_the_seeds_are_apart(drawn):
    rows = [row for row in table(drawn[0], "agreement")[2:] if row[0] == "bald"]
    assert [row[1] for row in rows] == ["100", "300", "1000"]
    assert [row[4] for row in rows] == ["+0.10"] * 3
    assert [row[6:] for row in rows] == [["yes", ""], ["yes", ""], ["yes", "yes"]]
    assert not [row for row in table(drawn[0], "agreement") if row[0] == "mean_std"], "theirs is defective"


def test_the_authors_mean_std_is_called_defective_and_drawn_beside_ours_with_the_defect_only(drawn):
    for name in ("figure1", "table1"):
        cells = [row[3] for row in table(drawn[0], name) if row[1] == "mean_std"]
        assert cells
        assert all(cell.endswith("(defective)") for cell in cells)
    assert "mean_std" not in _without_defect(authors_curves(SETTINGS / AUTHORS_FILE, SET_A))


def test_figures_2_and_3_have_the_authors_numbers_too(drawn):
    rows = [row for row in table(drawn[0], "figure2") if row[0] == "authors' stored"]
    assert {row[1] for row in rows} >= {"bald", "max_entropy", "point_bald", "point_mean_std"}
    assert next(row for row in rows if row[1] == "bald")[-1] == "1.80 %"
    rows = [row for row in table(drawn[0], "figure3") if row[1] == "authors' stored"]
    assert {row[2] for row in rows} == {"bald", "max_entropy", "mbr", "random", "variation_ratios"}


def test_a_last_batch_of_two_has_its_table(drawn):
    rows = table(drawn[0], "last_batch")[2:]
    assert [row[:2] for row in rows] == [["random", "128"], ["random", "65"]]
    assert all(cell.endswith("% (n = 1)") for row in rows for cell in row[2:])


def test_table_1_counts_acquired_and_all_labels(drawn):
    row = next(row for row in table(drawn[0], "table1") if row[:2] == ["5 % error", "random"])
    assert row[2] == "835"
    assert row[3].startswith("835 / ")
    assert "(935 / " in row[3]
    own, beside = row[5].split("; MC: ")
    assert own == beside
    acquired, every = own.rstrip(")").split(" (")
    assert [int(n) + 120 for n in acquired.split(" / ")] == [int(n) for n in every.split(" / ")]  # 20 + 100 validation


def test_the_share_of_noisy_items_is_the_mean_over_seeds(drawn):
    (row,) = table(drawn[0], "aleatoric")[2:]
    assert row[:3] == ["code-noise", "bald", "12.50 % (3.54, n = 2)"]


def test_what_is_not_reached_is_said_with_the_end():
    curve = authors_curves(SETTINGS / AUTHORS_FILE, SET_A)["random"]
    assert _crossing(curve, 0.98, 20, 100) == ">980 / >980 (>1100 / >1100)"
    assert _crossing(curve, 0.98, 20, 0, planned=2000) == "? (run to 980) (? (run to 1000))"


def test_without_results_the_page_is_filled_and_nothing_drawn(tmp_path):
    written = draw(SETTINGS, tmp_path)
    assert [path.name for path in written] == ["README.md"]
    assert list((tmp_path / "figures").iterdir()) == []
    assert table(tmp_path, "runs") == [["–"]]


def test_a_page_that_asks_for_an_unknown_table_is_refused():
    with pytest.raises(CampaignStateError, match="expected the name of a table"):
        filled("<!-- begin table9 -->\n<!-- end table9 -->", {}, SETTINGS, SETTINGS / "results")


def test_means_are_taken_only_where_all_seeds_have_come(drawn):
    result = read_results(drawn[0] / "results")["figure1", "code"]
    seeds = result.curves()["bald"]
    assert len(accuracies(seeds, 1000)) == 3
    assert accuracies(seeds, 1010) == accuracies({}, 100) == []


def test_validation_labels_are_not_counted_as_trained_on(drawn):
    result = read_results(drawn[0] / "results")["table1", "text"]
    assert result.curves()["bald"][0].labels[0] == 20
    assert min(point.labels for point in result.points) == 120


def test_the_committed_results_make_tables():
    page = filled(
        (SETTINGS / "README.md").read_text(), read_results(SETTINGS / "results"), SETTINGS, SETTINGS / "results"
    )
    assert page.count("<!-- begin") == len(TABLES) + len(LESION_TABLES)


def test_markdown():
    assert markdown(["a", "b"], [["1", "2"]]) == "| a | b |\n|---|---|\n| 1 | 2 |"

"""Every number of a report, in tables, sentences and figures, worked out once more from the campaigns' files (see report_oracle)."""

import csv
import json
import math
import random
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text
from report_oracle import Experiment
from report_pages import Page

from askwell.report import plots
from askwell.report.curves import CURVE_COLUMNS, QUERY_COLUMNS
from askwell.report.pictures import Picture
from askwell.report.summary import Summary, summarise

CLASSES = tuple("0123456789")
LABELS_NOTE = "A labels count includes every label the learner saw: the initial ones, those asked for, and any kept for validation."
WAYS = "“Reaches” is the first labels count at which accuracy is at the target"


def write_table(path: Path, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream, lineterminator="\n").writerows([columns, *rows])


def walk(generator: random.Random, rounds: int, gain: float) -> list[float]:
    """A random learning curve of two hundredths: it climbs, stalls and falls back."""
    value, curve = 150 + generator.randint(-4, 4), []
    for _ in range(rounds + 1):
        curve.append(value / 200)
        value = min(199, max(120, value + round(generator.gauss(gain, 4))))
    return curve


def measured(generator: random.Random, accuracies: Sequence[float], groups: int) -> list[dict]:
    """What a campaign would have measured on 200 images: that many right, the others taken for anything, 15 bins."""
    rounds: list[dict] = []
    truths = [generator.randrange(10) for _ in range(200)]
    for number, accuracy in enumerate(accuracies):
        right = round(200 * accuracy)
        predicted = [t if i < right else (t + generator.randint(1, 3)) % 10 for i, t in enumerate(truths)]
        pairs = list(zip(truths, predicted, strict=True))
        confusion = [[t, p, pairs.count((t, p))] for t, p in sorted(set(pairs))]
        sure = [min(0.999, generator.betavariate(6, 2)) for _ in range(200)]
        bins: list[list[float | None]] = []
        for place in range(15):
            own = [i for i, value in enumerate(sure) if place <= 15 * value < place + 1]
            hits = sum(pairs[i][0] == pairs[i][1] for i in own)
            bins.append([len(own), sum(sure[i] for i in own) / len(own), hits / len(own)] if own else [0, None, None])
        error = math.sqrt(accuracy * (1 - accuracy) / groups)
        measurement = {
            "items": 200,
            "groups": groups,
            "accuracy_se": error,
            "confusion": confusion,
            "calibration": bins,
        }
        rounds.append({"round": number, **measurement})
    return rounds


def campaign(
    root: Path, strategy: str, seed: int, accuracies: Sequence[float], groups: int, lost_from: int = 99
) -> None:
    """A campaign's directory as far as a report reads it; one labelled image is lost in round ``lost_from``."""
    directory = root / strategy / f"seed-{seed}"
    directory.mkdir(parents=True)
    (directory / "campaign.toml").touch()
    generator = random.Random(f"{strategy} {seed}")
    points = []
    for i, accuracy in enumerate(accuracies):
        nll, ece, fit = generator.uniform(0.1, 2), generator.uniform(0.01, 0.2), generator.uniform(1, 30)
        score = generator.uniform(0.1, 3) if i < len(accuracies) - 1 else ""
        points.append([strategy, seed, i, 20 + 10 * i - (i >= lost_from), accuracy, nll, ece, "", fit, score])
    write_table(directory / "curve.csv", CURVE_COLUMNS, points)
    asked = [
        [
            strategy,
            seed,
            i,
            rank,
            f"{strategy}/{seed}/{i}/{rank}.png",
            generator.choice(CLASSES),
            0.1 * rank if i else "",
        ]
        for i in range(len(accuracies))
        for rank in range(20 if i == 0 else 10)
    ]
    write_table(directory / "queries.csv", QUERY_COLUMNS, asked)
    rounds = measured(generator, accuracies, groups)
    about = {"strategy": strategy, "seed": seed, "classes": CLASSES, "rounds": rounds}
    (directory / "evaluation.json").write_text(json.dumps(about))


def five_by_three(root: Path) -> None:
    """Equal curves, a run that ended early, a seed that random lacks, targets that few reach; the test images come in groups."""
    generator = random.Random(1)
    gains = {"bald": 5.0, "margin": 4.0, "max_entropy": 5.0, "random": 3.0, "variation_ratios": 2.0}
    curves = {(name, seed): walk(generator, 11, gain) for name, gain in gains.items() for seed in range(3)}
    curves["margin", 1] = curves["random", 1]
    curves["max_entropy", 2] = curves["max_entropy", 2][:6]
    curves["bald", 3] = walk(generator, 11, 5.0)
    for (name, seed), accuracies in curves.items():
        campaign(root, name, seed, accuracies, groups=50)


def two_by_ten(root: Path) -> None:
    """A difference that ten seeds show; one run of random went on longer."""
    generator = random.Random(5)
    for seed in range(10):
        campaign(root, "bald", seed, walk(generator, 9, 4.5), groups=200)
        campaign(root, "random", seed, walk(generator, 11 if seed == 4 else 9, 3.0), groups=200)


def three_that_lost(root: Path) -> None:
    """Seeds that lost a labelled image go on with other labels counts and end earlier; what was set aside differs."""
    generator = random.Random(3)
    for name, gain in {"bald": 4.5, "margin": 3.5, "random": 2.5}.items():
        for seed in range(3):
            lost = {("random", 1): 4, ("margin", 2): 2}.get((name, seed), 99)
            campaign(root, name, seed, walk(generator, 9, gain), groups=200, lost_from=lost)
    cut, other = "the file is cut short", 'it is no image, whatever its name says; "a, b"'
    for place, images in {
        "margin/seed-2": [("pool", f"p/{i}.png", cut) for i in range(4)] + [("test", "t.png", other)],
        "random/seed-1": [("pool", "p/3.png", cut), ("pool", "q.png", other), ("test", "t.png", other)],
    }.items():
        write_table(root / place / "quarantine.csv", ("split", "id", "reason"), images)


def fetch(ids: Sequence[str]) -> Mapping[str, Picture]:
    return {name: Picture(np.full((4, 4), 9, np.uint8)) for name in ids[1:]}


class Made:
    """A report of an experiment, the figures drawn for it, and the experiment's files."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.figures: list[Figure] = []
        blank = plots._blank
        monkeypatch.setattr(plots, "_blank", lambda height: self.figures.append(blank(height)) or self.figures[-1])
        self.summary: Summary = summarise(
            [root / "runs"], root / "report", title="Test 1", settings={"T": "50"}, pictures=fetch
        )
        self.truth = Experiment(root / "runs")
        self.html = (root / "report" / "report.html").read_text(encoding="utf-8")
        self.page = Page(self.html)


@pytest.fixture(scope="module", params=[five_by_three, two_by_ten, three_that_lost])
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Made:
    root = tmp_path_factory.mktemp("experiment")
    request.param(root / "runs")
    with pytest.MonkeyPatch.context() as patch:
        return Made(root, patch)


def test_every_table(made: Made) -> None:
    truth, tables = made.truth, made.page.tables
    expected = {
        "Is active learning helping?": truth.comparison_table(),
        "Labels needed for a target accuracy": truth.labels_table(),
        "Accuracy at the end": truth.end_table(),
        "Calibration": truth.calibration_table(),
        "Which classes are confused": truth.confusion_table(),
        "What was asked, by label": truth.asked_table(),
        "Seconds per round": truth.time_table(),
        "Images set aside": truth.lost_table(),
        "Settings": [["T", "50"]],
    }
    if not truth.lost:
        del expected["Images set aside"]
    assert list(tables) == list(expected)
    for heading, rows in expected.items():
        assert tables[heading][1:] == rows, heading
        assert all(len(row) in (1, len(tables[heading][0])) for row in rows)


def test_what_was_made_to_happen_happens(made: Made) -> None:
    """Censored and uncensored, ties, fallbacks: the experiments hold what the tables are for."""
    cells = [cell for row in made.page.tables["Labels needed for a target accuracy"] for cell in row]
    assert any(cell.startswith(">") for cell in cells)
    assert any(cell.endswith("fewer") for cell in cells) or any(cell.endswith("more") for cell in cells)
    differences = [value for name in made.truth.pairs() for value in made.truth.differences(name)]
    assert min(differences) < 0 < max(differences)
    if len(made.truth.runs) == 5:
        assert 0 in differences
        assert any("≥" in cell or " to " in cell for cell in cells)
    elif len(made.truth.runs) == 2:
        assert "active learning helped" in made.page.text
    else:
        assert [made.truth.mean_run(name)[-1][0] for name in made.truth.runs] == [110, 109, 109]
        assert len(made.truth.mean_run("random")) == 10 + 5, "another count for each that the seeds do not share"
        assert "where its curve ends (this one ends at 110)" in made.page.text
        assert "up to where each curve ends (110 and 109 labels)" in made.page.text
        assert "99 % was not reached by any run (the runs ended with 109 to 110 labels)." in made.page.text
        assert "98 % was reached by 1 of 9 runs, but by no strategy’s mean or median." in made.page.text


def expected_blocks(made: Made) -> list[str]:
    """Every block of text with a digit in it, in order."""
    truth = made.truth
    low, high = truth.compared_range()
    if len(truth.runs) == 2:
        run = ["2 strategies (bald, random), 10 seeds each (seeds 0 to 9)."]
        began = "The runs began with 20 labels and ended with 110 to 130, after 9 to 11 rounds of asking."
        limits, sample = [], "The test sample has 200 images."
    elif len(truth.runs) == 3:
        run = ["3 strategies (bald, margin, random), 3 seeds each (seeds 0 to 2)."]
        began = "The runs began with 20 labels and ended with 109 to 110, after 9 rounds of asking."
        limits = [
            "With 3 seeds no test can reach 5 % (the smallest possible p is .25); this is an observation.",
            "To test 2 strategies with random, run 7 seeds or more; intervals are given from 8 on.",
        ]
        sample = "The test sample has 200 images."
    else:
        names = [f"{name}, seeds 0 to {3 if name == 'bald' else 2}" for name in truth.runs]
        run = [f"5 strategies: {'; '.join(names)}."]
        began = "The runs began with 20 labels and ended with 70 to 130, after 5 to 11 rounds of asking."
        limits = [
            "With 3 seeds no test can reach 5 % (the smallest possible p is .25); this is an observation.",
            "To test 4 strategies with random, run 8 seeds or more; intervals are given from 8 on.",
            "Only seeds that were run with random too are paired; left out of the pairing: bald, seed 3. In the tables of labels and of "
            "accuracy the strategies are therefore not compared like with like.",
        ]
        sample = (
            "The test sample has 200 images in 50 groups; as images of one group may resemble one another, its standard error is "
            "clustered by group."
        )
    others = [name for name in truth.runs if name != "random"]
    pictures = [
        line
        for name in truth.runs
        for heading, shown in truth.pictures(name).items()
        for line in (heading, *(label for label, _ in shown))
    ]
    return [
        *("Test 1", *run, f"{began} {LABELS_NOTE}"),
        *(truth.verdict(name) for name in others),
        *limits,
        f"Area under curve: mean accuracy over {low} to {high} labels",
        *(said for name in others if any(map(str.isdigit, said := truth.saved(name)))),
        *(
            WAYS,
            *truth.missed(),
            sample,
            "Calibrated means: of the images classified with 80 % confidence, 80 % are right.",
        ),
        "At the last round, the test images of all seeds together. Above 0: more sure than right; below 0: more right than sure.",
        *pictures,
        *([f"{truth.lost_text()} Not all campaigns set aside the same ones."] if truth.lost else []),
    ]


def test_a_mean_between_points_is_said(made: Made) -> None:
    said = [block for block in made.page.blocks if "have different labels counts" in block]
    assert said == [
        f"The seeds of {' and '.join(names)} have different labels counts, so their mean is taken at every count of any seed within "
        "the range that all of them cover, on straight lines between each seed’s points."
        for names in [made.truth.mixed()]
        if names
    ]


def test_every_sentence(made: Made) -> None:
    found = [block for block in made.page.blocks if any(map(str.isdigit, block))]
    expected = expected_blocks(made)
    for own, other in zip(found, expected, strict=True):
        # three captions are told by their beginnings: what follows is fixed text, whose only number is the example of 1000 labels
        fixed = other.startswith(("Area under", "Calibrated", "“Reaches”"))
        assert own.startswith(other) if fixed else own == other
        if fixed:
            rest = own[len(other) :].replace("“>1000”: more than 1000", "").replace("“100 to 150” and “≥100”", "")
            assert not any(map(str.isdigit, rest.replace("far from 0;", "")))


def test_the_terminal_says_the_same(made: Made) -> None:
    others = [name for name in made.truth.runs if name != "random"]
    sentences = list(made.summary.sentences)
    n = len(others)
    assert sentences[:n] == [f"{name}: {made.truth.verdict(name)}" for name in others]
    assert sentences[n : 2 * n] == [f"{name}: {made.truth.saved(name)}" for name in others]
    assert sentences[2 * n :] == [block for block in expected_blocks(made) if block in sentences]
    target = ""
    flat: list[list[str]] = []
    for row in made.truth.labels_table():
        if len(row) == 1:
            target = row[0].removesuffix(" accuracy")
        else:
            flat.append([target, *row])
    assert [list(row) for row in made.summary.rows] == flat
    assert all(path.exists() for path in made.summary.files)
    assert [path.suffix for path in made.summary.files] == [".html", ".png", ".svg", ".png", ".svg"]


def test_every_number_in_the_figures(made: Made) -> None:
    learning, calibration = (
        {text.get_text() for text in figure.findobj(Text) if isinstance(text, Text)} for figure in made.figures
    )
    assert set(made.truth.ends_in_figure("accuracy")) <= learning
    assert set(made.truth.ends_in_figure("ece")) <= calibration
    early = any("  at " in words for words in made.truth.ends_in_figure("accuracy"))
    assert any(words.endswith("right: error where each curve ends") for words in learning) == early
    assert any(words.endswith("right: error at the end") for words in learning) != early
    for target in made.truth.shown_targets():
        assert f"{float(target) * 100:.3g} % accuracy" in learning


def test_every_picture(made: Made) -> None:
    shown = [
        f"{label}, {name}"
        for strategy in made.truth.runs
        for pictures in made.truth.pictures(strategy).values()
        for label, name in pictures
    ]
    found = [
        (attributes.get("alt") or attributes.get("aria-label") or "").removesuffix(", no picture")
        for tag, attributes in made.page.tags
        if tag == "img" or attributes.get("class") == "none"
    ]
    assert found == shown
    assert made.html.count('class="none"') == 1, "the one that was not there is a placeholder"
    assert made.html.count("<img ") == len(shown) - 1


def test_the_page_is_light(made: Made) -> None:
    assert len(made.html) < 400_000

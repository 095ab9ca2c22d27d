"""From directories to a terminal's table: what was drawn, what to say without a table, and what the campaigns set aside."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from report_pages import Page

from askwell.errors import CampaignStateError
from askwell.report.curves import CurvePoint, write_curve
from askwell.report.set_aside import SetAside, read_set_aside
from askwell.report.summary import Summary, summarise


def campaign(root: Path, strategy: str, accuracies: Sequence[float | None], ece: float | None = None) -> Path:
    directory = root / strategy / "seed-0"
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "campaign.toml").touch()
    rounds = enumerate(accuracies)
    write_curve(directory / "curve.csv", [CurvePoint(strategy, 0, i, 10 + 10 * i, a, ece=ece) for i, a in rounds])
    return directory


def summary_of(root: Path) -> Summary:
    return summarise([root], root / "report", title="Test", settings={})


def page_of(root: Path) -> Page:
    return Page((root / "report" / "report.html").read_text(encoding="utf-8"))


def test_only_what_was_drawn_is_listed(tmp_path: Path) -> None:
    campaign(tmp_path, "bald", [0.5, 0.9], ece=0.1)
    learning = ["report.html", "learning_curves.png", "learning_curves.svg"]
    assert [path.name for path in summary_of(tmp_path).files] == [*learning, "calibration.png", "calibration.svg"]
    campaign(tmp_path, "bald", [0.5, 0.9])
    again = summary_of(tmp_path)
    assert (tmp_path / "report" / "calibration.png").exists(), "left over from the first report"
    assert [path.name for path in again.files] == learning
    assert all(path.exists() for path in again.files)


@pytest.mark.parametrize(
    ("accuracies", "words"),
    [
        (
            [0.995, 0.999],
            "Every curve began above every target (80 %, 90 %, 95 %, 98 %, 99 %), so no labels count can be given.",
        ),
        ([None, None], "No round has a measured accuracy, so there is no curve to draw"),
    ],
)
def test_a_table_without_rows_is_a_sentence(tmp_path: Path, accuracies: list[float | None], words: str) -> None:
    campaign(tmp_path, "bald", accuracies)
    found = summary_of(tmp_path)
    assert not found.header
    assert not found.rows
    (sentence,) = found.sentences
    assert sentence.startswith(words)
    assert sentence in page_of(tmp_path).blocks


def test_targets_not_reached_are_said(tmp_path: Path) -> None:
    campaign(tmp_path, "random", [0.5, 0.85])
    found = summary_of(tmp_path)
    assert found.header[0] == "target"
    assert found.sentences[-1] == "90 %, 95 %, 98 % and 99 % were not reached by any run (>20 labels)."


def test_what_campaigns_set_aside_is_read_beside_their_curves(tmp_path: Path) -> None:
    one, two = (campaign(tmp_path, name, [0.5, 0.9]) for name in ("bald", "random"))
    (two / "quarantine.csv").write_text('split,id,reason\npool,a.png,"cut, short"\n')
    assert read_set_aside([one, two]) == [[], [SetAside("pool", "a.png", "cut, short")]]
    summary_of(tmp_path)
    page = page_of(tmp_path)
    assert page.tables["Images set aside"][1:] == [["pool", "cut, short", "1", "a.png"]]
    assert "1 image was set aside: 1 of the pool images. Not all campaigns set aside the same ones." in page.blocks


def test_a_fault_is_named_before_anything_is_written(tmp_path: Path) -> None:
    (campaign(tmp_path, "bald", [0.5, 0.9]) / "quarantine.csv").write_text("split,id\npool,a.png\n")
    with pytest.raises(CampaignStateError, match=r"quarantine.csv, line 1: expected the header"):
        summary_of(tmp_path)
    assert not (tmp_path / "report").exists()

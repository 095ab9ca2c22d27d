"""From directories of campaigns to one table, its figures and one page."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from askwell.errors import UsageError
from askwell.report.curves import CurvePoint, QueryRow, read_curve, read_queries, write_curve, write_queries
from askwell.report.evaluations import read_evaluations
from askwell.report.imbalance import collapsed
from askwell.report.labels import DEFAULT_TARGETS, labels_table, shown_targets
from askwell.report.page import drawn_figures, text_table, write_report
from askwell.report.paired import paired_test
from askwell.report.pictures import Picture, requested_ids
from askwell.report.set_aside import read_set_aside
from askwell.report.verdicts import limits, verdicts
from askwell.report.wording import labels_said, labels_saved, set_aside_text

CURVE_FILE = "curve.csv"
QUERIES_FILE = "queries.csv"
CAMPAIGN_FILE = "campaign.toml"  # what makes a directory a campaign
Fetch = Callable[[Sequence[str]], Mapping[str, Picture]]


class Summary(NamedTuple):
    """What a terminal shows: the labels table (no header where it has no rows), sentences about it, and the files that were written."""

    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    sentences: Sequence[str]
    files: Sequence[Path]


def summarise(
    directories: Sequence[Path],
    out: Path,
    *,
    title: str,
    settings: Mapping[str, str],
    targets: Sequence[float] = DEFAULT_TARGETS,
    pictures: Fetch | None = None,
) -> Summary:
    """Gather the curves and queries of every campaign in the directories and write report.html, figures and both tables to ``out``.

    pictures returns those of the images with these ids that it has; None leaves the pictures out of the page.

    Raises UsageError when there is no campaign with a committed round, or the same strategy and seed occurs twice.
    """
    points, queries = gather(directories)
    campaigns = [file.parent for directory in directories for file in curve_files(directory)]
    evaluations = read_evaluations(campaigns)
    set_aside = read_set_aside(campaigns)
    out.mkdir(parents=True, exist_ok=True)
    write_curve(out / CURVE_FILE, points)
    write_queries(out / QUERIES_FILE, queries)
    page = write_report(
        points,
        queries,
        out,
        title=title,
        targets=targets,
        settings=settings,
        evaluations=evaluations,
        pictures=pictures(requested_ids(queries)) if pictures is not None else None,
        set_aside=set_aside,
    )
    rows = labels_table(points, shown_targets(points, targets))
    header, *cells = text_table(rows)
    test = paired_test(points)
    told = [f"{strategy}: {sentence}" for strategy, sentence in (*verdicts(test), *labels_saved(rows))]
    told += [
        *limits(test),
        *labels_said(points, targets, rows),
        *collapsed(evaluations),
        *filter(None, [set_aside_text(set_aside)]),
    ]
    figures = [out / f"{name}.{kind}" for name in drawn_figures(points, evaluations) for kind in ("png", "svg")]
    return Summary(header if cells else (), cells, told, [page, *figures])


def gather(directories: Sequence[Path]) -> tuple[list[CurvePoint], list[QueryRow]]:
    """All curve points and query rows below the directories."""
    found = [file for directory in directories for file in curve_files(directory)]
    points = [point for file in found for point in read_curve(file)]
    if not points:
        names = ", ".join(str(directory) for directory in directories)
        raise UsageError(f"expected campaigns with at least one finished round in {names}, found none; check the path.")
    queries = [
        row
        for file in found
        if (file.parent / QUERIES_FILE).exists()
        for row in read_queries(file.parent / QUERIES_FILE)
    ]
    return points, queries


def curve_files(directory: Path) -> list[Path]:
    """The curve.csv of every campaign in the directory or below it, in a fixed order; a report's merged copy is not a campaign's."""
    return sorted(file for file in directory.rglob(CURVE_FILE) if (file.parent / CAMPAIGN_FILE).exists())

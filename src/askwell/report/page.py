"""report.html: one page that says what was run and what came of it, and needs nothing but itself.

No script, no request: figures and pictures are inlined and the styles are in the page. Loads neither torch nor, until it draws,
matplotlib.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from askwell.errors import UsageError
from askwell.report import imbalance, tables, verdicts, wording
from askwell.report.calibration import Reliability, ece_curves, reliabilities
from askwell.report.confusion import confusions
from askwell.report.curves import BASELINE, CurvePoint, QueryRow, curves_by_strategy
from askwell.report.evaluations import RunEvaluation
from askwell.report.labels import DEFAULT_TARGETS, LabelsRow, labels_table, shown_targets
from askwell.report.paired import paired_test
from askwell.report.pictures import Picture, data_addresses, picture_requests
from askwell.report.rendering import Drawn, inlined, write_page
from askwell.report.set_aside import SetAside

LEARNING, CALIBRATION = "learning_curves", "calibration"  # the figures' names


class _Shown(NamedTuple):
    """One picture as the page shows it: its address (None: a placeholder), its label, and label and id in words."""

    address: str | None
    label: str
    words: str


def write_report(
    points: Sequence[CurvePoint],
    queries: Sequence[QueryRow] | None,
    directory: Path,
    *,
    title: str,
    targets: Sequence[float] = DEFAULT_TARGETS,
    settings: Mapping[str, str],
    evaluations: Sequence[RunEvaluation] = (),
    pictures: Mapping[str, Picture] | None = None,
    set_aside: Sequence[Sequence[SetAside]] = (),
) -> Path:
    """Write report.html and the figures beside it (PNG and SVG) into the directory, which is made if needed; returns the page's path.

    targets      accuracies (fractions); only those worth a row are shown (see ``shown_targets``)
    evaluations  what stands behind the accuracies; without them calibration and confusion are left out
    pictures     id -> image of what ``picture_requests`` names; None leaves the pictures out
    set_aside    for each campaign the images it set aside, in any order; none where it set none aside

    Raises UsageError without points, SettingsError for a target outside (0, 1], ShapeError for a picture that is none.
    """
    if not points:
        raise UsageError("expected at least one round to report, found none; run a campaign first.")
    shown = shown_targets(points, targets)
    rows = labels_table(points, shown)
    content = {
        "title": title,
        "run": [*wording.what_was_run(points), *wording.network_said(settings)],
        "labels_header": wording.LABELS_HEADER[1:],
        "labels_groups": _groups(rows),
        "early": any(" to " in cell or "≥" in cell for row in rows for cell in wording.labels_cells(row)[3:]),
        "labels_said": wording.labels_said(points, targets, rows),
        "interpolated": wording.interpolated_text(points),
        "saved": wording.labels_saved(rows),
        "time": tables.time_table(points),
        "asked": tables.asked_table(queries or ()),
        "pictures": _pictures(queries or (), pictures),
        "set_aside": tables.set_aside_table(set_aside),
        "set_aside_said": wording.set_aside_text(set_aside),
        "settings": settings,
        **_comparison(points),
        **_measured(points, evaluations),
        **_two_classes(points, evaluations, queries or ()),
    }
    directory.mkdir(parents=True, exist_ok=True)
    drawn = drawn_figures(points, evaluations)
    content |= {"learning": _learning_figure(points, directory, shown) if LEARNING in drawn else Drawn()}
    reliable = reliabilities(evaluations)
    content |= {"calibration": _calibration_figure(points, reliable, directory) if CALIBRATION in drawn else Drawn()}
    return write_page("page.html.jinja", content, directory)


def drawn_figures(points: Sequence[CurvePoint], evaluations: Sequence[RunEvaluation] = ()) -> tuple[str, ...]:
    """The names, without ending, of the figures for which something was measured."""
    learning = any(point.accuracy is not None for point in points)
    calibration = ece_curves(points) or reliabilities(evaluations)
    return (*([LEARNING] if learning else []), *([CALIBRATION] if calibration else []))


def text_table(rows: Sequence[LabelsRow]) -> list[tuple[str, ...]]:
    """The labels table as text for a terminal: the header, then one line per row, the words as on the page."""
    return [wording.LABELS_HEADER, *(wording.labels_cells(row) for row in rows)]


def _comparison(points: Sequence[CurvePoint]) -> dict[str, Any]:
    """What the page says on whether active learning helps."""
    curves, test = curves_by_strategy(points), paired_test(points)
    areas, labels = tables.areas_table(points)
    return {
        "measured": bool(curves),
        "baseline": BASELINE,
        "has_random": BASELINE in curves,
        "only_random": set(curves) == {BASELINE},
        "verdicts": verdicts.verdicts(test),
        "limits": verdicts.limits(test),
        "comparison": tables.comparison_table(test),
        "compared_labels": test.labels,
        "areas": areas,
        "areas_labels": labels,
    }


def _measured(points: Sequence[CurvePoint], evaluations: Sequence[RunEvaluation]) -> dict[str, Any]:
    """What the page says of the test images: the accuracy at the end, confidence, and who is taken for whom."""
    confused = confusions(evaluations)
    return {
        "end": tables.end_table(points, evaluations),
        "sample": tables.sample_text(tables.test_samples(points, evaluations)),
        "sureness": tables.calibration_table(reliabilities(evaluations)),
        "confused": tables.confusion_groups(confused),
        "confused_columns": tables.confusion_columns(confused),
    }


def _two_classes(
    points: Sequence[CurvePoint], evaluations: Sequence[RunEvaluation], queries: Sequence[QueryRow]
) -> dict[str, Any]:
    """What the page says of two classes, of which the second may be rare; nothing where there are others."""
    positive = imbalance.positive_class(evaluations)
    return {
        "collapsed": imbalance.collapsed(evaluations),
        "positive": positive,
        "imbalance": imbalance.imbalance_table(points, evaluations),
        "found": imbalance.found_table(queries if positive else (), positive or ""),
    }


def _learning_figure(points: Sequence[CurvePoint], directory: Path, targets: Sequence[float]) -> Drawn:
    from askwell.report.plots import draw_learning_curves  # here, because reading numbers needs no matplotlib

    words = (
        f"Test error against labels for {', '.join(curves_by_strategy(points))}; the numbers are in the tables below."
    )
    return inlined(draw_learning_curves(points, directory, targets=targets), words)


def _calibration_figure(points: Sequence[CurvePoint], reliable: Sequence[Reliability], directory: Path) -> Drawn:
    from askwell.report.plots import draw_calibration

    paths = draw_calibration(points, reliable, directory)
    words = "Accuracy against confidence at the end, and the calibration error against labels; the numbers at the end are in the tables."
    return inlined(paths, words) if paths else Drawn()


def _groups(rows: Sequence[LabelsRow]) -> list[tuple[str, list[tuple[str, ...]]]]:
    """Target -> its rows without the target's column."""
    groups: dict[str, list[tuple[str, ...]]] = {}
    for cells in map(wording.labels_cells, rows):
        groups.setdefault(f"{cells[0]} accuracy", []).append(cells[1:])
    return list(groups.items())


def _pictures(
    queries: Sequence[QueryRow], pictures: Mapping[str, Picture] | None
) -> list[tuple[str, list[tuple[str, list[_Shown]]]]]:
    """Strategy -> what it asked first and last, each with a heading; nothing where no pictures were handed over."""
    if pictures is None:
        return []
    requests = picture_requests(queries)
    ids = {row.id for pair in requests.values() for rows in pair for row in rows}
    addresses = data_addresses({name: picture for name, picture in pictures.items() if name in ids})

    def row_of(when: str, rows: Sequence[QueryRow]) -> tuple[str, list[_Shown]]:
        shown = [_Shown(addresses.get(row.id), row.label, f"{row.label}, {row.id}") for row in rows]
        return f"asked {when}: round {rows[0].round} of seed {rows[0].seed}", shown

    return [
        (strategy, [row_of(when, rows) for when, rows in (("first", first), ("last", last)) if rows])
        for strategy, (first, last) in requests.items()
    ]

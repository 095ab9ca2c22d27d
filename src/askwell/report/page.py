"""report.html: one page that says what was run and what came of it, and needs nothing but itself.

No script, no request: the figure is inlined and the styles are in the page. Loads neither torch nor, until it draws, matplotlib.
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup, escape

from askwell.errors import UsageError
from askwell.report import wording
from askwell.report.curves import (
    BASELINE,
    DEFAULT_TARGETS,
    CurvePoint,
    LabelsRow,
    QueryRow,
    areas,
    curves_by_strategy,
    final_accuracies,
    labels_table,
    shown_targets,
)
from askwell.report.intervals import mean_interval
from askwell.store.files import replace_file

PAGE_NAME = "report.html"
_MOST_LABELS = 20  # classes that get a row of their own in the table of what was asked


@dataclass(frozen=True)
class _Table:
    """Cells as text; the first column names the row, the others are aligned as numbers."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def write_report(
    points: Sequence[CurvePoint],
    queries: Sequence[QueryRow] | None,
    directory: Path,
    *,
    title: str,
    targets: Sequence[float] = DEFAULT_TARGETS,
    settings: Mapping[str, str],
) -> Path:
    """Write report.html and the figure beside it (PNG and SVG) into the directory, which is made if needed; returns the page's path.

    Targets are accuracies (fractions); only those worth a row are shown (see ``shown_targets``). Raises UsageError without points,
    SettingsError for a target outside (0, 1].
    """
    if not points:
        raise UsageError("expected at least one round to report, found none; run a campaign first.")
    curves = curves_by_strategy(points)
    shown = shown_targets(points, targets)
    rows = labels_table(points, shown)
    directory.mkdir(parents=True, exist_ok=True)
    figure, names = _figure(points, directory, shown)
    template = files("askwell.report").joinpath("page.html.jinja").read_text(encoding="utf-8")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    page = environment.from_string(template).render(
        title=title,
        run=wording.what_was_run(points),
        figure=figure,
        figure_names=names,
        measured=bool(curves),
        has_random=BASELINE in curves,
        only_random=set(curves) == {BASELINE},
        baseline=BASELINE,
        labels_header=wording.LABELS_HEADER[1:],
        labels_groups=_groups(rows),
        all_targets=", ".join(wording.target_text(target) for target in sorted(targets)),
        saved=wording.labels_saved(rows),
        caution=wording.caution(curves),
        end=_end_table(points),
        time=_time_table(points),
        asked=_asked_table(queries or ()),
        settings=settings,
    )
    path = directory / PAGE_NAME
    replace_file(path, lambda temporary: temporary.write_bytes(page.encode("utf-8", "replace")))
    return path


def text_table(rows: Sequence[LabelsRow]) -> list[tuple[str, ...]]:
    """The labels table as text for a terminal: the header, then one line per row, the words as on the page."""
    return [wording.LABELS_HEADER, *(wording.labels_cells(row) for row in rows)]


def _figure(points: Sequence[CurvePoint], directory: Path, targets: Sequence[float]) -> tuple[Markup, list[str]]:
    """The figure as inline SVG and the names of its files; nothing if there is no accuracy to draw."""
    curves = curves_by_strategy(points)
    if not curves:
        return Markup(""), []
    from askwell.report.plots import draw_learning_curves  # here, because reading numbers needs no matplotlib

    paths = draw_learning_curves(points, directory, targets=targets)
    words = f"Test error against labels for {', '.join(curves)}; the numbers are in the tables below."
    return _inline(paths[1].read_text(encoding="utf-8"), words), [path.name for path in paths]


def _inline(svg: str, description: str) -> Markup:
    """The SVG as part of a page: no prologue, comments, metadata, namespaces or fixed size, and a text for those who do not see it."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<!--.*?-->|<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    opening, rest = svg.split(">", 1)
    opening = re.sub(r'\s(?:xmlns(?::\w+)?|width|height|version)="[^"]*"', "", opening)
    label = f' role="img" aria-label="{escape(description)}"'
    return Markup(opening + label + ">" + re.sub(r"\n\s*", "\n", rest))


def _groups(rows: Sequence[LabelsRow]) -> list[tuple[str, list[tuple[str, ...]]]]:
    """Target -> its rows without the target's column."""
    groups: dict[str, list[tuple[str, ...]]] = {}
    for cells in map(wording.labels_cells, rows):
        groups.setdefault(cells[0], []).append(cells[1:])
    return list(groups.items())


def _end_table(points: Sequence[CurvePoint]) -> _Table:
    """Accuracy at the end, its interval from 8 seeds on, seed by seed, the area, and the other errors where measured."""
    final, area = final_accuracies(points), areas(points)
    intervals = {name: mean_interval(list(end.per_seed.values())) for name, end in final.items()}
    columns: dict[str, Callable[[str], str]] = {
        "strategy": lambda name: name,
        "labels": lambda name: _range_text(list(final[name].labels.values())),
        "accuracy, mean": lambda name: wording.percent(final[name].mean),
    }
    if any(intervals.values()):
        columns["95 % interval"] = lambda name: _interval_text(intervals[name])
    columns["seed by seed, %"] = lambda name: " ".join(f"{100 * value:.2f}" for value in final[name].per_seed.values())
    columns["area under curve"] = lambda name: _mean_text([v for v in area[name].values() if v is not None], 4)
    metrics = {"nll": "NLL, nats", "ece": "ECE", "auc": "AUC"}
    for metric, heading in metrics.items():
        if any(_last(points, name, metric) for name in final):
            columns[heading] = lambda name, metric=metric: _mean_text(_last(points, name, metric), 3)
    return _Table(tuple(columns), tuple(tuple(cell(name) for cell in columns.values()) for name in final))


def _last(points: Sequence[CurvePoint], strategy: str, metric: str) -> list[float]:
    """The metric at each seed's last measured round, of the seeds where it is defined there."""
    last: dict[int, CurvePoint] = {}
    for point in sorted(points, key=lambda point: (point.labels, point.round)):
        if point.strategy == strategy and point.accuracy is not None:
            last[point.seed] = point
    return [value for point in last.values() if (value := getattr(point, metric)) is not None]


def _mean_text(values: Sequence[float], digits: int) -> str:
    return f"{sum(values) / len(values):.{digits}f}" if values else wording.NOTHING


def _range_text(values: Sequence[int]) -> str:
    low, high = min(values), max(values)
    return str(low) if low == high else f"{low} to {high}"


def _interval_text(interval: tuple[float, float] | None) -> str:
    if interval is None:
        return wording.NOTHING
    return f"{100.0 * max(0.0, interval[0]):.2f} to {wording.percent(min(1.0, interval[1]))}"


def _time_table(points: Sequence[CurvePoint]) -> _Table:
    """Mean seconds per round over all rounds and seeds where they were measured; no rows if none were."""
    rows: list[tuple[str, ...]] = []
    for name in dict.fromkeys(point.strategy for point in points):
        fit = [p.seconds_fit for p in points if p.strategy == name and p.seconds_fit is not None]
        score = [p.seconds_score for p in points if p.strategy == name and p.seconds_score is not None]
        means = [sum(values) / len(values) if values else None for values in (fit, score)]
        if fit or score:
            rows.append((name, *map(wording.seconds, means), wording.seconds(sum(fit) + sum(score))))
    return _Table(("strategy", "fitting", "scoring", "all rounds and seeds"), tuple(rows))


def _asked_table(queries: Sequence[QueryRow]) -> _Table:
    """The share of each label among the images asked after the initial ones (round 0); rare labels share a row."""
    queries = [row for row in queries if row.round > 0]
    names = list(dict.fromkeys(row.strategy for row in queries))
    counts = {name: Counter(row.label for row in queries if row.strategy == name) for name in names}
    total = Counter(row.label for row in queries)
    frequent = [label for label, _ in sorted(total.items(), key=lambda item: (-item[1], item[0]))[:_MOST_LABELS]]
    shown = sorted(frequent, key=lambda label: (not label.isdecimal(), label.zfill(20) if label.isdecimal() else label))
    rows = [(label or "(no label)", *(_share(counts[name][label], counts[name]) for name in names)) for label in shown]
    if len(total) > len(shown):
        others = {name: sum(n for label, n in counts[name].items() if label not in shown) for name in names}
        rows.append((f"{len(total) - len(shown)} others", *(_share(others[name], counts[name]) for name in names)))
    rows.append(("images asked", *(str(counts[name].total()) for name in names)))
    return _Table(("label", *names), tuple(rows) if queries else ())


def _share(count: int, counts: Counter[str]) -> str:
    return wording.percent(count / counts.total(), 1)

"""Figures and tables from committed results: nothing is trained here."""

from collections.abc import Mapping
from pathlib import Path

from askwell.report.curves import Curve
from askwell.report.plots import Panel, draw_accuracy_panels
from askwell.reproduction.lesion_figures import draw_lesions
from askwell.reproduction.published import AUTHORS_FILE, BINARY_RUN, SET_A, TABLE_1_RUN, authors_curves, published_name
from askwell.reproduction.results import Result, Seeds, read_results
from askwell.reproduction.tables import PRESETS, Results, filled
from askwell.reproduction.turns import turn
from askwell.store.files import replace_file

FIGURES, RESULTS, PAGE = "figures", "results", "README.md"
THICK = "Bold: mean over seeds; shade: from the lowest seed to the highest"
BEHIND = f"{THICK}; thin and pale: the authors' stored mean."
LABELS = "labels trained on"


def draw(settings: Path, place: Path) -> list[Path]:
    """Draw the results below ``place`` into its figures, and fill the README's tables in; returns what was written.

    settings is the directory with the authors' curves and the README that is filled in. Commands that collect or draw the
    same results take turns.
    """
    with turn(place / RESULTS):
        return _draw(settings, place)


def _draw(settings: Path, place: Path) -> list[Path]:
    results = read_results(place / RESULTS)
    authors = settings / AUTHORS_FILE
    (place / FIGURES).mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    for name, (title, below, lowest, panels) in _figures(results, authors).items():
        if any(panel.curves for panel in panels):
            written += draw_accuracy_panels(
                panels, place / FIGURES / name, title=title, below=below, along=LABELS, lowest=lowest
            )
    written += draw_lesions(place / RESULTS, place / FIGURES)
    page = filled((settings / PAGE).read_text(encoding="utf-8"), results, settings, place / RESULTS)
    replace_file(place / PAGE, lambda path: path.write_text(page, encoding="utf-8"))
    return [*written, place / PAGE]


def _figures(results: Results, authors: Path) -> dict[str, tuple[str, str, float, list[Panel]]]:
    """Name -> title, what to read below it, the lowest accuracy shown, and its panels."""
    figures: dict[str, tuple[str, str, float, list[Panel]]] = {}
    for experiment, run in (("figure1", SET_A), ("table1", TABLE_1_RUN)):
        for preset in PRESETS:
            if (result := results.get((experiment, preset))) is not None:
                panels = [_panel("", result, _without_defect(authors_curves(authors, run)))]
                title = f"MNIST, preset {preset}" + ("" if experiment == "figure1" else ", the protocol of table 1")
                figures[f"{experiment}-{preset}"] = (title, BEHIND, 0.8, panels)
    figures["figure1-mean-std"] = (
        "Mean STD, right and with the code's defect",
        BEHIND,
        0.8,
        [_mean_std_panel(results, authors)],
    )
    for preset in PRESETS:
        pair = [results.get(("figure2", preset + suffix)) for suffix in ("", "-mc")]
        titles = ("answers by weight scaling", "the same weights, answers by MC dropout")
        stored = (_both_models(authors), {})
        panels = [
            _panel(title, result, behind)
            for title, result, behind in zip(titles, pair, stored, strict=True)
            if result is not None
        ]
        figures[f"figure2-{preset}"] = (f"Who asks, who answers (preset {preset})", BEHIND, 0.8, panels)
    for preset in ("code", "text", "zhu"):
        panels = [
            _panel(name.rpartition("-")[2].replace("v", " v "), result, _pair_authors(authors, name))
            for (experiment, name), result in results.items()
            if experiment == "figure3" and name.rpartition("-")[0] == preset
        ]
        below = BEHIND if any(panel.behind for panel in panels) else f"{THICK}."
        figures[f"figure3-{preset}"] = (f"Two digits (preset {preset})", below, 0.9, panels)
    return figures


def _panel(title: str, result: Result, authors: Mapping[str, Curve]) -> Panel:
    """A result's curves, and behind them the authors' of the same strategies."""
    curves = result.curves()
    return Panel(
        title, curves, {name: authors[stored] for name in curves if (stored := published_name(name)) in authors}
    )


def _without_defect(stored: dict[str, Curve]) -> dict[str, Curve]:
    """Without the authors' Mean STD, whose scores are all 0: it is drawn beside ours with that defect only."""
    return {name: curve for name, curve in stored.items() if name != "mean_std"}


def _both_models(authors: Path) -> dict[str, Curve]:
    """The stored curves of set A, those of the deterministic network under the names of our point strategies."""
    point = authors_curves(authors, SET_A, "deterministic")
    return authors_curves(authors, SET_A) | {f"point_{name}": curve for name, curve in point.items()}


def _mean_std_panel(results: Results, authors: Path) -> Panel:
    curves: dict[str, Seeds] = {}
    for preset, names in (("code", ("mean_std", "random")), ("code-mean-std-defective", ("mean_std_defective",))):
        if (result := results.get(("figure1", preset))) is not None:
            curves |= {name: seeds for name, seeds in result.curves().items() if name in names}
    if "mean_std_defective" not in curves:
        return Panel("", {}, {})
    return Panel("", curves, {"mean_std_defective": authors_curves(authors, SET_A)["mean_std"]})


def _pair_authors(authors: Path, name: str) -> dict[str, Curve]:
    return authors_curves(authors, BINARY_RUN) if name == "code-2v8" else {}

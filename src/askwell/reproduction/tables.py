"""The README's tables, from committed results: Markdown between markers, so that a command fills them in."""

import re
import statistics
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from askwell.errors import CampaignStateError
from askwell.report.curves import Curve, first_crossing, mean_curve, sustained_crossing
from askwell.report.wording import labels_text
from askwell.reproduction.comparison import Sample, compare, sample
from askwell.reproduction.lesion_tables import (
    against_everything,
    against_random,
    labels_needed,
    lesion_hours,
    lesions,
    official,
    recipes,
    ties,
    whole_network,
)
from askwell.reproduction.markdown import NOTHING, markdown
from askwell.reproduction.published import (
    AUTHORS_FILE,
    BALD_SPREAD,
    REPETITIONS,
    SET_A,
    TABLE_1,
    TABLE_1_RUN,
    TABLE_2,
    authors_curves,
    published_name,
)
from askwell.reproduction.results import Result, Seeds, accuracies

Results = Mapping[tuple[str, str], Result]
PRESETS = ("code", "text", "askwell")
COLUMNS = ("paper", "authors' stored runs", "ours as coded", "ours as written", "ours at our best")
PAPERS_ORDER = ("bald", "variation_ratios", "max_entropy", "mean_std", "random")
AT_LABELS = (100, 300, 1000)


def filled(page: str, results: Results, directory: Path, lesion_results: Path) -> str:
    """The page with what stands between <!-- begin NAME --> and <!-- end NAME --> replaced by the table of that name.

    Raises CampaignStateError for a name that there is no table of.
    """

    def table(found: re.Match[str]) -> str:
        name = found.group(1)
        if name not in TABLES and name not in LESION_TABLES:
            raise CampaignStateError(
                f"expected the name of a table ({', '.join([*TABLES, *LESION_TABLES])}), found {name!r}; correct the page."
            )
        text = LESION_TABLES[name](lesion_results) if name in LESION_TABLES else TABLES[name](results, directory)
        return f"<!-- begin {name} -->\n{text}\n<!-- end {name} -->"

    return re.sub(r"<!-- begin (\w+) -->\n.*?<!-- end \1 -->", table, page, flags=re.DOTALL)


def crossings(results: Results, directory: Path) -> str:
    """Table 1: labels to reach 90 and 95 %, acquired (first / stays), and in brackets all labels, validation included."""
    stored = authors_curves(directory / AUTHORS_FILE, TABLE_1_RUN)
    rows = []
    for target, paper in TABLE_1.items():
        for name in PAPERS_ORDER:
            cells = [str(paper[name]), _crossing(stored[name], target, initial=100, validation=0)]
            for preset in PRESETS:
                result = results.get(("table1", preset))
                curve = None if result is None else _mean_of(result.curves(), name)
                cells.append(
                    NOTHING
                    if result is None or curve is None
                    else _crossing(curve, target, result.initial, result.validation)
                )
            rows.append([f"{100 * (1 - target):.0f} % error", name, *cells])
    return markdown(["to reach", "strategy", *COLUMNS], rows)


def errors_at_the_end(results: Results, directory: Path) -> str:
    """Table 2: test error at 1,000 labels that were trained on, mean and sample standard deviation."""
    stored = authors_curves(directory / AUTHORS_FILE, SET_A)
    rows = []
    for name in ("random", "bald", "max_entropy", "variation_ratios", "mean_std"):
        paper = f"{100 * TABLE_2[name]:.2f} %" if name in TABLE_2 else NOTHING
        cells = [paper, f"{100 * (1 - stored[name].accuracy[-1]):.2f} %"]
        rows.append([name, *cells, *(_error(_seeds(results, "table2", preset, name), 1000) for preset in PRESETS)])
    return markdown(["strategy", *COLUMNS], rows)


def figure_1(results: Results, directory: Path) -> str:
    """Figure 1 in numbers: labels to 90, 95 and 98 % (validation labels not counted), first / stays, of the mean curves."""
    stored = authors_curves(directory / AUTHORS_FILE, SET_A)
    rows = []
    for target in (0.9, 0.95, 0.98):
        for name in PAPERS_ORDER:
            ours = [
                _mean_of(result.curves(), name) if (result := results.get(("figure1", preset))) else None
                for preset in PRESETS
            ]
            rows.append(
                [f"{100 * target:.0f} %", name, NOTHING, *(_pair(curve, target) for curve in (stored[name], *ours))]
            )
    return markdown(["accuracy", "strategy", *COLUMNS], rows)


def agreement(results: Results, directory: Path) -> str:
    """Preset code against the authors' means: the difference in points, and 2.5 sqrt(s1^2/n1 + s2^2/n2).

    Only BALD's spread is stored; the other arms are given BALD's.
    """
    stored = authors_curves(directory / AUTHORS_FILE, SET_A)
    rows = []
    for name in PAPERS_ORDER:
        seeds = _seeds(results, "figure1", "code", name)
        for labels in AT_LABELS:
            ours = accuracies(seeds, labels) if seeds else []
            if len(ours) < 2:
                continue
            own, theirs = (
                sample(ours),
                Sample(accuracies({0: stored[name]}, labels)[0], BALD_SPREAD[labels], REPETITIONS),
            )
            found = compare(own, theirs)
            rows.append(
                [
                    name,
                    str(labels),
                    _percent(theirs),
                    _percent(own),
                    f"{100 * found.difference:+.2f}",
                    f"{100 * found.allowance:.2f}",
                    "yes" if found.within else "no",
                ]
            )
    header = ["strategy", "labels", "authors' accuracy (sd)", "ours (sd)", "difference, points", "allowed", "within"]
    return markdown(header, rows)


def mean_std(results: Results, directory: Path) -> str:
    """Mean STD done right and with the code's defect, and Random, on the same seeds: test errors."""
    rows = []
    for preset, name in (
        ("code", "mean_std"),
        ("code-mean-std-defective", "mean_std_defective"),
        ("code", "random"),
        ("code-random-3x3", "random"),
    ):
        seeds = _seeds(results, "figure1", preset, name)
        if seeds:
            rows.append([name, preset, *(_error(seeds, labels) for labels in AT_LABELS)])
    return markdown(["strategy", "preset", *(f"error at {labels} labels" for labels in AT_LABELS)], rows)


def figure_2(results: Results, directory: Path) -> str:
    """Figure 2 two by two: who asks (MC dropout or the point network), and who answers, from the same weights."""
    rows = []
    for preset in PRESETS:
        for suffix, way in (("", "weight scaling"), ("-mc", "MC dropout")):
            result = results.get(("figure2", preset + suffix))
            for name, seeds in (result.curves() if result else {}).items():
                rows.append([preset, name, way, *(_error(seeds, labels) for labels in AT_LABELS)])
    return markdown(["preset", "asked by", "answered by", *(f"error at {labels} labels" for labels in AT_LABELS)], rows)


def figure_3(results: Results, directory: Path) -> str:
    """Figure 3 in numbers: test accuracy of every arm and pair."""
    at = (4, 20, 40, 100, 300, 500)
    rows = []
    for (experiment, name), result in results.items():
        if experiment == "figure3":
            preset, _, pair = name.rpartition("-")
            for strategy, seeds in result.curves().items():
                rows.append([pair, preset, strategy, *(_accuracy(seeds, labels) for labels in at)])
    return markdown(["digits", "preset", "strategy", *(f"{labels} labels" for labels in at)], rows)


def aleatoric(results: Results, directory: Path) -> str:
    """The share of noisy items among those asked for after the initial ones, and the test accuracy."""
    rows = []
    for (experiment, name), result in results.items():
        if experiment == "aleatoric":
            for strategy, seeds in result.curves().items():
                cells = [_share(result, strategy, labels) for labels in (100, 200, 400)]
                rows.append([name, strategy, *cells, _accuracy(seeds, 400)])
    return markdown(["pool", "strategy", "noisy of 100 labels", "of 200", "of 400", "accuracy at 400 labels"], rows)


def runs(results: Results, directory: Path) -> str:
    """What was run: seeds, how far, labels and hours of one thread."""
    rows = []
    for (experiment, name), result in results.items():
        run = result.run
        rounds = [text for seeds in run["rounds"].values() for text in seeds.values()]
        whole = sum(done == of for done, of in (text.split(" of ") for text in rounds))
        labels = run["labels"]
        counted = f"{labels['initial']} + {labels['acquired']}" + (
            f" + {labels['validation']} validation" if labels["validation"] else ""
        )
        rows.append(
            [
                experiment,
                name,
                str(len(run["seeds"])),
                f"{whole} of {len(rounds)}",
                counted,
                f"{run['hours']['fit and score']:.1f}",
            ]
        )
    return markdown(["experiment", "result", "seeds", "curves complete", "labels: initial + acquired", "hours"], rows)


TABLES: Mapping[str, Callable[[Results, Path], str]] = {
    "table1": crossings,
    "table2": errors_at_the_end,
    "figure1": figure_1,
    "agreement": agreement,
    "mean_std": mean_std,
    "figure2": figure_2,
    "figure3": figure_3,
    "aleatoric": aleatoric,
    "runs": runs,
}
LESION_TABLES: Mapping[str, Callable[[Path], str]] = {
    "lesions": lesions,
    "against_everything": against_everything,
    "against_random": against_random,
    "ties": ties,
    "recipes": recipes,
    "official": official,
    "labels_needed": labels_needed,
    "whole_network": whole_network,
    "lesion_hours": lesion_hours,
}


def _seeds(results: Results, experiment: str, name: str, strategy: str) -> Seeds:
    """The seeds of a strategy, or of the form of it that this preset takes."""
    result = results.get((experiment, name))
    if result is None:
        return {}
    curves = result.curves()
    if strategy in curves:
        return curves[strategy]
    return next((seeds for own, seeds in curves.items() if published_name(own) == strategy), {})


def _mean_of(curves: Mapping[str, Seeds], strategy: str) -> Curve | None:
    seeds = next((seeds for own, seeds in curves.items() if published_name(own) == strategy), None)
    return None if seeds is None else mean_curve(seeds)


def _crossing(curve: Curve, target: float, initial: int, validation: int) -> str:
    """Acquired labels at the first and the sustained crossing, and all labels then in brackets; "> N" where not reached."""

    def pair(bought: int) -> str:
        last = curve.labels[-1] + bought
        found = (
            first_crossing(curve.labels, curve.accuracy, target),
            sustained_crossing(curve.labels, curve.accuracy, target),
        )
        return " / ".join(labels_text(None if n is None else n + bought, last) for n in found)

    return f"{pair(-initial)} ({pair(validation)})"


def _pair(curve: Curve | None, target: float) -> str:
    if curve is None or not curve.labels:
        return NOTHING
    found = (
        first_crossing(curve.labels, curve.accuracy, target),
        sustained_crossing(curve.labels, curve.accuracy, target),
    )
    return " / ".join(labels_text(n, curve.labels[-1]) for n in found)


def _error(seeds: Seeds, labels: int) -> str:
    values = [1 - value for value in accuracies(seeds, labels)] if seeds else []
    return _mean_text(values)


def _accuracy(seeds: Seeds, labels: int) -> str:
    return _mean_text(accuracies(seeds, labels) if seeds else [])


def _mean_text(values: Sequence[float]) -> str:
    if not values:
        return NOTHING
    spread = f" ({100 * statistics.stdev(values):.2f})" if len(values) > 1 else ""
    return f"{100 * statistics.fmean(values):.2f} %{spread}"


def _percent(measured: Sample) -> str:
    return f"{100 * measured.mean:.2f} % ({100 * measured.sd:.2f})"


def _share(result: Result, strategy: str, labels: int) -> str:
    values = [row.noisy / row.asked for row in result.shares if row.strategy == strategy and row.labels == labels]
    return _mean_text(values)

"""The README's tables, from committed results: Markdown between markers, so that a command fills them in."""

import re
import statistics
from collections.abc import Callable, Mapping, Sequence
from functools import partial
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
    BINARY_RUN,
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
AROUND_A_LAST_BATCH = (110, 120, 130, 140, 150)  # with batches of 128 the last one holds 2 images at 130 labels
POINTS_AT_THE_END = 0.4  # of difference from the authors' with all labels that are allowed whatever the spread
DEFECTIVE = " (defective)"  # the authors' Mean STD, whose scores are all 0


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
            cells = [str(paper[name]), _of_authors(name, _crossing(stored[name], target, initial=100, validation=0))]
            cells += _ours(results, "table1", partial(_crossing_of, strategy=name, target=target))
            rows.append([f"{100 * (1 - target):.0f} % error", name, *cells])
    return markdown(["to reach", "strategy", *COLUMNS], rows)


def errors_at_the_end(results: Results, directory: Path) -> str:
    """Table 2: test error at 1,000 labels that were trained on, mean and sample standard deviation."""
    stored = authors_curves(directory / AUTHORS_FILE, SET_A)
    rows = []
    for name in ("random", "bald", "max_entropy", "variation_ratios", "mean_std"):
        paper = f"{100 * TABLE_2[name]:.2f} %" if name in TABLE_2 else NOTHING
        cells = [paper, _of_authors(name, f"{100 * (1 - stored[name].accuracy[-1]):.2f} %")]
        rows.append([name, *cells, *_ours(results, "table2", partial(_error_of, strategy=name, labels=1000))])
    return markdown(["strategy", *COLUMNS], rows)


def figure_1(results: Results, directory: Path) -> str:
    """Figure 1 in numbers: labels to 90, 95 and 98 % (validation labels not counted), first / stays, of the mean curves."""
    stored = authors_curves(directory / AUTHORS_FILE, SET_A)
    rows = []
    for target in (0.9, 0.95, 0.98):
        for name in PAPERS_ORDER:
            ours = _ours(results, "figure1", partial(_pair_of, strategy=name, target=target))
            theirs = _of_authors(name, _pair(stored[name], target, stored[name].labels[-1]))
            rows.append([f"{100 * target:.0f} %", name, NOTHING, theirs, *ours])
    return markdown(["accuracy", "strategy", *COLUMNS], rows)


def agreement(results: Results, directory: Path) -> str:
    """Preset code against the authors' means: the difference in points, and 2.5 sqrt(s1^2/n1 + s2^2/n2); at the end also .4 points.

    Only BALD's spread is stored; the other arms are given BALD's. Mean STD is left out, as theirs is defective, and arms of one seed.
    """
    stored = authors_curves(directory / AUTHORS_FILE, SET_A)
    rows = []
    for name in (each for each in PAPERS_ORDER if each != "mean_std"):
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
                    _yes(found.within),
                    _yes(abs(100 * found.difference) <= POINTS_AT_THE_END) if labels == AT_LABELS[-1] else "",
                ]
            )
    header = ["strategy", "labels", "authors' accuracy (sd)", "ours (sd)", "difference, points", "allowed", "within"]
    header.append(f"within {POINTS_AT_THE_END} points")
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


def last_batch(results: Results, directory: Path) -> str:
    """The test error around 130 labels, where the last of the batches of 128 holds 2 images, and with batches of 65."""
    rows = []
    for preset, batch in (("code-batch-128", 128), ("code-batch-65", 65)):
        for name, seeds in (result.curves() if (result := results.get(("figure1", preset))) else {}).items():
            rows.append([name, str(batch), *(_error(seeds, labels) for labels in AROUND_A_LAST_BATCH)])
    return markdown(["strategy", "batch", *(f"error at {labels} labels" for labels in AROUND_A_LAST_BATCH)], rows)


def figure_2(results: Results, directory: Path) -> str:
    """Figure 2 two by two: who asks (MC dropout or the point network), and who answers, from the same weights; the authors' too."""
    rows = []
    for model, prefix, way in (("bayesian", "", "as stored"), ("deterministic", "point_", "the point network")):
        stored = authors_curves(directory / AUTHORS_FILE, SET_A, model)
        for name in (each for each in stored if each != "random" and (prefix or each != "mean_std")):
            errors = [_error({0: stored[name]}, labels).replace(" (n = 1)", "") for labels in AT_LABELS]
            rows.append(["authors' stored", prefix + name, way, *errors])
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
    for strategy, curve in authors_curves(directory / AUTHORS_FILE, BINARY_RUN).items():
        cells = [_accuracy({0: curve}, labels).replace(" (n = 1)", "") for labels in at]
        rows.append(["2v8", "authors' stored", strategy, *cells])
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
    "last_batch": last_batch,
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
    return {} if result is None else _seeds_of(result, strategy)


def _seeds_of(result: Result, strategy: str) -> Seeds:
    curves = result.curves()
    if strategy in curves:
        return curves[strategy]
    return next((seeds for own, seeds in curves.items() if published_name(own) == strategy), {})


def _mean_of(curves: Mapping[str, Seeds], strategy: str) -> Curve | None:
    seeds = next((seeds for own, seeds in curves.items() if published_name(own) == strategy), None)
    return None if seeds is None else mean_curve(seeds)


def _ours(results: Results, experiment: str, cell: Callable[[Result], str]) -> list[str]:
    """A cell for each preset."""
    return [_both_evaluations(results, experiment, preset, cell) for preset in PRESETS]


def _both_evaluations(results: Results, experiment: str, preset: str, cell: Callable[[Result], str]) -> str:
    """The preset's own evaluation, and behind it that of the same weights by MC dropout, where there is one."""
    own, beside = results.get((experiment, preset)), results.get((experiment, f"{preset}-mc"))
    return (NOTHING if own is None else cell(own)) + ("" if beside is None else f"; MC: {cell(beside)}")


def _error_of(result: Result, strategy: str, labels: int) -> str:
    return _error(_seeds_of(result, strategy), labels)


def _pair_of(result: Result, strategy: str, target: float) -> str:
    return _pair(_mean_of(result.curves(), strategy), target, _planned(result))


def _crossing_of(result: Result, strategy: str, target: float) -> str:
    curve = _mean_of(result.curves(), strategy)
    if curve is None:
        return NOTHING
    return _crossing(curve, target, result.initial, result.validation, _planned(result))


def _of_authors(strategy: str, cell: str) -> str:
    return cell + DEFECTIVE if strategy == "mean_std" else cell


def _planned(result: Result) -> int:
    """The labels to train on at the end of a result's runs."""
    return result.initial + result.run["labels"]["acquired"]


def _crossing(curve: Curve, target: float, initial: int, validation: int, planned: int | None = None) -> str:
    """Acquired labels at the first and the sustained crossing, and all labels then in brackets."""
    return f"{_crossed(curve, target, planned, -initial)} ({_crossed(curve, target, planned, validation)})"


def _pair(curve: Curve | None, target: float, planned: int) -> str:
    return NOTHING if curve is None or not curve.labels else _crossed(curve, target, planned, 0)


def _crossed(curve: Curve, target: float, planned: int | None, bought: int) -> str:
    """First / sustained crossing, counted from so many labels more; "> N" where not reached, "?" where the runs did not come that far."""
    last = curve.labels[-1]
    found = (
        first_crossing(curve.labels, curve.accuracy, target),
        sustained_crossing(curve.labels, curve.accuracy, target),
    )
    if None in found and planned is not None and last < planned:
        return f"? (run to {last + bought})"
    return " / ".join(labels_text(None if n is None else n + bought, last + bought) for n in found)


def _error(seeds: Seeds, labels: int) -> str:
    values = [1 - value for value in accuracies(seeds, labels)] if seeds else []
    return _mean_text(values)


def _accuracy(seeds: Seeds, labels: int) -> str:
    return _mean_text(accuracies(seeds, labels) if seeds else [])


def _mean_text(values: Sequence[float]) -> str:
    if not values:
        return NOTHING
    spread = f"{100 * statistics.stdev(values):.2f}, " if len(values) > 1 else ""
    return f"{100 * statistics.fmean(values):.2f} % ({spread}n = {len(values)})"


def _percent(measured: Sample) -> str:
    return f"{100 * measured.mean:.2f} % ({100 * measured.sd:.2f}, n = {measured.n})"


def _yes(kept: bool) -> str:
    return "yes" if kept else "no"


def _share(result: Result, strategy: str, labels: int) -> str:
    values = [row.noisy / row.asked for row in result.shares if row.strategy == strategy and row.labels == labels]
    return _mean_text(values)

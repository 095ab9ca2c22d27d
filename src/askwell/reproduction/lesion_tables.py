"""Figure 5's numbers as tables: AUC and positives by labels, BALD against everything, ties, recipes, and the challenge's test set."""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from askwell.report.curves import (
    Curve,
    accuracies_at,
    area_between,
    common_range,
    first_crossing,
    mean_curve,
    mean_labels,
    sustained_crossing,
)
from askwell.report.intervals import mean_interval
from askwell.report.paired import holm, sign_flip_p
from askwell.report.wording import labels_text
from askwell.reproduction.folds import SCORES_FILE, FoldScore, read_scores
from askwell.reproduction.lesion_figures import (
    EVERYTHING,
    everything,
    folds_apart,
    read_all,
    standard_error,
)
from askwell.reproduction.lesions import LesionPoint, Seeds, auc_curves, positive_curves, splits_of
from askwell.reproduction.markdown import NOTHING, markdown
from askwell.reproduction.predictions import LOGISTIC, PREDICTIONS_FILE, Prediction, read_predictions
from askwell.reproduction.results import LESIONS
from askwell.reproduction.ties import TIES_FILE, Ties, read_ties
from askwell.scoring.delong import auc_interval, compare_aucs

AFTER_FOUR = 4  # acquisitions, by which the paper's BALD has passed the model trained on everything
CLOSE = 0.01  # to the AUC with all labels
PAPERS = {"1": "0.71", "2": "0.75"}  # AUC of the model trained on everything


def lesions(results: Path) -> str:
    """AUC by labels and positives acquired, of every preset and split: mean (standard error)."""
    rows = []
    for preset, own in read_all(results).items():
        if preset in (EVERYTHING, "folds"):
            continue
        for split in splits_of(own):
            curves, found = auc_curves(own, split), _positives(own, split)
            for name, seeds in curves.items():
                labels = mean_labels(seeds)
                at = [labels[0], *_near(labels, (200, 300, 500)), labels[-1]]
                cells = [f"{_mean_error(accuracies_at(seeds, n))} at {n}" for n in dict.fromkeys(at)]
                cells += [NOTHING] * (5 - len(cells))
                positives = [
                    f"{statistics.fmean(accuracies_at(found[name], n)):.0f} by {n}" for n in _near(labels, (200, 300))
                ]
                rows.append([preset, split, name, str(len(seeds)), *cells, ", ".join(positives)])
    header = ["preset", "test set", "strategy", "seeds", *["AUC at labels"] * 5, "positives acquired"]
    return markdown(header, rows)


def against_everything(results: Path) -> str:
    """BALD after four acquisitions against all labels: its own end, paired by seed, and the second-placed team's optimiser and loss.

    Only seeds that have come to the end count. The seeds of the second comparison share nothing but the test images.
    """
    every, rows = read_all(results), []
    second = everything(every.get(EVERYTHING, []))
    for preset in ("text", "askwell"):
        for split in splits_of(every.get(preset, [])):
            bald = _finished(auc_curves(every[preset], split).get("bald", {}))
            after = {seed: curve.accuracy[AFTER_FOUR] for seed, curve in bald.items() if len(curve.labels) > AFTER_FOUR}
            ends = {seed: curve.accuracy[-1] for seed, curve in bald.items()}
            for name, other in (("same recipe", ends), ("second place's optimiser and loss", second.get(split, {}))):
                both = sorted(after.keys() & other.keys())
                if both:
                    values = [[own[seed] for seed in both] for own in (other, after)]
                    tested = _tested([after[seed] - other[seed] for seed in both])
                    rows.append([preset, split, name, PAPERS.get(split, NOTHING), *map(_mean_error, values), *tested])
    corrected = holm([float(row[-2]) for row in rows])
    header = [
        "preset",
        "split",
        "all labels with",
        "paper's",
        "AUC",
        "BALD after 4",
        "difference",
        "95 %",
        "p",
        "pairs",
        "p (Holm)",
    ]
    return markdown(header, [[*row, f"{p:.3f}"] for row, p in zip(rows, corrected, strict=True)])


def against_random(results: Path) -> str:
    """Area under the AUC curve, each strategy against random, paired by seed (or by fold and repeat); p after Holm."""
    rows = []
    for preset, own in read_all(results).items():
        for split in ["all"] if preset == "folds" else splits_of(own):
            part = folds_apart(own) if preset == "folds" else own
            curves = auc_curves(part, split)
            random = curves.get("random", {})
            tests = {name: _areas(seeds, random) for name, seeds in curves.items() if name != "random"}
            tests = {name: differences for name, differences in tests.items() if differences}
            corrected = holm([sign_flip_p(differences) for differences in tests.values()])
            for (name, differences), p in zip(tests.items(), corrected, strict=True):
                rows.append([preset, split, name, *_tested(differences), f"{p:.3f}"])
    return markdown(
        ["preset", "test set", "strategy", "mean AUC over the curve, less random's", "95 %", "p", "pairs", "p (Holm)"],
        rows,
    )


def ties(results: Path) -> str:
    """Of each query that leaves something: how many candidates share the score of the last one asked, and how many scores there are."""
    rows = []
    for file in sorted((results / LESIONS).glob(f"*/{TIES_FILE}")):
        counted = [row for row in read_ties(file) if row.candidates > row.asked]
        for name in dict.fromkeys(row.strategy for row in counted):
            for number in sorted({row.round for row in counted}):
                own = [row for row in counted if (row.strategy, row.round) == (name, number)]
                means = [_mean_of(own, column) for column in ("candidates", "asked", "distinct", "tied")]
                rows.append([file.parent.name, name, str(number), str(len(own)), *means])
    return markdown(
        ["preset", "strategy", "query", "campaigns", "candidates", "asked", "different scores", "tied at the cut"], rows
    )


def recipes(results: Path) -> str:
    """The recipes that were compared on the folds: AUC and nll, and the difference in AUC from the first, over all folds."""
    file = results / LESIONS / "recipes" / SCORES_FILE
    scores = read_scores(file) if file.exists() else []
    by_name: dict[str, list[FoldScore]] = {}
    for score in scores:
        by_name.setdefault(score.recipe, []).append(score)
    first = next(iter(by_name.values()), [])
    rows = [
        [
            name,
            str(len(own)),
            _mean_error([score.auc for score in own]),
            f"{statistics.fmean(score.nll for score in own):.3f}",
            f"{statistics.fmean(a.auc - b.auc for a, b in zip(own, first, strict=True)):+.3f}",
        ]
        for name, own in by_name.items()
        if len(own) == len(first)
    ]
    return markdown(["recipe", "folds", "AUC", "nll", "AUC less the first's"], rows)


def official(results: Path) -> str:
    """The challenge's test images: each arm's AUC with all labels, DeLong's interval, and the paired test against logistic regression.

    Of a strategy, its seed 0 alone, and the mean probability of all its seeds' networks.
    """
    file = results / LESIONS / "official" / PREDICTIONS_FILE
    arms: dict[str, dict[int, list[Prediction]]] = {}
    for row in read_predictions(file) if file.exists() else []:
        arms.setdefault(row.arm, {}).setdefault(row.seed, []).append(row)
    rows = []
    for name, seeds in arms.items():
        mean = _mean_error([auc_interval(*_scored(own)).auc for own in seeds.values()])
        ways = {"one network (seed 0)": seeds[min(seeds)]} if name != LOGISTIC else {"": seeds[0]}
        if len(seeds) > 1:
            ways[f"mean probability of {len(seeds)} networks"] = _averaged(seeds)
        for way, own in ways.items():
            found, against = auc_interval(*_scored(own)), NOTHING
            if name != LOGISTIC and LOGISTIC in arms:
                difference = compare_aucs(_scored(own)[0], _scored(arms[LOGISTIC][0])[0], _scored(own)[1])
                against = f"{difference.difference:+.3f}, p = {difference.p:.2f}"
            interval = f"{found.low:.3f} to {found.high:.3f}"
            rows.append([name, str(own[0].labels), mean, way, f"{found.auc:.3f}", interval, against])
    header = ["arm", "labels", "AUC, mean over seeds", "of which", "AUC", "DeLong 95 %", "less logistic regression"]
    return markdown(header, rows)


def labels_needed(results: Path) -> str:
    """Labels after which the mean AUC is within .01 of that with all labels, first / stays: of all arms together, and the arm's own.

    Only seeds that have come to the end count.
    """
    own, rows = read_all(results).get("official", []), []
    for split in splits_of(own):
        arms = {name: _finished(seeds) for name, seeds in auc_curves(own, split).items()}
        ends = {
            name: statistics.fmean(curve.accuracy[-1] for curve in seeds.values())
            for name, seeds in arms.items()
            if seeds
        }
        common = statistics.fmean(ends.values()) if ends else 0.0
        for name, end in ends.items():
            mean = mean_curve(arms[name])
            last = mean.labels[-1]
            cells = [" / ".join(labels_text(n, last) for n in _within(mean, full)) for full in (common, end)]
            each = [_within(curve, common)[0] or mean.labels[-1] for curve in arms[name].values()]
            spread = f"{statistics.median(each):.0f} ({min(each)} to {max(each)})"
            rows.append([name, str(len(arms[name])), f"{end:.3f}", *cells, spread, str(last)])
    header = [
        "strategy",
        "seeds",
        "AUC with all labels",
        "labels to within .01 of all arms' mean",
        "of its own",
        "median over seeds (range)",
        "all labels",
    ]
    return markdown(header, rows)


def whole_network(results: Path) -> str:
    """The whole network trained, beside the frozen trunk with both our training and the text's, on the same split and numbers of labels."""
    every, rows = read_all(results), []
    for preset in ("whole", "askwell", "text"):
        random = auc_curves(every.get(preset, []), "1").get("random", {})
        measured = {n: accuracies_at(random, n) for n in (100, 650) if random and n in mean_labels(random)}
        if measured:
            seconds = [row.point.seconds_fit for row in every[preset] if row.split == "1" and row.point.labels == 650]
            times = [each for each in seconds if each is not None]
            cells = [_mean_error(measured.get(n, [])) for n in (100, 650)]
            rows.append([preset, str(len(random)), *cells, f"{statistics.median(times):.0f}" if times else NOTHING])
    return markdown(
        ["preset", "seeds", "AUC with 100 labels", "with all 650", "seconds of a fit to all, one thread"], rows
    )


def lesion_hours(results: Path) -> str:
    """Hours of a campaign (one thread, fit and score), beside the paper's 20 for an experiment."""
    rows = []
    for preset, own in read_all(results).items():
        campaigns: dict[tuple[str, str, int], float] = {}
        for row in own:
            key = (row.split, row.point.strategy, row.point.seed)
            campaigns[key] = campaigns.get(key, 0.0) + (row.point.seconds_fit or 0) + (row.point.seconds_score or 0)
        hours = [seconds / 3600 for seconds in campaigns.values()]
        rows.append([preset, str(len(hours)), f"{statistics.median(hours):.3f}", f"{sum(hours):.2f}", "20"])
    return markdown(["preset", "campaigns", "hours of one, median", "of all", "paper's, of one"], rows)


def _finished(seeds: Seeds) -> Seeds:
    """The curves that have come as far as the longest one."""
    last = max((curve.labels[-1] for curve in seeds.values()), default=0)
    return {seed: curve for seed, curve in seeds.items() if curve.labels[-1] == last}


def _within(curve: Curve, full: float) -> tuple[int | None, int | None]:
    """The first number of labels at which a curve is within .01 of a value, and that from which on it stays so."""
    reached = full - CLOSE
    return (
        first_crossing(curve.labels, curve.accuracy, reached),
        sustained_crossing(curve.labels, curve.accuracy, reached),
    )


def _positives(rows: Sequence[LesionPoint], split: str) -> dict[str, Seeds]:
    return positive_curves(rows, split, min(row.point.labels for row in rows if row.split == split))


def _near(labels: Sequence[int], wanted: Iterable[int]) -> list[int]:
    """Those of the wanted numbers of labels at which something was measured."""
    return [n for n in wanted if n in labels]


def _areas(seeds: Mapping[int, Curve], random: Mapping[int, Curve]) -> list[float]:
    """Differences of the areas over the labels that both have, of the seeds that both have."""
    both = [(seeds[seed], random[seed]) for seed in seeds if seed in random]
    span = common_range([curve for pair in both for curve in pair])
    return [] if span is None else [area_between(one, *span) - area_between(other, *span) for one, other in both]


def _tested(differences: Sequence[float]) -> list[str]:
    """Mean difference, its 95 % interval (from 8 pairs on), exact sign-flip p, and the number of pairs."""
    interval = mean_interval(differences)
    words = NOTHING if interval is None else f"{interval[0]:+.3f} to {interval[1]:+.3f}"
    return [f"{statistics.fmean(differences):+.3f}", words, f"{sign_flip_p(differences):.3f}", str(len(differences))]


def _mean_error(values: Sequence[float]) -> str:
    spread = f" ({standard_error(values):.3f})" if len(values) > 1 else ""
    return f"{statistics.fmean(values):.3f}{spread}" if values else NOTHING


def _mean_of(rows: Sequence[Ties], column: str) -> str:
    values = [getattr(row, column) for row in rows]
    return f"{statistics.fmean(values):.0f}" if values else NOTHING


def _scored(rows: Sequence[Prediction]) -> tuple[list[float], list[int]]:
    own = sorted(rows, key=lambda row: row.id)
    return [row.probability for row in own], [row.label for row in own]


def _averaged(seeds: Mapping[int, Sequence[Prediction]]) -> list[Prediction]:
    """The mean probability over seeds of each image."""
    columns = zip(*(sorted(own, key=lambda row: row.id) for own in seeds.values()), strict=True)
    return [rows[0]._replace(probability=statistics.fmean(row.probability for row in rows)) for rows in columns]

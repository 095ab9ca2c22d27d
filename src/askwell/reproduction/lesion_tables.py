"""Figure 5's numbers as tables: AUC and positives by labels, BALD against everything, ties, recipes, and the challenge's test set."""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from askwell.report.curves import Curve, accuracies_at, area_between, common_range, mean_curve, mean_labels
from askwell.report.intervals import mean_interval
from askwell.report.paired import holm, sign_flip_p
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
    """BALD after four acquisitions against everything, paired by seed: our own end, and the second-placed team's settings."""
    every, rows = read_all(results), []
    second = everything(every.get(EVERYTHING, []))
    for preset in ("text", "askwell"):
        for split in splits_of(every.get(preset, [])):
            bald = auc_curves(every[preset], split).get("bald", {})
            after = [_after(curve, AFTER_FOUR) for curve in bald.values()]
            ends = [curve.accuracy[-1] for curve in bald.values()]
            for name, other in (
                ("all labels, same recipe", ends),
                ("all labels, second place's settings", second.get(split, [])),
            ):
                pairs = list(zip(after, other, strict=False))
                if len(pairs) == len(after) and all(first is not None for first in after) and pairs:
                    differences = [float(first or 0) - last for first, last in pairs]
                    rows.append(
                        [
                            preset,
                            split,
                            name,
                            PAPERS.get(split, NOTHING),
                            _mean_error(other[: len(pairs)]),
                            _mean_error([float(first or 0) for first, _ in pairs]),
                            *_tested(differences),
                        ]
                    )
    header = ["preset", "split", "everything is", "paper", "AUC", "BALD after 4", "difference", "95 %", "p", "seeds"]
    return markdown(header, rows)


def against_random(results: Path) -> str:
    """Area under the AUC curve and positives at the first query, each strategy against random, paired by seed; p after Holm."""
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
    """Of each query: how many candidates share the score of the last one asked, and how many different scores there are."""
    rows = []
    for file in sorted((results / LESIONS).glob(f"*/{TIES_FILE}")):
        counted = read_ties(file)
        for name in dict.fromkeys(row.strategy for row in counted):
            for number in sorted({row.round for row in counted}):
                own = [row for row in counted if (row.strategy, row.round) == (name, number)]
                rows.append(
                    [
                        file.parent.name,
                        name,
                        str(number),
                        *(_mean_of(own, column) for column in ("candidates", "distinct", "tied")),
                    ]
                )
    return markdown(["preset", "strategy", "query", "candidates", "different scores", "tied at the cut"], rows)


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
    """The challenge's test images: each arm's AUC with all labels, DeLong's interval of its first seed, and the paired comparison."""
    file = results / LESIONS / "official" / PREDICTIONS_FILE
    predictions = read_predictions(file) if file.exists() else []
    arms: dict[str, dict[int, list[Prediction]]] = {}
    for row in predictions:
        arms.setdefault(row.arm, {}).setdefault(row.seed, []).append(row)
    rows = []
    for name, seeds in arms.items():
        found = {seed: auc_interval(*_scored(own)) for seed, own in seeds.items()}
        one, mean = found[min(found)], _averaged(seeds)
        together = auc_interval(*_scored(mean))
        against = (
            compare_aucs(_scored(mean)[0], _scored(arms[LOGISTIC][0])[0], _scored(mean)[1])
            if LOGISTIC in arms and name != LOGISTIC
            else None
        )
        rows.append(
            [
                name,
                str(mean[0].labels),
                str(len(seeds)),
                _mean_error([each.auc for each in found.values()]),
                f"{one.auc:.3f} ({one.low:.3f} to {one.high:.3f})",
                f"{together.auc:.3f} ({together.low:.3f} to {together.high:.3f})",
                NOTHING if against is None else f"{against.difference:+.3f}, p = {against.p:.2f}",
            ]
        )
    header = [
        "arm",
        "labels",
        "seeds",
        "AUC, mean over seeds",
        "seed 0 (DeLong 95 %)",
        "all seeds' mean probability (DeLong 95 %)",
        "that less logistic regression",
    ]
    return markdown(header, rows)


def labels_needed(results: Path) -> str:
    """Labels after which a strategy's AUC is within .01 of that with all labels: of the mean curve, and per seed the median."""
    own, rows = read_all(results).get("official", []), []
    for split in splits_of(own):
        for name, seeds in auc_curves(own, split).items():
            mean, full = mean_curve(seeds), statistics.fmean(curve.accuracy[-1] for curve in seeds.values())
            each = [_first_within(curve, curve.accuracy[-1]) for curve in seeds.values()]
            rows.append(
                [
                    name,
                    str(len(seeds)),
                    f"{full:.3f}",
                    f"{_first_within(mean, full)} / {_stays_within(mean, full)}",
                    f"{statistics.median(each):.0f}",
                    f"{min(each)} to {max(each)}",
                    str(mean.labels[-1]),
                ]
            )
    header = [
        "strategy",
        "seeds",
        "AUC with all labels",
        "mean curve within .01: first / stays",
        "median over seeds (first)",
        "range",
        "all labels",
    ]
    return markdown(header, rows)


def _first_within(curve: Curve, full: float) -> int:
    return next(n for n, value in zip(curve.labels, curve.accuracy, strict=True) if value >= full - CLOSE)


def _stays_within(curve: Curve, full: float) -> int:
    below = [n for n, value in zip(curve.labels, curve.accuracy, strict=True) if value < full - CLOSE]
    return next(n for n in curve.labels if n > (below[-1] if below else -1))


def _after(curve: Curve, acquisitions: int) -> float | None:
    return curve.accuracy[acquisitions] if len(curve.accuracy) > acquisitions else None


def _positives(rows: Sequence[LesionPoint], split: str) -> dict[str, Seeds]:
    return positive_curves(rows, split, min(row.point.labels for row in rows if row.split == split))


def _near(labels: Sequence[int], wanted: Iterable[int]) -> list[int]:
    return [n for n in wanted if labels and labels[0] <= n <= labels[-1]]


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

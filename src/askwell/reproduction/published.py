"""What the paper prints and what its authors stored, as data: nothing here is ours."""

from collections.abc import Mapping
from pathlib import Path

from askwell.report.csv_files import count, fraction, read_rows, text
from askwell.report.curves import Curve

AUTHORS_FILE = "authors_curves.csv"
_PARSERS = {"run": text, "model": text, "strategy": text, "labels_total": count, "accuracy": fraction}

SET_A, TABLE_1_RUN = "set_a_20init_10per_step", "table1_100init_5per_step"
BINARY_RUN = "binary_2_vs_8"
REPETITIONS = 3
PAPERS_NAMES: Mapping[str, str] = {
    "variation_ratios_votes": "variation_ratios",
    "mbr_authors": "mbr",
    "mbr": "mbr, done right",
    "mean_std_defective": "mean_std",
}

# Table 1: acquired images to reach an accuracy, the initial set not counted
TABLE_1: Mapping[float, Mapping[str, int]] = {
    0.90: {"bald": 145, "variation_ratios": 120, "max_entropy": 165, "mean_std": 230, "random": 255},
    0.95: {"bald": 335, "variation_ratios": 295, "max_entropy": 355, "mean_std": 695, "random": 835},
}
# Table 2: test error with 1,000 labels, of active learning
TABLE_2: Mapping[str, float] = {
    "random": 0.0466,
    "bald": 0.0180,
    "max_entropy": 0.0174,
    "variation_ratios": 0.0164,
}
# Sample standard deviations of the stored runs of BALD in set A, by labels; there are none at hand for the other arms
BALD_SPREAD: Mapping[int, float] = {
    20: 0.066,
    50: 0.050,
    100: 0.014,
    200: 0.032,
    300: 0.011,
    500: 0.005,
    1000: 0.0007,
}


def published_name(strategy: str) -> str:
    """What the paper's figures call a strategy. Its MBR is the authors'; the right one and the network's have no curve there."""
    return PAPERS_NAMES.get(strategy, strategy)


def authors_curves(file: Path, run: str, model: str = "bayesian") -> dict[str, Curve]:
    """The stored mean curves of one run, by strategy; labels without validation.

    Raises CampaignStateError for a file that is not there or not as it was written.
    """
    values: dict[str, dict[int, float]] = {}
    for row in read_rows(file, _PARSERS):
        if (row["run"], row["model"]) == (run, model):
            values.setdefault(row["strategy"], {})[row["labels_total"]] = row["accuracy"]
    return {name: Curve(tuple(sorted(own)), tuple(own[n] for n in sorted(own))) for name, own in values.items()}

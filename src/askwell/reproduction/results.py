"""Committed results, read back."""

import dataclasses
import json
from pathlib import Path
from typing import Any, NamedTuple

from askwell.report.curves import Curve, CurvePoint, accuracies_at, curves_by_strategy, mean_labels, read_curve
from askwell.reproduction.aleatoric import SHARES_FILE, NoisyShare, read_shares

LESIONS = "figure5"
Seeds = dict[int, Curve]


class Result(NamedTuple):
    """One directory of results: its experiment, its name (preset, case, evaluation), its points, and its run.json."""

    experiment: str
    name: str
    points: tuple[CurvePoint, ...]
    run: dict[str, Any]
    shares: tuple[NoisyShare, ...] = ()

    @property
    def initial(self) -> int:
        """Labels to begin with."""
        return self.run["labels"]["initial"]

    @property
    def validation(self) -> int:
        """Labels for tuning only."""
        return self.run["labels"]["validation"]

    def curves(self) -> dict[str, Seeds]:
        """Strategy -> seed -> accuracy against the labels that were trained on: those for validation are not counted here."""
        trained = (dataclasses.replace(point, labels=point.labels - self.validation) for point in self.points)
        return curves_by_strategy(trained)


def read_results(directory: Path) -> dict[tuple[str, str], Result]:
    """(experiment, name) -> result, of every directory that holds one but figure 5's, which are tables of their own.

    Raises CampaignStateError for a file that was changed.
    """
    found: dict[tuple[str, str], Result] = {}
    for file in sorted(directory.glob("*/*/curve.csv")):
        place = file.parent
        if place.parent.name == LESIONS:
            continue
        run = json.loads((place / "run.json").read_text(encoding="utf-8"))
        shares = tuple(read_shares(place / SHARES_FILE)) if (place / SHARES_FILE).exists() else ()
        key = (place.parent.name, place.name)
        found[key] = Result(*key, tuple(read_curve(file)), run, shares)
    return found


def accuracies(seeds: Seeds, labels: int) -> list[float]:
    """Every seed's accuracy at a labels count; nothing where not all of them have come that far."""
    within = mean_labels(seeds)
    return accuracies_at(seeds, labels) if within and within[0] <= labels <= within[-1] else []

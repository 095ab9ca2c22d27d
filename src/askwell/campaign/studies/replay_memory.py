"""What a replay has on disk: its settings, and one row per fit, so that a replay that was stopped repeats none."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict

from askwell.campaign.settings import MadeWith, check_settings, read_toml, settings_as_toml
from askwell.errors import CampaignExistsError, SettingsError
from askwell.learning.recipe import Recipe
from askwell.report.csv_files import count, read_rows, write_rows
from askwell.report.curves import CURVE_COLUMNS, CURVE_PARSERS, CurvePoint, write_curve
from askwell.store.files import replace_file

SETTINGS = "replay.toml"
FITS = "fits.csv"
CURVE = "curve.csv"
MEASURED = CURVE_COLUMNS[4:]
_PARSERS: dict[str, Callable[[str], object]] = {"fit": count, **CURVE_PARSERS}


class ReplaySettings(BaseModel):
    """replay.toml: what is replayed and how. ``sources`` are hashes of the campaigns' settings and images, in the order of the seeds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    strategy: str
    seeds: tuple[int, ...]
    sources: tuple[str, ...]
    rounds: tuple[int, ...]
    fits: int
    recipe: Recipe
    made_with: MadeWith


class FitRow(NamedTuple):
    """One fit: which of those of its campaign and round, and what was measured under its arm's name and the campaign's seed."""

    fit: int
    point: CurvePoint

    @property
    def key(self) -> tuple[str, int, int, int]:
        """What tells it from every other fit: arm, campaign, round and number."""
        return self.point.strategy, self.point.seed, self.point.round, self.fit


def begin(out: Path, settings: ReplaySettings, *, resume: bool) -> list[FitRow]:
    """The fits that are in ``out`` already; writes the settings when there is nothing yet.

    Raises CampaignExistsError for a directory that holds a replay and is not to be resumed, SettingsError for one with other settings.
    """
    path = out / SETTINGS
    if not path.exists():
        out.mkdir(parents=True, exist_ok=True)
        content = settings_as_toml(settings)
        replace_file(path, lambda temporary: temporary.write_text(content, encoding="utf-8"))
        return []
    if not resume:
        raise CampaignExistsError(
            f"expected a new or empty directory, found a replay in {out}; add --resume to continue it, or choose another --out."
        )
    stored = check_settings(ReplaySettings, read_toml(path), str(path))
    found, wanted = (each.model_dump(mode="json", exclude={"made_with"}) for each in (stored, settings))
    if different := [name for name in wanted if wanted[name] != found[name]]:
        raise SettingsError(
            f"expected the settings that the replay in {out} was begun with, found another {', '.join(different)}; "
            "resume with the same ones, or choose another --out."
        )
    return read_fits(out) if (out / FITS).exists() else []


def write_fits(out: Path, rows: Sequence[FitRow]) -> None:
    """Replace fits.csv and curve.csv, each atomically."""
    write_rows(out / FITS, _PARSERS, ([row.fit, *(getattr(row.point, name) for name in CURVE_COLUMNS)] for row in rows))
    write_curve(out / CURVE, mean_points(rows))


def read_fits(out: Path) -> list[FitRow]:
    """The rows of fits.csv, exactly as written; CampaignStateError when it is not as it was written."""
    rows = read_rows(out / FITS, _PARSERS)
    return [FitRow(row.pop("fit"), CurvePoint(**row)) for row in rows]


def mean_points(rows: Sequence[FitRow]) -> list[CurvePoint]:
    """One point per arm, campaign and round: the mean over its fits, which are no seeds of their own. Ordered arm by arm."""
    together: dict[tuple[str, int, int], list[CurvePoint]] = {}
    for row in rows:
        together.setdefault(row.key[:3], []).append(row.point)
    arms = list(dict.fromkeys(strategy for strategy, _, _ in together))
    ordered = sorted(together.items(), key=lambda entry: (arms.index(entry[0][0]), *entry[0][1:]))
    return [_mean_point(points) for _, points in ordered]


def _mean_point(points: Sequence[CurvePoint]) -> CurvePoint:
    first = points[0]
    values = {name: [getattr(point, name) for point in points] for name in MEASURED}
    means = {name: None if None in found else math.fsum(found) / len(found) for name, found in values.items()}
    return CurvePoint(first.strategy, first.seed, first.round, first.labels, **means)

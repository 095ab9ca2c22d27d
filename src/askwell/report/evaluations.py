"""evaluation.json: what stands behind a campaign's accuracies, round by round; written by the campaign, read here."""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from askwell.errors import CampaignStateError

EVALUATION_FILE = "evaluation.json"


class CalibrationBin(NamedTuple):
    """Test images of similar confidence: how many, mean confidence and accuracy (fractions; None where there are none)."""

    items: int
    confidence: float | None
    accuracy: float | None


class TwoClasses(BaseModel):
    """Of the second of two classes: its share of the test images, the average precision, the sensitivity at 95 % specificity."""

    model_config = ConfigDict(frozen=True)

    prevalence: float = Field(ge=0.0, le=1.0)
    average_precision: float = Field(ge=0.0, le=1.0 + 1e-9)
    sensitivity: float = Field(ge=0.0, le=1.0)


class RoundEvaluation(BaseModel):
    """One round's measurement: test items and their groups, the accuracy's standard error (None where it has none), (true class,
    predicted class, count) for every pair that occurs, and the bins of the calibration.

    Older campaigns have no balanced accuracy, nothing on two classes, and no class that all images were taken for.
    """

    model_config = ConfigDict(frozen=True)

    round: int = Field(ge=0)
    items: int = Field(ge=1)
    groups: int = Field(ge=1)
    accuracy_se: float | None = Field(ge=0.0, allow_inf_nan=False)
    confusion: tuple[tuple[int, int, int], ...]
    calibration: tuple[CalibrationBin, ...]
    balanced_accuracy: float | None = None
    two_classes: TwoClasses | None = None
    collapsed: int | None = None

    @model_validator(mode="after")
    def _counts_add_up(self) -> "RoundEvaluation":
        for name, counts in (
            ("confusion", [count for _, _, count in self.confusion]),
            ("calibration", [part.items for part in self.calibration]),
        ):
            if min(counts, default=0) < 0 or sum(counts) != self.items:
                raise ValueError(f"the counts of {name} in round {self.round} must add up to {self.items} items")
        for part in self.calibration:
            if part.items and not all(value is not None and 0.0 <= value <= 1.0 + 1e-9 for value in part[1:]):
                raise ValueError(f"confidence and accuracy of a bin of round {self.round} must be fractions")
        return self


class RunEvaluation(BaseModel):
    """One campaign's measurements; a class in a confusion is a place in ``classes``."""

    model_config = ConfigDict(frozen=True)

    strategy: str
    seed: int = Field(ge=0)
    classes: tuple[str, ...]
    rounds: tuple[RoundEvaluation, ...]

    @model_validator(mode="after")
    def _known_classes(self) -> "RunEvaluation":
        for part in self.rounds:
            if not all(0 <= place < len(self.classes) for triple in part.confusion for place in triple[:2]):
                raise ValueError(f"round {part.round} must not name a class beyond the {len(self.classes)} listed")
        if len({part.round for part in self.rounds}) < len(self.rounds):
            raise ValueError("each round must occur once")
        return self

    def at(self, round_number: int) -> RoundEvaluation | None:
        """The measurement of one round, or None."""
        return next((part for part in self.rounds if part.round == round_number), None)


def read_evaluation(path: Path) -> RunEvaluation:
    """The file's content; CampaignStateError names the file and the first thing in it that is not as it should be."""
    try:
        return RunEvaluation.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        reason = first["msg"].removeprefix("Value error, ")
        raise CampaignStateError(
            f"{path}{f', {where}' if where else ''}: expected a campaign's measurements, found a fault ({reason}); "
            "put back a copy of the file, or run the campaign again with --resume."
        ) from None


def read_evaluations(campaigns: Iterable[Path]) -> list[RunEvaluation]:
    """The measurements of the campaigns in these directories; one without the file, as older versions leave it, is passed over."""
    files = [directory / EVALUATION_FILE for directory in campaigns]
    return [read_evaluation(file) for file in files if file.exists()]

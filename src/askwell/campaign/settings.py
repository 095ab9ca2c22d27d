"""Everything a campaign or an experiment can be told, checked before work starts. Imports no torch."""

import difflib
import json
import os
import platform
import tomllib
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args

import tomli_w
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from askwell.campaign.strategies import strategy_named, whole_pool_strategies
from askwell.errors import CampaignStateError, SettingsError, UnknownNameError
from askwell.learning.recipe import Recipe
from askwell.models.catalogue import MODELS
from askwell.pool.catalogue import DATASETS
from askwell.pool.folder_settings import FolderSettings

SETTINGS_FILE = "campaign.toml"
DEFAULT_DATASET = "digits"
ADAPTIVE = "adaptive"
LATER = {"loss": "cross_entropy", "class_weights": "none"}  # of recipes, and what all did before there was a choice
OWN = {"strategy": True, "seed": True, "lockstep": {"place"}}  # what the campaigns of an experiment never share
ADAPTIVE_SAMPLES = 100  # T of the items that are compared, and of the evaluation


def _known_strategy(name: str) -> str:
    strategy_named(name)
    return name


def _known_dataset(name: str) -> str:
    if name not in DATASETS:
        raise UnknownNameError("data set", name, DATASETS)
    return name


def _sample_count(value: int | str) -> int | str:
    count = int(value) if isinstance(value, str) and value.isdecimal() else value
    if count == ADAPTIVE or (isinstance(count, int) and count >= 1):
        return count
    raise ValueError(f'expected a number of at least 1, or "{ADAPTIVE}"')


def _as_list(value: object) -> object:
    names = [value] if isinstance(value, str) else value
    if isinstance(names, list | tuple) and len(set(map(str, names))) != len(names):
        raise ValueError("every strategy may be named once only")
    return names


StrategyName = Annotated[str, AfterValidator(_known_strategy)]
DatasetName = Annotated[str, AfterValidator(_known_dataset)]
Settings = TypeVar("Settings", bound=BaseModel)


class LoopSettings(BaseModel):
    """What the loop needs to know, the same for every campaign of an experiment.

    initial      labels to begin with; initial_set says whether as many of each class ("balanced", the paper's), so many of each class
                 ([80, 20]), or at random. But for the last the whole pool's labels are looked at, as in the paper, and only those
                 drawn are counted: it is for data sets, not for people
    query        how many items each round asks about
    validation   items of the pool labelled at the start for tuning only; counted as labels, never trained on
    samples      T, posterior samples when scoring and when evaluating; "adaptive" takes 100 of them only for the items that can still
                 be among the best (docs/adaptive.md)
    candidates   score only so many unasked items, drawn anew for each query, as the paper's code does; all of them unless given
    evaluation   how test images are predicted: "mc_dropout" (mean over samples) or "point" (weight scaling, as the paper's code)
    memory_mb    memory that scoring may use for one chunk of the pool, in MiB
    images       a folder of images of your own instead of a named data set (see FolderSettings)
    image_size   side in pixels to which a named data set's image files are resized; its own default unless given
    keep_classes only these classes of a named data set, in pool and test; all of them unless given
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    initial: int = Field(default=20, ge=1)
    initial_set: Literal["balanced", "random"] | tuple[Annotated[int, Field(ge=0)], ...] = "balanced"
    query: int = Field(default=10, ge=1)
    validation: int = Field(default=0, ge=0)
    samples: Annotated[int | str, AfterValidator(_sample_count)] = 100
    candidates: int | None = Field(default=None, ge=1)
    evaluation: Literal["mc_dropout", "point"] = "mc_dropout"
    memory_mb: int = Field(default=32, ge=1)
    images: FolderSettings | None = None
    image_size: int | None = Field(default=None, ge=8, le=1024)
    keep_classes: tuple[str, ...] | None = Field(default=None, min_length=2)
    recipe: Recipe = Recipe()

    @model_validator(mode="after")
    def _fits_together(self) -> "LoopSettings":
        if self.recipe.weight_decay.tune and self.validation == 0:
            raise ValueError("weight_decay.tune needs labels to tune on; set validation = 100, say")
        if not isinstance(self.initial_set, str) and sum(self.initial_set) != self.initial:
            raise ValueError(
                f"expected initial_set to add up to initial = {self.initial}, found {sum(self.initial_set)}"
            )
        if self.candidates is not None and self.candidates < self.query:
            raise ValueError(f"expected at least query = {self.query} candidates, found {self.candidates}")
        return self

    @property
    def full_samples(self) -> int:
        """T: of every score that is compared with another, and of the evaluation."""
        return ADAPTIVE_SAMPLES if isinstance(self.samples, str) else self.samples

    def _refuse_adaptive(self, strategies: Sequence[str]) -> None:
        whole = whole_pool_strategies(strategies)
        if self.samples == ADAPTIVE and whole:
            raise ValueError(
                f'samples = "adaptive" finds the highest scores only, and {" and ".join(whole)} looks at all of them or counts '
                f"votes; give a number, such as {ADAPTIVE_SAMPLES}"
            )


class MadeWith(BaseModel):
    """The software and hardware a campaign was created with."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    askwell: str
    torch: str
    python: str
    processor: str
    threads: int


class LockstepPlace(BaseModel):
    """A campaign's place (0, 1, ...) among those whose networks are trained at once, and how many places one computation has.

    Both decide how its numbers are rounded, so they are kept for as long as the campaign lives.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    place: int = Field(ge=0)
    places: int = Field(ge=1)


class CampaignSettings(LoopSettings):
    """campaign.toml: one strategy, one seed, with device and precision resolved; no dataset when the images are the user's own.

    rough_precision is that of the first scores of adaptive sampling: bf16 where the machine that began the campaign multiplies it.
    lockstep is for campaigns that were begun to be fitted together.
    """

    dataset: DatasetName | None = None
    strategy: StrategyName = "bald"
    seed: int = Field(default=0, ge=0)
    classes: tuple[str, ...] = Field(min_length=2)
    image_shape: tuple[int, int, int]
    rough_precision: Literal["fp32", "bf16"] | None = None
    lockstep: LockstepPlace | None = None
    made_with: MadeWith

    @model_validator(mode="after")
    def _fits_the_classes(self) -> "CampaignSettings":
        self._refuse_adaptive([self.strategy])
        if self.recipe.augmentation == "positive_flips" and len(self.classes) != 2:
            raise ValueError(f"positive_flips needs 2 classes, the second of them positive; found {len(self.classes)}")
        if not isinstance(self.initial_set, str) and len(self.initial_set) != len(self.classes):
            raise ValueError(
                f"expected an initial number for each of {len(self.classes)} classes, found {len(self.initial_set)}"
            )
        weights = self.recipe.class_weights
        if not isinstance(weights, str) and len(weights) != len(self.classes):
            raise ValueError(f"expected a class weight for each of {len(self.classes)} classes, found {len(weights)}")
        return self


class ExperimentSettings(LoopSettings):
    """The TOML that ``askwell run`` takes: strategies x seeds on a named data set, or on a folder of images.

    ``seeds = 3`` means 0, 1 and 2. Without dataset and images the data set is digits.
    """

    dataset: DatasetName | None = None
    strategy: Annotated[tuple[StrategyName, ...], BeforeValidator(_as_list), Field(min_length=1)] = ("bald", "random")
    seeds: int = Field(default=3, ge=1)
    rounds: int = Field(default=20, ge=0)

    @model_validator(mode="before")
    @classmethod
    def _default_dataset(cls, data: Any) -> Any:
        if isinstance(data, dict) and data.get("dataset") is None and data.get("images") is None:
            return {**data, "dataset": DEFAULT_DATASET}
        return data

    @model_validator(mode="after")
    def _one_source(self) -> "ExperimentSettings":
        if self.dataset is not None and self.images is not None:
            raise ValueError(
                f"expected a data set or a folder of images, found both ({self.dataset} and {self.images.folder})"
            )
        if self.images is not None and self.image_size is not None:
            raise ValueError("image_size is for named data sets; the side of a folder's images is images.size")
        if self.images is not None and self.keep_classes is not None:
            raise ValueError("keep_classes is for named data sets; the classes of a folder's images are images.classes")
        if self.dataset is not None and self.image_size is not None and not DATASETS[self.dataset].resizable:
            raise ValueError(f"the images of {self.dataset} are of one size as published; leave image_size out")
        return self

    @model_validator(mode="after")
    def _samples_for_the_strategies(self) -> "ExperimentSettings":
        self._refuse_adaptive(self.strategy)
        return self

    @model_validator(mode="after")
    def _named_network(self) -> "ExperimentSettings":
        if not isinstance(self.recipe.model, str) or self.recipe.model not in MODELS:
            raise UnknownNameError("model", str(self.recipe.model), MODELS)
        return self


def made_with(threads: int) -> MadeWith:
    """This software and this machine."""
    return MadeWith(
        askwell=version("askwell"),
        torch=version("torch"),
        python=platform.python_version(),
        processor=f"{platform.machine()}, {os.cpu_count()} processors",
        threads=threads,
    )


def check_settings(kind: type[Settings], values: Mapping[str, Any] | BaseModel, where: str) -> Settings:
    """The settings that the values describe; SettingsError, in one sentence, for the first thing that is wrong with them."""
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        path = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            known = _fields_at(kind, first["loc"][:-1])
            near = difflib.get_close_matches(str(first["loc"][-1]), known, n=3, cutoff=0.5)
            hint = f"did you mean {' or '.join(near)}?" if near else f"known here are {', '.join(known)}."
            raise SettingsError(f"there is no setting called {path!r} in {where}; {hint}") from None
        reason = first["msg"].removeprefix("Value error, ")
        found = "" if first["type"] == "missing" or not path else f", found {first['input']!r}"
        setting = f"setting {path!r}" if path else "settings"
        raise SettingsError(f"the {setting} of {where} cannot be used: {reason}{found}.") from None


def read_toml(path: Path) -> dict[str, Any]:
    """A TOML file's content; SettingsError when it is absent or not TOML."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SettingsError(f"expected a settings file at {path}, found none; check the path.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise SettingsError(f"expected TOML in {path}, found something else: {error}.") from None


def read_campaign_settings(directory: Path) -> CampaignSettings:
    """The settings of the campaign in a directory; CampaignStateError when there is none, or one that people label."""
    path = directory / SETTINGS_FILE
    if not path.is_file():
        raise CampaignStateError(f"expected a campaign in {directory}, found no {SETTINGS_FILE}; check the path.")
    values = read_toml(path)
    if values.get("kind") == "labelling":
        raise CampaignStateError(
            f"expected a campaign of `askwell run` in {directory}, found one that people label; report, export, import, predict and backup "
            "take it, and nothing else does."
        )
    return check_settings(CampaignSettings, values, str(path))


def settings_as_toml(settings: BaseModel) -> str:
    """Settings as TOML; what is None is left out."""
    return tomli_w.dumps(settings.model_dump(mode="json", exclude_none=True))


def common_settings(directories: Sequence[Path]) -> dict[str, str]:
    """What the campaigns in the directories (or below them) have in common, as text; "differs" where they do not agree."""
    files = sorted(file for directory in directories for file in directory.rglob(SETTINGS_FILE))
    tables = [_flat(read_campaign_settings(file.parent).model_dump(exclude=OWN, mode="json")) for file in files]
    names = dict.fromkeys(name for table in tables for name in table)
    return {
        name: values.pop() if len(values := {table.get(name, "") for table in tables}) == 1 else "differs"
        for name in names
    }


def identity(settings: CampaignSettings) -> str:
    """The settings that decide a campaign's result, as text: all but where its images lie and with what it was begun.

    A setting that says nothing is left out, so that a campaign of an older askwell, which knew fewer, is still itself.
    """
    values = settings.model_dump(
        mode="json",
        exclude_none=True,
        exclude={
            "made_with": True,
            "memory_mb": True,
            "images": True,
            "rough_precision": True,
            "recipe": {"device": True, "precision": True, "backbone": {"weights"}},
        },
    )
    return json.dumps(values, sort_keys=True)


def same_identity(stored: str, found: str) -> bool:
    """Whether two identities are one."""
    return what_is_said(json.loads(stored)) == what_is_said(json.loads(found))


def what_is_said(values: Any) -> Any:
    """Settings without those that are null, at any depth, and without what older campaigns could not say and did."""
    if not isinstance(values, dict):
        return values
    said = {name: what_is_said(value) for name, value in values.items()}
    return {name: value for name, value in said.items() if value is not None and LATER.get(name) != value}


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    flat: dict[str, str] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            flat.update(_flat(value, f"{prefix}{name}."))
        elif value is not None:
            flat[prefix + name] = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return flat


def _fields_at(kind: type[BaseModel], path: tuple[int | str, ...]) -> list[str]:
    for part in path:
        annotation = kind.model_fields[str(part)].annotation
        kind = next(each for each in (annotation, *get_args(annotation)) if isinstance(each, type))
    return sorted(kind.model_fields)

"""What an experiment of the paper is, as its TOML says it: askwell's settings and a table for what those cannot say."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, model_validator

from askwell.campaign.settings import DatasetName, ExperimentSettings, check_settings, read_toml
from askwell.errors import SettingsError, UnknownNameError
from askwell.pool.named.isic2016_splits import FOLDS

EXPERIMENTS = ("figure1", "table1", "table2", "figure2", "figure3", "aleatoric", "figure5")
DEFAULT_PRESET, OTHER_DEFAULTS = "code", {"figure5": "text"}  # the authors published no code of figure 5
TABLE = "reproduction"
NETWORKS_ONLY = frozenset({"strategy", "recipe", "samples", "candidates", "memory_mb"})  # settings
SUFFIXES = {"point": "point", "mc_dropout": "mc"}  # of the directory of the evaluation that is not the preset's own

Evaluation = Literal["point", "mc_dropout"]
MbrArm = Literal["mbr", "mbr_cnn", "mbr_authors"]
NETWORK_ARMS = frozenset({"mbr_cnn", "mbr_authors"})  # that train a network each round
Corruption = Literal["noise", "ambiguous"]


class Extra(BaseModel):
    """The table ``[reproduction]``: what the loop's settings cannot say.

    runs         directory of the campaigns below --out; several experiments with the same settings share it. Their own name unless given
    evaluations  how each round's weights are evaluated: the preset's own way first, others from the saved weights afterwards
    second_every such another evaluation at every so many rounds, and at the last
    targets      accuracies whose crossings are tabulated
    pairs        figure 3: the digits to tell apart, such as "2v8"
    mbr          figure 3: arms of minimum Bayes risk on a graph, beside the networks
    mbr_nodes    figure 3: training images in the graph, drawn at random from the pair's, the initial ones among them
    networks     false: only the arms of mbr
    corruptions  aleatoric: what the pool is given, each in campaigns of its own: wrong labels, or mixtures of two digits
    splits       figure 5: test sets by name, and the data set that has each; their curves stand in one file
    folds        figure 5: the test sets are the five folds of the training images, divided anew for each seed
    recipes      figure 5: changes to the recipe by name, each compared on the folds, with all labels
    ties         figure 5: strategies of which is counted, from the weights, how many candidates share the score at which a query ends
    predictions  figure 5: the last network's predictions of the test images are kept, and those of logistic regression on its features
    share        aleatoric: of wrong labels in the pool, or of mixtures against the pool's images
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    runs: str | None = None
    evaluations: tuple[Evaluation, ...] = Field(default=("point",), min_length=1)
    second_every: int = Field(default=1, ge=1)
    targets: tuple[float, ...] = (0.9, 0.95)
    pairs: tuple[str, ...] = ()
    mbr: tuple[MbrArm, ...] = ()
    mbr_nodes: int = Field(default=2000, ge=10)
    networks: bool = True
    corruptions: tuple[Corruption, ...] = ()
    share: float = Field(default=0.2, gt=0, lt=1)
    splits: dict[str, DatasetName] = {}
    folds: bool = False
    recipes: dict[str, dict[str, Any]] = {}
    ties: tuple[str, ...] = ()
    predictions: bool = False

    @model_validator(mode="after")
    def _pairs_of_digits(self) -> "Extra":
        for pair in self.pairs:
            if len(set(pair.split("v"))) != 2:
                raise ValueError(f"expected two classes with a v between them, such as 2v8, found {pair!r}")
        if self.folds and self.splits:
            raise ValueError("the folds are the splits; name no others")
        if (self.splits or self.folds) and (self.pairs or self.corruptions or len(self.evaluations) > 1):
            raise ValueError("splits go with neither pairs nor corruptions nor a second evaluation")
        if self.corruptions and len(self.evaluations) > 1:
            raise ValueError("campaigns on a noisy pool have one evaluation; name one in evaluations")
        if self.mbr and not self.pairs:
            raise ValueError("mbr tells two classes apart; name them in pairs")
        return self


class Case(NamedTuple):
    """One experiment of a plan: a pair of digits, a corruption, a test set, or (name empty) the plan itself."""

    name: str
    settings: ExperimentSettings
    pair: tuple[str, ...] = ()
    corruption: Corruption | None = None
    split: str = ""
    fold: int | None = None


class Plan(NamedTuple):
    """One TOML: an experiment of the paper in one preset."""

    experiment: str
    preset: str
    settings: ExperimentSettings
    extra: Extra

    @property
    def name(self) -> str:
        """As the file is called: <experiment>-<preset>."""
        return f"{self.experiment}-{self.preset}"

    def runs(self, out: Path) -> Path:
        """The directory of its campaigns, which other plans may share."""
        return out / (self.extra.runs or self.name)

    def cases(self) -> list[Case]:
        """One experiment for each pair, corruption or test set, else one."""
        if self.extra.pairs:
            return [
                Case(
                    pair,
                    self.settings.model_copy(update={"keep_classes": tuple(pair.split("v"))}),
                    tuple(pair.split("v")),
                )
                for pair in self.extra.pairs
            ]
        if self.extra.corruptions:
            return [Case(name, self.settings, corruption=name) for name in self.extra.corruptions]
        if self.extra.recipes:
            return [Case("", self.settings)]
        if self.extra.folds:
            return [Case(f"split-{number}", self.settings, split=str(number), fold=number) for number in range(FOLDS)]
        if self.extra.splits:
            return [
                Case(f"split-{name}", self.settings.model_copy(update={"dataset": dataset}), split=name)
                for name, dataset in self.extra.splits.items()
            ]
        return [Case("", self.settings)]

    def results(self, case: Case, evaluation: str | None = None) -> Path:
        """The directory of a case's results, below that of all results; of another evaluation than the preset's own if given.

        All splits have the same one.
        """
        parts = [self.preset, "" if case.split else case.name, SUFFIXES[evaluation] if evaluation else ""]
        return Path(self.experiment) / "-".join(part for part in parts if part)

    def not_run(self) -> frozenset[str]:
        """Settings of networks that no campaign or arm of it reads: where only mbr runs."""
        if self.extra.networks:
            return frozenset()
        trains = not NETWORK_ARMS.isdisjoint(self.extra.mbr)
        return NETWORKS_ONLY - {"recipe"} if trains else NETWORKS_ONLY

    def strategies(self) -> tuple[str, ...]:
        """The strategies of its campaigns; none where only mbr runs."""
        return self.settings.strategy if self.extra.networks else ()


def read_plan(path: Path) -> Plan:
    """The plan in a TOML file called <experiment>-<preset>.toml; SettingsError for a setting that is wrong."""
    experiment, _, preset = path.stem.partition("-")
    values = dict(read_toml(path))
    extra = check_settings(Extra, values.pop(TABLE, {}), f"{path}, table {TABLE}")
    settings = check_settings(ExperimentSettings, values, str(path))
    if extra.evaluations[0] != settings.evaluation:
        raise SettingsError(
            f"expected the evaluation of {path} ({settings.evaluation}) first in {TABLE}.evaluations, "
            f"found {', '.join(extra.evaluations)}; put it there."
        )
    return Plan(experiment, preset, settings, extra)


def read_plans(directory: Path) -> list[Plan]:
    """Every plan of a directory, in the order in which the paper's experiments are to be run."""
    plans = [read_plan(path) for path in sorted(directory.glob("*.toml"))]
    for plan in plans:
        if plan.experiment not in EXPERIMENTS:
            raise UnknownNameError("experiment", plan.experiment, EXPERIMENTS)
    return sorted(plans, key=lambda plan: EXPERIMENTS.index(plan.experiment))


def chosen(plans: Sequence[Plan], experiment: str | None, preset: str | None) -> list[Plan]:
    """The plans of one experiment, or of all, in one preset; UnknownNameError for a name that there is no plan of."""
    if experiment is not None and experiment not in EXPERIMENTS:
        raise UnknownNameError("experiment", experiment, EXPERIMENTS)
    own = [plan for plan in plans if experiment in (None, plan.experiment)]
    found = [plan for plan in own if preset in (None, plan.preset)]
    if not found:
        raise UnknownNameError(
            f"preset of {experiment or 'any experiment'}", str(preset), {plan.preset for plan in own}
        )
    return found


def default_plans(plans: Sequence[Plan], experiment: str | None) -> list[Plan]:
    """The plan of one experiment, or of each, that is meant where no preset is named."""
    names = EXPERIMENTS if experiment is None else (experiment,)
    return [plan for name in names for plan in chosen(plans, name, OTHER_DEFAULTS.get(name, DEFAULT_PRESET))]


def changed(plan: Plan, *, seeds: int | None = None, precision: str | None = None) -> Plan:
    """The plan with another number of seeds or another precision where they are given."""
    values: dict[str, Any] = plan.settings.model_dump(exclude_none=True)
    if seeds is not None:
        values["seeds"] = seeds
    if precision is not None:
        values["recipe"]["precision"] = precision
    return plan._replace(settings=check_settings(ExperimentSettings, values, "the command line"))

"""A campaign: a directory that holds everything about one labelling effort and survives anything."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, final

import torch

from askwell.campaign.checks import check_images, check_network, recognise, same_recipe
from askwell.campaign.data import DATABASE, dataset_of, write_items
from askwell.campaign.loop import run_rounds
from askwell.campaign.pictures import pictures_from
from askwell.campaign.quarantine import hold_to_known, quarantine_rows
from askwell.campaign.settings import (
    ADAPTIVE,
    SETTINGS_FILE,
    CampaignSettings,
    check_settings,
    common_settings,
    made_with,
    read_campaign_settings,
    settings_as_toml,
)
from askwell.campaign.tables import curve_points, query_rows, write_tables
from askwell.campaign.workspace import Notify, Stage, Workspace
from askwell.errors import AskwellError, CampaignExistsError, CampaignStateError, SettingsError
from askwell.learning.precision import resolve_device, resolve_precision
from askwell.learning.recipe import Recipe
from askwell.models.weights import resolved_weights
from askwell.pool.folder_plan import PlannedItem
from askwell.pool.images import LabelledImages, Pool, as_labelled, as_pool
from askwell.pool.oracle import Oracle
from askwell.report.curves import CurvePoint
from askwell.report.evaluations import read_evaluations
from askwell.report.page import write_report
from askwell.report.pictures import requested_ids
from askwell.store.files import replace_file
from askwell.store.lock import exclusive
from askwell.store.places import check_place
from askwell.store.store import CampaignStore

REMAINS = (DATABASE, "models", "curve.csv")  # what a campaign leaves behind, should its settings be gone


@final
class Campaign:
    """One strategy on one pool. ``create`` begins a campaign, ``open`` takes one up again, ``run`` asks an oracle for the labels.

    Everything is in ``directory``: campaign.toml (settings), campaign.db (items, queries, label events, metrics), models/, curve.csv,
    queries.csv, report/. One process at a time may run it.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    @classmethod
    def create(
        cls,
        directory: str | Path,
        *,
        pool: object,
        test: object,
        groups: Sequence[str] | None = None,
        recipe: Recipe | None = None,
        strategy: str = "bald",
        initial: int = 20,
        query: int = 10,
        seed: int = 0,
        samples: int | Literal["adaptive"] = 100,
        candidates: int | None = None,
        validation: int = 0,
        initial_set: Literal["balanced", "random"] | Sequence[int] = "balanced",
        evaluation: Literal["mc_dropout", "point"] = "mc_dropout",
        memory_mb: int = 32,
    ) -> "Campaign":
        """Begin a campaign in a new or empty directory.

        pool      images to choose from: uint8 or float32 [N, height, width] or [N, channels, height, width], a map-style torch data
                  set, or a Pool
        test      labelled images to measure on: (images, labels), a map-style torch data set, or LabelledImages; its classes are the
                  campaign's classes
        groups    one name per image of the pool (its patient, burst or video): validation items are then drawn as whole groups
        The other arguments are those of LoopSettings, and the strategy is a name from ``askwell strategies``.

        Raises CampaignExistsError when the directory holds a campaign, SettingsError or UnknownNameError for a setting, ShapeError
        for images. Nothing is written before everything has been checked.
        """
        values = {
            "recipe": recipe or Recipe(),
            "strategy": strategy,
            "initial": initial,
            "query": query,
            "seed": seed,
            "samples": samples,
            "candidates": candidates,
            "validation": validation,
            "initial_set": initial_set,
            "evaluation": evaluation,
            "memory_mb": memory_mb,
        }
        return cls.create_from(Path(directory), values, as_pool(pool), as_labelled(test), groups)

    @classmethod
    def create_from(
        cls,
        directory: Path,
        values: Mapping[str, Any],
        pool: Pool,
        test: LabelledImages,
        groups: Sequence[str] | None = None,
        items: Sequence[PlannedItem] | None = None,
    ) -> "Campaign":
        """Begin a campaign from settings as a mapping: those of CampaignSettings but what the images and the machine say.

        items are the frozen ones of a folder, kept as items.csv so that the campaign can be opened without handing them over again.
        """
        for name in (SETTINGS_FILE, *REMAINS):
            if (directory / name).exists():
                raise CampaignExistsError(
                    f"expected a directory without a campaign, found {name} in {directory}; resume it, or choose another directory."
                )
        recipe = resolved(check_settings(Recipe, values.get("recipe", {}), "the recipe"))
        about = {
            "recipe": recipe,
            "classes": test.classes,
            "image_shape": pool.image_shape,
            "rough_precision": resolve_precision("auto", recipe.device) if values.get("samples") == ADAPTIVE else None,
            "made_with": made_with(torch.get_num_threads()),
        }
        settings = check_settings(CampaignSettings, {**values, **about}, "the campaign")
        check_images(settings, pool, test)
        if settings.validation + settings.initial > len(pool):
            raise SettingsError(
                f"expected initial and validation labels to fit in the pool of {len(pool)} images, "
                f"found {settings.initial} + {settings.validation}; ask for fewer."
            )
        if groups is not None and len(groups) != len(pool):
            raise SettingsError(f"expected one group for each of {len(pool)} images, found {len(groups)}.")
        check_network(settings)
        check_place(directory)
        directory.mkdir(parents=True, exist_ok=True)
        if items is not None:
            write_items(directory, tuple(items))
        text = settings_as_toml(settings)
        replace_file(directory / SETTINGS_FILE, lambda path: path.write_text(text, encoding="utf-8"))
        return cls(_workspace(directory, settings, pool, test, groups))

    @classmethod
    def open(
        cls,
        directory: str | Path,
        *,
        pool: object = None,
        test: object = None,
        groups: Sequence[str] | None = None,
        recipe: Recipe | None = None,
    ) -> "Campaign":
        """Take up the campaign in a directory. A named data set or a folder is loaded again; other images, and a recipe whose network is
        your own function, must be handed over again and be the same. A campaign of an older askwell is upgraded, after a backup.

        Raises CampaignStateError when there is no campaign, or the images or the recipe are others.
        """
        directory = Path(directory)
        settings = read_campaign_settings(directory)
        settings = settings.model_copy(update={"recipe": same_recipe(settings.recipe, recipe, directory)})
        resolve_device(settings.recipe.device)
        left = [name for name in REMAINS if (directory / name).exists()]
        if left and DATABASE not in left:
            raise CampaignStateError(
                f"expected {DATABASE} beside {', '.join(left)} in {directory}, found none; restore it from a backup."
            )
        if pool is None and test is None and (data := dataset_of(settings, directory)) is not None:
            pool, test, groups = data.pool, data.test, data.groups
        if pool is None or test is None:
            raise SettingsError(
                f"the campaign in {directory} was created with images of your own; pass pool= and test= again to open it."
            )
        images, measured = as_pool(pool), as_labelled(test)
        check_images(settings, images, measured)
        return cls(_workspace(directory, settings, images, measured, groups))

    @property
    def workspace(self) -> Workspace:
        """What the loop's steps work on; for looking into a campaign, not for changing it."""
        return self._workspace

    @property
    def directory(self) -> Path:
        """Where everything is."""
        return self._workspace.directory

    @property
    def settings(self) -> CampaignSettings:
        """The settings, as campaign.toml has them."""
        return self._workspace.settings

    def run(self, oracle: Oracle, rounds: int, *, notify: Notify | None = None) -> None:
        """Go on to round ``rounds`` (counted from 0, so rounds + 1 fits in all), asking the oracle; returns early when the pool is used up.

        May be stopped at any moment, by Ctrl-C or by the power going: call it again and it goes on, with the same result.

        Raises CampaignBusyError when another process runs this campaign, NonFiniteError for a network that yields NaN (the round is
        not recorded).
        """
        if rounds < 0:
            raise SettingsError(f"expected rounds >= 0, found {rounds}; 0 is the fit on the initial labels alone.")
        with exclusive(self.directory):
            run_rounds(self._workspace, oracle, rounds, notify or _silence)

    def curve(self) -> list[CurvePoint]:
        """One point per committed round: labels, accuracy, nll, ece, auc and seconds."""
        return curve_points(self._workspace)

    def report(self) -> Path:
        """Draw report/report.html and its figures from the committed rounds; returns the page's path."""
        write_tables(self._workspace)
        queries = query_rows(self._workspace)
        return write_report(
            self.curve(),
            queries,
            self.directory / "report",
            title=f"{self.settings.strategy}, seed {self.settings.seed}",
            settings=common_settings([self.directory]),
            evaluations=read_evaluations([self.directory]),
            set_aside=[quarantine_rows(self._workspace)],
            pictures=pictures_from(self._workspace.pool, requested_ids(queries)),
        )

    def close(self) -> None:
        """Close the database; the directory may then be copied, zipped or moved."""
        self._workspace.store.close()

    def __enter__(self) -> "Campaign":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def resolved(recipe: Recipe) -> Recipe:
    """The recipe with "auto" replaced by what this machine has, and a backbone's weights by their file and its sha256."""
    device = resolve_device(recipe.device)
    backbone = None if recipe.backbone is None else resolved_weights(recipe.backbone)
    precision = resolve_precision(recipe.precision, device)
    return recipe.model_copy(update={"device": device, "precision": precision, "backbone": backbone})


def _workspace(
    directory: Path, settings: CampaignSettings, pool: Pool, test: LabelledImages, groups: Sequence[str] | None
) -> Workspace:
    """Open the store; write the items if a crash, or this being the first time, left it without."""
    store = CampaignStore(directory / DATABASE)
    workspace = Workspace(directory, settings, pool, test, store)
    try:
        recognise(workspace, groups)
        hold_to_known(workspace)
    except AskwellError:
        store.close()
        raise
    return workspace


def _silence(_: Stage) -> None:
    """Nobody wants to know."""

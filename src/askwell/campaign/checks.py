"""What is checked before a campaign begins or goes on: that network, images and settings fit, and are those it was begun with."""

import hashlib
import json
import warnings
from collections.abc import Sequence
from pathlib import Path

import torch
from jaxtyping import Int
from torch import Tensor

from askwell.campaign.settings import SETTINGS_FILE, CampaignSettings, identity, same_identity
from askwell.campaign.strategies import strategy_named
from askwell.campaign.workspace import Workspace
from askwell.errors import CampaignStateError, SettingsError
from askwell.learning.features import views_of
from askwell.learning.randomness import seeded
from askwell.learning.recipe import Recipe
from askwell.learning.supervised import new_model, parameter_groups
from askwell.models.backbone import backbone_network, backbone_side, cached_shape, trunk_network
from askwell.models.backbone_settings import Backbone
from askwell.models.weights import resolved_weights
from askwell.pool.images import LabelledImages, Pool
from askwell.pool.reading import HashedPool
from askwell.pool.splits import grouped_split, uniform_split
from askwell.posterior.mc_dropout import MCDropout
from askwell.posterior.unsplit import FullPassesWarning

FINGERPRINTED_IMAGES = 16


def check_network(settings: CampaignSettings) -> None:
    """Build the recipe's network once, and raise what would only be found after the first fit: layers that weight decay names and the
    network lacks, weights of another network, or no dropout where the strategy or the evaluation samples it.
    """
    recipe, shape = settings.recipe, settings.image_shape
    with seeded(0, torch.device("cpu")):
        if recipe.frozen and recipe.backbone is not None:
            trunk_network(recipe.backbone, shape)
            shape = cached_shape(recipe.backbone, views_of(recipe))
        model = new_model(recipe, shape, len(settings.classes))
    parameter_groups(model, recipe.weight_decay, labelled=settings.initial)
    if "mc_dropout" in (settings.evaluation, strategy_named(settings.strategy).posterior):
        with warnings.catch_warnings():  # full passes are said when they are taken
            warnings.simplefilter("ignore", FullPassesWarning)
            MCDropout(model, samples=1)


def check_backbone(backbone: Backbone) -> None:
    """Find its weights, or download them, and raise what is raised where they are not there or are those of another network."""
    resolved, side = resolved_weights(backbone), backbone_side(backbone)
    with seeded(0, torch.device("cpu")):
        if backbone.head == "own":
            backbone_network(resolved, (3, side, side), classes=2)
        else:
            trunk_network(resolved, (3, side, side))


def check_images(settings: CampaignSettings, pool: Pool, test: LabelledImages) -> None:
    stored = [_stored_type(images) for images in (pool, test.images)]
    if test.images.image_shape != pool.image_shape or pool.image_shape != settings.image_shape:
        raise SettingsError(
            f"expected pool and test images of shape {settings.image_shape}, "
            f"found {pool.image_shape} and {test.images.image_shape}; resize them."
        )
    if (torch.uint8 in stored) and stored[0] != stored[1]:
        raise SettingsError(
            f"expected pool and test images of one type, found {stored[0]} and {stored[1]}; "
            "uint8 is scaled to 0..1 and floating images are used as they are, so convert one of them."
        )
    if test.classes != settings.classes:
        raise SettingsError(f"expected the classes {settings.classes}, in this order, found {test.classes}.")


def recognise(workspace: Workspace, groups: Sequence[str] | None) -> None:
    """Write the items of a campaign that has none yet; else raise CampaignStateError unless items, images and settings are the same."""
    directory, store, pool = workspace.directory, workspace.store, workspace.pool
    if store.item_count() == 0:
        generator = workspace.generator("validation")
        reserved = reserved_items(len(pool), workspace.settings.validation, groups, generator)
        store.add_items(pool.ids, reserved.tolist(), groups)
    if store.item_count() != len(pool):
        raise CampaignStateError(
            f"expected the {store.item_count()} items that the campaign in {directory} was created with, found {len(pool)}; "
            "open it with the same images."
        )
    if (difference := store.first_difference(pool.ids)) is not None:
        position, stored, found = difference
        raise CampaignStateError(
            f"expected item {stored!r} at position {position} of the pool of {directory}, found {found!r}; "
            "open it with the same images in the same order."
        )
    images, settings = fingerprint(pool, workspace.test), identity(workspace.settings)
    if store.remember("images", images) != images:
        raise CampaignStateError(
            f"expected the images and test labels that the campaign in {directory} was begun with, found others; open it with the same."
        )
    if not same_identity(store.remember("settings", settings), settings):
        raise CampaignStateError(
            f"expected the settings that the campaign in {directory} was begun with, found another {SETTINGS_FILE}; put it back as it was."
        )


def reserved_items(
    count: int, validation: int, groups: Sequence[str] | None, generator: torch.Generator
) -> Int[Tensor, " k"]:
    """Positions of the pool's validation items: as many as asked for, or whole groups of at least as many together."""
    if groups is None:
        return uniform_split(count, validation, generator=generator)
    return grouped_split(groups, validation, generator=generator)


def fingerprint(pool: Pool, test: LabelledImages) -> str:
    """A hash of the sizes, of all test labels, and of a few images of pool and test: enough to tell one data set from another.

    Of images in files their names are taken: content is compared one by one as it is read.
    """
    digest = hashlib.sha256(f"{len(pool)} {len(test)} {test.classes}".encode())
    digest.update(test.labels.numpy().tobytes())
    for images in (pool, test.images):
        if isinstance(images, HashedPool):
            digest.update(json.dumps(list(images.ids)).encode())
            continue
        few = torch.linspace(0, len(images) - 1, FINGERPRINTED_IMAGES).long()
        digest.update(images.images(few).contiguous().cpu().float().numpy().tobytes())
    return digest.hexdigest()


def _stored_type(images: Pool) -> torch.dtype:
    if isinstance(images, HashedPool):
        return torch.uint8  # and the first file may be unreadable
    return images.images(torch.zeros(1, dtype=torch.int64)).dtype


def same_recipe(stored: Recipe, given: Recipe | None, directory: Path) -> Recipe:
    """The stored recipe, with the given one's function put back where only its name could be written down."""
    if given is None:
        if ":" in str(stored.model):
            raise SettingsError(
                f"the campaign in {directory} trains your own network {stored.model}; pass recipe=Recipe(model=...) to open it."
            )
        return stored
    same = given.model_copy(update={"device": stored.device, "precision": stored.precision})
    if given.backbone is not None and stored.backbone is not None and given.backbone.agrees_with(stored.backbone):
        same = same.model_copy(update={"backbone": stored.backbone})
    if same.model_dump(mode="json") != stored.model_dump(mode="json"):
        raise CampaignStateError(
            f"expected the recipe that the campaign in {directory} was created with, found another; see its {SETTINGS_FILE}."
        )
    return same

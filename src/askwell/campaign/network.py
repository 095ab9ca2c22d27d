"""Which network a labelling campaign learns with: a frozen pre-trained trunk where its weights are at hand, else one from scratch."""

import json
from pathlib import Path
from typing import NamedTuple

from askwell.campaign.campaign import resolved
from askwell.campaign.labelling import LabellingSettings
from askwell.errors import AskwellError
from askwell.learning.recipe import Recipe
from askwell.models.backbone_settings import PRETRAINED
from askwell.models.networks import is_timm, published_weights, size_in_megabytes
from askwell.models.weights import weights_at_hand, weights_directories
from askwell.store.labelling import LabellingStore

WEIGHTS_QUESTION = "weights"
FROM_SCRATCH = (
    "Learning begins from scratch, without a pre-trained network; with few answers it may choose no better than chance."
)
HIDDEN, DROPPED, STEPS = (256,), 0.5, 200


class Network(NamedTuple):
    """The recipe, resolved, and what the page should say of it; unreachable: its weights were to be fetched and could not be."""

    recipe: Recipe
    message: str
    unreachable: bool = False


def network_for(settings: LabellingSettings, store: LabellingStore, *, fetch: bool = True) -> Network:
    """The network as things are: weights that are not at hand are asked for once, on the page, and fetched after a yes.

    Without ``fetch`` they are only looked for on this machine, as after an attempt that failed.
    """
    status = store.status()
    replied = status.get(f"reply {WEIGHTS_QUESTION}")
    at_hand = settings.weights != PRETRAINED or weights_at_hand(settings.backbone) is not None
    where = f"Put {settings.backbone}.safetensors or .pth into {weights_directories()[0]}, and it is used from then on."
    if at_hand or (replied == "yes" and fetch):
        if status.get("question"):
            store.tell({"question": ""})  # it has come some other way
        if not at_hand:
            store.tell({"doing": "downloading", "left_s": "", "progress": ""})
        try:
            return Network(on_a_trunk(settings), "")
        except AskwellError as error:
            return Network(from_scratch(), f"{FROM_SCRATCH} ({error})", unreachable=not at_hand)
    if replied is None and not status.get("question"):
        store.tell({"question": json.dumps(_question(settings.backbone))})
    return Network(from_scratch(), f"{FROM_SCRATCH} {where}")


def on_a_trunk(settings: LabellingSettings) -> Recipe:
    """A Bayesian head on the frozen trunk; WeightsNotFoundError where its weights are not at hand."""
    weights = (
        settings.weights if settings.weights == PRETRAINED else str(Path(settings.weights).expanduser().absolute())
    )
    backbone = {
        **{"name": settings.backbone, "weights": weights, "fit": "frozen"},
        **{"hidden": HIDDEN, "dropout": DROPPED, "input_dropout": DROPPED},
    }
    return resolved(Recipe.model_validate({"backbone": backbone, "steps": STEPS}))


def from_scratch() -> Recipe:
    """The paper's network on small images."""
    return resolved(Recipe(model="bcnn", steps=STEPS))


def _question(backbone: str) -> dict[str, str]:
    size = size_in_megabytes(backbone) if is_timm(backbone) else published_weights(backbone).megabytes
    return {
        "id": WEIGHTS_QUESTION,
        "sentence": f"May askwell fetch the published weights of {backbone} (about {size:.0f} MB, checked by their checksum)? "
        "With them it learns from far fewer answers; your images stay here.",
        "yes": "Fetch them",
        "no": "Go on without",
    }

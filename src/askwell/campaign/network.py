"""Which network a labelling campaign learns with: a frozen pre-trained trunk where its weights are at hand, else one from scratch."""

import json
from pathlib import Path
from typing import NamedTuple

from askwell.campaign.campaign import resolved
from askwell.campaign.labelling import LabellingSettings
from askwell.errors import AskwellError
from askwell.learning.recipe import Recipe
from askwell.models.backbone_settings import PRETRAINED
from askwell.models.weights import DIRECTORY, weights_at_hand
from askwell.store.labelling import LabellingStore

WEIGHTS_QUESTION = "weights"
FROM_SCRATCH = (
    "Learning begins from scratch, without a pre-trained network; with few answers it may choose no better than chance."
)
HIDDEN, DROPPED, STEPS = (256,), 0.5, 200


class Network(NamedTuple):
    """The recipe, resolved, and what the page should say of it."""

    recipe: Recipe
    message: str


def network_for(settings: LabellingSettings, store: LabellingStore) -> Network:
    """The network as things are: weights that are not at hand are asked for once, on the page, and fetched after a yes."""
    replied = store.status().get(f"reply {WEIGHTS_QUESTION}")
    if settings.weights != PRETRAINED or weights_at_hand(settings.backbone) is not None or replied == "yes":
        try:
            return Network(on_a_trunk(settings), "")
        except AskwellError as error:
            return Network(from_scratch(), f"{FROM_SCRATCH} ({error})")
    if replied is None and "question" not in store.status():
        store.tell({"question": json.dumps(_question(settings.backbone))})
    where = f"Put {settings.backbone}.safetensors into a directory and name that as {DIRECTORY} to use it."
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
    return {
        "id": WEIGHTS_QUESTION,
        "sentence": f"May askwell fetch the published weights of {backbone} (about 5 MB, checked by their checksum)? "
        "With them it learns from far fewer answers; your images stay here.",
        "yes": "Fetch them",
        "no": "Go on without",
    }

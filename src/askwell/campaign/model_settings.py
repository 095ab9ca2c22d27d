"""What a model by itself can be told: model.toml. Imports no torch."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from askwell.learning.recipe import Recipe

Sha256 = str


class ModelSettings(BaseModel):
    """model.toml. own_images: it was trained on arrays that somebody handed over, whose scale askwell does not know.

    outputs is the class of each of the network's outputs, where classes were merged since; by themselves unless given.
    trunk_content is the hash of the frozen trunk's weights, whatever file they are in; mask_seed is the dropout masks', so that every
    machine predicts by the same posterior samples.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal[1] = 1
    askwell: str
    classes: tuple[str, ...] = Field(min_length=2)
    image_shape: tuple[int, int, int]
    fit: Literal["squash", "crop", "pad"] = "squash"
    own_images: bool = False
    outputs: tuple[int, ...] = ()
    evaluation: Literal["mc_dropout", "point"]
    samples: int = Field(ge=1)
    mask_seed: int
    labels: int = Field(ge=0)
    round: int = Field(ge=0)
    weights_sha256: Sha256
    standardisation_sha256: Sha256 | None = None
    trunk_content: Sha256 | None = None
    recipe: Recipe

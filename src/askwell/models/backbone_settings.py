"""What a pre-trained network, taken as the beginning of ours, can be told. Imports no torch."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

PRETRAINED, RANDOM = "pretrained", "none"  # what weights can be besides a file
Probability = Annotated[float, Field(ge=0, lt=1)]


class Backbone(BaseModel):
    """A network that others trained on ImageNet, as the beginning of ours: the table ``[recipe.backbone]``.

    name           a network of torchvision ("squeezenet1_1", "vgg16"), or of timm where it is installed ("timm:resnet18")
    weights        "pretrained": the published ones, from $ASKWELL_WEIGHTS, the user's cache or the network; "none": random ones; or a
                   file, .safetensors or .pth (read by torch's weights-only load)
    sha256         of the weights' file: written down when a campaign begins and held to; give it to insist on one file
    head           "bayesian": pooled features and hidden layers with dropout behind them; "own": the network's own last layers, the
                   last of them new (for VGG16 that is the paper's model)
    pooling        what is kept of each channel of the last feature map: "mean", "max", "mean_max" or, of all its pixels, "flatten"
    hidden         widths of the Bayesian head's hidden layers; none makes it a regression on the features
    dropout        probability to drop a hidden unit; with an own head, of each dropout layer that the network was published with
    input_dropout  probability to drop a pooled feature
    fit            what is trained: the "whole" network, its "last_blocks" and the head, or the head alone on a "frozen" trunk, whose
                   features are computed once and kept in a file
    blocks         how many blocks with "last_blocks"
    views          "one": a frozen trunk sees each image as it is; "mean": the mean features of its four mirror images
    standardise    a frozen trunk's features have mean 0 and standard deviation 1 over the pool
    side           of the images in pixels, as the network sees them; the one it was published for unless given
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1)
    weights: str = Field(default=PRETRAINED, min_length=1)
    sha256: str | None = Field(default=None, pattern="^[0-9a-f]{64}$")
    head: Literal["bayesian", "own"] = "bayesian"
    pooling: Literal["mean", "max", "mean_max", "flatten"] = "mean_max"
    hidden: tuple[Annotated[int, Field(ge=1)], ...] = (256,)
    dropout: Probability = 0.5
    input_dropout: Probability = 0.0
    fit: Literal["whole", "last_blocks", "frozen"] = "whole"
    blocks: int = Field(default=2, ge=1)
    views: Literal["one", "mean"] = "one"
    standardise: bool = True
    side: int | None = Field(default=None, ge=8, le=1024)

    @model_validator(mode="after")
    def _fits_together(self) -> "Backbone":
        if self.head == "own" and self.fit == "frozen":
            raise ValueError(
                'a frozen trunk needs the Bayesian head; for VGG16\'s own layers on it say pooling = "flatten", hidden = [4096, 4096]'
            )
        if self.views == "mean" and self.fit != "frozen":
            raise ValueError('views = "mean" is for a frozen trunk')
        if self.weights == RANDOM and self.sha256 is not None:
            raise ValueError('weights = "none" have no sha256')
        return self

    @property
    def frozen(self) -> bool:
        """Whether the network that is trained reads features, not images."""
        return self.fit == "frozen"

    def agrees_with(self, begun: "Backbone") -> bool:
        """Whether these settings are those of a campaign that has begun, which knows its file: the place may differ, not the content."""
        mine, theirs = (each.model_dump(exclude={"weights", "sha256"}) for each in (self, begun))
        same_kind = (self.weights == RANDOM) == (begun.weights == RANDOM)
        return mine == theirs and same_kind and self.sha256 in (None, begun.sha256)

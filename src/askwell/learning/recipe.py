"""A recipe: the network and everything about its training, as data. Importing this imports no torch."""

from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, model_validator

from askwell.errors import UnknownNameError
from askwell.models.backbone_settings import Backbone
from askwell.models.catalogue import BACKBONE, MODELS

DEFAULT_STEPS = 400


class WeightDecay(BaseModel):
    """An L2 penalty lambda * sum W^2 added to the mean cross-entropy, on the parameters whose names match ``layers``.

    form      lambda at N labelled images (N before augmentation)
    constant  value
    per_n     value / N                       (c / N, the paper's code; Keras's l2(lambda))
    length_scale  (1 - dropout) value / N     ((1 - p) l^2 / N, the paper's section 5.5; the thesis has a further 1/2)

    With ``tune`` not empty, ``value`` is chosen from it by the loss on the validation images, at every ``tune_every``-th round.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    form: Literal["constant", "per_n", "length_scale"] = "per_n"
    value: float = Field(default=0.0, ge=0)
    dropout: float = Field(default=0.5, ge=0, lt=1)
    layers: tuple[str, ...] = ("*.weight",)
    tune: tuple[Annotated[float, Field(ge=0)], ...] = ()
    tune_every: int = Field(default=1, ge=1)

    def strength(self, labelled: int) -> float:
        """lambda, the factor of sum W^2, for that many labelled images."""
        match self.form:
            case "constant":
                return self.value
            case "per_n":
                return self.value / labelled
            case "length_scale":
                return (1 - self.dropout) * self.value / labelled


def _model_name(model: str | Callable[..., Any]) -> str:
    """A function is written down as "module:name", so that a campaign can say what it was trained with."""
    return model if isinstance(model, str) else f"{model.__module__}:{model.__qualname__}"


def _as_table(backbone: object) -> object:
    return {"name": backbone} if isinstance(backbone, str) else backbone


def _known_model(model: str | Callable[..., Any]) -> str | Callable[..., Any]:
    if isinstance(model, str) and ":" not in model and model not in MODELS:
        raise UnknownNameError("model", model, MODELS)
    return model


class Recipe(BaseModel):
    """Network and training settings; the same recipe, labels and seed give the same weights.

    model          a name from ``askwell models``, or a function (image_shape, classes) -> nn.Module returning logits
    backbone       a pre-trained network to begin with, by name or as a table (see Backbone); it takes the place of ``model``
    optimizer      "adam" or "sgd" (with momentum); L2 is coupled, as in the paper, not decoupled as in AdamW
    loss           "cross_entropy", or "mse": the mean squared error of the probabilities
    class_weights  "none"; "balanced": as if there were as many images of each class; or a number for each class, in their order
    schedule       "constant", or "one_cycle" (Smith 2018: up to learning_rate and down to nothing)
    steps, epochs  how long to train: give exactly one. A step is a batch of exactly batch_size images, drawn through reshuffled
                   epochs; an epoch's last batch may be smaller
    augmentation   "none"; "affine_elastic" (rotation, scale, shear, shift and elastic distortion, anew for every batch); "flips" (one of
                   the four mirror images, drawn anew); "positive_flips" (every image of the second of two classes is there four times,
                   as its mirror images)
    precision      "fp32", "bf16" (autocast), "tf32" (fp32 with products of 10 bits of mantissa, on a GPU only), or "auto": bf16 where
                   the processor multiplies it natively; resolved once and recorded
    device         "auto" (a GPU if there is one), "cpu", "cuda", ...; resolved once and recorded
    warm_start     begin each round from the last round's weights instead of fresh ones (the paper's section 6); the optimiser's
                   state is always fresh
    captured       true: on a GPU, record one training step as a CUDA graph and replay it, for small batches, whose kernels take less
                   time than their launches; the same result on the CPU, where it does nothing
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: Annotated[str | Callable[..., Any], AfterValidator(_known_model), PlainSerializer(_model_name)] = "bcnn"
    backbone: Annotated[Backbone | None, BeforeValidator(_as_table)] = None
    optimizer: Literal["adam", "sgd"] = "adam"
    learning_rate: float = Field(default=1e-3, gt=0)
    momentum: float = Field(default=0.9, ge=0, lt=1)
    loss: Literal["cross_entropy", "mse"] = "cross_entropy"
    class_weights: Literal["none", "balanced"] | tuple[Annotated[float, Field(ge=0)], ...] = "none"
    schedule: Literal["constant", "one_cycle"] = "one_cycle"
    steps: int | None = Field(default=None, ge=1)
    epochs: int | None = Field(default=None, ge=1)
    batch_size: int = Field(default=64, ge=1)
    weight_decay: WeightDecay = WeightDecay()
    augmentation: Literal["none", "affine_elastic", "flips", "positive_flips"] = "none"
    precision: Literal["auto", "fp32", "bf16", "tf32"] = "fp32"
    device: str = "auto"
    warm_start: bool = False
    captured: bool | None = None  # None says nothing, so that an older campaign's recipe is still itself

    @model_validator(mode="before")
    @classmethod
    def _model_of_a_backbone(cls, data: Any) -> Any:
        if isinstance(data, dict) and data.get("backbone") is not None and "model" not in data:
            return {**data, "model": BACKBONE}
        return data

    @model_validator(mode="after")
    def _either_model_or_backbone(self) -> "Recipe":
        if self.backbone is None and self.model == BACKBONE:
            raise ValueError('expected the backbone\'s name, found none; say backbone = "squeezenet1_1", for example')
        if self.backbone is not None and self.model != BACKBONE:
            raise ValueError(f"expected a model or a backbone, found both ({self.model} and {self.backbone.name})")
        if self.frozen and self.augmentation == "affine_elastic":
            raise ValueError(
                "a frozen trunk's features can be those of mirror images only; say flips, positive_flips or none"
            )
        return self

    @property
    def frozen(self) -> bool:
        """Whether the network that is trained reads the features of a frozen trunk, and not images."""
        return self.backbone is not None and self.backbone.frozen

    @model_validator(mode="before")
    @classmethod
    def _default_length(cls, data: Any) -> Any:
        if isinstance(data, dict) and data.get("steps") is None and data.get("epochs") is None:
            return {**data, "steps": DEFAULT_STEPS}
        return data

    @model_validator(mode="after")
    def _one_length(self) -> "Recipe":
        if self.steps is not None and self.epochs is not None:
            raise ValueError(f"expected steps or epochs, found both ({self.steps} and {self.epochs}); give one of them")
        return self

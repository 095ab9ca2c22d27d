"""The supervised learner: cross-entropy on the labelled images, fresh optimiser state every time."""

import fnmatch
from collections.abc import Callable, Iterator, Mapping

import torch
from jaxtyping import Int
from torch import Tensor, nn

from askwell.errors import NonFiniteError, SettingsError, ShapeError
from askwell.learning.augmentation import AUGMENTATIONS, FEATURE_AUGMENTATIONS, FLIPS, with_flipped_positives
from askwell.learning.fast_dropout import fast_dropout
from askwell.learning.loss import loss_of
from askwell.learning.randomness import seeded
from askwell.learning.recipe import Recipe, WeightDecay
from askwell.models.backbone import backbone_network
from askwell.models.catalogue import model_function
from askwell.pool.images import as_float

Progress = Callable[[int, int], None]  # steps done, steps in all
State = Mapping[str, Tensor]  # a network's state dict


def new_model(recipe: Recipe, image_shape: tuple[int, int, int], classes: int) -> nn.Module:
    """The recipe's network with fresh weights from torch's global generator; seed it with ``seeded`` around the call.

    With a backbone it begins from the backbone's weights, and only what its settings let be trained requires a gradient.
    """
    if recipe.backbone is not None:
        return backbone_network(recipe.backbone, image_shape, classes)
    function = recipe.model if callable(recipe.model) else model_function(recipe.model)
    model = function(image_shape, classes)
    if not isinstance(model, nn.Module):
        raise SettingsError(
            f"expected the recipe's model to be a function (image_shape, classes) -> nn.Module, "
            f"found one that returns {type(model).__name__}."
        )
    return model


def fit(
    recipe: Recipe,
    images: Tensor,
    labels: Int[Tensor, " N"],
    *,
    classes: int,
    seed: int,
    start: State | None = None,
    progress: Progress | None = None,
) -> nn.Module:
    """Train the recipe's network on images [N, channels, height, width] and labels [N] in 0..classes-1; returns it in eval mode.

    images are uint8 (scaled to 0..1) or float32 (used as they are). Weights are fresh, or ``start`` (a state dict) for a warm start;
    the optimiser always starts fresh. With a frozen trunk the images are its features. The recipe's device and precision must be resolved
    ("auto" is refused by torch).

    Raises ShapeError when images and labels do not match, NonFiniteError when the loss stops being finite.
    """
    if len(images) != len(labels) or len(labels) == 0:
        raise ShapeError(f"expected as many labels as images and at least 1, found {len(labels)} and {len(images)}.")
    device = torch.device(recipe.device)
    with seeded(seed, device):
        model = new_model(recipe, (images.shape[1], images.shape[2], images.shape[3]), classes)
        if start is not None:
            model.load_state_dict(start)
        model = model.to(device).to(memory_format=torch.channels_last).train()  # convolutions are faster so
        with fast_dropout(model):
            _train(model, recipe, images.to(device), labels.to(device), seed=seed, progress=progress)
    return model.to(memory_format=torch.contiguous_format).eval()


def _train(
    model: nn.Module, recipe: Recipe, images: Tensor, labels: Tensor, *, seed: int, progress: Progress | None
) -> None:
    generator = torch.Generator(images.device).manual_seed(seed)
    optimizer = _optimizer(model, recipe, len(labels))  # N of the weight decay: however often each image is there
    if recipe.augmentation == "positive_flips":
        images, labels = with_flipped_positives(images, labels, cached=recipe.frozen)
    steps = step_count(recipe, len(labels))
    scheduler = None
    if recipe.schedule == "one_cycle" and steps > 1:  # a cycle of one step would be its last, of length nothing
        scheduler = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, recipe.learning_rate, total_steps=steps, cycle_momentum=False
        )
    augment = (FEATURE_AUGMENTATIONS if recipe.frozen else AUGMENTATIONS)[recipe.augmentation]
    loss_function = loss_of(recipe, labels)
    finite = torch.ones((), dtype=torch.bool, device=images.device)
    for step, index in enumerate(_batches(recipe, len(labels), generator), start=1):
        batch = augment(as_float(images[index]), generator=generator).contiguous(memory_format=torch.channels_last)
        with torch.autocast(images.device.type, torch.bfloat16, enabled=recipe.precision == "bf16"):
            logits = model(batch)
        loss = loss_function(logits.float(), labels[index])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        if scheduler is not None:
            scheduler.step()
        finite &= loss.detach().isfinite()
        if progress is not None:
            progress(step, steps)
    optimizer.zero_grad(set_to_none=True)
    if not bool(finite):
        raise NonFiniteError(
            f"training on {len(labels)} images diverged: the loss became NaN or infinite; "
            f"lower the recipe's learning_rate (now {recipe.learning_rate}) or check the images for extreme values."
        )


def step_count(recipe: Recipe, labelled: int) -> int:
    """How many gradient steps the recipe takes on that many labelled images."""
    if recipe.steps is not None:
        return recipe.steps
    assert recipe.epochs is not None, "a Recipe has steps or epochs"
    return recipe.epochs * -(-labelled // recipe.batch_size)


def images_trained_on(recipe: Recipe, labels: Int[Tensor, " N"]) -> int:
    """How many images an epoch has: those with a label, and the mirror images that the recipe adds."""
    copies = (FLIPS - 1) * int((labels == 1).sum()) if recipe.augmentation == "positive_flips" else 0
    return len(labels) + copies


def _batches(recipe: Recipe, labelled: int, generator: torch.Generator) -> Iterator[Tensor]:
    """Index batches: whole epochs with a smaller last batch, or ``steps`` full batches cut from a stream of reshuffled epochs."""
    if recipe.epochs is not None:
        for _ in range(recipe.epochs):
            yield from torch.randperm(labelled, generator=generator, device=generator.device).split(recipe.batch_size)
        return
    stream = torch.empty(0, dtype=torch.int64, device=generator.device)
    for _ in range(step_count(recipe, labelled)):
        while len(stream) < recipe.batch_size:
            stream = torch.cat([stream, torch.randperm(labelled, generator=generator, device=generator.device)])
        yield stream[: recipe.batch_size]
        stream = stream[recipe.batch_size :]


def _optimizer(model: nn.Module, recipe: Recipe, labelled: int) -> torch.optim.Optimizer:
    groups = parameter_groups(model, recipe.weight_decay, labelled)
    match recipe.optimizer:
        case "adam":
            return torch.optim.Adam(groups, lr=recipe.learning_rate, fused=True)
        case "sgd":
            return torch.optim.SGD(groups, lr=recipe.learning_rate, momentum=recipe.momentum, fused=True)


def parameter_groups(model: nn.Module, decay: WeightDecay, labelled: int) -> list[dict[str, object]]:
    """The penalty lambda sum W^2 has gradient 2 lambda W, which is torch's coupled weight_decay of 2 lambda."""
    decayed, plain = [], []
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        matches = any(fnmatch.fnmatchcase(name, pattern) for pattern in decay.layers)
        (decayed if matches else plain).append(parameter)
    if (decay.value > 0 or decay.tune) and not decayed:
        names = ", ".join(name for name, _ in model.named_parameters())
        raise SettingsError(
            f"expected weight_decay.layers to match a parameter, found {list(decay.layers)}; the network has {names}."
        )
    groups = [{"params": decayed, "weight_decay": 2 * decay.strength(labelled)}, {"params": plain, "weight_decay": 0.0}]
    return [group for group in groups if group["params"]]

"""The supervised learner: cross-entropy on the labelled images, fresh optimiser state every time."""

import fnmatch
from collections.abc import Callable, Iterator, Mapping

import torch
from jaxtyping import Int
from torch import Tensor, nn

from askwell.arithmetic import products
from askwell.errors import NonFiniteError, SettingsError, ShapeError
from askwell.freed_memory import keep_freed_memory
from askwell.learning.augmentation import AUGMENTATIONS, FEATURE_AUGMENTATIONS, FLIPS, with_flipped_positives
from askwell.learning.captured import captured
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
    keep_freed_memory()
    device = torch.device(recipe.device)
    with seeded(seed, device), products(recipe.precision, device):
        model = beginning(recipe, images, labels, classes=classes, start=start)
        with fast_dropout(model):
            _train(model, recipe, images.to(device), labels.to(device), seed=seed, progress=progress)
    return model.to(memory_format=torch.contiguous_format).eval()


def beginning(recipe: Recipe, images: Tensor, labels: Tensor, *, classes: int, start: State | None) -> nn.Module:
    """The network as training finds it, on the recipe's device: fresh from torch's global generator, or ``start``.

    Raises ShapeError when images and labels do not match.
    """
    if len(images) != len(labels) or len(labels) == 0:
        raise ShapeError(f"expected as many labels as images and at least 1, found {len(labels)} and {len(images)}.")
    model = new_model(recipe, (images.shape[1], images.shape[2], images.shape[3]), classes)
    if start is not None:
        model.load_state_dict(start)
    return model.to(recipe.device).to(memory_format=torch.channels_last).train()  # convolutions are faster so


def _train(
    model: nn.Module, recipe: Recipe, images: Tensor, labels: Tensor, *, seed: int, progress: Progress | None
) -> None:
    device, labelled = images.device, len(labels)  # N of the weight decay: however often each image is there
    generator = torch.Generator(device).manual_seed(seed)
    if recipe.augmentation == "positive_flips":
        images, labels = with_flipped_positives(images, labels, cached=recipe.frozen)
    steps = step_count(recipe, len(labels))
    optimizer = optimizer_of(parameter_groups(model, recipe.weight_decay, labelled), recipe, device)
    scheduler = schedule_of(optimizer, recipe, steps)
    augment = (FEATURE_AUGMENTATIONS if recipe.frozen else AUGMENTATIONS)[recipe.augmentation]
    loss_function = loss_of(recipe, labels)
    finite = torch.ones((), dtype=torch.bool, device=device)

    def step(batch: Tensor, batch_labels: Tensor) -> None:
        with torch.autocast(device.type, torch.bfloat16, enabled=recipe.precision == "bf16"):
            logits = model(batch)
        loss = loss_function(logits.float(), batch_labels)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        finite.logical_and_(loss.detach().isfinite())

    take = captured(step, optimizer, device) if recipe.captured else step
    for done, index in enumerate(batch_indices(recipe, len(labels), generator), start=1):
        batch = augment(as_float(images[index]), generator=generator).contiguous(memory_format=torch.channels_last)
        take(batch, labels[index])
        if scheduler is not None:
            scheduler.step()
        if progress is not None:
            progress(done, steps)
    optimizer.zero_grad(set_to_none=True)
    if not bool(finite):
        raise diverged(recipe, labelled)


def diverged(recipe: Recipe, labelled: int) -> NonFiniteError:
    """What to raise for a network whose loss was not finite at every step."""
    return NonFiniteError(
        f"training on {labelled} images diverged: the loss became NaN or infinite; "
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


def batch_indices(recipe: Recipe, labelled: int, generator: torch.Generator) -> Iterator[Tensor]:
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


Groups = list[dict[str, object]]


def optimizer_of(groups: Groups, recipe: Recipe, device: torch.device) -> torch.optim.Optimizer:
    """The recipe's optimiser of parameter groups, fused. For captured steps the learning rate is a tensor, of the type its kernel reads."""
    rate: float | Tensor = recipe.learning_rate
    if recipe.captured:
        rate = torch.tensor(rate, dtype=torch.float64 if device.type == "cpu" else torch.float32, device=device)
    match recipe.optimizer:
        case "adam":
            return torch.optim.Adam(groups, lr=rate, fused=True)
        case "sgd":
            return torch.optim.SGD(groups, lr=rate, momentum=recipe.momentum, fused=True)


def schedule_of(
    optimizer: torch.optim.Optimizer, recipe: Recipe, steps: int
) -> torch.optim.lr_scheduler.LRScheduler | None:
    """What changes the learning rate after each step; None where it is constant."""
    if recipe.schedule == "constant" or steps == 1:  # a cycle of one step would be its last, of length nothing
        return None
    return torch.optim.lr_scheduler.OneCycleLR(optimizer, recipe.learning_rate, total_steps=steps, cycle_momentum=False)


def parameter_groups(model: nn.Module, decay: WeightDecay, labelled: int) -> Groups:
    """The penalty lambda sum W^2 has gradient 2 lambda W, which is torch's coupled weight_decay of 2 lambda."""
    names, trained = decayed_names(model, decay), [pair for pair in model.named_parameters() if pair[1].requires_grad]
    decayed = [parameter for name, parameter in trained if name in names]
    plain = [parameter for name, parameter in trained if name not in names]
    groups = [{"params": decayed, "weight_decay": 2 * decay.strength(labelled)}, {"params": plain, "weight_decay": 0.0}]
    return [group for group in groups if group["params"]]


def decayed_names(model: nn.Module, decay: WeightDecay) -> set[str]:
    """Which parameters the penalty is on. Raises SettingsError when there is one and the network has none of its layers."""
    names = [name for name, parameter in model.named_parameters() if parameter.requires_grad]
    decayed = {name for name in names if any(fnmatch.fnmatchcase(name, pattern) for pattern in decay.layers)}
    if (decay.value > 0 or decay.tune) and not decayed:
        raise SettingsError(
            f"expected weight_decay.layers to match a parameter, found {list(decay.layers)}; "
            f"the network has {', '.join(names)}."
        )
    return decayed

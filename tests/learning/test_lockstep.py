"""Lock-step training is separate training, of many at once: each network against its own ``fit``."""

from collections.abc import Iterator, Sequence

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from askwell.errors import NonFiniteError, SettingsError, ShapeError
from askwell.learning import lockstep
from askwell.learning.lockstep import FitRequest, fit_together
from askwell.learning.recipe import Recipe
from askwell.learning.supervised import fit
from askwell.models.bcnn import bcnn_full

LABELLED, CLASSES, SIDE = 22, 3, 10
GENERATOR = torch.Generator().manual_seed(1)
BASE = {"device": "cpu", "steps": 8, "batch_size": 8, "learning_rate": 2e-3}
TOLERANCE = (
    1e-4  # of weights up to .2; Adam moves a weight by .002 a step however small its gradient, rounding included
)


def request(seed: int, recipe: Recipe, **own: object) -> FitRequest:
    """Images and labels of its own for each seed."""
    generator = torch.Generator().manual_seed(seed)
    images = torch.randint(0, 256, (LABELLED, 1, SIDE, SIDE), dtype=torch.uint8, generator=generator)
    labels = torch.randint(0, CLASSES, (LABELLED,), generator=generator)
    return FitRequest(**{"recipe": recipe, "images": images, "labels": labels, "classes": CLASSES, "seed": seed, **own})


def alone(wanted: FitRequest) -> nn.Module:
    recipe, images, labels, classes, seed, start, _ = wanted
    return fit(recipe, images, labels, classes=classes, seed=seed, start=start)


def difference(first: nn.Module, second: nn.Module) -> float:
    pairs = zip(first.parameters(), second.parameters(), strict=True)
    return max(float((mine - theirs).detach().abs().max()) for mine, theirs in pairs)


def network(found: object) -> nn.Module:
    assert isinstance(found, nn.Module)
    return found


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Networks this small wait for a second thread longer than they compute."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def never_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fitting one after another is an error, so that a test does not compare ``fit`` with itself."""

    def refuse(_: FitRequest) -> None:
        raise AssertionError("fitted alone")

    monkeypatch.setattr(lockstep, "_fit_alone", refuse)


SETTINGS = {
    "bcnn": {},
    "bcnn_full": {"model": "bcnn_full"},
    "constant": {"schedule": "constant"},
    "sgd": {"optimizer": "sgd", "learning_rate": 2e-2},
    "sgd without momentum": {"optimizer": "sgd", "momentum": 0.0, "schedule": "constant"},
    "augmentation": {"augmentation": "affine_elastic"},
    "epochs": {"steps": None, "epochs": 4},
    "captured": {"captured": True, "steps": None, "epochs": 4},
    "one step": {"steps": 1},
}


@pytest.mark.usefixtures("never_alone")
@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS.keys())
def test_each_network_is_its_own_fit(settings: dict[str, object]):
    recipe = Recipe.model_validate({**BASE, **settings})
    wanted = [request(seed, recipe) for seed in (3, 5, 8)]
    before = torch.get_rng_state()
    found = [network(each) for each in fit_together(wanted)]
    assert torch.equal(torch.get_rng_state(), before)
    for mine, asked in zip(found, wanted, strict=True):
        theirs = alone(asked)
        assert difference(mine, theirs) < TOLERANCE
        assert not mine.training
        assert [type(module) for module in mine.modules()] == [type(module) for module in theirs.modules()]
        assert [each.stride() for each in mine.parameters()] == [each.stride() for each in theirs.parameters()]
    assert difference(found[0], found[1]) > 1000 * TOLERANCE, "the networks are not one"


class Exact(nn.Module):
    """A network that computes in float64."""

    def __init__(self, inner: nn.Module):
        super().__init__()
        self.inner = inner.double()

    def forward(self, images: Tensor) -> Tensor:
        return self.inner(images.double())


@pytest.mark.usefixtures("never_alone")
@pytest.mark.parametrize(
    "settings",
    [
        {"optimizer": "adam", "weight_decay": {"value": 2.0}},
        {"optimizer": "sgd", "learning_rate": 2e-2, "schedule": "constant", "augmentation": "affine_elastic"},
    ],
    ids=["adam", "sgd"],
)
def test_what_is_left_is_rounding(settings: dict[str, object], monkeypatch: pytest.MonkeyPatch):
    """In float64, where Adam has next to nothing to enlarge, many steps change nothing: measured 5e-15 after 200."""
    monkeypatch.setattr(torch.Tensor, "float", torch.Tensor.double)  # the loss is taken in float32
    monkeypatch.setitem(lockstep.TRIAL_TOLERANCE, "fp32", 1e-12)
    model = {"model": lambda shape, classes: Exact(bcnn_full(shape, classes))}
    recipe = Recipe.model_validate({**BASE, **model, "steps": 60, **settings})
    wanted = [request(seed, recipe) for seed in (3, 5)]
    for mine, asked in zip(fit_together(wanted), wanted, strict=True):
        assert difference(network(mine), alone(asked)) < 1e-12


@pytest.mark.usefixtures("never_alone")
@pytest.mark.parametrize("form", ["constant", "per_n"])
@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_each_network_has_its_own_weight_decay(form: str, optimizer: str):
    def decayed(value: float) -> FitRequest:
        decay = {"form": form, "value": value, "layers": ["dense*.weight", "conv1.weight"]}
        return request(
            4,
            Recipe.model_validate({**BASE, "optimizer": optimizer, "learning_rate": 5e-3, "weight_decay": decay}),
        )

    wanted = [decayed(value) for value in (0.0, 2.0, 9.0)]
    found = [network(each) for each in fit_together(wanted)]
    for mine, asked in zip(found, wanted, strict=True):
        assert difference(mine, alone(asked)) < TOLERANCE
    assert difference(found[0], found[1]) > 10 * TOLERANCE
    assert difference(found[1], found[2]) > 10 * TOLERANCE


@pytest.mark.usefixtures("never_alone")
def test_some_begin_warm():
    recipe = Recipe.model_validate(BASE)
    start = alone(request(9, recipe)).state_dict()
    wanted = [request(3, recipe, start=start), request(4, recipe)]
    for mine, asked in zip(fit_together(wanted), wanted, strict=True):
        assert difference(network(mine), alone(asked)) < TOLERANCE


@pytest.mark.usefixtures("never_alone")
@pytest.mark.parametrize("model", ["bcnn", "bcnn_full"])
def test_bf16_rounds_as_fit_does(model: str):
    recipe = Recipe.model_validate(
        {**BASE, "model": model, "precision": "bf16", "optimizer": "sgd", "learning_rate": 0.02}
    )
    exact = recipe.model_copy(update={"precision": "fp32"})
    (mine, _), asked = fit_together([request(3, recipe), request(4, recipe)]), request(3, recipe)
    rounding = difference(alone(asked), alone(request(3, exact)))
    assert all(parameter.dtype == torch.float32 for parameter in network(mine).parameters())
    assert difference(network(mine), alone(request(3, exact))) > 0
    assert difference(network(mine), alone(asked)) < 2 * rounding


@pytest.mark.usefixtures("never_alone")
def test_a_place_is_the_same_whoever_is_in_the_others():
    recipe = Recipe.model_validate({**BASE, "weight_decay": {"value": 0.2}})
    everyone = [request(seed, recipe) for seed in range(3)]
    full = fit_together(everyone)
    for place, asked in enumerate(everyone):
        found = fit_together([asked if other == place else None for other in range(3)])
        assert [each is None for each in found] == [other != place for other in range(3)]
        assert difference(network(found[place]), network(full[place])) == 0.0


@pytest.mark.usefixtures("never_alone")
def test_other_shapes_are_other_computations(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(lockstep, "MOST_TOGETHER", 3)
    recipe = Recipe.model_validate(BASE)
    few = request(2, recipe, images=request(2, recipe).images[:15], labels=request(2, recipe).labels[:15])
    floating = request(3, recipe, images=request(3, recipe).images / 255)
    other = request(4, recipe.model_copy(update={"learning_rate": 1e-3}))
    wanted = [request(1, recipe), few, floating, other, request(5, recipe)]
    for mine, asked in zip(fit_together(wanted), wanted, strict=True):
        assert difference(network(mine), alone(asked)) < TOLERANCE


@pytest.mark.usefixtures("never_alone")
@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_a_network_that_diverges_is_named_and_spreads_to_nobody(optimizer: str):
    recipe = Recipe.model_validate({**BASE, "optimizer": optimizer})
    broken = request(4, recipe, images=torch.full((LABELLED, 1, SIDE, SIDE), torch.nan))
    wanted = [request(seed, recipe, images=request(seed, recipe).images / 255) for seed in (3, 5)]
    found = fit_together([wanted[0], broken, wanted[1]])
    assert isinstance(found[1], NonFiniteError)
    with pytest.raises(NonFiniteError) as raised:
        alone(broken)
    assert str(found[1]) == str(raised.value)
    for mine, asked in zip((found[0], found[2]), wanted, strict=True):
        assert difference(network(mine), alone(asked)) < TOLERANCE


class Functional(nn.Module):
    """Drops by a function, so its masks cannot be handed over."""

    def __init__(self):
        super().__init__()
        self.dense = nn.Linear(SIDE * SIDE, CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        return self.dense(F.dropout(images.flatten(1), 0.5, self.training))


class Branching(Functional):
    """Looks at its numbers to decide what to do."""

    def forward(self, images: Tensor) -> Tensor:
        return self.dense(images.flatten(1) * (2 if images.mean() > 10 else 1))


class Hidden(Functional):
    """Has random numbers that are neither parameters nor buffers, other ones in each network."""

    def __init__(self):
        super().__init__()
        self.features = torch.randn(SIDE * SIDE)

    def forward(self, images: Tensor) -> Tensor:
        return self.dense(images.flatten(1) * self.features)


NOT_SERVED = {
    "batch norm": lambda: nn.Sequential(nn.BatchNorm2d(1), nn.Flatten(), nn.Linear(SIDE * SIDE, CLASSES)),
    "functional dropout": Functional,
    "dropout in place": lambda: nn.Sequential(
        nn.Flatten(), nn.Linear(SIDE * SIDE, 8), nn.Dropout(0.5, inplace=True), nn.Linear(8, CLASSES)
    ),
    "control flow": Branching,
    "hidden numbers": Hidden,
}


@pytest.mark.parametrize("build", NOT_SERVED.values(), ids=NOT_SERVED.keys())
def test_what_it_cannot_serve_is_fitted_separately(build, monkeypatch: pytest.MonkeyPatch):
    fits = 0

    def counted(*arguments: object, **named: object) -> nn.Module:
        nonlocal fits
        fits += 1
        return fit(*arguments, **named)

    monkeypatch.setattr(lockstep, "fit", counted)
    recipe = Recipe.model_validate({**BASE, "model": lambda shape, classes: build()})
    wanted: Sequence[FitRequest | None] = [request(3, recipe), None, request(4, recipe)]
    found = fit_together(wanted)
    assert fits == 2
    assert found[1] is None
    for mine, asked in zip(found, wanted, strict=True):
        if asked is not None:
            assert difference(network(mine), alone(asked)) == 0.0


class Twice(nn.Module):
    """One dropout layer for two places, a tied weight, a frozen one and an unused one."""

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(SIDE * SIDE, SIDE * SIDE)
        self.second = self.first
        self.last = nn.Linear(SIDE * SIDE, CLASSES)
        self.last.bias.requires_grad_(False)
        self.unused = nn.Parameter(torch.ones(3))
        self.dropout, self.channels = nn.Dropout(0.3), nn.Dropout2d(0.4)

    def forward(self, images: Tensor) -> Tensor:
        hidden = self.dropout(self.first(self.channels(images).flatten(1)))
        return self.last(self.dropout(self.second(hidden).relu()))


@pytest.mark.usefixtures("never_alone")
def test_unusual_networks_are_served():
    recipe = Recipe.model_validate({**BASE, "model": lambda shape, classes: Twice()})
    wanted = [request(seed, recipe) for seed in (3, 4)]
    for mine, asked in zip(fit_together(wanted), wanted, strict=True):
        assert difference(network(mine), alone(asked)) < TOLERANCE


def test_errors_are_those_of_fit():
    recipe = Recipe.model_validate(BASE)
    with pytest.raises(ShapeError, match="as many labels as images"):
        fit_together([request(3, recipe, labels=torch.zeros(4, dtype=torch.int64))])
    lost = Recipe.model_validate({**BASE, "weight_decay": {"value": 1.0, "layers": ["dense3.weight"]}})
    with pytest.raises(SettingsError, match=r"found \['dense3.weight'\]; the network has conv1.weight"):
        fit_together([request(3, lost)])
    assert fit_together([]) == []
    assert fit_together([None]) == [None]


@pytest.mark.usefixtures("never_alone")
def test_the_first_network_hears_of_the_steps():
    recipe, heard = Recipe.model_validate(BASE), list[tuple[int, int]]()
    fit_together([None, request(3, recipe, progress=lambda *step: heard.append(step)), request(4, recipe)])
    assert heard == [(step, 8) for step in range(1, 9)]

"""The split: the same logits as full passes and as masks multiplied by hand, with the prefix run once whatever T is."""

import inspect
from functools import partial

import pytest
import timm
import torch
import torch.nn.functional as F
from posterior_networks import Flat, Lambda, Paper, Residual, pictures, seeded
from torch import nn
from torchvision import models

from askwell.errors import NotStochasticError
from askwell.posterior.masks import Masks
from askwell.posterior.mc_dropout import MCDropout
from askwell.posterior.sites import FUNCTIONS, MODULES
from askwell.posterior.unsplit import Unsplit

T = 4


def full_passes(model, images, *, seed=0, samples=T, stochastic_depth=False):
    """The oracle: the network itself, T times, its random numbers replaced as it asks for them."""
    full = Unsplit(model, stochastic_depth=stochastic_depth)
    with torch.no_grad():
        logits = list(full.passes(images, Masks(seed, images.device).samples(samples, batch=len(images))))
    return torch.stack(logits, dim=1).log_softmax(-1)


def assert_split_equals_unsplit(model, images, **settings):
    model = model.double()
    posterior = MCDropout(model, samples=T, batch=len(images), **settings)  # a FullPassesWarning would be an error here
    found = posterior.log_probs(images.double())
    assert found.dtype == torch.float64
    assert found.std(dim=1).max() > 1e-6, "samples are equal, so equality would show nothing"
    torch.testing.assert_close(found, full_passes(model, images.double(), **settings), rtol=1e-10, atol=1e-10)


def narrow(build):
    """torchvision's AlexNet or VGG with 64 units instead of 4096; the rest of it as it is."""
    with torch.device("meta"):
        model = build(num_classes=5)
        dense = [k for k, layer in enumerate(model.classifier) if isinstance(layer, nn.Linear)]
        inputs, outputs = model.classifier[dense[0]].in_features, [64, 64, 5]
        for k, units in zip(dense, outputs, strict=True):
            model.classifier[k], inputs = nn.Linear(inputs, units), units
    model.to_empty(device="cpu")
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=(2 / max(parameter[0].numel(), 1)) ** 0.5)
    return model


def vision_transformer():
    sizes = {"num_layers": 2, "num_heads": 2, "hidden_dim": 16, "mlp_dim": 32, "num_classes": 5}
    return models.VisionTransformer(image_size=32, patch_size=16, dropout=0.1, **sizes)


class PositionalEmbedding(nn.Module):
    """Drops units of something that is the same for all images."""

    def __init__(self):
        super().__init__()
        self.embedding, self.dropout = nn.Parameter(torch.ones(1, 12)), nn.Dropout(0.3)

    def forward(self, x):
        return x * self.dropout(self.embedding)


def swin_with_bayesian_head():
    model = models.SwinTransformer([4, 4], 8, [1, 1], [2, 2], [4, 4], num_classes=5, stochastic_depth_prob=0.3)
    model.head = nn.Sequential(nn.Dropout(0.5), model.head)
    return model


NETWORKS = {
    "paper": (Paper, (28, 1)),
    "paper_full": (partial(Paper, full=True), (28, 1)),
    "residual": (Residual, (28, 1)),
    "alexnet": (partial(narrow, models.alexnet), (64, 3)),
    "vgg16": (partial(narrow, models.vgg16), (32, 3)),
    "squeezenet1_1": (partial(models.squeezenet1_1, num_classes=5), (64, 3)),
    "mobilenet_v2": (partial(models.mobilenet_v2, num_classes=5), (64, 3)),
    "googlenet": (partial(models.googlenet, num_classes=5, aux_logits=False, init_weights=False), (64, 3)),
    "densenet121": (partial(models.densenet121, num_classes=5, drop_rate=0.2), (32, 3)),
    "efficientnet_b0": (partial(models.efficientnet_b0, num_classes=5), (64, 3)),
    "swin": (swin_with_bayesian_head, (32, 3)),
    "vit": (vision_transformer, (32, 3)),
    "timm_resnet10t": (
        partial(timm.create_model, "resnet10t", num_classes=5, drop_rate=0.2, drop_path_rate=0.2),
        (64, 3),
    ),
    "timm_efficientnet_b0": (
        partial(timm.create_model, "efficientnet_b0", num_classes=5, drop_rate=0.2, drop_path_rate=0.2),
        (64, 3),
    ),
    "timm_vit": (
        partial(
            timm.create_model, "vit_tiny_patch16_224", num_classes=5, img_size=32, drop_rate=0.1, drop_path_rate=0.2
        ),
        (32, 3),
    ),
}
STOCHASTIC_DEPTH = ["efficientnet_b0", "swin", "timm_resnet10t", "timm_vit"]

FORMS = {
    "dropout": (nn.Dropout(0.3), (12,)),
    "dropout_in_place": (nn.Dropout(0.3, inplace=True), (12,)),
    "dropout1d": (nn.Dropout1d(0.3), (6, 2)),
    "dropout2d": (nn.Dropout2d(0.3), (6, 1, 2)),
    "dropout3d": (nn.Dropout3d(0.3), (6, 2, 1, 1)),
    "alpha_dropout": (nn.AlphaDropout(0.3), (12,)),
    "feature_alpha_dropout": (nn.FeatureAlphaDropout(0.3), (6, 2)),
    "F.dropout": (Lambda(lambda m, x: F.dropout(x, training=m.training)), (12,)),
    "F.dropout1d": (Lambda(lambda m, x: F.dropout1d(x, 0.3, m.training)), (6, 2)),
    "F.dropout2d": (Lambda(lambda m, x: F.dropout2d(x, 0.3, training=m.training)), (6, 1, 2)),
    "F.dropout3d": (Lambda(lambda m, x: F.dropout3d(input=x, p=0.3, training=m.training)), (6, 2, 1, 1)),
    "F.alpha_dropout": (Lambda(lambda m, x: F.alpha_dropout(x, 0.3, m.training)), (12,)),
    "F.feature_alpha_dropout": (Lambda(lambda m, x: F.feature_alpha_dropout(x, 0.3, m.training)), (6, 2)),
    "torch.dropout": (Lambda(lambda m, x: torch.dropout(x, 0.3, m.training)), (12,)),
    "torch.dropout_": (Lambda(lambda m, x: torch.dropout_(x, p=0.3, train=m.training)), (12,)),
    "torch.feature_dropout": (Lambda(lambda m, x: torch.feature_dropout(x, 0.3, m.training)), (6, 2)),
    "torch.alpha_dropout": (Lambda(lambda m, x: torch.alpha_dropout(x, 0.3, m.training)), (12,)),
    "torch.feature_alpha_dropout": (Lambda(lambda m, x: torch.feature_alpha_dropout(x, 0.3, m.training)), (6, 2)),
    "always_on": (Lambda(lambda m, x: F.dropout(x, 0.3, training=True)), (12,)),
    "windows_merged_into_the_batch": (
        Lambda(lambda m, x: F.dropout(x.flatten(0, 1), 0.3, m.training).view(x.shape)),
        (4, 3),
    ),
    "of_a_parameter_without_batch": (PositionalEmbedding(), (12,)),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_split_equals_unsplit(name):
    build, (size, channels) = NETWORKS[name]
    assert_split_equals_unsplit(seeded(build), pictures(2, size, channels))


@pytest.mark.parametrize("name", STOCHASTIC_DEPTH)
def test_split_equals_unsplit_with_stochastic_depth(name):
    build, (size, channels) = NETWORKS[name]
    assert_split_equals_unsplit(seeded(build), pictures(2, size, channels), stochastic_depth=True)


@pytest.mark.parametrize("name", FORMS)
def test_every_kind_of_dropout_is_split(name):
    layer, shape = FORMS[name]
    shaped = nn.Sequential(nn.Unflatten(1, shape), layer, nn.Flatten())
    assert_split_equals_unsplit(seeded(lambda: Flat(shaped)), pictures(4))


def test_every_dropout_that_is_known_is_tested():
    tested = {layer.__class__ for layer, _ in FORMS.values()}
    assert set(MODULES) <= tested
    names = {f"{'F' if inspect.isfunction(f) else 'torch'}.{f.__name__}" for f in FUNCTIONS if f.__name__[-1] != "_"}
    assert names <= set(FORMS)


@pytest.mark.parametrize("full", [False, True])
def test_both_routes_equal_masks_multiplied_by_hand(full):
    model, images = seeded(partial(Paper, full=full)).double(), pictures(3, dtype=torch.float64)
    expected = torch.stack([model.by_hand(images, 5, sample).log_softmax(-1) for sample in range(T)], dim=1)
    found = MCDropout(model, samples=T, seed=5, batch=4).log_probs(images)
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(full_passes(model, images, seed=5), expected, rtol=1e-10, atol=1e-10)


class Counter:
    """A forward hook that counts the images it sees, each once for every sample."""

    def __init__(self, module):
        self.images = 0
        module.register_forward_hook(lambda module, arguments, output: self.see(len(output)))

    def see(self, images):
        self.images += images


@pytest.mark.parametrize("samples", [1, 2, 20])
def test_the_prefix_runs_once_per_image_whatever_t_is(samples):
    model = seeded(Paper)
    prefix, suffix = Counter(model.conv2), Counter(model.dense2)
    posterior = MCDropout(model, samples=samples, batch=8)
    posterior.log_probs(pictures(1))  # the first call also checks the network
    prefix.images = suffix.images = 0
    posterior.log_probs(pictures(24))
    assert (prefix.images, suffix.images) == (24, 24 * samples)


def test_what_does_not_depend_on_the_masks_runs_once_though_it_comes_later():
    model = seeded(Residual)
    independent, dependent = Counter(model.right), Counter(model.left)
    posterior = MCDropout(model, samples=5, batch=8)
    posterior.log_probs(pictures(1))
    independent.images = dependent.images = 0
    posterior.log_probs(pictures(8))
    assert (independent.images, dependent.images) == (8, 40)


def test_placeholders_with_p_zero_are_not_stochastic():
    model = seeded(lambda: timm.create_model("resnet10t", num_classes=5, drop_rate=0.2))
    stem, last = Counter(model.conv1[0]), Counter(model.layer4[0].conv2)
    posterior = MCDropout(model, samples=4, batch=2)
    posterior.log_probs(pictures(1, 64, 3))
    stem.images = last.images = 0
    posterior.log_probs(pictures(2, 64, 3))
    assert (stem.images, last.images) == (2, 2)


def drop_beside(module, x):
    F.dropout(x, 0.5, training=module.training)
    return x


@pytest.mark.parametrize(
    "layer",
    [
        nn.Identity(),
        nn.Dropout(0.0),
        Lambda(lambda m, x: F.dropout(x, 0.0, training=True)),
        Lambda(lambda m, x: F.dropout(x, 0.5, training=False)),
        Lambda(drop_beside),
    ],
    ids=["no dropout", "p = 0", "functional p = 0", "never on", "beside the way"],
)
def test_a_network_without_randomness_is_an_error_that_names_point(layer):
    with pytest.raises(NotStochasticError, match="Point"):
        MCDropout(seeded(lambda: Flat(layer)))


def test_a_dropout_that_is_never_called_is_not_stochastic():
    model = seeded(lambda: Flat(nn.Identity()))
    model.unused = nn.Dropout(0.5)
    with pytest.raises(NotStochasticError, match="Point"):
        MCDropout(model)


def test_stochastic_depth_alone_is_not_stochastic_unless_asked_for():
    model = seeded(lambda: timm.create_model("resnet10t", num_classes=5, drop_path_rate=0.5))
    with pytest.raises(NotStochasticError, match="Point"):
        MCDropout(model)
    log_probs = MCDropout(model, stochastic_depth=True, samples=8, batch=2).log_probs(pictures(1, 64, 3))
    assert len(log_probs[0, :, 0].unique()) > 1

"""Backbones: preprocessing, heads, what is trained, and where the posterior splits."""

import copy

import pytest
import torch
import torchvision.models as tv
from torch import nn

from askwell.errors import SettingsError, ShapeError
from askwell.learning.recipe import Recipe
from askwell.learning.supervised import fit
from askwell.models.backbone import (
    Preprocess,
    backbone_network,
    backbone_side,
    cached_shape,
    trunk_network,
    unnamed,
    vgg16,
)
from askwell.models.backbone_settings import Backbone
from askwell.models.networks import preprocessing
from askwell.models.weights import load_weights
from askwell.posterior.dense_head import DenseHead
from askwell.posterior.mc_dropout import MCDropout

SMALL = Backbone(name="squeezenet1_1", weights="none", side=32, hidden=(16,))


def trained(network: nn.Module) -> set[str]:
    return {name for name, parameter in network.named_parameters() if parameter.requires_grad}


def test_preprocessing_is_the_networks_own():
    images = torch.rand(2, 3, 48, 48)
    published = preprocessing("squeezenet1_1")._replace(side=48)
    mean, std = (torch.tensor(values)[:, None, None] for values in (published.mean, published.std))
    torch.testing.assert_close(Preprocess((3, 48, 48), published)(images), (images - mean) / std)
    grey = Preprocess((1, 48, 48), published)(images[:, :1])
    torch.testing.assert_close(grey, (images[:, :1].expand(-1, 3, -1, -1) - mean) / std)
    smaller = Preprocess((3, 48, 48), published._replace(side=24))(images)
    assert smaller.shape == (2, 3, 24, 24)
    torch.testing.assert_close(smaller.mean(dim=(2, 3)), ((images - mean) / std).mean(dim=(2, 3)), rtol=0, atol=0.02)
    with pytest.raises(ShapeError, match="grey or colour images"):
        Preprocess((4, 48, 48), published)


@pytest.mark.parametrize("name", ["squeezenet1_1", "resnet18", "timm:resnet18"])
def test_the_posterior_splits_at_the_head_and_the_trunk_runs_once(name: str):
    """Were the network not split at all, FullPassesWarning would be an error here."""
    network = backbone_network(SMALL.model_copy(update={"name": name}), (3, 32, 32), 2)
    posterior = MCDropout(network, samples=5, seed=1, batch=2)
    log_probs = posterior.log_probs(torch.rand(4, 3, 32, 32))
    assert log_probs.shape == (4, 5, 2)
    assert float(log_probs.std(dim=1).max()) > 0
    route = posterior._route
    assert isinstance(route, DenseHead)
    (first,) = (module for name, module in route._cut.suffix.named_modules() if isinstance(module, nn.Linear))
    assert first.in_features == 16


def test_what_is_trained():
    whole = backbone_network(SMALL, (3, 32, 32), 2)
    assert trained(whole) == {name for name, _ in whole.named_parameters()}
    last = backbone_network(SMALL.model_copy(update={"fit": "last_blocks", "blocks": 1}), (3, 32, 32), 2)
    assert {name.rsplit(".", 2)[0] for name in trained(last)} == {"trunk.features.12", "head"}
    head = backbone_network(SMALL.model_copy(update={"fit": "frozen"}), (1024, 1, 1), 2)
    assert {name.split(".")[0] for name, _ in head.named_parameters()} == {"head"}
    trunk = trunk_network(SMALL, (3, 32, 32))
    assert trained(trunk) == set()


def test_a_frozen_trunk_and_its_head_are_the_whole_network():
    torch.manual_seed(3)
    whole = backbone_network(SMALL, (3, 32, 32), 2).eval()
    parts = dict(whole.named_children())
    images = torch.rand(2, 3, 32, 32)
    frozen = SMALL.model_copy(update={"fit": "frozen"})
    assert cached_shape(frozen, views=4) == (1024, 4, 1)
    head = backbone_network(frozen, (1024, 1, 1), 2).eval()
    head.load_state_dict({name: value for name, value in whole.state_dict().items() if name.startswith("head.")})
    with torch.no_grad():
        features = parts["pooling"](parts["trunk"](parts["preprocess"](images)))
        torch.testing.assert_close(head(features[:, :, None, None]), whole(images))


def test_views_are_read_one_or_averaged():
    features = torch.rand(3, 10, 4, 1)
    for kind, wanted in (("one", features[:, :, 0, 0]), ("mean", features.mean(dim=(2, 3)))):
        settings = Backbone(name="squeezenet1_1", fit="frozen", views=kind, hidden=())
        head = backbone_network(settings, (10, 4, 1), 2)
        torch.testing.assert_close(head(features), dict(head.named_children())["head"](wanted))


@pytest.mark.parametrize(("pooling", "count"), [("mean", 512), ("max", 512), ("mean_max", 1024), ("flatten", 512)])
def test_pooled_features(pooling: str, count: int):
    settings = Backbone.model_validate({**SMALL.model_dump(), "pooling": pooling})
    network = trunk_network(settings, (3, 32, 32))
    assert network(torch.rand(2, 3, 32, 32)).shape == (2, count)  # one pixel is left of 32


def test_vgg16_is_the_papers_and_loads_torchvisions_weights(tmp_path):
    """Two dense layers of 4096, each followed by dropout .5, and 2 outputs; parameters under torchvision's names."""
    torch.manual_seed(0)
    theirs = tv.vgg16()
    torch.save(theirs.state_dict(), tmp_path / "vgg16.pth")
    settings = Backbone(name="vgg16", weights=str(tmp_path / "vgg16.pth"), head="own")
    ours = backbone_network(settings, (3, 64, 64), 2)
    assert set(ours.state_dict()) == set(theirs.state_dict())
    kept = [name for name in theirs.state_dict() if not name.startswith("classifier.6")]
    assert all(torch.equal(ours.state_dict()[name], theirs.state_dict()[name]) for name in kept)
    layers = list(ours.get_submodule("classifier").children())
    assert [type(layer).__name__ for layer in layers] == [*("Linear", "ReLU", "Dropout") * 2, "Linear"]
    assert [layer.out_features for layer in layers if isinstance(layer, nn.Linear)] == [4096, 4096, 2]
    assert [layer.p for layer in layers if isinstance(layer, nn.Dropout)] == [0.5, 0.5]
    assert sum(parameter.numel() for parameter in ours.parameters()) == 134_268_738
    posterior = MCDropout(ours, samples=2, batch=2)
    assert posterior.log_probs(torch.rand(2, 3, 64, 64)).shape == (2, 2, 2)
    assert vgg16((3, 64, 64), 2).state_dict().keys() == ours.state_dict().keys()
    step = {"backbone": settings.model_copy(update={"side": 32}), "steps": 1, "batch_size": 2, "device": "cpu"}
    images = torch.randint(0, 256, (2, 3, 32, 32), dtype=torch.uint8)
    tuned = fit(Recipe.model_validate(step), images, torch.tensor([0, 1]), classes=2, seed=0).state_dict()
    assert not any(torch.equal(tuned[name], theirs.state_dict()[name]) for name in kept)  # all layers are trained


def test_an_own_head_of_a_convolution():
    network = backbone_network(SMALL.model_copy(update={"head": "own"}), (3, 32, 32), 3)
    assert network(torch.rand(2, 3, 32, 32)).shape == (2, 3)
    assert MCDropout(network, samples=2, batch=2).log_probs(torch.rand(2, 3, 32, 32)).shape == (2, 2, 3)


def test_an_own_head_drops_where_the_network_was_published_to():
    """Transformers have dropout of probability 0 in every block, which is to stay so."""

    def dropped(name: str, dropout: float) -> set[float]:
        settings = Backbone(name=name, weights="none", head="own", dropout=dropout)
        network = backbone_network(settings, (3, 224, 224), 2)
        return {module.p for module in network.modules() if isinstance(module, nn.Dropout)}

    with torch.device("meta"):
        assert dropped("vit_b_16", 0.3) == {0.0}
        assert dropped("mobilenet_v3_small", 0.3) == {0.3}


def test_weights_that_belong_to_another_network_are_refused(tmp_path):
    torch.save({"a": torch.zeros(1)}, tmp_path / "w.pth")
    settings = SMALL.model_copy(update={"weights": str(tmp_path / "w.pth")})
    with pytest.raises(SettingsError, match=r"expected weights of squeezenet1_1 in .*, found no '\S+' and \d+ more"):
        backbone_network(settings, (3, 32, 32), 2)
    state = tv.squeezenet1_1().state_dict()
    state["features.0.weight"] = torch.zeros(1, 2)
    torch.save(state, tmp_path / "w.pth")
    with pytest.raises(SettingsError, match=r"found 'features.0.weight' of shape \[1, 2\]; name the file"):
        backbone_network(settings, (3, 32, 32), 2)


def test_copies_share_the_weights_and_training_reaches_the_trunk():
    network = backbone_network(SMALL, (3, 32, 32), 2)
    before = copy.deepcopy(network.state_dict())
    loss = network(torch.rand(2, 3, 32, 32)).square().sum()
    loss.backward()
    torch.optim.SGD(network.parameters(), 0.1).step()
    changed = [name for name, value in network.state_dict().items() if not torch.equal(value, before[name])]
    assert any(name.startswith("trunk.") for name in changed)
    assert any(name.startswith("head.") for name in changed)


def test_settings_that_do_not_fit_together():
    assert (backbone_side(SMALL), backbone_side(Backbone(name="squeezenet1_1"))) == (32, 224)
    for values in ({"head": "own", "fit": "frozen"}, {"views": "mean"}, {"weights": "none", "sha256": "0" * 64}):
        with pytest.raises(ValueError, match=r"frozen|sha256"):
            Backbone.model_validate({"name": "vgg16", **values})
    with pytest.raises(SettingsError, match="the backbone's name"):
        unnamed((3, 8, 8), 2)
    with pytest.raises(ShapeError, match="2 classes"):
        backbone_network(SMALL, (3, 32, 32), 1)


def test_an_unreadable_file_is_no_weights(tmp_path):
    for name in ("w.pth", "w.safetensors"):
        (tmp_path / name).write_bytes(b"nonsense")
        with pytest.raises(SettingsError, match=r"cannot be read as such|does not accept"):
            load_weights(tmp_path / name)

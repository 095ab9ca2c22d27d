"""Where networks are cut: before their classifier, with nothing of the trunk changed."""

import pytest
import torch
import torchvision.models as tv
from torch import nn

from askwell.errors import SettingsError, UnknownNameError
from askwell.models.cutting import block_of, cut
from askwell.models.networks import build_network, preprocessing
from askwell.models.still import hold_still

WHERE = {  # name -> side, shape of the last features, last block
    "squeezenet1_1": (64, (512, 3, 3), "features.12"),
    "resnet18": (64, (512, 2, 2), "layer4"),
    "mobilenet_v3_small": (64, (576, 2, 2), "features.12"),
    "timm:resnet18": (64, (512, 2, 2), "layer4"),
    "timm:vit_tiny_patch16_224": (224, (192,), "norm"),
}


@pytest.mark.parametrize("name", WHERE)
def test_the_cut_is_found(name: str):
    side, shape, last = WHERE[name]
    found = cut(build_network(name), 224, side)
    assert (found.shape, found.blocks[-1]) == (shape, last)
    with torch.no_grad():
        assert found.trunk(torch.rand(2, 3, side, side)).shape == (2, *shape)


def test_nothing_of_the_trunk_is_changed():
    """resnet18's trunk, its pooling and its classifier, one after the other, are resnet18."""
    torch.manual_seed(0)
    network = build_network("resnet18")
    images = torch.rand(3, 3, 64, 64)
    with torch.no_grad():
        wanted = network(images)
        features = cut(network, 224, 64).trunk(images)
        torch.testing.assert_close(network.fc(features.mean(dim=(2, 3))), wanted)  # pyright: ignore[reportCallIssue]


def test_dropout_before_the_classifier_is_not_of_the_trunk():
    found = cut(build_network("squeezenet1_1"), 224)
    assert not any(isinstance(module, nn.Dropout) and module.p > 0 for module in found.trunk.modules())


def test_blocks_are_named_by_the_first_part_with_a_digit():
    names = [
        "features.12.squeeze.weight",
        "layer4.1.conv1.weight",
        "Mixed_7c.branch3x3_1.conv.weight",
        "norm.weight",
        "w",
    ]
    assert [block_of(name) for name in names] == ["features.12", "layer4", "Mixed_7c", "norm", "w"]


@pytest.mark.parametrize("name", ["resnet18", "timm:efficientnet_b0"])
def test_batch_norm_stays_as_it_was_published(name: str):
    network = build_network(name)
    hold_still(network)
    before = {name: value.clone() for name, value in network.state_dict().items() if "running" in name}
    network.train()(torch.rand(2, 3, 32, 32))
    assert all(torch.equal(network.state_dict()[name], value) for name, value in before.items())
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    assert norms
    assert not any(module.training for module in norms)
    hold_still(network)
    assert type(norms[0]).__name__.count("Still") == 1


def test_what_networks_were_published_for():
    found = preprocessing("squeezenet1_1")
    assert (found.side, found.mean, found.std) == (224, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    assert preprocessing("inception_v3").side == 299
    assert preprocessing("timm:vit_tiny_patch16_224").mean == (0.5, 0.5, 0.5)


def test_bad_requests_are_named():
    with pytest.raises(UnknownNameError, match=r"did you mean .*squeezenet1_1"):
        build_network("squeezenet11")
    with pytest.raises(UnknownNameError, match="no network in timm called 'resnet18x'; did you mean resnet18"):
        build_network("timm:resnet18x")
    with pytest.raises(UnknownNameError, match=r"choose one of .*, ... \(\d+ in all\)") as caught:
        build_network("timm:zzzz")
    assert len(str(caught.value)) < 4000  # timm has a thousand
    with pytest.raises(SettingsError, match="a side that the backbone can take, found 64"):
        cut(build_network("timm:vit_tiny_patch16_224"), 224, 64)
    with pytest.raises(SettingsError, match="a linear layer or a convolution at its end"):
        cut(nn.Flatten(), 8)
    with pytest.raises(SettingsError, match=r"torch.fx can trace on images of 8 pixels, found one that it cannot"):
        cut(nn.Linear(9, 9), 8)


def test_a_network_is_built_as_its_weights_were_published(monkeypatch):
    """torchvision says some of it only where it loads weights itself; here it is made to, without a file."""
    for name in ("googlenet", "inception_v3"):
        weights = tv.get_model_weights(name)["DEFAULT"]
        fresh = tv.get_model(name, weights=None, init_weights=False, aux_logits=True).state_dict()
        monkeypatch.setattr(type(weights), "get_state_dict", lambda *_, fresh=fresh, **__: fresh)
        theirs, ours = tv.get_model(name, weights=weights).eval(), build_network(name)
        found = ours.load_state_dict(theirs.state_dict(), strict=False)
        assert found.missing_keys == []
        images = torch.rand(2, 3, 96, 96)
        with torch.no_grad():
            torch.testing.assert_close(ours(images), theirs(images))
        assert isinstance(ours.train()(torch.rand(2, 3, 299, 299)), torch.Tensor)  # and no auxiliary outputs
    with torch.device("meta"):
        assert cut(build_network("vit_h_14"), preprocessing("vit_h_14").side).shape == (1280,)

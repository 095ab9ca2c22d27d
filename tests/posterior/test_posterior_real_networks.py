"""Split equals unsplit for torchvision's and timm's networks at their full size (their narrowed kin are in the quick suite)."""

import pytest
import timm
import torch
import torchvision.models as tv

from askwell.posterior.copies import private_copy
from askwell.posterior.masks import Masks
from askwell.posterior.mc_dropout import MCDropout
from askwell.posterior.unsplit import Unsplit

SAMPLES = 2
NETWORKS = {
    "alexnet": (tv.alexnet, {}, 224),
    "vgg16": (tv.vgg16, {}, 64),
    "squeezenet1_1": (tv.squeezenet1_1, {}, 224),
    "mobilenet_v2": (tv.mobilenet_v2, {}, 224),
    "googlenet": (tv.googlenet, {"aux_logits": False, "init_weights": True}, 224),
    "densenet121": (tv.densenet121, {"drop_rate": 0.2}, 64),
    "efficientnet_b0": (tv.efficientnet_b0, {}, 224),
    "vit_b_16": (tv.vit_b_16, {"dropout": 0.1}, 224),
    "timm efficientnet_b0": (
        timm.create_model,
        {"model_name": "efficientnet_b0", "drop_rate": 0.2, "drop_path_rate": 0.1},
        64,
    ),
    "timm resnet18": (timm.create_model, {"model_name": "resnet18", "drop_rate": 0.3}, 64),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_split_equals_unsplit_at_full_size(name: str):
    build, settings, side = NETWORKS[name]
    torch.manual_seed(0)
    network = build(**settings).double().eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.01 * torch.randn_like(parameter))  # some heads begin at zero, and then everything agrees
    images = torch.rand(2, 3, side, side, dtype=torch.float64)
    found = MCDropout(network, samples=SAMPLES, seed=1, batch=2).log_probs(
        images
    )  # a fall-back would warn, and warnings are errors
    unsplit = Unsplit(private_copy(network), stochastic_depth=False)
    with torch.no_grad():
        outputs = unsplit.passes(images, Masks(1, torch.device("cpu")).samples(SAMPLES, 2))
        wanted = torch.stack([output.log_softmax(-1) for output in outputs], dim=1)
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-10)
    assert float(found.std(dim=1).max()) > 0

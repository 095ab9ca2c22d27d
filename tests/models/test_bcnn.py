"""The paper's network."""

import pytest
import torch
from torch import nn

from askwell.errors import ShapeError, UnknownNameError
from askwell.models.catalogue import MODELS, model_function


@pytest.mark.parametrize("name", ["bcnn", "bcnn_full"])
def test_513994_parameters_on_mnist(name: str):
    model = model_function(name)((1, 28, 28), 10)
    assert sum(parameter.numel() for parameter in model.parameters()) == 513_994


@pytest.mark.parametrize("name", [name for name in MODELS if name.startswith("bcnn")])
@pytest.mark.parametrize(
    ("image_shape", "classes"),
    [((1, 28, 28), 10), ((3, 33, 17), 2), ((4, 8, 8), 1000), ((1, 1, 1), 2), ((2, 7, 30), 3)],
)
def test_any_size_any_channels_any_number_of_classes(name: str, image_shape: tuple[int, int, int], classes: int):
    model = model_function(name)(image_shape, classes).eval()
    assert model(torch.rand(2, *image_shape)).shape == (2, classes)


def test_where_the_dropout_is():
    def order(name: str) -> list[str]:
        network = model_function(name)((1, 28, 28), 10)
        kinds = {nn.Dropout: "dropout", nn.Conv2d: "conv", nn.Linear: "dense"}
        return [
            f"{kinds[type(layer)]} {layer.p}" if isinstance(layer, nn.Dropout) else kinds[type(layer)]
            for layer in network.children()
            if type(layer) in kinds
        ]

    assert order("bcnn") == ["conv", "conv", "dropout 0.25", "dense", "dropout 0.5", "dense"]
    assert order("bcnn_full") == [
        *("dropout 0.25", "conv", "dropout 0.25", "conv", "dropout 0.25", "dense", "dropout 0.5", "dense")
    ]


def test_glorot_weights_and_no_bias_to_begin_with():
    torch.manual_seed(0)
    model = model_function("bcnn")((1, 28, 28), 10).requires_grad_(False)
    bound = (6 / (3872 + 128)) ** 0.5
    assert 0.99 * bound < float(model.dense1.weight.abs().max()) <= bound
    assert all(float(layer.bias.abs().max()) == 0 for layer in model if isinstance(layer, nn.Conv2d | nn.Linear))


def test_table_1s_kernels_are_smaller():
    model = model_function("bcnn_3x3")((1, 28, 28), 10)
    assert [tuple(layer.kernel_size) for layer in model if isinstance(layer, nn.Conv2d)] == [(3, 3), (3, 3)]
    assert sum(parameter.numel() for parameter in model.parameters()) == 320 + 9_248 + 589_952 + 1_290


def test_bad_requests_are_named():
    with pytest.raises(ShapeError, match="at least 2 classes"):
        model_function("bcnn")((1, 28, 28), 1)
    with pytest.raises(UnknownNameError, match="did you mean bcnn"):
        model_function("bccn")

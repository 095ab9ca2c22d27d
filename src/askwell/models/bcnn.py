"""The paper's Bayesian convolutional neural network."""

from collections import OrderedDict

from torch import nn

from askwell.errors import ShapeError

KERNELS = 32
KERNEL_SIZE = 4
TABLE_1_KERNEL_SIZE = 3
HIDDEN_UNITS = 128
CONVOLUTION_DROPOUT = 0.25
DENSE_DROPOUT = 0.5


def bcnn(image_shape: tuple[int, int, int], classes: int) -> nn.Module:
    """The network of the MNIST experiments, dropout before its dense layers only; 513,994 parameters at (1, 28, 28) and 10 classes.

    conv 32@4x4 - relu - conv 32@4x4 - relu - maxpool 2x2 - dropout .25 - dense 128 - relu - dropout .5 - dense C; returns logits [N, C].

    image_shape is (channels, height, width); images smaller than 8 pixels are padded with zeros up to that. Weights are Glorot uniform
    and biases 0, as in the paper's code, drawn from torch's global generator. Raises ShapeError for fewer than 2 classes or an empty
    image. Gal et al. (2017), section 5.1.
    """
    return _network(image_shape, classes, dropout_everywhere=False)


def bcnn_full(image_shape: tuple[int, int, int], classes: int) -> nn.Module:
    """The same network with dropout .25 before each convolution too, as section 3 asks: dropout before every weight layer."""
    return _network(image_shape, classes, dropout_everywhere=True)


def bcnn_3x3(image_shape: tuple[int, int, int], classes: int) -> nn.Module:
    """The same network as ``bcnn`` with 3x3 kernels, as in the code behind table 1; images smaller than 6 pixels are padded."""
    return _network(image_shape, classes, dropout_everywhere=False, kernel=TABLE_1_KERNEL_SIZE)


def _network(
    image_shape: tuple[int, int, int], classes: int, dropout_everywhere: bool, kernel: int = KERNEL_SIZE
) -> nn.Module:
    channels, height, width = image_shape
    smallest = 2 * kernel  # two unpadded convolutions and a 2x2 pooling leave 1x1 of it
    if classes < 2 or min(image_shape) < 1:
        raise ShapeError(
            f"expected an image shape (channels, height, width) of positive sizes and at least 2 classes, "
            f"found {image_shape} and {classes}."
        )
    padding_h, padding_w = max(0, smallest - height), max(0, smallest - width)
    pooled = [(side - 2 * (kernel - 1)) // 2 for side in (height + padding_h, width + padding_w)]
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    if padding_h or padding_w:
        left, top = padding_w // 2, padding_h // 2
        layers["pad"] = nn.ZeroPad2d((left, padding_w - left, top, padding_h - top))
    if dropout_everywhere:
        layers["dropout_conv1"] = nn.Dropout(CONVOLUTION_DROPOUT)
    layers["conv1"] = nn.Conv2d(channels, KERNELS, kernel)
    layers["relu1"] = nn.ReLU()
    if dropout_everywhere:
        layers["dropout_conv2"] = nn.Dropout(CONVOLUTION_DROPOUT)
    layers["conv2"] = nn.Conv2d(KERNELS, KERNELS, kernel)
    layers["pool"] = nn.MaxPool2d(2)
    layers["relu2"] = (
        nn.ReLU()
    )  # after the pooling, with which it commutes: a quarter of the numbers, and not a bit else
    layers["dropout_dense1"] = nn.Dropout(CONVOLUTION_DROPOUT)
    layers["flatten"] = nn.Flatten()
    layers["dense1"] = nn.Linear(KERNELS * pooled[0] * pooled[1], HIDDEN_UNITS)
    layers["relu3"] = nn.ReLU()
    layers["dropout_dense2"] = nn.Dropout(DENSE_DROPOUT)
    layers["dense2"] = nn.Linear(HIDDEN_UNITS, classes)
    network = nn.Sequential(layers)
    for layer in network:
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.xavier_uniform_(layer.weight)
            assert layer.bias is not None, "these layers have one"
            nn.init.zeros_(layer.bias)
    return network

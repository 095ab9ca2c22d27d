"""Distort a batch of images, each image in its own way, in one vectorised pass."""

import math
from collections.abc import Callable, Mapping

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

Images = Float[Tensor, "B channels height width"]

ROTATION = math.radians(15)
SCALE = 0.15
SHEAR = 0.2
SHIFT = 0.1  # of the image's side
ELASTIC_SHIFT = 0.12  # of the image's side, standard deviation of the displacement at a grid point
ELASTIC_GRID = 4  # displacements are drawn on a 4x4 grid and interpolated


def affine_elastic(images: Images, *, generator: torch.Generator) -> Images:
    """Rotate (15 degrees), scale (15 %), shear (.2), shift (10 % of the side) and bend each image at random; zeros come in at the edges.

    Affine parameters are uniform, displacements Gaussian on a coarse grid and interpolated bicubically: the smooth fields of Simard,
    Steinkraus and Platt (2003). images [B, channels, height, width] -> the same shape; bilinear resampling.
    """
    batch, _, height, width = images.shape
    uniform = torch.rand(batch, 7, generator=generator, device=images.device) * 2 - 1
    angle, scale_x, scale_y = uniform[:, 0] * ROTATION, 1 + uniform[:, 1] * SCALE, 1 + uniform[:, 2] * SCALE
    shear, shift = uniform[:, 3] * SHEAR, uniform[:, 4:6] * (2 * SHIFT)
    cos, sin = angle.cos(), angle.sin()
    rows = [
        cos * scale_x,
        (shear * cos - sin) * scale_y,
        shift[:, 0],
        sin * scale_x,
        (shear * sin + cos) * scale_y,
        shift[:, 1],
    ]
    grid = F.affine_grid(torch.stack(rows, dim=1).view(batch, 2, 3), [batch, 1, height, width], align_corners=False)
    coarse = torch.randn(batch, 2, ELASTIC_GRID, ELASTIC_GRID, generator=generator, device=images.device)
    bend = F.interpolate(coarse * ELASTIC_SHIFT, size=(height, width), mode="bicubic", align_corners=False)
    return F.grid_sample(images, grid + bend.permute(0, 2, 3, 1), align_corners=False)


def unchanged(images: Images, *, generator: torch.Generator) -> Images:
    """No augmentation: the images as they are."""
    return images


AUGMENTATIONS: Mapping[str, Callable[..., Images]] = {"none": unchanged, "affine_elastic": affine_elastic}

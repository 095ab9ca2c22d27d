"""Distort a batch of images, each image in its own way, in one vectorised pass; and mirror images, of pixels and of cached features.

The four mirror images of an image (as it is, left-right, upside down, both: half a turn) form a group: flip number a of view number b is
view number a XOR b. So cached features of all four can be flipped like pixels.
"""

import math
from collections.abc import Callable, Mapping

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int, Shaped
from torch import Tensor

Images = Float[Tensor, "B channels height width"]

FLIPS = 4
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


def flipped(
    images: Shaped[Tensor, "B channels height width"], which: Int[Tensor, " B"]
) -> Shaped[Tensor, "B channels height width"]:
    """Each image flipped by its number: 0 not at all, 1 left-right, 2 upside down, 3 both."""
    for number, axis in ((1, -1), (2, -2)):
        chosen = (which & number).bool().to(images.device)[:, None, None, None]
        images = torch.where(chosen, images.flip(axis), images)
    return images


def flipped_views(
    features: Shaped[Tensor, "B features views one"], which: Int[Tensor, " B"]
) -> Shaped[Tensor, "B features views one"]:
    """The cached features of ``flipped`` images: their four views in another order."""
    order = torch.arange(FLIPS, device=features.device) ^ which.to(features.device)[:, None]
    return features.gather(2, order[:, None, :, None].expand_as(features))


def flips(images: Images, *, generator: torch.Generator) -> Images:
    """Each image as one of its four mirror images, drawn at random."""
    return flipped(images, _drawn(images, generator))


def view_flips(features: Images, *, generator: torch.Generator) -> Images:
    """``flips`` of cached features."""
    return flipped_views(features, _drawn(features, generator))


def _drawn(images: Images, generator: torch.Generator) -> Int[Tensor, " B"]:
    return torch.randint(0, FLIPS, (len(images),), generator=generator, device=images.device)


def with_flipped_positives(
    images: Shaped[Tensor, "N channels height width"], labels: Int[Tensor, " N"], *, cached: bool
) -> tuple[Shaped[Tensor, "M channels height width"], Int[Tensor, " M"]]:
    """The images, and behind them the three mirror images of every positive one (class 1), so that it is there four times.

    cached says that these are cached features. Agarwal et al. (2016); Gal et al. (2017), section 5.5.
    """
    positive = images[labels == 1]
    flip = flipped_views if cached else flipped
    copies = [flip(positive, torch.full((len(positive),), which)) for which in range(1, FLIPS)]
    return torch.cat([images, *copies]), torch.cat([labels, labels.new_ones(len(positive) * len(copies))])


AUGMENTATIONS: Mapping[str, Callable[..., Images]] = {
    "none": unchanged,
    "affine_elastic": affine_elastic,
    "flips": flips,
    "positive_flips": unchanged,  # what is trained on has been made longer: with_flipped_positives
}
FEATURE_AUGMENTATIONS: Mapping[str, Callable[..., Images]] = {
    "none": unchanged,
    "flips": view_flips,
    "positive_flips": unchanged,
}

"""The images that a report shows, fetched from the campaign's data set or folder."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from askwell.campaign.data import dataset_of, first_campaign
from askwell.campaign.settings import read_campaign_settings
from askwell.errors import AskwellError
from askwell.pool.ids import position_lookup
from askwell.pool.images import Pool, as_float
from askwell.pool.reading import read_images
from askwell.report.pictures import Picture


def pictures_from(pool: Pool, ids: Sequence[str]) -> dict[str, Picture]:
    """The pool's images with these ids, grey or the first three channels; those that cannot be read are left out."""
    position = position_lookup(pool.ids)
    read = read_images(pool, torch.tensor([position(name) for name in ids], dtype=torch.int64), lambda _: None)
    entries: list[int] = read.entries.tolist()
    images = as_float(read.images)
    return {ids[entry]: Picture(_pixels(image)) for entry, image in zip(entries, images, strict=True)}


def pictures_below(directory: Path, ids: Sequence[str]) -> Mapping[str, Picture]:
    """The same for the campaigns in or below a directory; nothing where their images are not at hand any more."""
    campaign = first_campaign(directory)
    if campaign is None or not ids:
        return {}
    try:
        data = dataset_of(read_campaign_settings(campaign), campaign)
        return {} if data is None else pictures_from(data.pool, ids)
    except AskwellError:
        return {}


def _pixels(image: Tensor) -> np.ndarray:
    """uint8 [H, W] or [H, W, 3] of an image in 0..1; other ranges are stretched to it."""
    low, high = float(image.min()), float(image.max())
    if low < 0 or high > 1:
        image = (image - low) / max(high - low, torch.finfo(image.dtype).tiny)
    pixels = (image * 255).round().to(torch.uint8).cpu().numpy()
    return pixels[:3].transpose(1, 2, 0) if len(pixels) >= 3 else pixels[0]

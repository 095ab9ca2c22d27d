"""The images a strategy asked for first and last, small enough to lie in the page."""

import base64
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image

from askwell.errors import ShapeError
from askwell.report.curves import QueryRow

MOST = 10  # pictures from one round
_SIDE = 96  # pixels at most
# Tried in this order until all pictures together are light: longest side in pixels, and colours (None: all of them).
_FORMS = ((_SIDE, None), (_SIDE, 128), (64, 128), (64, 32), (48, 32))
_BUDGET = 600_000  # characters in the page


class Picture(NamedTuple):
    """An image as pixels: uint8 [H, W] or [H, W, 3]."""

    pixels: np.ndarray


def picture_requests(queries: Iterable[QueryRow]) -> dict[str, tuple[list[QueryRow], list[QueryRow]]]:
    """Strategy -> what its lowest seed asked first (round 1) and last (its last round), each best rank first and 10 at most.

    Round 0 was not chosen and does not count; where one round was asked the second list is empty.
    """
    asked: dict[str, list[QueryRow]] = {}
    for row in queries:
        if row.round > 0:
            asked.setdefault(row.strategy, []).append(row)
    return {strategy: _first_and_last(rows) for strategy, rows in asked.items()}


def requested_ids(queries: Iterable[QueryRow]) -> list[str]:
    """The ids of all pictures that a report would show, each once."""
    pairs = picture_requests(queries).values()
    return list(dict.fromkeys(row.id for pair in pairs for rows in pair for row in rows))


def data_addresses(pictures: Mapping[str, Picture]) -> dict[str, str]:
    """Id -> the picture as a data: address of a PNG, at most 96 pixels on a side; fewer pixels and colours where many would be heavy.

    Small images are enlarged by a whole factor without smoothing. Raises ShapeError for anything but uint8 [H, W] or [H, W, 3].
    """
    for name, picture in pictures.items():
        _check(name, picture.pixels)
    addresses: dict[str, str] = {}
    for side, colours in _FORMS:
        addresses = {name: _address(picture.pixels, side, colours) for name, picture in pictures.items()}
        if sum(map(len, addresses.values())) <= _BUDGET:
            break
    return addresses


def _first_and_last(rows: Sequence[QueryRow]) -> tuple[list[QueryRow], list[QueryRow]]:
    seed = min(row.seed for row in rows)
    own = sorted((row for row in rows if row.seed == seed), key=lambda row: (row.round, row.rank))
    first, last = own[0].round, own[-1].round
    return (
        [row for row in own if row.round == first][:MOST],
        [row for row in own if row.round == last != first][:MOST],
    )


def _check(name: str, pixels: np.ndarray) -> None:
    colour = pixels.ndim == 3 and pixels.shape[-1] == 3
    if pixels.dtype != np.uint8 or 0 in pixels.shape or not (pixels.ndim == 2 or colour):
        raise ShapeError(
            f"expected a picture of {name!r} as uint8 [H, W] or [H, W, 3], found {pixels.dtype} {list(pixels.shape)}."
        )


def _address(pixels: np.ndarray, side: int, colours: int | None) -> str:
    image = Image.fromarray(pixels)
    factor = side // max(image.size)
    if factor > 1:
        image = image.resize((image.width * factor, image.height * factor), Image.Resampling.NEAREST)
    else:
        image.thumbnail((side, side), Image.Resampling.LANCZOS)
    if colours is not None:
        image = image.quantize(colours)
    stream = io.BytesIO()
    image.save(stream, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode("ascii")

"""The k best-scoring items."""

import torch
from jaxtyping import Int
from torch import Tensor

from askwell.errors import NonFiniteError, ShapeError
from askwell.probability import Scores


def top_k(scores: Scores, k: int, *, generator: torch.Generator) -> Int[Tensor, " k"]:
    """Indices [min(k, N)] of the highest scores, best first, without repeats; ties are broken at random by the generator.

    Random ties matter: on a pool sorted by class, a stable sort would leak the class. Scores may be -inf, never NaN.

    Raises ShapeError for anything but scores [N] and k >= 0, NonFiniteError for NaN. Gal et al. (2017), section 5.1.
    """
    if scores.ndim != 1 or k < 0:
        raise ShapeError(f"expected scores [N] and k >= 0, found {list(scores.shape)} and k = {k}.")
    if bool(scores.isnan().any()):
        raise NonFiniteError(f"expected comparable scores, found NaN in {int(scores.isnan().sum())} of {len(scores)}.")
    shuffled = torch.randperm(len(scores), generator=generator, device=generator.device).to(scores.device)
    order = scores[shuffled].argsort(descending=True, stable=True)
    return shuffled[order[:k]]

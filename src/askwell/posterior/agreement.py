"""What can only be seen by running: that images do not depend on one another, and that both routes give the same logits."""

import torch
from jaxtyping import Float
from torch import Tensor

from askwell.errors import AskwellError, NotStochasticError, ShapeError
from askwell.posterior.chunks import check_logits
from askwell.posterior.masks import Masks, SampleMasks
from askwell.posterior.randomness import NoRandomness, UnexpectedRandomnessError
from askwell.posterior.split import NOT_STOCHASTIC, Split
from askwell.posterior.unsplit import Unsplit

# Of the largest logit. Wrong masks move logits by more; other kernels for other batch sizes, TF32 included, by less.
TOLERANCES = {torch.float64: 1e-8, torch.float32: 1e-2, torch.bfloat16: 1e-1, torch.float16: 1e-1}


def find_fault(route: object, full: Unsplit, masks: Masks, pair: Float[Tensor, " 2 *image"]) -> str | None:
    """Why this route cannot be taken, or None. Runs sample 0 on two images, without reduced precision.

    Raises NotStochasticError where nothing random is drawn, and ShapeError where an image's logits depend on its neighbours.
    """
    with torch.no_grad(), torch.autocast(pair.device.type, enabled=False):
        alone = SampleMasks(masks, 0, batch=2)
        wanted = check_logits(full.run(pair, alone), batch=2)
        if not alone.drawn:
            raise NotStochasticError(NOT_STOCHASTIC)
        # In other company, and another number of them: a mask laid along the wrong axis changes.
        among_three = check_logits(full.run(pair[[1, 0, 0]], SampleMasks(masks, 0, batch=3)), batch=3)
        if not _agree(among_three[:2].flip(0), wanted):
            raise ShapeError(
                "expected a network whose logits for an image do not depend on the other images, found one where they do; "
                "put the batch on the first axis of every dropout, and let batch norm track running statistics."
            )
        return _fault_of_split(route, masks, pair, wanted, alone) if isinstance(route, Split) else None


def _fault_of_split(cut: Split, masks: Masks, pair: Tensor, wanted: Tensor, drawn_by_full: SampleMasks) -> str | None:
    twice = [SampleMasks(masks, 0, batch=2) for _ in range(2)]  # the first pass may have changed what the prefix left
    try:
        with NoRandomness():
            *_, found = cut.passes(pair, twice)
    except UnexpectedRandomnessError:
        return "it draws random numbers outside its dropout layers"
    except AskwellError:
        raise
    except Exception as error:  # the full pass went well, so it is the traced code that fails
        return f"its traced parts fail ({error})"
    if twice[1].drawn != drawn_by_full.drawn:
        return "its parts draw other masks than the whole"
    return None if _agree(found, wanted) else "its parts give other logits than the whole"


def _agree(found: Tensor, wanted: Tensor) -> bool:
    size = wanted.abs().nan_to_num(0.0, posinf=0.0).max().clamp_min(1.0).item()
    return torch.allclose(found, wanted, rtol=0.0, atol=TOLERANCES[wanted.dtype] * size, equal_nan=True)

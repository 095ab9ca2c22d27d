"""Stream a pool through a posterior in chunks of a stated memory; only O(N) scalars are kept."""

from collections.abc import Callable, Iterator
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from askwell.errors import NonFiniteError
from askwell.pool.images import Pool, as_float
from askwell.pool.reading import SetAside, read_ahead
from askwell.probability import LogProbs, Scores, log_mean_exp

MEMORY_BYTES = 48 * 2**20  # for one chunk: images, log_probs and the float64 work of an acquisition function
BYTES_PER_LOG_PROB = 2 * 4 + 4 * 8  # log_probs in fp32, in blocks and together, and four float64 tensors of their shape
EVEN = 64  # posteriors pad to this many images, so a chunk is a multiple of it
BYTES_PER_PIXEL = 1 + 4  # as stored, and as the network takes it

Progress = Callable[[int, int], None]  # items done, items in all


@runtime_checkable
class Posterior(Protocol):
    """Anything that turns images into log_probs [N, T, C]."""

    @property
    def samples(self) -> int:
        """T, the number of posterior samples."""
        ...

    def log_probs(self, images: Float[Tensor, "N channels height width"]) -> LogProbs:
        """Log-softmax outputs of every posterior sample for every image."""
        ...


class Chunk(NamedTuple):
    """Some entries [n] of the positions being streamed, ascending, and their log_probs."""

    entries: Int[Tensor, " n"]
    log_probs: LogProbs


def chunk_items(image_shape: tuple[int, int, int], *, samples: int, classes: int, memory_bytes: int) -> int:
    """How many items fit the memory at once; at least 1."""
    channels, height, width = image_shape
    per_item = samples * classes * BYTES_PER_LOG_PROB + channels * height * width * BYTES_PER_PIXEL
    items = max(1, memory_bytes // per_item)
    return items - items % EVEN if items > EVEN else items


def stream_log_probs(
    posterior: Posterior,
    pool: Pool,
    positions: Int[Tensor, " N"],
    *,
    classes: int,
    memory_bytes: int = MEMORY_BYTES,
    progress: Progress | None = None,
    set_aside: SetAside | None = None,
) -> Iterator[Chunk]:
    """Yield the log_probs of the pool's items at ``positions``, chunk by chunk, in their order.

    The next chunk's images are read meanwhile. ``set_aside`` is told of images that cannot be read, and no chunk holds them;
    without it they raise UnreadableImagesError. Raises NonFiniteError, naming the items, where the network's output is NaN.
    """
    size = chunk_items(pool.image_shape, samples=posterior.samples, classes=classes, memory_bytes=memory_bytes)
    parts = positions.split(size) if len(positions) else ()
    done = 0
    for part, read in zip(parts, read_ahead(pool, parts, set_aside), strict=True):
        if len(read.entries):
            log_probs = posterior.log_probs(as_float(read.images))
            _refuse_nan(log_probs, pool, part[read.entries])
            yield Chunk(done + read.entries, log_probs)
        done += len(part)
        if progress is not None:
            progress(done, len(positions))


def score_pool(
    posterior: Posterior,
    pool: Pool,
    positions: Int[Tensor, " N"],
    acquisition: Callable[[LogProbs], Scores],
    *,
    classes: int,
    memory_bytes: int = MEMORY_BYTES,
    progress: Progress | None = None,
    set_aside: SetAside | None = None,
) -> Scores:
    """The acquisition function's scores [N] of the pool's items at ``positions``, in float64 on the CPU.

    ``set_aside`` is told of images that cannot be read, and their score is NaN; without it they raise UnreadableImagesError.
    """
    scores = torch.full((len(positions),), torch.nan, dtype=torch.float64)
    for chunk in stream_log_probs(
        posterior, pool, positions, classes=classes, memory_bytes=memory_bytes, progress=progress, set_aside=set_aside
    ):
        scores[chunk.entries] = acquisition(chunk.log_probs).to(scores)
    return scores


def predict_log_probs(
    posterior: Posterior,
    pool: Pool,
    positions: Int[Tensor, " N"],
    *,
    classes: int,
    memory_bytes: int = MEMORY_BYTES,
    progress: Progress | None = None,
    set_aside: SetAside | None = None,
) -> Float[Tensor, "N C"]:
    """log of the predictive distribution, the mean over posterior samples, of each item, in float64 on the CPU.

    ``set_aside`` is told of images that cannot be read, and their row is NaN; without it they raise UnreadableImagesError.
    """
    predictive = torch.full((len(positions), classes), torch.nan, dtype=torch.float64)
    for chunk in stream_log_probs(
        posterior, pool, positions, classes=classes, memory_bytes=memory_bytes, progress=progress, set_aside=set_aside
    ):
        predictive[chunk.entries] = log_mean_exp(chunk.log_probs.double()).to(predictive)
    return predictive


def _refuse_nan(log_probs: LogProbs, pool: Pool, positions: Int[Tensor, " n"]) -> None:
    broken = log_probs.isnan().flatten(1).any(dim=1).nonzero().flatten()
    if len(broken):
        first = pool.ids[int(positions[int(broken[0])])]
        others = f" and {len(broken) - 1} more of its chunk" if len(broken) > 1 else ""
        raise NonFiniteError(
            f"expected finite outputs, found NaN for item {first!r}{others}; nothing was recorded for this round. "
            "Check the network for divisions by zero and the recipe's learning_rate."
        )

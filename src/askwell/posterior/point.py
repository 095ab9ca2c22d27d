"""The point estimate: one network, no posterior; the baseline that every Bayesian claim is compared with."""

from collections.abc import Iterator

from torch import Tensor, nn

from askwell.posterior.chunks import BATCH, Chunking, Images, check_images
from askwell.posterior.copies import private_copy
from askwell.posterior.randomness import NoRandomness
from askwell.probability import LogProbs


class Point:
    """The deterministic network: eval mode, dropout replaced by scaling the weights. The "deterministic" curves of Gal et al. (2017).

    Takes the same networks as MCDropout, and any without dropout. ``model`` is copied and never changed. Raises SettingsError or
    UnknownNameError for settings out of range.
    """

    def __init__(self, model: nn.Module, *, precision: str = "fp32", batch: int = BATCH) -> None:
        self._network = private_copy(model)
        self._chunking = Chunking.of(self._network, batch=batch, precision=precision)

    @property
    def samples(self) -> int:
        """T = 1."""
        return 1

    def log_probs(self, images: Images) -> LogProbs:
        """images [N, ...] -> log p(y = c | x_n) [N, 1, C], on the model's device, in float32 (float64 if the model is).

        NaN and infinite logits are passed on. Raises ShapeError for images or logits of another shape and for N = 0, UsageError for
        a network that is random in eval mode too.
        """
        check_images(images)
        return self._chunking.log_probs(images, self._passes)

    def _passes(self, chunk: Images) -> Iterator[Tensor]:
        with NoRandomness():
            logits = self._network(chunk)
        yield logits

"""Monte-Carlo dropout: a network with dropout, read as draws from an approximate posterior over its weights."""

import warnings
from collections.abc import Iterator
from functools import partial

import torch
from torch import Tensor, nn

from askwell.errors import SettingsError
from askwell.posterior.agreement import find_fault
from askwell.posterior.chunks import BATCH, Chunking, Images, check_images
from askwell.posterior.copies import private_copy
from askwell.posterior.dense_head import DenseHead, dense_head
from askwell.posterior.masks import Masks
from askwell.posterior.split import CannotSplitError, Split, split
from askwell.posterior.unsplit import FullPassesWarning, Unsplit
from askwell.probability import LogProbs

SEEDS = 2**64  # one word of Philox's key


class MCDropout:
    """T dropout networks, the same T for every image: p(y | x, w_t) with w_t drawn from the approximate posterior q(w).

    ``model`` is any module that maps images [N, ...] to logits [N, C] and has dropout. It is copied and never changed; the copy shares
    its parameters but not its buffers, so make a new MCDropout after training the model on, moving it or writing to a parameter's
    ``data``. Everything before the first stochastic layer runs once per image, whatever T is. A network that cannot be cut there takes
    T full passes, with the same masks, and FullPassesWarning says so once.

    Sample t depends on the seed and t alone: not on torch's global generator, on T, on the order or the chunks of the images, or on
    the device. Batch norm stays in eval, and so does stochastic depth unless ``stochastic_depth`` is true; a network that calls
    it as a function inside its own modules gets it in any case. ``batch`` images run together, however many one call brings;
    for one ``batch``, a multiple of 32, and one number of threads, a power of two, results in fp32 are equal bit for bit however the
    pool is cut or ordered.

    Raises NotStochasticError for a network without dropout (where full passes are needed, at the first ``log_probs``), SettingsError or
    UnknownNameError for settings out of range. Gal and Ghahramani (2016); Gal et al. (2017), section 3.
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        samples: int = 100,
        seed: int = 0,
        precision: str = "fp32",
        stochastic_depth: bool = False,
        batch: int = BATCH,
    ) -> None:
        if samples < 1:
            raise SettingsError(f"expected at least 1 posterior sample, found {samples}; the paper takes 100.")
        if not 0 <= seed < SEEDS:
            raise SettingsError(f"expected a seed from 0 to 2**64 - 1, found {seed}; choose another.")
        network = private_copy(model)
        self._rebuild = partial(
            MCDropout,
            network,
            samples=samples,
            seed=seed,
            precision=precision,
            stochastic_depth=stochastic_depth,
            batch=batch,
        )
        self._samples = samples
        self._chunking = Chunking.of(network, batch=batch, precision=precision)
        self._masks = Masks(seed, self._chunking.device)
        self._full = Unsplit(network, stochastic_depth=stochastic_depth)
        self._route: Split | DenseHead | Unsplit = self._full
        self._checked = False
        try:
            self._route = split(private_copy(network), stochastic_depth=stochastic_depth)
        except CannotSplitError as error:
            self._fall_back(str(error))

    def __reduce__(self) -> tuple[partial["MCDropout"], tuple[()]]:
        return self._rebuild, ()  # traced graphs do not travel; another process cuts the network again

    @property
    def samples(self) -> int:
        """T, the number of posterior samples."""
        return self._samples

    def first(self, samples: int, *, precision: str | None = None) -> "MCDropout":
        """The first ``samples`` of these draws of the weights, in this precision or another; SettingsError for more than there are."""
        if samples > self._samples:
            raise SettingsError(f"expected at most the {self._samples} samples there are, found {samples}.")
        return self._rebuild(samples=samples, precision=precision or self._chunking.precision)

    def log_probs(self, images: Images) -> LogProbs:
        """images [N, ...] -> log p(y = c | x_n, w_t) [N, T, C], on the model's device, in float32 (float64 if the model is).

        The log-softmax is taken in that type whatever the precision. NaN and infinite logits are passed on. The first call also
        checks the network on two images. Raises ShapeError for images or logits of another shape, for N = 0, and for a network
        that does not treat images independently; UsageError for one whose random numbers images cannot share.
        """
        check_images(images)
        with torch.inference_mode(False):  # there dropout is one operation that no mask can be given to
            return self._log_probs(images)

    def _log_probs(self, images: Images) -> LogProbs:
        if not self._checked:
            fault = find_fault(self._route, self._full, self._masks, self._chunking.chunk(images[:2], 2))
            if fault is not None:
                self._fall_back(fault)
            if isinstance(self._route, Split):
                self._route = dense_head(self._route, self._samples)
            self._checked = True
        if isinstance(self._route, DenseHead):
            batch, nbytes = self._chunking.batch, 2 if self._chunking.precision == "bf16" else 4
            return self._chunking.blocks(
                images, self._head_logits, self._route.images_together(batch, self._samples, nbytes)
            )
        return self._chunking.log_probs(images, self._passes)

    def _head_logits(self, block: Images) -> Tensor:
        assert isinstance(self._route, DenseHead), "log_probs asks"
        masks = self._masks.samples(self._samples, batch=self._chunking.batch)
        return self._route.logits(block, masks, self._chunking.batch)

    def _passes(self, chunk: Images) -> Iterator[Tensor]:
        return self._route.passes(chunk, self._masks.samples(self._samples, batch=len(chunk)))

    def _fall_back(self, reason: str) -> None:
        self._route = self._full
        warnings.warn(
            f"askwell cannot split this network before its first stochastic layer: {reason}. "
            f"Each of the {self._samples} posterior samples takes a full pass.",
            FullPassesWarning,
            stacklevel=3,
        )

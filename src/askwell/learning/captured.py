"""A training step that is recorded once and replayed: for small batches, where launching the kernels takes longer than running them.

A CUDA graph replays the same kernels on the same memory, so what a step reads must lie where it lay when it was recorded: batches are
copied into buffers, and the learning rate is a tensor. The first steps run plainly, as they create the optimiser's state, and they count.
On the CPU nothing is recorded and the same code runs the step from the buffers. **The recording has not been run on a GPU yet.**
"""

from collections.abc import Callable
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

WARM_UP = 3  # steps before the recording, as torch's notes on CUDA graphs ask

Step = Callable[..., None]  # takes tensors only, and changes what it changes in place


@runtime_checkable
class Recorder(Protocol):
    """Runs a call, or records it."""

    def run(self, call: Callable[[], None]) -> None:
        """Call it, where it could also be recorded."""
        ...

    def record(self, call: Callable[[], None]) -> Callable[[], None]:
        """What repeats the call; whether it is called once by this is not said."""
        ...


class PlainRecorder:
    """Records nothing: to repeat a call is to call it."""

    def run(self, call: Callable[[], None]) -> None:
        call()

    def record(self, call: Callable[[], None]) -> Callable[[], None]:
        return call


class CudaRecorder:
    """Records a CUDA graph, on one stream of its own for everything, so that warm-up, recording and replay see the same memory."""

    def __init__(self, optimizer: torch.optim.Optimizer, device: torch.device) -> None:
        self._optimizer = optimizer
        self._stream = torch.cuda.Stream(device)

    def run(self, call: Callable[[], None]) -> None:
        caller = torch.cuda.current_stream(self._stream.device)
        self._stream.wait_stream(caller)
        with torch.cuda.stream(self._stream):
            call()
        caller.wait_stream(self._stream)

    def record(self, call: Callable[[], None]) -> Callable[[], None]:
        """Capturing runs nothing, so the call's effects come with the first replay."""
        graph = torch.cuda.CUDAGraph()
        for group in self._optimizer.param_groups:
            group["capturable"] = True  # the fused kernels are, and torch asks for the word
        with torch.cuda.graph(graph, stream=self._stream):
            call()
        for group in self._optimizer.param_groups:
            group["capturable"] = False  # or torch warns of every step that is not captured
        return lambda: self.run(graph.replay)


class CapturedStep:
    """Calls of one step with inputs of the first call's shapes, recorded after WARM_UP of them; with others it is run plainly."""

    def __init__(self, step: Step, recorder: Recorder) -> None:
        self._step = step
        self._recorder = recorder
        self._buffers: tuple[Tensor, ...] | None = None
        self._warm_up = WARM_UP
        self._replay: Callable[[], None] | None = None

    def __call__(self, *inputs: Tensor) -> None:
        buffers = self._buffers = self._buffers or tuple(torch.empty_like(value) for value in inputs)
        if [value.shape for value in inputs] != [buffer.shape for buffer in buffers]:  # an epoch's smaller last batch
            self._recorder.run(lambda: self._step(*inputs))
            return
        for buffer, value in zip(buffers, inputs, strict=True):
            buffer.copy_(value)
        if self._warm_up:
            self._warm_up -= 1
            self._recorder.run(lambda: self._step(*buffers))
            return
        if self._replay is None:
            self._replay = self._recorder.record(lambda: self._step(*buffers))
        self._replay()


def captured(step: Step, optimizer: torch.optim.Optimizer, device: torch.device) -> Step:
    """The step with its inputs in buffers, recorded where the device can. The optimiser must be fused, its learning rate a tensor."""
    return CapturedStep(step, CudaRecorder(optimizer, device) if device.type == "cuda" else PlainRecorder())

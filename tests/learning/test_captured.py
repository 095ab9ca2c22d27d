"""Captured steps: the same numbers, from buffers. The recording itself is played by a fake, as it needs a GPU."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor

from askwell.learning.captured import WARM_UP, CapturedStep, CudaRecorder, PlainRecorder
from askwell.learning.recipe import Recipe
from askwell.learning.supervised import fit

GENERATOR = torch.Generator().manual_seed(1)
IMAGES = torch.randint(0, 256, (22, 1, 10, 10), dtype=torch.uint8, generator=GENERATOR)
LABELS = torch.arange(22) % 3
LENGTHS = ({"steps": 9, "batch_size": 8}, {"epochs": 3, "batch_size": 8}, {"epochs": 7, "batch_size": 64})


@pytest.mark.parametrize("length", LENGTHS, ids=["steps", "a smaller last batch", "one smaller batch"])
@pytest.mark.parametrize(
    "settings",
    [
        {"model": "bcnn_full"},
        {"optimizer": "sgd", "schedule": "constant", "weight_decay": {"value": 0.5}},
        {"augmentation": "affine_elastic", "precision": "bf16"},
    ],
)
def test_it_is_todays_training_bit_for_bit(length: dict[str, object], settings: dict[str, object]):
    recipe = Recipe.model_validate({"device": "cpu", **length, **settings})
    plain = fit(recipe, IMAGES, LABELS, classes=3, seed=4)
    buffered = fit(recipe.model_copy(update={"captured": True}), IMAGES, LABELS, classes=3, seed=4)
    for mine, theirs in zip(buffered.parameters(), plain.parameters(), strict=True):
        assert torch.equal(mine, theirs)


class Tape(PlainRecorder):
    """Repeats a call as a graph does: with the tensors it had, and running nothing while it records."""

    def __init__(self):
        self.records = 0

    def record(self, call: Callable[[], None]) -> Callable[[], None]:
        self.records += 1
        return call


def test_one_recording_replayed_from_the_same_memory():
    total, places, tape = torch.zeros(3), set[int](), Tape()

    def step(values: Tensor) -> None:
        places.add(values.data_ptr())
        total.add_(values.sum())

    take = CapturedStep(step, tape)
    calls = WARM_UP + 4
    for value in range(calls):
        take(torch.full((5,), float(value)))
    assert total.tolist() == [5.0 * sum(range(calls))] * 3
    assert len(places) == 1
    assert tape.records == 1
    take(torch.ones(2))
    assert total.tolist() == [5.0 * sum(range(calls)) + 2] * 3, "another shape is run as it is"
    assert tape.records == 1


class FakeCuda:
    """Streams and graphs that only write down what is done with them; the recorded call runs where it is recorded."""

    def __init__(self, optimizer: torch.optim.Optimizer):
        self.log: list[str] = []
        self.optimizer = optimizer

    def Stream(self, device: torch.device) -> SimpleNamespace:  # noqa: N802 - torch's name
        return SimpleNamespace(device=device, wait_stream=lambda other: self.log.append("side waits"))

    def current_stream(self, device: torch.device) -> SimpleNamespace:
        return SimpleNamespace(wait_stream=lambda other: self.log.append("caller waits"))

    def CUDAGraph(self) -> SimpleNamespace:  # noqa: N802
        return SimpleNamespace(replay=lambda: self.log.append("replay"))

    @contextmanager
    def stream(self, stream: object) -> Iterator[None]:
        self.log.append("on the side")
        yield

    @contextmanager
    def graph(self, graph: object, *, stream: object) -> Iterator[None]:
        self.log.append("recording")
        assert all(group["capturable"] for group in self.optimizer.param_groups)
        yield
        self.log.append("recorded")


def test_what_the_recorder_asks_of_cuda(monkeypatch: pytest.MonkeyPatch):
    optimizer = torch.optim.Adam([torch.zeros(1, requires_grad=True)], fused=True)
    fake = FakeCuda(optimizer)
    monkeypatch.setattr(torch, "cuda", fake)
    take = CapturedStep(lambda values: fake.log.append("step"), CudaRecorder(optimizer, torch.device("cuda")))
    for _ in range(WARM_UP):
        take(torch.ones(2))
    assert fake.log == ["side waits", "on the side", "step", "caller waits"] * WARM_UP
    fake.log.clear()
    for _ in range(2):
        take(torch.ones(2))
    replayed = ["side waits", "on the side", "replay", "caller waits"]
    assert fake.log == ["recording", "step", "recorded", *replayed, *replayed]
    assert not any(group["capturable"] for group in optimizer.param_groups)

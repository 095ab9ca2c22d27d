"""Runs in the peers' environment, where there is no askwell: answers commands from stdin with Baal or with batchbald_redux.

    python peer_process.py baal|batchbald_redux THREADS WEIGHTS.npz IMAGES.npy [LABELS.npy TEST_IMAGES.npy]

Both get their images as float tensors in memory, made before the clock starts, and no workers, which only cost time when there is
nothing to decode. Seconds cover the predictions and their own BALD scores.
"""

# pyright: reportMissingImports=false
# (the packages are in the peers' environment only)

import json
import os
import sys
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

Scored = tuple[float, np.ndarray, np.ndarray]  # seconds, mean probabilities [N, C], scores [N]
Drop = Callable[[float], nn.Module]


def paper_layers(weights: dict[str, np.ndarray], drop: Drop) -> nn.Sequential:
    """The paper's network for 28x28 images, with somebody's dropout."""
    hidden, inputs = weights["dense1.weight"].shape
    network = nn.Sequential(
        OrderedDict(
            conv1=nn.Conv2d(1, 32, 4),
            relu1=nn.ReLU(),
            conv2=nn.Conv2d(32, 32, 4),
            relu2=nn.ReLU(),
            pool=nn.MaxPool2d(2),
            dropout_dense1=drop(0.25),
            flatten=nn.Flatten(),
            dense1=nn.Linear(inputs, hidden),
            relu3=nn.ReLU(),
            dropout_dense2=drop(0.5),
            dense2=nn.Linear(hidden, len(weights["dense2.bias"])),
        )
    )
    network.load_state_dict({name: torch.from_numpy(value) for name, value in weights.items()})
    return network


def formatted(network: nn.Module, setting: dict[str, Any]) -> nn.Module:
    """Channels last if the setting says so; convolutions then hand their images on like that."""
    last = setting.get("channels_last", False)
    return network.to(memory_format=torch.channels_last if last else torch.contiguous_format)


def baal_wrapper(weights: dict[str, np.ndarray], setting: dict[str, Any]) -> Any:
    """Baal as its documentation has it: patch_module and a ModelWrapper.

    setting: batch, replicate (all samples as one batch, its default, or a loop), and what its user could add: caching (its MCCachingModule,
    which keeps the outputs of layers whose inputs do not change) and channels_last.
    """
    from baal.bayesian.caching_utils import MCCachingModule
    from baal.bayesian.dropout import patch_module
    from baal.modelwrapper import ModelWrapper, TrainingArgs

    network = patch_module(formatted(paper_layers(weights, nn.Dropout), setting))
    if setting.get("caching"):
        network = MCCachingModule(network)
    arguments = TrainingArgs(
        batch_size=setting["batch"],
        epoch=50,
        use_cuda=False,
        workers=0,
        criterion=nn.CrossEntropyLoss(),
        replicate_in_memory=setting["replicate"],
    )
    return ModelWrapper(network, arguments)


def predict_with_baal(weights: dict[str, np.ndarray], images: Tensor, samples: int, setting: dict[str, Any]) -> Scored:
    """predict_on_dataset and the BALD heuristic."""
    from baal.active.heuristics import BALD
    from baal.utils.array_utils import to_prob

    wrapper, dataset = baal_wrapper(weights, setting), torch.utils.data.TensorDataset(images)
    began = time.perf_counter()
    logits = wrapper.predict_on_dataset(dataset, iterations=samples, verbose=False)
    scores = BALD().get_uncertainties(logits)
    seconds = time.perf_counter() - began
    return seconds, to_prob(logits).mean(axis=-1), scores


def predict_with_batchbald(
    weights: dict[str, np.ndarray], images: Tensor, samples: int, setting: dict[str, Any]
) -> Scored:
    """Consistent MC dropout with the whole network in mc_forward_impl, as its notebooks have it, and the two terms of its BALD."""
    from batchbald_redux.batchbald import compute_conditional_entropy, compute_entropy
    from batchbald_redux.consistent_mc_dropout import BayesianModule, ConsistentMCDropout

    class Network(BayesianModule):
        def __init__(self) -> None:
            super().__init__()
            self.layers = formatted(paper_layers(weights, ConsistentMCDropout), setting)

        def mc_forward_impl(self, mc_input_BK: Tensor) -> Tensor:
            return self.layers(mc_input_BK).log_softmax(dim=1)

    network = Network()
    network.eval()  # which draws new masks; it returns nothing
    began = time.perf_counter()
    with torch.no_grad():
        log_probs = torch.cat([network(chunk, samples) for chunk in images.split(setting["batch"])])
        scores = compute_entropy(log_probs) - compute_conditional_entropy(log_probs)
    seconds = time.perf_counter() - began
    return seconds, log_probs.exp().mean(dim=1).numpy(), scores.numpy()


PREDICT = {"baal": predict_with_baal, "batchbald_redux": predict_with_batchbald}


def answers(name: str, files: list[str]) -> dict[str, Callable[..., dict[str, Any]]]:
    """What the process can be asked for."""
    with np.load(files[0]) as file:
        weights = dict(file)
    images = np.load(files[1], mmap_mode="r")

    def as_float(items: int) -> Tensor:
        return torch.from_numpy(np.array(images[:items])).float() / 255

    def fastest(items: int, samples: int, settings: list[dict[str, Any]], tries: int) -> dict[str, Any]:
        some, found = as_float(items), [float("inf")] * len(settings)
        PREDICT[name](weights, some[:16], 2, settings[0])  # not counted
        for place in [*range(len(settings))] * tries:
            found[place] = min(found[place], PREDICT[name](weights, some, samples, settings[place])[0])
        return {"seconds": [{"seconds": seconds, **each} for seconds, each in zip(found, settings, strict=True)]}

    def predict(items: int, samples: int, setting: dict[str, Any], result: str) -> dict[str, Any]:
        seconds, probabilities, scores = PREDICT[name](weights, as_float(items), samples, setting)
        np.savez(result, probabilities=probabilities, scores=scores)
        return {"seconds": seconds, "result": result}

    known: dict[str, Callable[..., dict[str, Any]]] = {"fastest": fastest, "predict": predict}
    if len(files) > 2:
        from peer_loop import BaalLoop

        loop = BaalLoop(weights, images, np.load(files[2]), np.load(files[3]))
        known.update(begin=loop.begin, round=loop.round)
    return known


def main() -> None:
    """Answer until stdin ends; whatever the peers print goes to stderr."""
    name, threads, *files = sys.argv[1:]
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    torch.set_num_threads(int(threads))
    torch.manual_seed(0)
    known = answers(name, files)
    for line in sys.stdin:
        command = json.loads(line)
        replies.write(json.dumps(known[command.pop("do")](**command)) + "\n")
        replies.flush()


if __name__ == "__main__":
    main()

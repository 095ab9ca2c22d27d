"""Baal's active learning loop on the paper's network, one round at a time; part of peer_process.py."""

# pyright: reportMissingImports=false
# (the packages are in the peers' environment only)

import time
from typing import Any

import numpy as np
import torch
from baal.active import ActiveLearningDataset, ActiveLearningLoop
from baal.active.heuristics import BALD
from baal.utils.array_utils import to_prob
from torch import nn

from peer_process import baal_wrapper

TRAINING_BATCH = 128


class BaalLoop:
    """ActiveLearningLoop, ActiveLearningDataset, BALD, and a ModelWrapper whose weights are reset in every round.

    The loop scores a random part of the pool (max_sample) and the predictions are timed apart from the rest, so that they
    can be extrapolated. ``also`` is a second setting of the wrapper, timed on the same test images.
    """

    def __init__(
        self, weights: dict[str, np.ndarray], images: np.ndarray, labels: np.ndarray, test: np.ndarray
    ) -> None:
        self._weights = weights
        self._test = torch.utils.data.TensorDataset(torch.from_numpy(test).float() / 255)
        floats = torch.from_numpy(np.array(images)).float() / 255
        self._dataset = ActiveLearningDataset(torch.utils.data.TensorDataset(floats, torch.from_numpy(labels)))
        self._dataset.can_label = False
        self._predicting: list[float] = []

    def begin(
        self, initial: list[int], query: int, items: int, samples: int, setting: dict[str, Any], also: dict[str, Any]
    ) -> dict[str, Any]:
        """The labels to start with, and how to predict."""
        self._dataset.label(initial)
        self._wrapper, self._also = baal_wrapper(self._weights, setting), baal_wrapper(self._weights, also)
        self._fresh = {name: value.clone() for name, value in self._wrapper.state_dict().items()}
        self._batch, self._samples = setting["batch"], samples
        self._loop = ActiveLearningLoop(
            self._dataset, self._predict, heuristic=BALD(), query_size=query, max_sample=items, iterations=samples
        )
        return {}

    def round(self, first: bool, test_labels: list[int]) -> dict[str, Any]:
        """Score and label, but in the first round, then train and test; the seconds of each."""
        self._predicting.clear()
        step, _ = _timed(lambda: None if first else self._loop.step())
        scoring = sum(self._predicting)
        fit, _ = _timed(self._train)
        testing, logits = _timed(lambda: self._predict(self._test, self._samples))
        accuracy = float((to_prob(logits).mean(axis=-1).argmax(axis=1) == np.array(test_labels)).mean())
        for own, other in zip(self._wrapper.get_params(), self._also.get_params(), strict=True):
            other.data.copy_(own.data)
        also, _ = _timed(lambda: self._also.predict_on_dataset(self._test, self._samples, verbose=False))
        return {
            "labels": len(self._dataset),
            "seconds_scoring": scoring,
            "seconds_rest_of_step": step - scoring,
            "seconds_fit": fit,
            "seconds_testing": testing,
            "seconds_testing_also": also,
            "accuracy": accuracy,
        }

    def _predict(self, dataset: Any, iterations: int) -> np.ndarray:
        self._wrapper.args.batch_size = self._batch
        seconds, logits = _timed(lambda: self._wrapper.predict_on_dataset(dataset, iterations, verbose=False))
        self._predicting.append(seconds)
        return logits

    def _train(self) -> None:
        self._wrapper.load_state_dict(self._fresh)
        self._wrapper.args.batch_size = TRAINING_BATCH
        self._wrapper.args.optimizer = torch.optim.Adam(self._wrapper.get_params(), lr=1e-3)
        self._wrapper.args.criterion = nn.CrossEntropyLoss()
        self._wrapper.train_on_dataset(self._dataset)


def _timed(call: Any) -> tuple[float, Any]:
    began = time.perf_counter()
    result = call()
    return time.perf_counter() - began, result

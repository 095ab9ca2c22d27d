"""Random log_probs for the tests of this directory, and one way to call every acquisition function."""

import inspect

import torch
from hypothesis import strategies as st

from askwell.acquisition import ACQUISITIONS

SHARPNESS = (0.0, 0.3, 3.0, 30.0)
DETERMINISTIC = sorted(
    name for name, function in ACQUISITIONS.items() if "generator" not in inspect.signature(function).parameters
)


def random_log_probs(seed, items, samples, classes, sharpness=1.0, certain=0.0):
    """float64 [items, samples, classes]; about a share ``certain`` of the rows is one-hot, with log-probabilities of -inf."""
    generator = torch.Generator().manual_seed(seed)
    logits = sharpness * torch.randn(items, samples, classes, generator=generator, dtype=torch.float64)
    one_hot = torch.nn.functional.one_hot(logits.argmax(dim=-1), classes).double().log()
    chosen = torch.rand(items, samples, 1, generator=generator) < certain
    return torch.where(chosen, one_hot, logits.log_softmax(dim=-1))


def log_probs_cases(items=(0, 5), samples=(1, 6), classes=(2, 6), sharpness=SHARPNESS, certain=(0.0, 0.5, 1.0)):
    return st.builds(
        random_log_probs,
        st.integers(0, 2**31),
        st.integers(*items),
        st.integers(*samples),
        st.integers(*classes),
        st.sampled_from(sharpness),
        st.sampled_from(certain),
    )


def scores_of(name, log_probs, seed=0):
    """The scores of an entry of the table; a generator is passed to those that take one."""
    function = ACQUISITIONS[name]
    if "generator" in inspect.signature(function).parameters:
        return function(log_probs, generator=torch.Generator().manual_seed(seed))
    return function(log_probs)

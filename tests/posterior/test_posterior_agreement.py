"""The check at the first call: it finds every way in which a cut network could differ from the whole one."""

import pytest
import torch
from posterior_networks import Flat, pictures, seeded
from torch import nn

from askwell.posterior.agreement import find_fault
from askwell.posterior.copies import private_copy
from askwell.posterior.masks import Masks
from askwell.posterior.sites import dropout
from askwell.posterior.split import split
from askwell.posterior.unsplit import Unsplit

RARELY = 1e-9  # drops nothing in a test, so that logits are equal whatever the masks


def fault_after(tamper, p=0.3):
    """find_fault of a network whose suffix was tampered with: tamper(suffix, its dropout node)."""
    model = seeded(lambda: Flat(nn.Sequential(nn.Dropout(p), nn.BatchNorm1d(12), nn.Tanh())))
    cut = split(private_copy(model), stochastic_depth=False)
    (site,) = (node for node in cut.suffix.graph.nodes if node.target is dropout)
    tamper(cut.suffix, site)
    cut.suffix.recompile()
    full = Unsplit(private_copy(model), stochastic_depth=False)
    return find_fault(cut, full, Masks(0, torch.device("cpu")), pictures(2))


def nothing(suffix, site):
    pass


def another_ordinal(suffix, site):
    site.update_arg(2, 1)


def another_probability(suffix, site):
    site.update_arg(3, site.args[3] * 1.5)


def no_dropout(suffix, site):
    site.replace_all_uses_with(site.args[0])
    suffix.graph.erase_node(site)


def other_statistics(suffix, site):
    next(module for module in suffix.modules() if isinstance(module, nn.BatchNorm1d)).running_mean.add_(1)


def always_random(suffix, site):
    site.target = lambda x, masks, ordinal, p: nn.functional.dropout(x, p)


def broken(suffix, site):
    site.target = lambda x, masks, ordinal, p: x.no_such_method()


@pytest.mark.parametrize("p", [RARELY, 0.3])
def test_an_honest_cut_has_no_fault(p):
    assert fault_after(nothing, p) is None


@pytest.mark.parametrize(
    ("tamper", "p", "reason"),
    [
        (another_ordinal, RARELY, "other masks"),
        (another_probability, RARELY, "other masks"),
        (no_dropout, RARELY, "other masks"),
        (other_statistics, 0.3, "other logits"),
        (always_random, 0.3, "outside its dropout layers"),
        (broken, 0.3, "no_such_method"),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_a_fault_is_found_and_named(tamper, p, reason):
    assert reason in (fault_after(tamper, p) or "no fault")

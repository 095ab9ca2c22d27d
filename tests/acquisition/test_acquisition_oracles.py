"""Every score against its definition, written out in plain Python over lists, in float64 to 1e-10."""

import math
import statistics
from collections import Counter

import pytest
import torch
from acquisition_cases import DETERMINISTIC, log_probs_cases, random_log_probs, scores_of
from hypothesis import given


def predictive(samples):
    """The mean probability of each class over the posterior samples."""
    return [math.fsum(math.exp(value) for value in column) / len(samples) for column in zip(*samples, strict=True)]


def bald(samples):
    """Mutual information from the joint table p(t, c) = p(t) p(c | t), p(t) = 1/T: no difference of entropies."""
    p_sample = 1 / len(samples)
    joint = [[p_sample * math.exp(value) for value in row] for row in samples]
    p_class = [math.fsum(column) for column in zip(*joint, strict=True)]
    cells = ((p, p_class[label]) for row in joint for label, p in enumerate(row))
    return math.fsum(p * math.log(p / (p_sample * marginal)) for p, marginal in cells if p > 0)


def max_entropy(samples):
    return math.fsum(p * math.log(1 / p) for p in predictive(samples) if p > 1e-300)


def variation_ratios(samples):
    return math.fsum(sorted(predictive(samples))[:-1])


def least_confidence(samples):
    classes = len(samples[0])
    return (1 - sorted(predictive(samples))[-1]) / (1 - 1 / classes)


def margin(samples):
    *_, second, best = sorted(predictive(samples))
    return second - best


def variation_ratios_votes(samples):
    votes = Counter(row.index(max(row)) for row in samples)
    return 1 - votes.most_common(1)[0][1] / len(samples)


def mean_std(samples):
    probabilities = [[math.exp(value) for value in column] for column in zip(*samples, strict=True)]
    return statistics.fmean(statistics.pstdev(column) for column in probabilities)


def mean_std_defective(samples):
    return mean_std([samples[0]] * 5)


ORACLES = {
    function.__name__: function
    for function in (
        bald,
        max_entropy,
        variation_ratios,
        least_confidence,
        margin,
        variation_ratios_votes,
        mean_std,
        mean_std_defective,
    )
}


def test_every_deterministic_score_has_an_oracle():
    assert sorted(ORACLES) == DETERMINISTIC


@pytest.mark.parametrize("name", DETERMINISTIC)
@given(log_probs=log_probs_cases())
def test_scores_are_those_of_the_definition(name, log_probs):
    expected = [ORACLES[name](samples) for samples in log_probs.tolist()]
    assert scores_of(name, log_probs).tolist() == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize("name", DETERMINISTIC)
@pytest.mark.parametrize("sharpness", [0.01, 1.0, 100.0])
def test_scores_are_those_of_the_definition_at_the_papers_size(name, sharpness):
    log_probs = random_log_probs(7, items=3, samples=100, classes=10, sharpness=sharpness)
    expected = [ORACLES[name](samples) for samples in log_probs.tolist()]
    assert scores_of(name, log_probs).tolist() == pytest.approx(expected, abs=1e-10)


KNOWN = {  # name -> scores of: one certain class; total disagreement; total ignorance (C = T = 4)
    "bald": (0.0, math.log(4), 0.0),
    "max_entropy": (0.0, math.log(4), math.log(4)),
    "variation_ratios": (0.0, 0.75, 0.75),
    "variation_ratios_votes": (0.0, 0.75, 0.0),
    "mean_std": (0.0, math.sqrt(1 / 4 - 1 / 16), 0.0),
    "mean_std_defective": (0.0, 0.0, 0.0),
    "margin": (-1.0, 0.0, 0.0),
    "least_confidence": (0.0, 1.0, 1.0),
}


@pytest.mark.parametrize("name", DETERMINISTIC)
def test_scores_of_certainty_disagreement_and_ignorance(name):
    certain = torch.tensor([1.0, 0.0, 0.0, 0.0]).expand(4, 4)
    disagreement, ignorance = torch.eye(4), torch.full((4, 4), 0.25)
    log_probs = torch.stack([certain, disagreement, ignorance]).double().log()
    assert scores_of(name, log_probs).tolist() == pytest.approx(KNOWN[name], abs=1e-12)


def test_bald_tells_disagreement_from_noise_and_max_entropy_does_not():
    confident_but_split = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    agreed_to_be_unsure = torch.tensor([[0.5, 0.5], [0.5, 0.5]])
    log_probs = torch.stack([confident_but_split, agreed_to_be_unsure]).double().log()
    assert scores_of("bald", log_probs).tolist() == pytest.approx([math.log(2), 0.0], abs=1e-15)
    assert scores_of("max_entropy", log_probs).tolist() == pytest.approx([math.log(2)] * 2, abs=1e-15)


def test_tiny_disagreement_is_not_lost_to_cancellation():
    delta = 1e-5  # I is 2 delta^2 to leading order, ten digits below the two entropies that it is the difference of
    log_probs = torch.tensor([[[0.5 + delta, 0.5 - delta], [0.5 - delta, 0.5 + delta]]], dtype=torch.float64).log()
    assert float(scores_of("bald", log_probs)) == pytest.approx(2 * delta**2, rel=1e-4)
    assert float(scores_of("mean_std", log_probs)) == pytest.approx(delta, rel=1e-9)

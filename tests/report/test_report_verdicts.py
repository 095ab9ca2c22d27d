"""What the comparison allows one to say: helped, worse, not shown, not enough seeds."""

from collections.abc import Sequence

import pytest

from askwell.report.curves import CurvePoint
from askwell.report.paired import paired_test
from askwell.report.verdicts import limits, p_text, verdicts


def runs(strategy: str, ends: Sequence[float], seeds: Sequence[int] | None = None) -> list[CurvePoint]:
    """One run per end: from .5 at 10 labels to the end at 20, so its area is (.5 + end) / 2."""
    return [
        CurvePoint(strategy, seed, i, 10 + 10 * i, value)
        for seed, end in zip(seeds or range(len(ends)), ends, strict=True)
        for i, value in enumerate((0.5, end))
    ]


def said(points: list[CurvePoint]) -> dict[str, str]:
    return dict(verdicts(paired_test(points)))


@pytest.mark.parametrize(
    ("p", "text"),
    [
        (1.0, "1"),
        (0.5, ".5"),
        (0.25, ".25"),
        (0.0625, ".063"),  # up, so that it never claims too much
        (0.03125, ".032"),
        (0.05, ".05"),
        (0.0500001, ".051"),
        (0.3 - 0.2, ".1"),  # 0.09999999999999998
        (0.00390625, ".004"),
        (0.001953125, ".002"),
        (0.001, ".001"),
        (0.0009, "<.001"),
        (0.996, "1"),
    ],
)
def test_p_is_rounded_up_to_two_digits(p: float, text: str) -> None:
    assert p_text(p) == text


def test_helped() -> None:
    # differences 1.5 to 5.5 and -0.5 points: sum of squares about the mean 29.4, t(9, .975) = 2.2622
    points = runs("bald", [0.8 + 0.01 * i for i in range(10)]) + runs("random", [0.77] * 9 + [0.9])
    assert said(points) == {
        "bald": "The area under the curve is above random’s in 9 of 10 seeds; mean difference 3.10 points "
        "(95 % interval 1.81 to 4.39), exact paired test p = .004 (Holm .004): active learning helped, on this data with this recipe."
    }
    assert limits(paired_test(points)) == []


def test_worse() -> None:
    # differences 0 and -2.5 to -5.5 points: sum of squares about the mean 21, t(7, .975) = 2.3646
    points = runs("bald", [0.7] * 8) + runs("random", [0.7, *(0.75 + 0.01 * i for i in range(7))])
    assert said(points) == {
        "bald": "The area under the curve is above random’s in 0 of 8 seeds and equal in 1; mean difference −3.50 points "
        "(95 % interval −4.95 to −2.05), exact paired test p = .016 (Holm .016): asking this way was worse than asking at random, "
        "on this data with this recipe."
    }


def test_not_shown_is_no_evidence_of_none() -> None:
    points = runs("bald", [0.7, 0.8] * 4) + runs("random", [0.8, 0.7] * 4)
    assert said(points)["bald"].endswith("p = 1 (Holm 1): no difference was shown; that is not evidence of none.")


def test_what_does_not_outlive_the_correction_is_not_shown() -> None:
    better = [0.8, 0.81, 0.82, 0.83, 0.84, 0.85]
    points = [*runs("bald", better), *runs("margin", [0.7, 0.8] * 3), *runs("random", [0.75] * 6)]
    sentences = said(points)
    assert sentences["bald"].endswith(
        "p = .032 (Holm .063): allowing for 2 comparisons, no difference was shown; that is not evidence of none."
    )
    assert "helped" not in sentences["margin"]
    assert limits(paired_test(points)) == [
        "With 6 seeds no test can reach 5 % (the smallest possible p is .032, after Holm’s correction for 2 strategies .063); "
        "this is an observation.",
        "To test 2 strategies with random, run 7 seeds or more; intervals are given from 8 on.",
    ]


def test_three_seeds_are_an_observation() -> None:
    points = runs("bald", [0.8, 0.81, 0.69]) + runs("random", [0.7, 0.7, 0.7])
    assert said(points) == {
        "bald": "The area under the curve is above random’s in 2 of 3 seeds; mean difference 3.33 points "
        "(seed by seed −0.50 to 5.50), exact paired test p = .5."
    }
    assert limits(paired_test(points)) == [
        "With 3 seeds no test can reach 5 % (the smallest possible p is .25); this is an observation.",
        "To test 1 strategy with random, run 6 seeds or more; intervals are given from 8 on.",
    ]


@pytest.mark.parametrize(
    ("end", "where"),
    [(0.8, "5.00 points above random’s"), (0.6, "5.00 points below random’s"), (0.7, "equal to random’s")],
)
def test_one_seed_is_a_single_observation(end: float, where: str) -> None:
    points = runs("bald", [end], [4]) + runs("random", [0.7], [4])
    assert said(points) == {"bald": f"With seed 4 the area under the curve is {where}."}
    assert limits(paired_test(points))[0] == (
        "With 1 seed this is a single observation, not a test; another seed may say otherwise."
    )


def test_strategies_with_other_numbers_of_seeds() -> None:
    points = [*runs("bald", [0.8] * 10), *runs("margin", [0.8] * 2), *runs("random", [0.7] * 10)]
    assert "helped" in said(points)["bald"]
    assert limits(paired_test(points)) == [
        "With 2 seeds no test can reach 5 % (the smallest possible p is .5); this is an observation.",
        "To test 2 strategies with random, run 7 seeds or more; intervals are given from 8 on.",
    ]


def test_seeds_without_a_partner_are_named() -> None:
    points = runs("bald", [0.8] * 3, [0, 1, 7]) + runs("random", [0.7] * 3, [1, 7, 9])
    assert limits(paired_test(points))[-1].startswith(
        "Only seeds that were run with random too are paired; left out of the pairing: bald, seed 0; random, seed 9."
    )


def test_no_common_range_is_said() -> None:
    points = [CurvePoint("bald", 0, 0, 10, 0.5), *runs("random", [0.7])]
    assert limits(paired_test(points)) == [
        "The runs to compare share no range of labels, so their areas cannot be compared."
    ]
    assert said(points) == {}


def test_more_than_twenty_seeds_are_sampled_and_said() -> None:
    points = runs("bald", [0.8] * 21) + runs("random", [0.7] * 21)
    (sentence,) = said(points).values()
    assert "paired test by 100,000 random sign patterns p < .001 (Holm <.001)" in sentence

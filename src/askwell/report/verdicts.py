"""Is active learning helping, and how sure are we? What the paired comparison allows one to say, in plain words."""

import math
from collections.abc import Sequence

from askwell.report.curves import BASELINE
from askwell.report.intervals import MIN_SEEDS
from askwell.report.paired import DRAWS, EXACT_SEEDS, LEVEL, Comparison, PairedTest, holm, seeds_needed, smallest_p
from askwell.report.wording import counted, points_text, seeds_text

WORSE = f"asking this way was worse than asking at {BASELINE}, on this data with this recipe"
HELPED = "active learning helped, on this data with this recipe"
NOT_SHOWN = "no difference was shown; that is not evidence of none"


def p_text(p: float) -> str:
    """A p value to two digits, rounded up so that it never claims too much: ".004", ".05", "1"; "<.001" below that."""
    if p < 0.001:
        return "<.001"
    digits = 1 - math.floor(math.log10(p))
    rounded = math.ceil(round(p * 10**digits, 6)) / 10**digits
    return f"{rounded:.{digits}f}".rstrip("0").rstrip(".").removeprefix("0")


def verdicts(test: PairedTest) -> list[tuple[str, str]]:
    """(strategy, what its comparison with random says) for every strategy that was compared."""
    return [(row.strategy, _verdict(row, len(test.rows))) for row in test.rows]


def limits(test: PairedTest) -> list[str]:
    """Sentences on what the test cannot say: too few seeds, seeds without a partner, no range in common."""
    sentences = _too_few(test.rows)
    if test.left_out:
        names = "; ".join(f"{name}, {seeds_text(seeds)}" for name, seeds in test.left_out.items())
        sentences.append(
            f"Only seeds that were run with {BASELINE} too are paired; left out of the pairing: {names}. "
            "In the tables of labels and of accuracy the strategies are therefore not compared like with like."
        )
    if test.labels is None and test.paired:
        sentences.append("The runs to compare share no range of labels, so their areas cannot be compared.")
    return sentences


def _verdict(row: Comparison, comparisons: int) -> str:
    n = len(row.seeds)
    if n == 1:
        side = "below" if row.mean < 0.0 else "above"
        where = f"{points_text(abs(row.mean))} points {side} {BASELINE}’s" if row.mean else f"equal to {BASELINE}’s"
        return f"With seed {row.seeds[0]} the area under the curve is {where}."
    above, equal = sum(d > 0.0 for d in row.differences), sum(d == 0.0 for d in row.differences)
    counts = f"in {above} of {n} seeds" + (f" and equal in {equal}" if equal else "")
    said = f"The area under the curve is above {BASELINE}’s {counts}; mean difference {points_text(row.mean)} points"
    said = f"{said} ({_spread(row)}), {_test_name(n)} p {_equals(row.p)}"
    if smallest_p(n) > LEVEL:
        return f"{said}."
    return f"{said} (Holm {_equals(row.holm, short=True)}): {_conclusion(row, comparisons)}."


def _spread(row: Comparison) -> str:
    if row.interval is not None:
        low, high = map(points_text, row.interval)
        return f"95 % interval {low} to {high}"
    low, high = min(row.differences), max(row.differences)
    return f"seed by seed {points_text(low)} to {points_text(high)}"


def _test_name(seeds: int) -> str:
    return "exact paired test" if seeds <= EXACT_SEEDS else f"paired test by {DRAWS:,} random sign patterns"


def _equals(p: float, *, short: bool = False) -> str:
    text = p_text(p)
    return text if short else text.replace("<", "< ") if text.startswith("<") else f"= {text}"


def _conclusion(row: Comparison, comparisons: int) -> str:
    if row.holm <= LEVEL:
        return HELPED if row.mean > 0.0 else WORSE
    if row.p <= LEVEL:
        return f"allowing for {comparisons} comparisons, {NOT_SHOWN}"
    return NOT_SHOWN


def _too_few(rows: Sequence[Comparison]) -> list[str]:
    """For each number of seeds with which no p, raw or corrected, can come down to 5 %: that it cannot, and how many would do."""
    raw = [smallest_p(len(row.seeds)) for row in rows]
    sentences: dict[str, None] = {}
    for row, p, corrected in zip(rows, raw, holm(raw), strict=True):
        n = len(row.seeds)
        if corrected <= LEVEL:
            continue
        if n == 1:
            sentences["With 1 seed this is a single observation, not a test; another seed may say otherwise."] = None
            continue
        smallest = f"the smallest possible p is {p_text(p)}"
        if p <= LEVEL:
            smallest += f", after Holm’s correction for {len(rows)} strategies {p_text(corrected)}"
        sentences[f"With {n} seeds no test can reach 5 % ({smallest}); this is an observation."] = None
    if not sentences:
        return []
    compared = f"{counted(len(rows), 'strategy', 'strategies')} with {BASELINE}"
    need = f"To test {compared}, run {seeds_needed(len(rows))} seeds or more; intervals are given from {MIN_SEEDS} on."
    return [*sentences, need]

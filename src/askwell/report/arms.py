"""What the figure of learning curves shows of each strategy, as numbers, before anything is drawn."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from askwell.report.curves import (
    Curve,
    CurvePoint,
    accuracies_at,
    curves_by_strategy,
    mean_curve,
    mean_labels,
)
from askwell.report.intervals import MIN_SEEDS, mean_interval
from askwell.report.looks import Look, looks_of, shortened

ZERO = 1e-9  # an error below this is 0, which has no place on a log axis
_BESIDE_A_COUNT = 22  # characters of a name that shares its line with a labels count


@dataclass(frozen=True)
class Arm:
    """What is drawn of one strategy: the mean curve, thin single curves, and a band of (labels, low error, high error)."""

    name: str
    look: Look
    seeds: int
    mean: Curve
    singles: tuple[Curve, ...] = ()
    band: tuple[tuple[int, float, float], ...] = ()

    @property
    def leading(self) -> Curve:
        """The curve whose end carries the name: the mean, or the first seed where the seeds share no range of labels."""
        return self.mean if self.mean.labels else self.singles[0]


def arms_of(points: Iterable[CurvePoint]) -> list[Arm]:
    """One arm for each strategy with an accuracy, in order of appearance."""
    curves = curves_by_strategy(points)
    return [_arm(name, look, curves[name]) for name, look in looks_of(curves).items()]


def _arm(name: str, look: Look, seeds: Mapping[int, Curve]) -> Arm:
    mean = mean_curve(seeds)
    ends = [(n, mean_interval(accuracies_at(seeds, n))) for n in mean_labels(seeds)]
    band = tuple((n, 1.0 - interval[1], min(1.0, 1.0 - interval[0])) for n, interval in ends if interval)
    single = not mean.labels or 1 < len(seeds) < MIN_SEEDS
    return Arm(name, look, len(seeds), mean, tuple(seeds.values()) if single else (), band)


def last_labels(arms: Sequence[Arm]) -> int:
    """The labels count at which the longest of all drawn curves ends."""
    return max(curve.labels[-1] for arm in arms for curve in (arm.leading, *arm.singles))


def error_range(arms: Sequence[Arm], targets: Sequence[float]) -> tuple[float, float]:
    """The ends of the error axis, fractions above 0, with room to breathe."""
    errors = drawn_errors(arms) + [1.0 - target for target in targets]
    positive = [error for error in errors if error > ZERO] or [0.01]
    low, high = min(positive), max(positive)
    room = max(1.12, math.sqrt(1.5 * low / high))
    return low / room, min(1.0, high * room)


def drawn_errors(arms: Sequence[Arm]) -> list[float]:
    """Every error that the figure must hold."""
    errors = [1.0 - accuracy for arm in arms for curve in (arm.mean, *arm.singles) for accuracy in curve.accuracy]
    return errors + [high for arm in arms for _, _, high in arm.band]


def errors_of(curve: Curve, lowest: float) -> list[float]:
    """The errors along a curve; those below the axis lie on its edge."""
    return [max(lowest, 1.0 - accuracy) for accuracy in curve.accuracy]


def marked(points: int, shift: int) -> list[int]:
    """About eight of the points, another choice for each shift, and the last one."""
    step = max(1, points // 8)
    return list(range(shift * 2 % step, points - 1 - step // 2, step)) + [points - 1] * (points > 0)


def subtitle(arms: Sequence[Arm]) -> str:
    """How many seeds there are and what stands for them."""
    fewest, most = min(arm.seeds for arm in arms), max(arm.seeds for arm in arms)
    seeds = f"{fewest} to {most} seeds" if fewest < most else "1 seed" if most == 1 else f"{most} seeds"
    if len(arms) > 1:
        seeds += " per strategy"
    parts = ["bold: mean"] if most > 1 else []
    parts += ["thin: each seed"] if any(arm.singles for arm in arms) else []
    parts += ["band: 95 % t-interval"] if any(arm.band for arm in arms) else []
    last = last_labels(arms)
    early = any(arm.leading.labels[-1] < last for arm in arms)
    return "  ·  ".join([seeds, *parts, f"right: error {'where each curve ends' if early else 'at the end'}"])


def end_text(name: str, curve: Curve, last: int, value: float) -> str:
    """A curve's name and the value at its end; where that comes before the last labels count, also the labels count there."""
    labels = curve.labels[-1]
    if labels == last:
        return f"{shortened(name)}  {percent(value)}"
    return f"{shortened(name, _BESIDE_A_COUNT)}  at {labels} {'label' if labels == 1 else 'labels'}: {percent(value)}"


def percent(value: float) -> str:
    """A fraction in per cent with three digits at most: 0.0512 is "5.12 %"."""
    return f"{100.0 * value:.3g} %"

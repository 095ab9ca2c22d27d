"""How figures look: inks, the style of axes and words, and each strategy's colour, dash and marker.

A strategy is told by colour, dash and marker together, never by colour alone.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from askwell.report.curves import BASELINE

INK, QUIET, RULE = "#1F2328", "#59636E", "#E4E8EC"
STYLE: dict[str, Any] = {
    "font.family": ["DejaVu Sans"],
    "font.size": 9.5,
    "text.parse_math": False,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": QUIET,
    "axes.linewidth": 0.8,
    "xtick.color": QUIET,
    "ytick.color": QUIET,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "svg.hashsalt": "askwell",
    "svg.fonttype": "path",
}

# Okabe and Ito (2008), darkest first; their yellow is left out (too pale for a line on white) and black is random's.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
_DASHES = ("-", (0, (6, 1.6)), (0, (6, 1.6, 1.2, 1.6)), (0, (3, 1.2)), (0, (6, 1.6, 1.2, 1.6, 1.2, 1.6)))
_MARKERS = ("o", "s", "^", "D", "v", "P", "X")
_LONGEST_NAME = 30


@dataclass(frozen=True)
class Look:
    """Colour, dash and marker of a strategy's line."""

    colour: str
    dash: Any
    marker: str


def looks_of(names: Iterable[str]) -> dict[str, Look]:
    """Name -> look, by order of appearance; the three cycles differ in length, so 210 strategies differ."""
    looks: dict[str, Look] = {}
    others = 0
    for name in names:
        if name == BASELINE:
            looks[name] = Look("#3A3A3A", (0, (1.6, 1.6)), "X")
            continue
        looks[name] = Look(
            _COLOURS[others % len(_COLOURS)], _DASHES[others % len(_DASHES)], _MARKERS[others % len(_MARKERS)]
        )
        others += 1
    return looks


def shortened(name: str, longest: int = _LONGEST_NAME) -> str:
    """A strategy's name on one line, its middle left out where it has more than so many characters."""
    name = " ".join(name.split()) or "(no name)"
    tail = longest * 2 // 5 - 1
    return name if len(name) <= longest else f"{name[: longest - tail - 1]}…{name[-tail:]}"

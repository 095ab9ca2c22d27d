"""The others who score with T samples: the plain loop, Baal and batchbald_redux, each with the fastest of a few settings.

The packages take part as they are documented, and a second time, as "tuned", with all that a user could add without changing
them: channels last, and for Baal its MCCachingModule. The plain loop is always at its best.
"""

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor, nn

from agreement import Moments, agrees, compare, own_spread
from apart import Apart
from measuring import Seconds, ratios
from peers import Peer, read_moments
from plain import GRID, PlainSetting, fastest, timed_scores

Setting = dict[str, Any]
DOCUMENTED: Mapping[str, list[Setting]] = {
    "baal": [
        *({"batch": batch, "replicate": True} for batch in (16, 64, 256)),
        *({"batch": batch, "replicate": False} for batch in (64, 256)),
    ],
    "batchbald_redux": [{"batch": batch} for batch in (4, 16)],
}
TUNED: Mapping[str, list[Setting]] = {
    "baal": [
        {"batch": 256, "replicate": False, "caching": True},
        *({"batch": batch, "replicate": False, "caching": True, "channels_last": True} for batch in (64, 256)),
        {"batch": 64, "replicate": True, "channels_last": True},
    ],
    "batchbald_redux": [{"batch": batch, "channels_last": True} for batch in (4, 16)],
}
ASKED = {  # what the others are asked to take, as a multiple of ours
    "fp32": {"baal": 60, "plain loop": 25},
    "bf16": {"baal": 165, "plain loop": 70},
    "adaptive bf16": {"baal": 360, "plain loop": 150},
}
LINEAR_WITHIN = 0.1


class Scorer(NamedTuple):
    """Scores the first so many images; says how long it took, and what the samples say."""

    score: Callable[[int], tuple[float, Moments]]
    setting: Setting


class Tuning(NamedTuple):
    """How settings are chosen: by the least time of ``tries`` on so many images."""

    items: int
    tries: int


class PlainLoop(NamedTuple):
    """The plain loop in a process of its own: where, the network, and the images."""

    apart: Apart
    network: nn.Module
    images: Tensor

    def fastest(self, samples: int, tuning: Tuning) -> dict[PlainSetting, float]:
        """The seconds of all settings, the fastest first."""
        return self.apart.call(fastest, self.network, self.images[: tuning.items], samples, GRID, tuning.tries)

    def score(self, samples: int, setting: PlainSetting, items: int) -> tuple[float, Moments]:
        """The first so many images."""
        return self.apart.call(timed_scores, self.network, self.images[:items], samples, setting)


def fastest_setting(
    peer: Peer, grid: Sequence[Setting], samples: int, tuning: Tuning
) -> tuple[Setting, list[dict[str, Any]]]:
    """The peer's fastest of those whose batch the images fill, and the seconds of each."""
    fits = [setting for setting in grid if setting["batch"] <= tuning.items]
    tried = peer.ask("fastest", items=tuning.items, samples=samples, settings=fits, tries=tuning.tries)["seconds"]
    best = min(tried, key=lambda entry: entry["seconds"])
    return {name: value for name, value in best.items() if name != "seconds"}, tried


def scorers(
    plain_loop: PlainLoop, samples: int, peers: Mapping[str, Peer], scratch: Path, tuning: Tuning
) -> tuple[dict[str, Scorer], dict[str, Any]]:
    """Everybody at the fastest setting, and the seconds of all settings that were tried."""
    tried: dict[str, Any] = tuning._asdict()
    plain = plain_loop.fastest(samples, tuning)
    tried["plain loop"] = [{"seconds": seconds, **setting._asdict()} for setting, seconds in plain.items()]
    best = next(iter(plain))
    found = {"plain loop": Scorer(partial(plain_loop.score, samples, best), best._asdict())}
    for name, peer in peers.items():
        for label, grid in ((name, DOCUMENTED[name]), (f"{name}, tuned", TUNED[name])):
            setting, tried[label] = fastest_setting(peer, grid, samples, tuning)
            result = scratch / f"{label.replace(', ', '-')}.npz"
            found[label] = Scorer(partial(_asked, peer, samples, setting, result), setting)
    return found, tried


def _asked(peer: Peer, samples: int, setting: Setting, result: Path, items: int) -> tuple[float, Moments]:
    answer = peer.ask("predict", items=items, samples=samples, setting=setting, result=str(result))
    return answer["seconds"], read_moments(answer["result"])


def linearity(scorer: Scorer, items: int, seconds: float) -> dict[str, Any]:
    """The seconds for half the images, and how the ratio of times compares to the ratio of sizes."""
    half = items // 2
    less, _ = scorer.score(half)
    relative = (seconds / less) / (items / half)
    if abs(relative - 1) > LINEAR_WITHIN:
        print(f"  not linear within 10 %: the ratio of times is {relative:.2f} of the ratio of sizes")
    return {"items": half, "seconds": less, "ratio_of_times_to_ratio_of_sizes": relative}


@dataclass
class Theirs:
    """The others on the first ``items`` images, and what their samples said last."""

    scorers: dict[str, Scorer]
    items: int
    said: dict[str, Moments] = field(default_factory=dict)

    def turns(self) -> dict[str, Callable[[], float]]:
        """One of each."""
        return {name: partial(self._timed, name) for name in self.scorers}

    def _timed(self, name: str) -> float:
        seconds, self.said[name] = self.scorers[name].score(self.items)
        return seconds

    def report(
        self, seconds: Seconds, own: Sequence[str], whole_items: int, seeds: Sequence[Moments], *, check: bool
    ) -> dict[str, Any]:
        """Measured and extrapolated seconds, multiples of ours, and whether the samples say the same."""
        spread, factor = own_spread(seeds), whole_items / self.items
        report: dict[str, Any] = {}
        for name, scorer in self.scorers.items():
            whole = [factor * value for value in seconds[name]]
            compared = compare(seeds[0], self.said[name])
            report[name] = {
                "setting": scorer.setting,
                "items": self.items,
                "factor": factor,
                "seconds": seconds[name],
                "median_whole": statistics.median(whole),
                "linearity": linearity(scorer, self.items, seconds[name][-1]) if check else None,
                "times_ours": {
                    each: ratios(whole, seconds[each]) | {"asked": ASKED.get(each, {}).get(name)} for each in own
                },
                "agreement": compared | {"within_monte_carlo_error": agrees(compared, spread)},
            }
        return report

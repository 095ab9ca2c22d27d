"""Claim: 20 people who label 100,000 images at 40 answers a second, while the learner learns on the same 2 cores, wait 15 ms in the median
and at most 100 ms in 99 of 100 requests; no answer is lost or counted twice, and no image is shown to two of them.

`askwell label` really runs, on MNIST's images written as PNG files (beyond 70,000 mirrored), with its worker. Then the same without any
time for thinking: what the server can take. Needs ASKWELL_DATA; about ten minutes, most of it the images being written and indexed.

    python benchmarks/labelling_load.py [--small] [--images FOLDER] [--seconds N] [--out FILE]
"""

import argparse
import asyncio
import json
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np

from labelling_clients import Command, Seen, compare, label_together, write_mnist
from measuring import conditions, publish

PEOPLE, THINKING = 20, 0.5
ASKED = {"p50": 15.0, "p99": 100.0}  # milliseconds


def quantiles(seen: Seen) -> dict[str, dict[str, float]]:
    """Milliseconds of each kind of request."""
    found: dict[str, dict[str, float]] = {}
    for name, seconds in sorted(seen.seconds.items()):
        p50, p90, p99 = (float(value) * 1000 for value in np.quantile(seconds, (0.5, 0.9, 0.99)))
        found[name] = {"requests": len(seconds), "p50": p50, "p90": p90, "p99": p99, "max": max(seconds) * 1000}
    return found


def main() -> None:
    """Index, label with pauses, label without, compare with the database."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true", help="2,000 images, 20 seconds: shows that it runs")
    parser.add_argument(
        "--images", type=Path, help="where the images are written and kept; a temporary folder unless given"
    )
    parser.add_argument("--seconds", type=float, default=120.0, help="of labelling with pauses")
    parser.add_argument("--out", type=Path, help="where to write the JSON")
    arguments = parser.parse_args()
    count, seconds = (2_000, 20.0) if arguments.small else (100_000, arguments.seconds)
    before = conditions(1)
    with tempfile.TemporaryDirectory() as temporary:
        folder = (arguments.images or Path(temporary) / "mnist").absolute()
        write_mnist(folder, count)
        command = Command(folder, Path(temporary) / "campaign", [f"p{number}" for number in range(PEOPLE)])
        began = time.perf_counter()
        command.start()
        try:
            wait_until_learning(command)
            ready = time.perf_counter() - began
            calm, pressed = Seen(), Seen()
            asyncio.run(label_together(command.links, seconds, THINKING, calm))
            doing = worker_of(command)
            asyncio.run(label_together(command.links, seconds / 4, 0.0, pressed))
        finally:
            command.stop()
        both = Seen(confirmed={**calm.confirmed, **pressed.confirmed})
        for seen in (calm, pressed):
            for item, names in seen.shown_to.items():
                both.shown_to[item] |= names
        result: dict[str, Any] = {
            "images": count,
            "people": PEOPLE,
            "thinking_s": THINKING,
            "seconds_until_learning": ready,
            "worker_at_the_end": doing,
            "answers_per_second": len(calm.confirmed) / seconds,
            "milliseconds": quantiles(calm),
            "without_thinking": {
                "answers_per_second": len(pressed.confirmed) / (seconds / 4),
                "milliseconds": quantiles(pressed),
            },
            "promises": compare(command.campaign, both),
            "refused": dict(calm.refused + pressed.refused),
            "asked": ASKED,
        }
    print(json.dumps(result, indent=1))
    publish({**before, **result}, arguments.out)


def worker_of(command: Command) -> dict[str, Any]:
    """What the page says that the machine is doing."""
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
    link = command.links[command.annotators[0]]
    opener.open(link).read()
    with opener.open(link.partition("?")[0] + "api/state") as reply:
        state = json.load(reply)
    return {**state["worker"], "indexed": state["indexed"], "round": state["round"]}


def wait_until_learning(command: Command) -> None:
    """Until all images are known and the learner has begun to look at them."""
    while not (found := worker_of(command))["indexed"] or found["doing"] in ("indexing", "starting"):
        time.sleep(1)


if __name__ == "__main__":
    main()

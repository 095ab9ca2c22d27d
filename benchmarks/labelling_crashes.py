"""Claim: every answer that was confirmed is there, once, whatever is killed: the page's process, the learner's, or the command itself.

The load of ``labelling_load`` goes on while, at random moments, one of the three gets SIGKILL; a command that ended is given again, the
same. Afterwards the database is compared with what the clients were told. Needs ASKWELL_DATA; ten minutes.

    python benchmarks/labelling_crashes.py [--small] [--images FOLDER] [--kills N] [--seed N] [--out FILE]
"""

import argparse
import asyncio
import json
import os
import random
import signal
import socket
import tempfile
from collections import Counter
from pathlib import Path

from askwell.campaign.settings import made_with
from labelling_clients import Command, Seen, compare, label_together, write_mnist
from measuring import publish

PEOPLE, THINKING = 20, 0.5
BETWEEN = 5.0  # seconds from one kill to the next, in the mean
LEAST = 0.2
TARGETS = ("web", "web", "worker", "command")
MOST_COMMANDS = 12  # a link is good through 16 starts of the command


async def kill_at_random(command: Command, kills: int, source: random.Random) -> Counter[str]:
    """Kill one process after another, and give the command again whenever it ended; returns how often which."""
    killed: Counter[str] = Counter()
    while sum(killed[name] for name in TARGETS[1:]) < kills:
        await asyncio.sleep(LEAST + source.expovariate(1 / BETWEEN))
        assert command.process is not None, "it was started"
        target = source.choice(TARGETS)
        if target == "command" and killed["command"] < MOST_COMMANDS:
            command.kill()
            killed["command"] += 1
        elif command.process.poll() is None and target in (children := command.children()):
            os.kill(children[target], signal.SIGKILL)
            killed[target] += 1
        if command.process.poll() is not None:
            killed["starts"] += 1
            await asyncio.to_thread(command.start)
    return killed


async def run(command: Command, kills: int, source: random.Random, seen: Seen) -> Counter[str]:
    """Label and kill at once, and label on for ten seconds after the last kill."""
    labelling = asyncio.create_task(label_together(command.links, 3600.0, THINKING, seen))
    killed = await kill_at_random(command, kills, source)
    await asyncio.sleep(10)
    labelling.cancel()
    await asyncio.wait([labelling])
    return killed


def main() -> None:
    """Label, kill, compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true", help="5,000 images and 5 kills: shows that it runs")
    parser.add_argument("--images", type=Path, help="where the images are kept; a temporary folder unless given")
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="where to write the JSON")
    arguments = parser.parse_args()
    count, kills = (5_000, 5) if arguments.small else (100_000, arguments.kills)
    with tempfile.TemporaryDirectory() as temporary, socket.socket() as free:
        folder = (arguments.images or Path(temporary) / "mnist").absolute()
        write_mnist(folder, count)
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        people = [f"p{number}" for number in range(PEOPLE)]
        command = Command(folder, Path(temporary) / "campaign", people, ["--port", str(port)]).start()
        seen = Seen()
        killed = asyncio.run(run(command, kills, random.Random(arguments.seed), seen))
        command.stop()
        result = {
            "made_with": made_with(1).model_dump(),
            **{"images": count, "people": PEOPLE, "seed": arguments.seed, "killed": dict(killed)},
            **{"requests_without_a_reply": seen.broken, "promises": compare(command.campaign, seen)},
            "refused": dict(seen.refused),
        }
    print(json.dumps(result, indent=1))
    publish(result, arguments.out)


if __name__ == "__main__":
    main()

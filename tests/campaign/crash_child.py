"""Runs small campaigns, each in a process of its own, and ends them where it is told to as kill -9 would.

Each line of stdin, DATA DIRECTORY ROUNDS MOMENT ROUND FRACTION, forks a process that has torch imported already; its number and then its
end (0, or minus the signal) are printed. DATA is "small" or "mnist". MOMENT is "fit", "evaluate" or "score" of a round, when FRACTION of
it is done; or "query", "answers" or "round", the transaction of that name after ROUND others of its kind; or "never".
The moment is reached through what any caller can do: the notify callback, and SQLAlchemy's own events on the store's engine.
"""

import os
import signal
import sys
from pathlib import Path

import torch
from sqlalchemy import event
from sqlalchemy.engine import Engine

from askwell.campaign.campaign import Campaign
from askwell.campaign.workspace import Stage
from askwell.learning.recipe import Recipe
from askwell.pool.datasets import load_dataset
from askwell.pool.images import LabelledImages, as_pool
from askwell.pool.oracle import DatasetOracle, Oracle

TABLE_OF_MOMENT = {
    "query": "INSERT INTO queries",
    "answers": "INSERT INTO label_events",
    "round": "INSERT INTO metrics",
}


def data() -> tuple[torch.Tensor, torch.Tensor]:
    """120 noisy 8x8 images of 3 classes."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(120) % 3
    images = torch.randint(0, 120, (120, 1, 8, 8), generator=generator)
    for index, label in enumerate(labels.tolist()):
        images[index, 0, 2 * label : 2 * label + 3] += 80
    return images.to(torch.uint8), labels


def die(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def small(directory: Path) -> tuple[Campaign, Oracle]:
    images, labels = data()
    classes = ("a", "b", "c")
    pool, test = as_pool(images[:80]), LabelledImages(as_pool(images[80:]), labels[80:], classes)
    oracle = DatasetOracle(pool.ids, labels[:80], classes)
    if (directory / "campaign.toml").exists():
        return Campaign.open(directory, pool=pool, test=test), oracle
    recipe = Recipe(steps=6, batch_size=8)
    settings = {"strategy": "power_bald", "initial": 6, "query": 4, "samples": 4, "validation": 5, "recipe": recipe}
    return Campaign.create(directory, pool=pool, test=test, **settings), oracle


def mnist(directory: Path) -> tuple[Campaign, Oracle]:
    found = load_dataset("mnist")
    if (directory / "campaign.toml").exists():
        return Campaign.open(directory, pool=found.pool, test=found.test), found.oracle
    recipe = Recipe(precision="auto")
    return Campaign.create(
        directory, pool=found.pool, test=found.test, strategy="bald", samples=20, recipe=recipe
    ), found.oracle


def main(name: str, directory: Path, rounds: int, moment: str, at_round: int, fraction: float) -> None:
    torch.set_num_threads(1)

    def notify(stage: Stage) -> None:
        if stage.name == moment and stage.round == at_round and stage.done >= fraction * stage.total:
            die()

    seen = 0

    def before_execute(_c: object, _cursor: object, statement: str, *_: object) -> None:
        nonlocal seen
        if statement.startswith(TABLE_OF_MOMENT.get(moment, "nothing")):
            seen += 1
            if seen > at_round:
                die()  # inside the transaction, after its first statements

    event.listen(Engine, "before_cursor_execute", before_execute)
    campaign, oracle = {"small": small, "mnist": mnist}[name](directory)
    with campaign:
        campaign.run(oracle, rounds, notify=notify)


def serve() -> None:
    for line in sys.stdin:
        name, directory, rounds, moment, at_round, fraction = line.split()
        process = os.fork()
        if process == 0:
            main(name, Path(directory), int(rounds), moment, int(at_round), float(fraction))
            os._exit(0)
        print(process, flush=True)
        _, status = os.waitpid(process, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    serve()

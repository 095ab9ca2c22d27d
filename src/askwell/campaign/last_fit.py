"""What the ranked queue in force was learned from: kept in a file, so that a learner that starts again fits nothing twice."""

import json
from pathlib import Path
from typing import NamedTuple

from askwell.store.files import replace_file

FILE = Path("models") / "last-fit.json"


class LastFit(NamedTuple):
    """A fit whose queue is in force: its round, what it read of the images (the name of the inputs' directory), position -> class."""

    round: int
    inputs: str
    labels: dict[int, str]


def write_last_fit(directory: Path, fit: LastFit) -> None:
    """Write it down once its queue is in force."""
    text = json.dumps({**fit._asdict(), "labels": list(fit.labels.items())})
    replace_file(directory / FILE, lambda path: path.write_text(text, encoding="utf-8"))


def labels_fitted(directory: Path, rounds: int, inputs: str) -> dict[int, str] | None:
    """The labels of the last fit, if it is the last of so many rounds and read the same inputs; else None, and a fit is due.

    A file that a crash or a backup left behind differs in its round, and one that cannot be read is as good as none.
    """
    try:
        found = json.loads((directory / FILE).read_text(encoding="utf-8"))
        last = LastFit(found["round"], found["inputs"], {int(at): str(name) for at, name in found["labels"]})
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return last.labels if (last.round, last.inputs) == (rounds - 1, inputs) else None

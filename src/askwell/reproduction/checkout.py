"""Where the committed settings and results are: in a checkout, not in an installed package."""

import subprocess
from pathlib import Path

from askwell.errors import SettingsError

PAPER = "gal2017"
COMMITS = "commits.txt"  # in the directory of an experiment's campaigns: what they were run with
_BESIDE_THE_SOURCES = Path(__file__).parents[3]


def paper_directory(start: Path | None = None) -> Path:
    """``reproduce/gal2017`` of the checkout that a directory (the current one) lies in, or that this module is part of.

    Raises SettingsError outside a checkout.
    """
    here = (start or Path.cwd()).absolute()
    for root in (here, *here.parents, *([] if start else [_BESIDE_THE_SOURCES])):
        if (root / "reproduce" / PAPER).is_dir() and (root / "src" / "askwell").is_dir():
            return root / "reproduce" / PAPER
    raise SettingsError(
        f"expected a checkout of askwell with reproduce/{PAPER}, found none at or above {here}; "
        "clone the repository and run the command in it."
    )


def commit() -> str:
    """The commit that this askwell is, "+" behind it where its sources differ from that; "unknown" outside a checkout."""
    try:
        head = _git("rev-parse", "HEAD")
        changed = _git("status", "--porcelain", "--", "src/askwell")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return head + "+" * bool(changed)


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(_BESIDE_THE_SOURCES), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

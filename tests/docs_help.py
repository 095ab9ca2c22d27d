"""Writes docs/commands.md from the commands' own help; a test compares. Run it after changing an option."""

import os
import subprocess
import sys
from pathlib import Path

DOCUMENT = Path(__file__).parents[1] / "docs" / "commands.md"
COMMANDS = (
    *("demo", "run", "label", "predict", "export", "import", "report", "replay", "diagnose", "backup", "reproduce"),
    *("datasets", "strategies", "models"),
)


def help_of(*command: str) -> str:
    """What ``askwell COMMAND --help`` prints, 100 columns wide and without colour."""
    plain = {**os.environ, "COLUMNS": "100", "TERMINAL_WIDTH": "100", "NO_COLOR": "1", "TERM": "dumb"}
    code = "import sys; from askwell.cli.app import run_command_line; sys.exit(run_command_line(sys.argv[1:]))"
    answer = subprocess.run(
        [sys.executable, "-c", code, *command, "--help"],
        capture_output=True,
        text=True,
        check=True,
        env=plain,
        timeout=60,
    )
    return "\n".join(line.rstrip() for line in answer.stdout.strip().splitlines())


def document() -> str:
    """The whole page."""
    parts = ["# Command line\n", "Exit codes: 0 done, 1 failed, 2 wrong usage, 130 stopped by Ctrl-C. Errors are one sentence;\n"
             "`askwell --debug COMMAND` shows where they come from.\n", f"```\n{help_of()}\n```\n"]  # fmt: skip
    parts += [f"## askwell {command}\n\n```\n{help_of(command)}\n```\n" for command in COMMANDS]
    return "\n".join(parts)


if __name__ == "__main__":
    DOCUMENT.write_text(document(), encoding="utf-8")

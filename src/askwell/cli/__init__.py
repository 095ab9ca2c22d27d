"""The command line: parse, call one function, print. Importing it imports no torch."""

import sys


def main() -> None:
    """The ``askwell`` command. Exit codes: 0 done, 1 failed, 2 wrong usage, 130 stopped by Ctrl-C."""
    from askwell.cli.app import run_command_line

    sys.exit(run_command_line(sys.argv[1:]))

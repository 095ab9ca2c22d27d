"""What all commands share: where they print, and the options that mean the same everywhere."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

out = Console()
err = Console(stderr=True)

Json = Annotated[bool, typer.Option("--json", help="Print JSON for a script instead of a table.")]
Out = Annotated[Path | None, typer.Option("--out", help="Directory for what is written.", show_default=False)]
Resume = Annotated[bool, typer.Option("--resume", help="Continue what is in --out; begin if nothing is.")]


@contextmanager
def waiting(what: str) -> Iterator[Callable[[int, int], None]]:
    """A bar for something that is usually over at once: it appears with the first (done, total), and goes when it is done."""
    from rich.progress import Progress

    progress = Progress(console=err, transient=True)
    bar = progress.add_task(what, total=None)

    def show(done: int, total: int) -> None:
        progress.start()
        progress.update(bar, completed=done, total=total)

    try:
        yield show
    finally:
        if progress.live.is_started:  # stopping one that never began would print an empty line
            progress.stop()


def print_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """A table without lines; what names a row is never broken."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for position, name in enumerate(header):
        table.add_column(name, no_wrap=position == 0 or name in {"target", "strategy"})
    for row in rows:
        table.add_row(*row)
    out.print(table)

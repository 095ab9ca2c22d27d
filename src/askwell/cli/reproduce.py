"""The command that runs a published paper's experiments again."""

import shlex
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from askwell.cli.console import err, out
from askwell.errors import SettingsError, UnknownNameError

if TYPE_CHECKING:
    from rich.progress import TaskID

    from askwell.reproduction.plans import Plan
    from askwell.reproduction.running import Headway, Places

PAPERS = ("gal2017",)


def reproduce(
    paper: Annotated[str, typer.Argument(help="The paper: gal2017.")],
    experiment: Annotated[
        str | None,
        typer.Argument(
            help="figure1, table1, table2, figure2, figure3, aleatoric or figure5.", show_default="all of them"
        ),
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(
            help="As the paper's text, its code, or askwell says; figure5 has others too: see reproduce/. Results go to the checkout.",
            show_default="code; of figure5: text",
        ),
    ] = None,
    seeds: Annotated[int | None, typer.Option(min=1, help="Repetitions.", show_default="the settings'")] = None,
    precision: Annotated[str | None, typer.Option(help="fp32 or bf16.", show_default="the settings'")] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Campaigns at a time, one thread each.", show_default="processors")
    ] = None,
    out_dir: Annotated[
        Path | None,
        typer.Option("--out", help="Directory for the campaigns, a folder each.", show_default="runs/gal2017"),
    ] = None,
    smoke: Annotated[
        bool, typer.Option("--smoke", help="All of it in miniature, in a temporary directory: does it run?")
    ] = False,
    draw: Annotated[
        bool, typer.Option("--draw", help="Only draw figures and tables from the committed results.")
    ] = False,
) -> None:
    """Run a paper's experiments again from committed settings, or go on where that was stopped, and draw them."""
    from askwell.reproduction.checkout import paper_directory
    from askwell.reproduction.figures import draw as draw_results
    from askwell.reproduction.lesion_figures import draw_examples
    from askwell.reproduction.plans import changed, chosen, default_plans, read_plans
    from askwell.reproduction.results import LESIONS
    from askwell.reproduction.running import Places

    if paper not in PAPERS:
        raise UnknownNameError("paper", paper, PAPERS)
    if smoke and (draw or out_dir is not None):
        raise SettingsError(
            "expected no --smoke beside --draw, which draws the committed results and runs nothing; leave one out."
            if draw
            else "expected no --out beside --smoke, which writes to a temporary directory; leave one out."
        )
    here = paper_directory()
    every = read_plans(here)
    if draw:
        _say(draw_results(here, here))
        return
    plans = default_plans(every, experiment) if not (preset or smoke) else chosen(every, experiment, preset)
    if smoke:
        with tempfile.TemporaryDirectory() as temporary:
            place = Path(temporary)
            _run_in_miniature(plans, Places(place / "runs", place / "results"), workers)
            draw_results(here, place)
        err.print(f"ran {', '.join(plan.name for plan in plans)} in miniature; nothing was kept.", highlight=False)
        return
    plans = [changed(plan, seeds=seeds, precision=precision) for plan in plans]
    runs = out_dir or Path("runs") / paper
    _run(plans, every, Places(runs, here / "results"), workers)
    lesions = any(plan.experiment == LESIONS for plan in plans)
    _say([*draw_results(here, here), *(draw_examples(runs) if lesions else ())])


def _run(plans: "Sequence[Plan]", every: "Sequence[Plan]", places: "Places", workers: int | None) -> None:
    from askwell.campaign.experiment import processors
    from askwell.reproduction.running import reproduce

    with _following() as follow:
        try:
            said = reproduce(plans, every, places, workers=workers or processors(), notify=follow)
        except KeyboardInterrupt:
            err.print("stopped; every committed round is kept. Continue with:")
            err.print(f"  askwell {shlex.join(sys.argv[1:])}", soft_wrap=True, markup=False, highlight=False)
            raise typer.Exit(130) from None
    for sentence in said:
        err.print(f"note: {sentence}", soft_wrap=True, markup=False, highlight=False)


def _run_in_miniature(plans: "Sequence[Plan]", places: "Places", workers: int | None) -> None:
    from askwell.campaign.experiment import processors
    from askwell.reproduction.miniature import reproduce_in_miniature

    with _following() as follow:
        reproduce_in_miniature(plans, places, workers=workers or processors(), notify=follow)


@contextmanager
def _following() -> "Iterator[Callable[[Headway], None]]":
    """A bar for the case that runs."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        MofNCompleteColumn(),
        BarColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=err) as progress:
        bars: dict[str, TaskID] = {}

        def follow(headway: "Headway") -> None:
            name = f"{headway.case}: {headway.doing}"
            if name not in bars:
                bars[name] = progress.add_task(name)
            progress.update(bars[name], completed=headway.done, total=headway.total)

        yield follow


def _say(written: "Sequence[Path]") -> None:
    for path in written:
        out.print(str(path), style="dim", soft_wrap=True)

"""The commands, and how their errors are said: one sentence on stderr, no traceback without --debug."""

import json
import shlex
import sys
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from askwell.errors import AskwellError, UsageError

if TYPE_CHECKING:
    from askwell.campaign.settings import ExperimentSettings

app = typer.Typer(
    name="askwell",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Deep Bayesian active learning with images: ask well, label less.",
    epilog="Start with: askwell demo",
)
out = Console()
err = Console(stderr=True)

Json = Annotated[bool, typer.Option("--json", help="Print JSON for a script instead of a table.")]
Out = Annotated[Path | None, typer.Option("--out", help="Directory for campaigns and report.", show_default=False)]
Resume = Annotated[bool, typer.Option("--resume", help="Continue what is in --out; begin if nothing is.")]
Workers = Annotated[
    int | None,
    typer.Option(min=1, help="Campaigns at a time, each in a process of its own.", show_default="processors"),
]
Threads = Annotated[int | None, typer.Option(min=1, help="Threads per campaign.", show_default="processors / workers")]


def _say_version(wanted: bool | None) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"askwell {version('askwell')}")
        raise typer.Exit


@app.callback()
def _options(
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
    version: Annotated[
        bool | None, typer.Option("--version", help="Print the version and exit.", callback=_say_version, is_eager=True)
    ] = None,
) -> None:
    """Options before the command; ``run_command_line`` reads --debug."""


@app.command()
def demo(
    out_dir: Out = Path("askwell-demo"),
    resume: Resume = False,
    workers: Workers = None,
    threads: Threads = None,
) -> None:
    """The main job on embedded data: the paper's strategies against random on handwritten digits, with table and report."""
    from askwell.campaign.presets import DEMO

    assert out_dir is not None, "it has a default"
    _experiment(DEMO, out_dir, resume=resume, workers=workers, threads=threads)


@app.command()
def run(
    config: Annotated[Path | None, typer.Argument(help="Settings as TOML; the options below override it.")] = None,
    dataset: Annotated[str | None, typer.Option(help="A name from `askwell datasets`.", show_default="digits")] = None,
    strategy: Annotated[
        str | None, typer.Option(help="Names from `askwell strategies`, with commas.", show_default="bald,random")
    ] = None,
    seeds: Annotated[int | None, typer.Option(help="Repetitions: 3 means 0, 1, 2.", show_default="3")] = None,
    rounds: Annotated[int | None, typer.Option(help="Acquisitions after the first fit.", show_default="20")] = None,
    query: Annotated[int | None, typer.Option(help="Items asked per round.", show_default="10")] = None,
    initial: Annotated[int | None, typer.Option(help="Labels to begin with.", show_default="20")] = None,
    samples: Annotated[int | None, typer.Option(help="Posterior samples T.", show_default="100")] = None,
    validation: Annotated[int | None, typer.Option(help="Labels for tuning only.", show_default="0")] = None,
    out_dir: Out = None,
    resume: Resume = False,
    workers: Workers = None,
    threads: Threads = None,
) -> None:
    """Compare strategies on a named data set: every strategy and seed a resumable campaign, then a report."""
    from askwell.campaign.settings import ExperimentSettings, check_settings, read_toml

    given = {
        "dataset": dataset,
        "strategy": [name.strip() for name in strategy.split(",")] if strategy is not None else None,
        "seeds": seeds,
        "rounds": rounds,
        "query": query,
        "initial": initial,
        "samples": samples,
        "validation": validation,
    }
    values = read_toml(config) if config is not None else {}
    values.update({name: value for name, value in given.items() if value is not None})
    settings = check_settings(ExperimentSettings, values, str(config) if config else "the command line")
    directory = out_dir or Path("runs") / (config.stem if config else settings.dataset)
    _experiment(settings, directory, resume=resume, workers=workers, threads=threads)


@app.command()
def report(
    directories: Annotated[list[Path], typer.Argument(help="Campaigns, or directories that hold them.")],
    out_dir: Out = None,
) -> None:
    """Draw curves, table and report.html again from the campaigns' curve.csv."""
    _summarise(directories, out_dir or directories[0] / "report")


@app.command()
def datasets(as_json: Json = False) -> None:
    """The named data sets, one line each."""
    from askwell.pool.catalogue import DATASETS

    _print_names("data set", ((name, entry.description) for name, entry in DATASETS.items()), as_json)


@app.command()
def strategies(as_json: Json = False) -> None:
    """The strategies, one line each: how a round's query is chosen."""
    from askwell.campaign.strategies import STRATEGIES

    _print_names("strategy", ((name, entry.description) for name, entry in STRATEGIES.items()), as_json)


@app.command()
def models(as_json: Json = False) -> None:
    """The networks, one line each."""
    from askwell.models.catalogue import MODELS

    _print_names("model", ((name, entry.description) for name, entry in MODELS.items()), as_json)


def _print_names(kind: str, entries: Iterable[tuple[str, str]], as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(dict(entries), indent=2))
        return
    table = Table(kind, "what it is", box=None, pad_edge=False, header_style="bold")
    for name, description in entries:
        table.add_row(name, description)
    out.print(table)


def _experiment(
    settings: "ExperimentSettings", directory: Path, *, resume: bool, workers: int | None, threads: int | None
) -> None:
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    from askwell.campaign.experiment import Standing, check_experiment, processors, run_experiment

    check_experiment(settings, directory, resume=resume, threads=threads)
    campaigns = settings.seeds * len(settings.strategy)
    workers = min(workers or processors(), campaigns)
    err.print(
        f"{settings.dataset}: {', '.join(settings.strategy)}; {settings.seeds} seed(s), {settings.rounds} rounds of "
        f"{settings.query} from {settings.initial} labels; {campaigns} campaigns, {workers} at a time, in {directory}"
    )
    columns = (
        TextColumn("rounds"), MofNCompleteColumn(), BarColumn(), TimeElapsedColumn(), TextColumn("left"),
        TimeRemainingColumn(elapsed_when_finished=False), TextColumn("{task.fields[doing]}"),
    )  # fmt: skip
    with Progress(*columns, console=err) as progress:
        bar = progress.add_task("rounds", total=campaigns * (settings.rounds + 1), doing="")

        def notify(standing: Standing) -> None:
            progress.update(bar, completed=standing.rounds_done, doing=standing.doing)

        try:
            run_experiment(settings, directory, workers=workers, threads=threads, notify=notify)
        except KeyboardInterrupt:
            progress.stop()
            _say_how_to_continue(sys.argv[1:])
            raise typer.Exit(130) from None
    _summarise([directory], directory / "report")


def _say_how_to_continue(arguments: Sequence[str]) -> None:
    again = [*arguments, *([] if "--resume" in arguments else ["--resume"])]
    err.print("stopped; every committed round is kept. Continue with:")
    err.print(f"  askwell {shlex.join(again)}", soft_wrap=True, markup=False, highlight=False)


def _summarise(directories: list[Path], out_dir: Path) -> None:
    from askwell.campaign.settings import common_settings
    from askwell.report.summary import summarise

    settings = common_settings(directories)
    summary = summarise(directories, out_dir, title=settings.get("dataset", "askwell"), settings=settings)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in summary.header:
        table.add_column(name, no_wrap=name in {"target", "strategy"})
    for row in summary.rows:
        table.add_row(*row)
    out.print(table)
    for sentence in summary.sentences:
        out.print(sentence)
    for path in summary.files:
        out.print(str(path), style="dim", soft_wrap=True)


def run_command_line(arguments: Sequence[str]) -> int:
    """Run one command; returns its exit code and prints errors as one sentence."""
    debug = "--debug" in arguments
    warnings.showwarning = lambda message, *_: err.print(f"note: {message}", soft_wrap=True, highlight=False)
    try:
        app(list(arguments), prog_name="askwell")
    except SystemExit as done:
        return done.code if isinstance(done.code, int) else 0
    except AskwellError as error:
        if debug:
            raise
        err.print(f"error: {error}", soft_wrap=True, markup=False, highlight=False)
        return 2 if isinstance(error, UsageError) else 1
    except OSError as error:
        if debug:
            raise
        where = f" ({error.filename})" if error.filename else ""
        err.print(
            f"error: the system refused a file{where}: {error.strerror or error}; mend that and resume, nothing committed is lost.",
            soft_wrap=True,
            markup=False,
            highlight=False,
        )
        return 1
    except Exception as error:
        if debug:
            raise
        err.print(
            f"error: {type(error).__name__}: {error} (add --debug before the command to see where).",
            soft_wrap=True,
            markup=False,
        )
        return 1
    return 0

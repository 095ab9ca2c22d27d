"""The commands, and how their errors are said: one sentence on stderr, no traceback without --debug."""

import json
import shlex
import sys
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from askwell.cli import exchange, studies
from askwell.cli.console import Json, Out, Resume, err, print_table, waiting
from askwell.cli.label import label
from askwell.cli.reproduce import reproduce
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
    images: Annotated[
        str | None,
        typer.Option(help="A folder of images instead; with --resume also its new place.", show_default=False),
    ] = None,
    labels: Annotated[
        str | None,
        typer.Option(help="The folder's labels, FILE.csv or FILE.csv:id,label.", show_default="its subfolders"),
    ] = None,
    test_images: Annotated[
        str | None, typer.Option(help="A folder of test images.", show_default="--test-share of --images")
    ] = None,
    test_labels: Annotated[
        str | None, typer.Option(help="The test images' labels.", show_default="their subfolders")
    ] = None,
    test_share: Annotated[
        float | None, typer.Option(help="Share of --images kept for testing.", show_default="0.2")
    ] = None,
    group_by: Annotated[
        str | None,
        typer.Option(
            help="What keeps images together in every split: REGEX on the path, or FILE.csv:column.", show_default=False
        ),
    ] = None,
    image_size: Annotated[
        int | None,
        typer.Option(help="Side of the images in pixels, as the network sees them.", show_default="64 or less"),
    ] = None,
    strategy: Annotated[
        str | None, typer.Option(help="Names from `askwell strategies`, with commas.", show_default="bald,random")
    ] = None,
    seeds: Annotated[int | None, typer.Option(help="Repetitions: 3 means 0, 1, 2.", show_default="3")] = None,
    rounds: Annotated[int | None, typer.Option(help="Acquisitions after the first fit.", show_default="20")] = None,
    query: Annotated[int | None, typer.Option(help="Items asked per round.", show_default="10")] = None,
    initial: Annotated[int | None, typer.Option(help="Labels to begin with.", show_default="20")] = None,
    samples: Annotated[
        str | None, typer.Option(help="Posterior samples T, or adaptive.", show_default="100", metavar="<int>|adaptive")
    ] = None,
    validation: Annotated[int | None, typer.Option(help="Labels for tuning only.", show_default="0")] = None,
    backbone: Annotated[
        str | None,
        typer.Option(help="A pre-trained network of torchvision or timm to begin with.", show_default=False),
    ] = None,
    weights: Annotated[
        str | None,
        typer.Option(help="The backbone's: pretrained, none, or a file.", show_default="pretrained"),
    ] = None,
    fit: Annotated[
        str | None,
        typer.Option(help="What of the backbone is trained: whole, last_blocks, frozen.", show_default="whole"),
    ] = None,
    out_dir: Out = None,
    resume: Resume = False,
    yes: Annotated[bool, typer.Option("--yes", help="Go on without asking when images are missing.")] = False,
    workers: Workers = None,
    threads: Threads = None,
    lockstep: Annotated[
        Literal["yes", "no"] | None,
        typer.Option(help="Train a round's networks at once, in one process.", show_default="yes on a GPU"),
    ] = None,
) -> None:
    """Compare strategies on a data set or a folder of labelled images: every strategy and seed a resumable campaign, then a report."""
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
        "image_size": image_size if images is None else None,
    }
    folder = {
        "folder": images,
        "labels": labels,
        "test_folder": test_images,
        "test_labels": test_labels,
        "test_share": test_share,
        "group_by": group_by,
        "size": image_size if images is not None else None,
    }
    pretrained = {"name": backbone, "weights": weights, "fit": fit}
    values = read_toml(config) if config is not None else {}
    if own := {name: value for name, value in pretrained.items() if value is not None}:
        recipe = values.get("recipe", {})
        named = recipe.get("backbone", {})
        values["recipe"] = {**recipe, "backbone": {**({"name": named} if isinstance(named, str) else named), **own}}
    values.update({name: value for name, value in given.items() if value is not None})
    if own := {name: value for name, value in folder.items() if value is not None}:
        values["images"] = {**values.get("images", {}), **own}
    settings = check_settings(ExperimentSettings, values, str(config) if config else "the command line")
    source = settings.dataset or Path(settings.images.folder if settings.images else "").absolute().name
    directory = out_dir or Path("runs") / (config.stem if config else source)
    if resume:
        _follow_moved_images(settings, directory, yes=yes)
    _experiment(
        settings,
        directory,
        resume=resume,
        workers=workers,
        threads=threads,
        lockstep=None if lockstep is None else lockstep == "yes",
    )


def _follow_moved_images(settings: "ExperimentSettings", directory: Path, *, yes: bool) -> None:
    """Relink an experiment whose folder is named at another place; a partial match is asked about first."""
    from askwell.campaign.relinking import find_moved, write_moved

    with waiting("looking for the images") as progress:
        relinking = find_moved(settings, directory, progress)
    if relinking is None:
        return
    total, missing = len(relinking.items), len(relinking.missing)
    by_content = f", {relinking.by_content} of them by content" if relinking.by_content else ""
    err.print(f"{total - missing} of {total} images found in {relinking.images.folder}{by_content}", highlight=False)
    if missing and not yes:
        named = ", ".join(repr(name) for name in relinking.missing[:3])
        try:
            typer.confirm(f"{missing} are missing ({named}). Go on without them?", abort=True, err=True)
        except typer.Abort:
            err.print("nothing was changed; name another --images, or add --yes to go on without the missing ones.")
            raise typer.Exit(1) from None
    write_moved(relinking, directory)


for study in (label, exchange.predict, exchange.export):
    app.command()(study)
app.command("import")(exchange.import_)
for study in (studies.report, studies.replay, studies.diagnose, studies.backup, reproduce):
    app.command()(study)


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
    print_table((kind, "what it is"), entries)


def _experiment(
    settings: "ExperimentSettings",
    directory: Path,
    *,
    resume: bool,
    workers: int | None,
    threads: int | None,
    lockstep: bool | None = None,
) -> None:
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    from askwell.campaign.data import prepared
    from askwell.campaign.experiment import check_experiment, processors, run_experiment
    from askwell.campaign.inputs import first_passes
    from askwell.campaign.lockstep import runs_in_lockstep
    from askwell.campaign.tasks import Standing, campaign_tasks

    check_experiment(settings, directory, resume=resume, threads=threads, lockstep=lockstep)
    with waiting("comparing files") as progress:
        settings, notes = prepared(settings, directory, progress)
    for note in notes:
        err.print(f"note: {note}", soft_wrap=True, highlight=False, markup=False)
    campaigns = settings.seeds * len(settings.strategy)
    workers = min(workers or processors(), campaigns)
    together = runs_in_lockstep(campaign_tasks(settings, directory), lockstep)
    err.print(
        f"{settings.dataset or (settings.images and settings.images.folder)}: {', '.join(settings.strategy)}; "
        f"{settings.seeds} seed(s), {settings.rounds} rounds of "
        f"{settings.query} from {settings.initial} labels; {campaigns} campaigns, "
        f"{'in lock-step' if together else f'{workers} at a time'}, in {directory}"
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
            run_experiment(settings, directory, workers=workers, threads=threads, notify=notify, lockstep=lockstep)
        except KeyboardInterrupt:
            progress.stop()
            _say_how_to_continue(sys.argv[1:])
            raise typer.Exit(130) from None
    for sentence in first_passes(directory):
        err.print(f"note: {sentence}", soft_wrap=True, highlight=False, markup=False)
    studies.summarise([directory], directory / "report")


def _say_how_to_continue(arguments: Sequence[str]) -> None:
    again = [*arguments, *([] if "--resume" in arguments else ["--resume"])]
    err.print("stopped; every committed round is kept. Continue with:")
    err.print(f"  askwell {shlex.join(again)}", soft_wrap=True, markup=False, highlight=False)


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

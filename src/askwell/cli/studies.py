"""The commands that look back at campaigns: report, replay, diagnose, backup."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from askwell.cli.console import Json, Out, Resume, err, out, print_table

if TYPE_CHECKING:
    from askwell.campaign.studies.refits import Headway
    from askwell.learning.recipe import Recipe

Directories = Annotated[list[Path], typer.Argument(help="Campaigns of `askwell run`, or directories that hold them.")]


def report(
    directories: Annotated[
        list[Path],
        typer.Argument(
            help="Campaigns of `askwell run` or directories that hold them, or one of `askwell label` (photos-askwell)."
        ),
    ],
    out_dir: Annotated[
        Path | None,
        typer.Option("--out", help="Directory for what is written.", show_default="report/ in the first of them"),
    ] = None,
    names: Annotated[
        bool, typer.Option("--names", help="Of a campaign that people label: tell who labelled, and its files' names.")
    ] = False,
) -> None:
    """Write report.html, with curves and tables, of experiments or of one campaign that people label.

    Example: askwell report photos-askwell
    """
    from askwell.campaign.people_report import labelled_ones, report_people
    from askwell.errors import SettingsError

    by_people, out_dir = labelled_ones(directories), out_dir or directories[0] / "report"
    if not by_people:
        if names:
            raise SettingsError("expected a campaign that people label for --names, found an experiment; leave it out.")
        summarise(directories, out_dir)
        return
    if len(directories) > 1:
        raise SettingsError(
            f"expected one campaign that people label, found {len(directories)} directories; report each by itself."
        )
    written = report_people(by_people[0], out_dir, names=names)
    print_table(written.classes.header, written.classes.rows)
    _say(written.sentences)
    _say_files(written.files)


def replay(
    directories: Directories,
    model: Annotated[
        str | None,
        typer.Option(help="Another network from `askwell models`, else trained the same way.", show_default=False),
    ] = None,
    recipe: Annotated[
        Path | None,
        typer.Option(help="A TOML file with another recipe table.", show_default=False),
    ] = None,
    rounds: Annotated[
        str | None, typer.Option(help="Rounds to replay, with commas.", show_default="every --every-th, and the last")
    ] = None,
    every: Annotated[int, typer.Option(min=1, help="Replay every so many rounds.")] = 5,
    fits: Annotated[
        int, typer.Option(min=1, help="Fits per campaign and round, each with a random set of its own.")
    ] = 1,
    out_dir: Out = None,
    resume: Resume = False,
    as_json: Json = False,
) -> None:
    """Train another network or recipe on the labels that campaigns acquired, against as many random ones: do they transfer?"""
    from askwell.campaign.studies.replay import replay as run_replay
    from askwell.campaign.studies.transfer import HEADER

    with _progress("fits") as follow:
        found = run_replay(
            directories,
            _other_recipe(directories, model, recipe),
            out=out_dir or directories[0] / "replay",
            rounds=_whole_numbers(rounds, "--rounds") if rounds is not None else (),
            every=every,
            fits=fits,
            resume=resume,
            notify=follow,
        )
    if as_json:
        typer.echo(json.dumps(found.as_json(), indent=2))
        return
    print_table(HEADER, found.transfer.table())
    _say(found.sentences)
    out.print(str(found.page), style="dim", soft_wrap=True)


def diagnose(
    campaign: Annotated[Path, typer.Argument(help="One campaign of `askwell run`, its directory.")],
    round_number: Annotated[
        int | None, typer.Option("--round", help="After which round.", show_default="the last")
    ] = None,
    candidates: Annotated[
        int, typer.Option(min=0, help="Items to add alone and fit again; 0 leaves that part out.")
    ] = 40,
    repeats: Annotated[int, typer.Option(min=1, help="Fits per candidate.")] = 4,
    seed: Annotated[int, typer.Option(min=0, help="Of everything drawn here.")] = 0,
    out_dir: Out = None,
    as_json: Json = False,
) -> None:
    """What were a campaign's scores worth: do they predict the drop in loss, and how does the pick change with T, masks and subset?"""
    from askwell.campaign.studies.diagnose import diagnose as run_diagnosis

    with _progress("steps") as follow:
        found = run_diagnosis(
            campaign,
            round_number=round_number,
            candidates=candidates,
            repeats=repeats,
            seed=seed,
            out=out_dir,
            notify=follow,
        )
    if as_json:
        typer.echo(json.dumps(found.as_json(), indent=2))
        return
    for table in found.tables():
        out.print(f"\n{table.title}", style="bold", highlight=False)
        print_table(table.header, table.rows)
    out.print()
    _say(found.sentences())


def backup(
    campaign: Annotated[Path, typer.Argument(help="A campaign, or a directory that holds several; it may be running.")],
    file: Annotated[Path, typer.Argument(help="The .zip to write.")],
) -> None:
    """Copy a campaign into one .zip, consistently even while it runs, and read it back; unzip to restore."""
    from askwell.store.backup import backup_campaign

    written = backup_campaign(campaign, file)
    out.print(
        f"{written.file}: {written.files} files, {written.bytes / 1e6:.1f} MB, {written.rounds} rounds; read back and whole.",
        soft_wrap=True,
        highlight=False,
    )


def summarise(directories: list[Path], out_dir: Path) -> None:
    """Write the report and print its table and sentences."""
    from askwell.campaign.pictures import pictures_below
    from askwell.campaign.settings import common_settings
    from askwell.report.summary import summarise as write_summary

    settings = common_settings(directories)
    title = settings.get("dataset") or Path(settings.get("images.folder", "askwell")).name
    summary = write_summary(
        directories, out_dir, title=title, settings=settings, pictures=lambda ids: pictures_below(directories[0], ids)
    )
    if summary.rows:
        print_table(summary.header, summary.rows)
    _say(summary.sentences)
    _say_files(summary.files)


def _other_recipe(directories: Sequence[Path], model: str | None, file: Path | None) -> "Recipe":
    from askwell.campaign.settings import check_settings, read_campaign_settings, read_toml
    from askwell.campaign.studies.replay_sources import sources_in
    from askwell.errors import SettingsError
    from askwell.learning.recipe import Recipe

    if (model is None) == (file is None):
        raise SettingsError(
            "expected another network or another recipe to replay with; give --model or --recipe, one of them."
        )
    if file is not None:
        values = read_toml(file)
        return check_settings(Recipe, values.get("recipe", values), str(file))
    own = read_campaign_settings(sources_in(directories)[0].directory).recipe
    return check_settings(Recipe, {**own.model_dump(exclude={"backbone"}), "model": model}, "the command line")


def _whole_numbers(text: str, option: str) -> list[int]:
    from askwell.errors import SettingsError

    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() for part in parts):
        raise SettingsError(f"expected whole numbers with commas for {option}, such as 5,10,20, found {text!r}.")
    return [int(part) for part in parts]


@contextmanager
def _progress(what: str) -> Iterator[Callable[["Headway"], None]]:
    """A bar that follows a study."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn(what), MofNCompleteColumn(), BarColumn(), TextColumn("left"),
        TimeRemainingColumn(elapsed_when_finished=True), TextColumn("{task.fields[doing]}"),
    )  # fmt: skip
    progress = Progress(*columns, console=err)
    bar = progress.add_task(what, total=None, doing="")

    def follow(headway: "Headway") -> None:
        progress.start()
        progress.update(bar, completed=headway.done, total=headway.total, doing=headway.doing)

    try:
        yield follow
    finally:
        if progress.live.is_started:
            progress.stop()


def _say(sentences: Sequence[str]) -> None:
    for sentence in sentences:
        out.print(sentence, highlight=False, markup=False)


def _say_files(files: Sequence[Path]) -> None:
    for path in files:
        out.print(str(path), style="dim", soft_wrap=True)

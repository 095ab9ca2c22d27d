"""The commands that take labels and models out of a campaign and labels in: export, import, predict."""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from askwell.cli.console import Json, err, out, print_table
from askwell.errors import SettingsError

if TYPE_CHECKING:
    from rich.progress import TaskID

    from askwell.campaign.saved_model import SavedModel
    from askwell.exchange.records import Problem, Record

EXAMPLES = 3  # of each reason why something was not taken
MODEL = "model"
CampaignArgument = Annotated[
    Path, typer.Argument(help="A campaign's directory: photos-askwell of `askwell label`, or one of `askwell run`.")
]
Form = Literal["csv", "jsonl", "labelstudio", "folders"]


def export(
    campaign: CampaignArgument,
    form: Annotated[
        Literal["csv", "jsonl", "labelstudio", "folders", "model"],
        typer.Option(
            "--format",
            help="Labels as a table, JSON lines, Label Studio's tasks or a folder for each class; or the last round's model.",
        ),
    ] = "csv",
    target: Annotated[
        Path | None,
        typer.Option("--out", help="File, or directory for folders and model.", show_default="named after the format"),
    ] = None,
    copy: Annotated[bool, typer.Option("--copy", help="Copy images into class folders instead of linking.")] = False,
    images: Annotated[
        Path | None,
        typer.Option(
            help="For class folders: where the images are. A campaign of `askwell label` needs it.",
            show_default="the experiment's folder",
        ),
    ] = None,
    predictions: Annotated[
        Path | None, typer.Option(help="From askwell predict: into the tasks of labelstudio.", show_default=False)
    ] = None,
    image_prefix: Annotated[
        str | None,
        typer.Option(help="Before an image's id in a task's address.", show_default="Label Studio's local files"),
    ] = None,
) -> None:
    """Write a campaign's labels, or its model, for other programs: see docs/exchange.md.

    Example: askwell export photos-askwell --format csv --out labels.csv
    """
    from askwell.campaign.exchanging import images_of, records_of
    from askwell.exchange.class_folders import write_class_folders
    from askwell.exchange.csv_labels import write_csv
    from askwell.exchange.formats import FORMATS
    from askwell.exchange.json_lines import write_jsonl

    if form == MODEL:
        _export_model(campaign, target or Path(MODEL))
        return
    records, path = records_of(campaign), target or Path(FORMATS[form].file)
    problems: Sequence[Problem] = ()
    kinds = Counter(record.kind for record in records)
    counts = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common()) or "none yet"
    said = f"{len(records)} answers ({counts})"
    if form == "folders":
        problems = write_class_folders(path, records, images_of(campaign, images), copy=copy)
        labels = kinds["label"]
        said = f"{labels - len(problems)} of {labels} labels written"
    elif form == "labelstudio":
        _export_tasks(campaign, path, records, predictions, image_prefix)
    else:
        (write_csv if form == "csv" else write_jsonl)(path, records)
    out.print(f"{path}: {said}", soft_wrap=True, highlight=False, markup=False)
    _say_problems(problems)


def import_(
    campaign: CampaignArgument,
    source: Annotated[
        str,
        typer.Argument(help="A file, a table with its columns FILE.csv:image,label, or a directory of class folders."),
    ],
    form: Annotated[Form | None, typer.Option("--format", help="What it is.", show_default="by its name")] = None,
    rename: Annotated[
        list[str] | None, typer.Option(help="A class of the file as one of the campaign, OLD=NEW; as often as needed.")
    ] = None,
    annotator: Annotated[
        str | None, typer.Option(help="Who gave these labels.", show_default="as the file says")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only report.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Take nothing unless all can be taken.")] = False,
    as_json: Json = False,
) -> None:
    """Take earlier labels into a campaign. Names of images or classes that are unknown or ambiguous are reported, never guessed.

    Example: askwell import photos-askwell old.csv:image,diagnosis --dry-run
    """
    from askwell.campaign.exchanging import import_labels
    from askwell.store.names import check_name

    found = import_labels(
        campaign,
        source,
        form=form,
        renamed=_renamed(rename or []),
        annotator=None if annotator is None else check_name("annotator", annotator),
        dry_run=dry_run,
        strict=strict,
    )
    refused = strict and bool(found.problems)
    taken = 0 if dry_run or refused else found.added
    if as_json:
        problems = [problem._asdict() for problem in found.problems]
        typer.echo(json.dumps({**found._asdict(), "taken": taken, "problems": problems}, indent=2, ensure_ascii=False))
    else:
        would = f" ({found.added} could be)" if taken < found.added else ""
        passed = f"; {found.predictions} predictions of models passed over" if found.predictions else ""
        out.print(
            f"{taken} answers taken{would}, {found.known} known already, {len(found.problems)} not taken{passed}",
            highlight=False,
        )
        _say_problems(found.problems)
        if found.remark:
            err.print(f"note: {found.remark}.", highlight=False, markup=False)
        if found.columns:
            named = ", ".join(map(repr, found.columns[:EXAMPLES])) + (", ..." if len(found.columns) > EXAMPLES else "")
            hint = "" if annotator is not None else "; who gave the labels is said by --annotator"
            err.print(f"note: columns not read: {named}{hint}", soft_wrap=True, highlight=False, markup=False)
    if refused:
        raise typer.Exit(1)


def predict(
    source: Annotated[
        Path,
        typer.Argument(
            help="A campaign (photos-askwell of `askwell label`, or one of `askwell run`), or a model from askwell export."
        ),
    ],
    pool: Annotated[
        str | None,
        typer.Argument(
            help="A folder of images, or a named data set. A campaign of `askwell label` and a model need one.",
            show_default="an experiment's images without label",
        ),
    ] = None,
    target: Annotated[Path, typer.Option("--out", help="The table to write.")] = Path("predictions.csv"),
    rest: Annotated[bool, typer.Option("--rest", help="Only images without an answer in the campaign.")] = False,
    samples: Annotated[
        int | None, typer.Option(min=1, help="Posterior samples T.", show_default="the campaign's")
    ] = None,
    weights: Annotated[
        str | None, typer.Option(help="A frozen trunk's weights, for a model.", show_default="looked for by name")
    ] = None,
) -> None:
    """Label the rest: class probabilities with total, aleatoric and epistemic uncertainty (in nats) by the last round's model.

    Example: askwell predict photos-askwell photos/ --rest
    """
    from askwell.campaign.predicting import check_knows_its_images, images_named, images_without_label, without_answers
    from askwell.campaign.predicting import predict as run_predictions
    from askwell.campaign.saved_model import read_model
    from askwell.campaign.settings import SETTINGS_FILE
    from askwell.exchange.predictions import write_predictions
    from askwell.store.files import check_directory_of

    is_model = not (source / SETTINGS_FILE).is_file()
    if pool is None and is_model:
        raise SettingsError("expected images for the model to predict, found none; name a folder or a data set.")
    if pool is None:
        check_knows_its_images(source)
    if rest and is_model:
        raise SettingsError("expected a campaign for --rest, found a model, which knows no answers; leave it out.")
    check_directory_of(target)
    model = read_model(source, weights) if is_model else _model_of(source)
    images = images_without_label(source) if pool is None else images_named(pool, model)
    if rest and pool is not None:
        images = without_answers(images, source)
    with _bar() as tell:
        found = run_predictions(model, images, samples=samples, tell=tell)
    write_predictions(target, model.settings.classes, found.predictions)
    counts = Counter(each.label for each in found.predictions)
    out.print(f"{target}: {len(found.predictions)} images", soft_wrap=True, highlight=False, markup=False)
    print_table(("class", "images"), [(name, str(counts[name])) for name in model.settings.classes])
    for name, reason in list(found.unreadable.items())[:EXAMPLES]:
        err.print(f"note: not predicted: {name!r} ({reason})", soft_wrap=True, highlight=False, markup=False)
    if len(found.unreadable) > EXAMPLES:
        err.print(f"note: and {len(found.unreadable) - EXAMPLES} more images that cannot be read", highlight=False)


def _export_model(campaign: Path, target: Path) -> None:
    from askwell.campaign.exchanging import is_labelled_by_people
    from askwell.campaign.labelled_model import measured_of_people
    from askwell.campaign.saved_model import last_metrics, write_model

    model = _model_of(campaign)
    measured = measured_of_people if is_labelled_by_people(campaign) else last_metrics
    write_model(model, target, measured(campaign))
    out.print(
        f"{target}: the model of round {model.settings.round}, {model.settings.labels} labels; askwell predict {target} IMAGES",
        soft_wrap=True,
        highlight=False,
        markup=False,
    )


def _model_of(campaign: Path) -> "SavedModel":
    from askwell.campaign.exchanging import is_labelled_by_people

    if is_labelled_by_people(campaign):
        from askwell.campaign.labelled_model import model_of_people

        return model_of_people(campaign)
    from askwell.campaign.saved_model import model_of_campaign

    return model_of_campaign(campaign)


def _export_tasks(
    campaign: Path, path: Path, records: "Sequence[Record]", predictions: Path | None, prefix: str | None
) -> None:
    from askwell.campaign.exchanging import held_by
    from askwell.exchange.label_studio import LOCAL_FILES, labelling_interface, write_label_studio
    from askwell.exchange.predictions import read_predictions
    from askwell.store.files import replace_file

    said = read_predictions(predictions) if predictions is not None else []
    write_label_studio(path, records, said, prefix=LOCAL_FILES if prefix is None else prefix)
    interface = labelling_interface(held_by(campaign).classes)
    replace_file(path.with_suffix(".xml"), lambda temporary: temporary.write_text(interface, encoding="utf-8"))


def _renamed(pairs: Sequence[str]) -> dict[str, str]:
    renamed = dict[str, str]()
    for pair in pairs:
        theirs, equals, ours = pair.rpartition("=")
        if not (theirs and equals and ours):
            raise SettingsError(f"expected OLD=NEW for --rename, found {pair!r}.")
        renamed[theirs] = ours
    return renamed


def _say_problems(problems: "Sequence[Problem]") -> None:
    """The first few of each reason; --json lists all."""
    by_reason: dict[str, list[Problem]] = {}
    for problem in problems:
        by_reason.setdefault(problem.reason, []).append(problem)
    for reason, each in by_reason.items():
        err.print(f"{reason}: {len(each)}", highlight=False, markup=False)
        for problem in each[:EXAMPLES]:
            err.print(f"  {problem.about!r}: {problem.said}", soft_wrap=True, highlight=False, markup=False)


@contextmanager
def _bar() -> "Iterator[Callable[[str, int, int], None]]":
    """A bar for each stage, with the time left; it goes when it is done."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), MofNCompleteColumn(), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True) as progress:
        bars = dict[str, "TaskID"]()

        def tell(doing: str, done: int, total: int) -> None:
            if doing not in bars:
                bars[doing] = progress.add_task(doing, total=total)
            progress.update(bars[doing], completed=done, total=total)

        yield tell

"""The report of a campaign that people label: what was answered, how fast, what was fitted, and how right the model is.

It holds no image, and names of files, folders and people only where its caller hands them over.
"""

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from askwell.report.rendering import Drawn, inlined, write_page
from askwell.report.set_aside import SetAside, by_reason
from askwell.report.tables import Table
from askwell.report.wording import NOTHING, percent, seconds

TITLE = "A campaign that people label"
CURVE = "estimated_accuracy"  # the figure's name
FIRST_IDS = 3  # of the images set aside for a reason
MEASURES = "Each round's model on today's answers to the random sample, which no model was trained on."


class Said(NamedTuple):
    """An item's current answer: kind "label" with its class, or "skip", "unsure" or "bad"; seconds it took, where that is known."""

    kind: str
    label: str | None
    annotator: str
    time: float
    seconds: float | None


class Fitted(NamedTuple):
    """A fit: the labels it learnt from, and the seconds it took."""

    round: int
    labels: int
    seconds: float


@dataclass(frozen=True)
class PeopleCampaign:
    """What the report is made from.

    items      images in the folder; classes: their names, in order; answers: one for each item that has any
    estimate   of the latest model, None before there is one: accuracy, low, high, n, model_round, skipped, unsure, any_time, population,
               and auc with value, low and high
    curve      for each measured round: labels, accuracy, low, high
    sample     images kept for measuring; released: they were given to the model, so that later models cannot be measured
    equal      images whose file equals another one's; withheld: images that wait because they belong together with one of the sample
    set_aside  images that cannot be shown, with the reason
    folder     None where no names are to be told: then people are counted and not named
    """

    items: int
    classes: Sequence[str]
    answers: Sequence[Said]
    rounds: Sequence[Fitted]
    estimate: Mapping[str, Any] | None
    curve: Sequence[Sequence[int | float]]
    sample: int
    released: bool
    equal: int
    withheld: int
    set_aside: Sequence[SetAside]
    settings: Mapping[str, str]
    folder: str | None = None


class Written(NamedTuple):
    """What a terminal shows: the classes' table, sentences, and the files that were written."""

    classes: Table
    sentences: Sequence[str]
    files: Sequence[Path]


def write_people_report(campaign: PeopleCampaign, directory: Path) -> Written:
    """Write report.html, and the curve beside it where there is one, into the directory, which is made if needed."""
    directory.mkdir(parents=True, exist_ok=True)
    figure, paths = _figure(campaign, directory)
    content = {
        "title": TITLE if campaign.folder is None else f"{TITLE}: {campaign.folder}",
        "run": [*_answered(campaign), _privacy(campaign)],
        "accuracy_said": accuracy_said(campaign),
        "learning": figure,
        "curve": _curve_table(campaign),
        "classes": classes_table(campaign),
        "people": _people_table(campaign),
        "pace_said": pace_said(campaign.answers),
        "days": _days_table(campaign.answers),
        "rounds": _rounds_table(campaign.rounds),
        "aside_said": _aside_said(campaign),
        "set_aside": _set_aside_table(campaign),
        "settings": campaign.settings,
    }
    page = write_page("people.html.jinja", content, directory)
    told = [*_answered(campaign), *pace_said(campaign.answers), *accuracy_said(campaign), *_aside_said(campaign)]
    return Written(classes_table(campaign), told, [page, *paths])


def accuracy_said(campaign: PeopleCampaign) -> list[str]:
    """How right the latest model is, in sentences, with all that limits them."""
    found = campaign.estimate
    given = "The random sample was given to learning, so the accuracy of later models cannot be measured any more."
    if found is None and campaign.released:
        return [given]
    if found is None:
        return [
            "The accuracy is not measured yet: that takes a model, and answers to the random sample that is kept for it "
            f"({campaign.sample} images)."
        ]
    low, high = found["any_time"]
    said = [
        f"The model of round {found['model_round']} is right for {percent(found['accuracy'], 1)} of the images (95 % interval "
        f"{percent(found['low'], 1)} to {percent(found['high'], 1)}, n = {found['n']}), by a random sample of the folder that it was "
        "not trained on.",
        f"Whoever stops because of what the figure shows should take the wider interval, {percent(low, 1)} to {percent(high, 1)}, which "
        "holds at any time.",
    ]
    if missing := found["skipped"] + found["unsure"]:
        said.append(
            f"{missing} of the sample are missing from this, as they have no class: {found['skipped']} skipped, {found['unsure']} unsure."
        )
    if auc := found.get("auc"):
        said.append(
            f"AUC {auc['value']:.3f} (95 % interval {auc['low']:.3f} to {auc['high']:.3f}): how often an image of the one class is put "
            "above one of the other."
        )
    if campaign.released:
        said.append(given)
    return [*said, "How many labels were saved is not said: nobody labelled at random beside to compare with."]


def pace_said(answers: Sequence[Said]) -> list[str]:
    """How fast people were, by the answers whose time is known; imported ones have none."""
    taken = [said.seconds for said in answers if said.seconds is not None]
    if not taken:
        return ["How long the answers took is not known."]
    pace = f", {3600 * len(taken) / sum(taken):.0f} an hour" if sum(taken) > 0 else ""
    return [
        f"{len(taken)} answers took {_hours(sum(taken))} of work: in the median {seconds(statistics.median(taken))} s an answer{pace}. "
        "Time in which the page was hidden or nobody moved is left out."
    ]


def classes_table(campaign: PeopleCampaign) -> Table:
    """Class by class how many images have it, then the answers without a class."""
    labels = Counter(said.label for said in campaign.answers if said.kind == "label")
    kinds = Counter(said.kind for said in campaign.answers)
    total = sum(labels.values())
    rows = [
        (name, str(labels[name]), percent(labels[name] / total, 1) if total else NOTHING) for name in campaign.classes
    ]
    rows += [(f"({kind})", str(kinds[kind]), NOTHING) for kind in ("unsure", "bad", "skip") if kinds[kind]]
    return Table(("answer", "images", "of those with a class"), tuple(rows))


def _answered(campaign: PeopleCampaign) -> list[str]:
    kinds = Counter(said.kind for said in campaign.answers)
    people = len({said.annotator for said in campaign.answers})
    answered = len(campaign.answers) - kinds["skip"]
    return [
        f"{answered} of {campaign.items} images are answered: {kinds['label']} with a class, {kinds['unsure']} unsure, {kinds['bad']} bad"
        + (f"; {kinds['skip']} are skipped and return." if kinds["skip"] else "."),
        f"{people} {'person' if people == 1 else 'people'} answered; the model was fitted {len(campaign.rounds)} times.",
    ]


def _privacy(campaign: PeopleCampaign) -> str:
    if campaign.folder is None:
        return "This page holds no image, and no name of a file, a folder or a person; the classes are named."
    return "This page holds no image, but names of files, of the folder and of people: it was asked to."


def _people_table(campaign: PeopleCampaign) -> Table:
    """Person by person, most answers first; by number where names are not told."""
    counts = Counter(said.annotator for said in campaign.answers).most_common()
    taken: dict[str, list[float]] = {}
    for said in campaign.answers:
        if said.seconds is not None:
            taken.setdefault(said.annotator, []).append(said.seconds)
    rows = [
        (
            f"person {number}" if campaign.folder is None else name,
            str(count),
            seconds(statistics.median(taken[name]) if name in taken else None),
        )
        for number, (name, count) in enumerate(counts, start=1)
    ]
    return Table(("who", "answers", "median seconds"), tuple(rows))


def _days_table(answers: Sequence[Said]) -> Table:
    by_day: dict[str, list[Said]] = {}
    for said in sorted(answers, key=lambda said: said.time):
        by_day.setdefault(datetime.fromtimestamp(said.time, UTC).date().isoformat(), []).append(said)
    rows = []
    for day, given in by_day.items():
        taken = [said.seconds for said in given if said.seconds is not None]
        rows.append((day, str(len(given)), seconds(statistics.median(taken) if taken else None)))
    return Table(("day (UTC)", "answers", "median seconds"), tuple(rows))


def _rounds_table(rounds: Sequence[Fitted]) -> Table:
    rows = [(str(fit.round), str(fit.labels), seconds(fit.seconds)) for fit in rounds]
    return Table(("round", "labels learnt from", "seconds"), tuple(rows))


def _curve_table(campaign: PeopleCampaign) -> Table:
    rows = [(str(int(labels)), *(percent(value, 1) for value in rest[:3])) for labels, *rest in campaign.curve]
    return Table(("labels learnt from", "accuracy", "95 % from", "to"), tuple(rows))


def _aside_said(campaign: PeopleCampaign) -> list[str]:
    """What is not asked about, or comes twice."""
    said = []
    if campaign.equal:
        said.append(
            f"{campaign.equal} images are equal to another one, file by file; equal ones are never on both sides of the measuring."
        )
    if campaign.withheld:
        said.append(
            f"{campaign.withheld} images without an answer are withheld, because they belong together with one of the random sample."
        )
    return said


def _set_aside_table(campaign: PeopleCampaign) -> Table:
    """Reason by reason how many images; without names also without what a reason quotes of a file, which stands behind a colon."""
    told = campaign.folder is not None
    known = [each if told else each._replace(reason=each.reason.split(":")[0]) for each in campaign.set_aside]
    rows = [
        (each.reason, str(len(each.ids)), *((", ".join(each.ids[:FIRST_IDS]),) if told else ()))
        for each in by_reason(known)
    ]
    return Table(("reason", "images", *(("the first of them",) if told else ())), tuple(rows))


def _figure(campaign: PeopleCampaign, directory: Path) -> tuple[Drawn, Sequence[Path]]:
    if not (curve := campaign.curve):
        return Drawn(), ()
    from askwell.report.plots import draw_estimates  # here, because reading numbers needs no matplotlib

    paths = draw_estimates(curve, directory / CURVE, title="Estimated accuracy as labels are added", below=MEASURES)
    return inlined(paths, f"{MEASURES} The numbers are in the table below."), paths


def _hours(taken: float) -> str:
    return f"{taken / 3600:.1f} hours" if taken >= 3600 else f"{taken / 60:.1f} minutes"

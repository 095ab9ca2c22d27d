"""What the report of a campaign that people label is made from, as its store holds it now; names only where they are asked for."""

import json
from pathlib import Path

from askwell.campaign.exchanging import is_labelled_by_people
from askwell.campaign.labelling import DATABASE, LabellingSettings, read_labelling_settings
from askwell.campaign.measuring import measured
from askwell.campaign.settings import SETTINGS_FILE
from askwell.errors import CampaignStateError
from askwell.report.people import Fitted, PeopleCampaign, Said, Written, write_people_report
from askwell.report.set_aside import SetAside
from askwell.store.labelling import LabellingStore
from askwell.store.store import CampaignStore

NOBODY = ""  # whose counts are asked for


def labelled_ones(directories: list[Path]) -> list[Path]:
    """Those of the directories that hold a campaign that people label."""
    return [each for each in directories if (each / SETTINGS_FILE).is_file() and is_labelled_by_people(each)]


def report_people(directory: Path, out: Path, *, names: bool) -> Written:
    """Write the report of the campaign in a directory; it may go on meanwhile. Raises CampaignStateError where its database is gone."""
    if not (directory / DATABASE).is_file():
        raise CampaignStateError(f"expected {DATABASE} in {directory}, found none; restore it from a backup.")
    return write_people_report(people_campaign(directory, names=names), out)


def people_campaign(directory: Path, *, names: bool) -> PeopleCampaign:
    """What there is to say of the campaign now."""
    settings = read_labelling_settings(directory)
    with CampaignStore(directory / DATABASE) as store:
        rounds, broken, ids = store.round_records(), store.quarantined(), store.ids()
    with LabellingStore(directory / DATABASE) as store:
        answers, standing = store.answers_in_full(), store.standing(NOBODY)
        size, released = store.sample_size()
        known = measured(store)
        classes = [each.name for each in store.classes().current]
        equal = len(store.contents())
    final = {answer.position for answer in answers if answer.kind != "skip"}
    return PeopleCampaign(
        items=standing.items,
        classes=classes,
        answers=[Said(each.kind, each.label, each.annotator, each.time, each.duration) for each in answers],
        rounds=[Fitted(each.round, each.labels, each.seconds_fit) for each in rounds],
        estimate=json.loads(known["estimate"]),
        curve=json.loads(known["curve"]),
        sample=size,
        released=released,
        equal=equal,
        withheld=max(0, standing.not_asked - len(broken.keys() - final)),
        set_aside=[SetAside("pool", ids[position], reason) for position, reason in broken.items()],
        settings=_told(settings, names=names),
        folder=settings.folder if names else None,
    )


def _told(settings: LabellingSettings, *, names: bool) -> dict[str, str]:
    """The settings as text; those that are paths, or may hold names, only where these are asked for."""
    told = {
        "strategy": settings.strategy,
        "backbone": settings.backbone,
        "images for measuring, at most": str(settings.sample),
        "images that belong together": "named" if settings.groups else "equal files and pages of one file",
        "begun with": f"askwell {settings.made_with.askwell}",
    }
    if names:
        told |= {"folder": settings.folder, "weights": settings.weights, "groups": settings.groups or "none"}
    return told

"""What an arm of MBR was begun with, in its directory: the experiment's settings, and this software and machine."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from askwell.campaign.campaign import resolved
from askwell.campaign.settings import ExperimentSettings, MadeWith, made_with, what_is_said
from askwell.errors import CampaignStateError, SettingsError
from askwell.reproduction.plans import NETWORK_ARMS
from askwell.store.files import replace_file

ARM_FILE = "arm.json"
MADE_WITH, NETWORK = "made_with", "network"  # beside the settings; arms of an older askwell have neither


class Making(NamedTuple):
    """The software and hardware a campaign or an arm was begun with; the device and precision of its network where it trains one."""

    made_with: MadeWith
    network: Mapping[str, str]


def write_arm(directory: Path, settings: ExperimentSettings, name: str, nodes: int, threads: int) -> None:
    """Begin an arm that is computed in so many threads."""
    about: dict[str, Any] = {MADE_WITH: made_with(threads).model_dump(mode="json"), NETWORK: {}}
    if name in NETWORK_ARMS:
        recipe = resolved(settings.recipe)
        about[NETWORK] = {"device": recipe.device, "precision": recipe.precision}
    text = json.dumps({**_own(settings, nodes), **about}, sort_keys=True) + "\n"
    replace_file(directory / ARM_FILE, lambda path: path.write_text(text, encoding="utf-8"))


def check_arm(directory: Path, settings: ExperimentSettings, nodes: int) -> None:
    """Raise SettingsError, with their names, where the arm in a directory was begun with other settings; its seed is its directory's."""
    found = {name: value for name, value in _read(directory).items() if name not in (MADE_WITH, NETWORK)}
    if different := list(_differing(what_is_said(_own(settings, nodes)), what_is_said(found))):
        raise SettingsError(
            f"expected the settings that the arm in {directory} was begun with, found another {', '.join(different)}; "
            "put them back as they were, or choose another --out."
        )


def making_of_arm(directory: Path) -> Making | None:
    """What the arm says of its making; None for one that an older askwell began, which says nothing."""
    about = _read(directory)
    if MADE_WITH not in about:
        return None
    return Making(MadeWith.model_validate(about[MADE_WITH]), about[NETWORK])


def _own(settings: ExperimentSettings, nodes: int) -> dict[str, Any]:
    own = settings.model_dump(mode="json", exclude={"strategy", "seeds", "rounds"}, exclude_none=True)
    return {**own, "nodes": nodes}


def _read(directory: Path) -> dict[str, Any]:
    file = directory / ARM_FILE
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise CampaignStateError(
            f"expected JSON in {file}, found something else: {error}; restore it, or remove {directory}."
        ) from None


def _differing(wanted: Mapping[str, Any], found: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for name in sorted({*wanted, *found}):
        one, other = wanted.get(name), found.get(name)
        if isinstance(one, dict) and isinstance(other, dict):
            yield from _differing(one, other, f"{prefix}{name}.")
        elif one != other:
            yield prefix + name

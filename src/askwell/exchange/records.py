"""What goes out and comes in: a record of what somebody said of an item, and a claim, which names the item as its author did."""

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from askwell.errors import UsageError

LABEL, SKIP = "label", "skip"
KINDS = (LABEL, SKIP, "unsure", "bad")


class Record(NamedTuple):
    """An item's current answer: a class (kind "label"), or none (kind "skip", "unsure" or "bad", label None).

    time is in seconds since 1970, duration in seconds; either is None where nobody noted it.
    """

    id: str
    label: str | None
    kind: str = LABEL
    annotator: str = ""
    time: float | None = None
    duration: float | None = None


class Claim(NamedTuple):
    """What a file says of an image: the names that may mean it (any of them), the rest as in a record.

    exact: the names are ids as askwell wrote them, so nothing but the same id is meant.
    """

    names: tuple[str, ...]
    label: str | None
    kind: str = LABEL
    annotator: str = ""
    time: float | None = None
    duration: float | None = None
    exact: bool = False


class Problem(NamedTuple):
    """A claim that was not taken, and why: a reason that many may share, the name or place it is about, and a clause on it."""

    reason: str
    about: str
    said: str


class Reading(NamedTuple):
    """What a file claims, what in it cannot be understood, how many predictions of models it holds, which are no labels, which columns
    of a table say nothing that is read, and how many of its rows name no class.
    """

    claims: list[Claim]
    problems: list[Problem]
    predictions: int = 0
    columns: tuple[str, ...] = ()
    unlabelled: int = 0


def checked(record: Record) -> Record:
    """The record; UsageError for a kind that does not exist or does not fit, or for text that no file can hold."""
    if record.kind not in KINDS or (record.kind == LABEL) != (record.label is not None):
        raise UsageError(
            f"expected a class for kind {LABEL!r}, and none for {', '.join(KINDS[1:])}, found {record.kind!r} and {record.label!r}."
        )
    for text in (record.id, record.label or "", record.annotator):
        try:
            text.encode()
        except UnicodeEncodeError:
            raise UsageError(
                f"expected text of whole characters, found {text!r}; rename it before exporting."
            ) from None
    return record


def time_text(seconds: float | None) -> str | None:
    """A time as "2026-11-28T14:45:00.123456Z", to the microsecond."""
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def time_from(value: Any) -> float | None:
    """Seconds since 1970, of that, of any other ISO 8601 time (of no zone: UTC), or of such a number; None of anything else."""
    if isinstance(value, str) and value:
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            return number_from(value)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    return number_from(value)


def number_from(value: Any) -> float | None:
    """A finite number, or None."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) and not isinstance(value, bool) else None


def claim_of(fields: dict[str, Any], names: Sequence[str], where: str, *, exact: bool) -> Claim | Problem:
    """The claim of a row with label, kind, annotator, time and duration, each perhaps missing; a Problem where label and kind disagree."""
    label, kind = fields.get("label") or None, fields.get("kind") or LABEL
    if kind not in KINDS:
        return Problem("unclear answer", where, f"there is no kind {kind!r}, only {', '.join(KINDS)}")
    if (kind == LABEL) != (label is not None) or not isinstance(label, str | None):
        return Problem("unclear answer", where, f"kind {kind!r} with the label {label!r}")
    return Claim(
        tuple(names),
        label,
        kind,
        str(fields.get("annotator") or ""),
        time_from(fields.get("time")),
        number_from(fields.get("duration")),
        exact,
    )

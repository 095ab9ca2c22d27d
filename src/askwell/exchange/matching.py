"""Which items and classes do a file's claims mean? What is not certain is reported, never guessed."""

import difflib
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from askwell.errors import UsageError
from askwell.exchange.records import SKIP, Claim, Problem, Reading, Record
from askwell.pool.item_names import ItemNames, normal


class Matched(NamedTuple):
    """Records of items and classes that exist, one for each item, and the claims that were not taken."""

    records: list[Record]
    problems: list[Problem]


def match(
    reading: Reading,
    ids: Collection[str],
    names: ItemNames,
    item_ids: Sequence[str],
    classes: Sequence[str],
    renamed: Mapping[str, str] | None = None,
) -> Matched:
    """Records of the claims. names finds positions in item_ids by whatever an image may be called; ids are those of item_ids as a set.

    renamed gives, for a class in the file, the campaign's. Of several claims on an item one is taken where they agree; a skip gives way
    to any other. Raises UsageError where ``renamed`` names no class.
    """
    translation = dict(renamed or {})
    for theirs, ours in translation.items():
        if ours not in classes:
            raise UsageError(f"expected {theirs!r} renamed to one of the classes {', '.join(classes)}, found {ours!r}.")
    by_item: dict[str, list[Record]] = {}
    problems = list(reading.problems)
    for claim in reading.claims:
        found = _meant(claim, ids, names, item_ids)
        label = None if claim.label is None else translation.get(claim.label, claim.label)
        if isinstance(found, Problem):
            problems.append(found)
        elif label is not None and label not in classes:
            problems.append(_unknown_class(claim, label, classes))
        else:
            for item in found:
                by_item.setdefault(item, []).append(
                    Record(item, label, claim.kind, claim.annotator, claim.time, claim.duration)
                )
    records = list[Record]()
    for item, said in by_item.items():
        weighty = [record for record in said if record.kind != SKIP] or said
        answers = dict.fromkeys(record.label if record.label is not None else record.kind for record in weighty)
        if len(answers) > 1:
            problems.append(Problem("several answers", item, " and ".join(map(repr, answers))))
        else:
            records.append(weighty[0])
    return Matched(records, problems)


def _meant(claim: Claim, ids: Collection[str], names: ItemNames, item_ids: Sequence[str]) -> list[str] | Problem:
    """The items that the claim is about (all pages of a file are one answer); exact ids go before other ways to name an image."""
    exact = [name for name in dict.fromkeys(claim.names) if name in ids]
    if claim.exact and not exact:
        exact = [name for name in map(normal, claim.names) if name in ids]
    if len(exact) == 1:
        return exact
    if len(exact) > 1:
        return Problem("ambiguous image", claim.names[0], f"it can be {' or '.join(map(repr, exact))}")
    if claim.exact:
        return Problem("unknown image", claim.names[0], "no item has this id")
    found, unclear = dict[tuple[int, ...], None](), ""
    for name in claim.names:
        try:
            if positions := names.positions(name):
                found[tuple(positions)] = None
        except UsageError as error:
            unclear = str(error)
    if len(found) > 1 or (unclear and not found):
        several = " or ".join(repr(item_ids[positions[0]]) for positions in found)
        return Problem("ambiguous image", claim.names[0], f"it can be {several}" if found else unclear)
    if not found:
        return Problem("unknown image", claim.names[0], "no item is called so")
    return [item_ids[position] for position in next(iter(found))]


def _unknown_class(claim: Claim, label: str, classes: Sequence[str]) -> Problem:
    near = difflib.get_close_matches(label.casefold(), [name.casefold() for name in classes], n=1, cutoff=0.6)
    meant = next((name for name in classes if near and name.casefold() == near[0]), None)
    hint = f"; if {meant!r} is meant, say --rename {label}={meant}" if meant else ""
    return Problem("unknown class", claim.names[0], f"{label!r}{hint}")

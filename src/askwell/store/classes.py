"""The classes as they are now, derived from what was done to them; every change can be undone."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from askwell.errors import NameRefusedError, StaleRequestError, UnknownNameError
from askwell.store.names import KEYS, check_key, check_name


class ClassEvent(NamedTuple):
    """One change of the classes, as it is in the store."""

    sequence: int
    kind: str
    class_id: str | None
    name: str | None
    key: str | None
    into: str | None
    undoes: int | None


class ClassChange(NamedTuple):
    """What somebody asks for: add (name), rename (class_id; name or key), merge (class_id, into), split (class_id, name), retire.

    A key of None is left as it is, or chosen for a new class; "" clears it.
    """

    kind: str
    class_id: str | None = None
    name: str | None = None
    key: str | None = None
    into: str | None = None


class LabelClass(NamedTuple):
    """A class: its stable id, its name, its key on the keyboard, and whether it is offered no more."""

    id: str
    name: str
    key: str | None
    retired: bool


class ClassesChanged(NamedTuple):
    """A change of the classes that is in force, with names as they were just after it.

    before: the former name, where it was another one; key: a new one, "" where it was cleared; into: the class that it was merged into,
    or split off from; undoable: whether it can be taken back now.
    """

    sequence: int
    kind: str
    class_id: str
    name: str
    before: str | None
    key: str | None
    into: str | None
    annotator: str
    time: float
    undoable: bool


@dataclass(frozen=True)
class Classes:
    """The classes in the order in which they were added, which class each id means by now, and how many ids were ever given.

    current   those that are not merged into another; answers of a merged class are answers of the other one
    meaning   id -> id of the class that it means; an id whose class was taken back means nothing
    """

    current: tuple[LabelClass, ...]
    meaning: Mapping[str, str]
    given: int

    def named(self, class_id: str) -> LabelClass:
        """The class of that id; UnknownNameError for none."""
        for each in self.current:
            if each.id == class_id:
                return each
        raise UnknownNameError("class", class_id[:20], [each.id for each in self.current] or ["c1"])

    def offered(self, class_id: str) -> LabelClass:
        """A class that may be answered with; StaleRequestError for one that was merged or retired meanwhile."""
        if self.meaning.get(class_id, class_id) != class_id:
            raise StaleRequestError(
                "the class was merged into another one meanwhile; reload the page and answer again."
            )
        found = self.named(class_id)
        if found.retired:
            raise StaleRequestError(
                f"the class {found.name!r} was retired meanwhile; reload the page and answer again."
            )
        return found

    def merged_into(self, class_id: str) -> list[str]:
        """All ids that mean that class."""
        return [each for each, meant in self.meaning.items() if meant == class_id]


def derive(events: Sequence[ClassEvent]) -> Classes:
    """The classes after all events, in their order, of which those that were undone do not count."""
    kept = _not_undone(events)
    classes: dict[str, LabelClass] = {}
    merged: dict[str, str] = {}
    for event in kept:
        _apply(event, classes, merged)
    meaning = {each: _end_of(each, merged) for each in (*classes, *merged)}
    current = _with_own_keys(each for each in classes.values() if each.id not in merged)
    given = {event.class_id for event in events if event.kind in ("add", "split")}
    return Classes(current, {each: meant for each, meant in meaning.items() if meant in classes}, len(given))


def in_force(events: Sequence[ClassEvent]) -> list[tuple[ClassEvent, str, str | None, str | None]]:
    """(event, name of its class after it, that name before if it was another, name of ``into``) of what was done and not undone."""
    classes: dict[str, LabelClass] = {}
    merged: dict[str, str] = {}
    found = []
    for event in _not_undone(events):
        own = event.class_id or ""
        before = classes.get(own)
        _apply(event, classes, merged)
        if own not in classes:
            continue
        name, into = classes[own].name, classes.get(event.into or "")
        former = before.name if before is not None and before.name != name else None
        found.append((event, name, former, None if into is None else into.name))
    return found


def checked(change: ClassChange, classes: Classes) -> ClassChange:
    """The change with what it leaves open filled in: the id of a new class, its key.

    Raises NameRefusedError for a name or key that is taken or refused, UnknownNameError for a class that there is not.
    """
    wanted = {
        "add": ("name",),
        "split": ("class_id", "name"),
        "merge": ("class_id", "into"),
        "retire": ("class_id",),
        "rename": ("class_id",),
    }[change.kind]
    missing = [name for name in wanted if getattr(change, name) is None]
    if missing or (change.kind == "rename" and change.name is None and change.key is None):
        raise NameRefusedError(
            f"expected {' and '.join(missing or ['name or key'])} to {change.kind} a class, found none; give it."
        )
    if change.class_id is not None and change.kind != "add":
        classes.named(change.class_id)
    if change.kind == "merge":
        return _checked_merge(change, classes)
    if change.kind == "retire":
        if classes.named(change.class_id or "").retired:
            raise StaleRequestError("the class was retired already; reload the page.")
        return ClassChange("retire", change.class_id)
    own = change.class_id if change.kind == "rename" else None
    name = None if change.name is None else _free_name(change.name, classes, own)
    key = _free_key(change.key, classes, own) if change.key else change.key
    if change.kind == "rename":
        return ClassChange("rename", change.class_id, name, key)
    used = {each.key for each in classes.current if not each.retired}
    key = key or next((each for each in KEYS if each not in used), None)
    parent = change.class_id if change.kind == "split" else None
    return ClassChange(change.kind, f"c{classes.given + 1}", name, key, parent)


def _checked_merge(change: ClassChange, classes: Classes) -> ClassChange:
    into = classes.offered(change.into or "")
    if into.id == change.class_id:
        raise NameRefusedError("expected another class to merge into, found the same one; choose another.")
    return ClassChange("merge", change.class_id, into=into.id)


def _free_name(name: str, classes: Classes, own: str | None) -> str:
    name = check_name("class", name)
    if any(each.name.casefold() == name.casefold() and each.id != own for each in classes.current):
        raise NameRefusedError(f"expected a name that no other class has, found {name!r} again; choose another.")
    return name


def _free_key(key: str, classes: Classes, own: str | None) -> str:
    key = check_key(key)
    for each in classes.current:
        if each.key == key and each.id != own and not each.retired:
            raise NameRefusedError(
                f"expected a free key, found {key!r}, which is that of {each.name!r}; choose another."
            )
    return key


def _not_undone(events: Iterable[ClassEvent]) -> list[ClassEvent]:
    """An undo may itself be undone, so the last of them decides."""
    undone: set[int] = set()
    for event in sorted(events, key=lambda event: -event.sequence):
        if event.undoes is not None and event.sequence not in undone:
            undone.add(event.undoes)
    return [event for event in events if event.kind != "undo" and event.sequence not in undone]


def _apply(event: ClassEvent, classes: dict[str, LabelClass], merged: dict[str, str]) -> None:
    own = event.class_id or ""
    if event.kind in ("add", "split"):
        classes[own] = LabelClass(own, event.name or own, event.key, retired=False)
    elif own not in classes:  # what added it was undone
        return
    elif event.kind == "rename":
        before = classes[own]
        key = before.key if event.key is None else event.key or None
        classes[own] = before._replace(name=event.name or before.name, key=key)
    elif event.kind == "retire":
        classes[own] = classes[own]._replace(retired=True)
    elif event.into in classes and _end_of(event.into or own, merged) != own:  # undone undos could lead in a circle
        merged[own] = event.into or own


def _with_own_keys(classes: Iterable[LabelClass]) -> tuple[LabelClass, ...]:
    """Of two classes with one key, as after a merge was undone, the later one has none."""
    used: set[str | None] = set()
    found = []
    for each in classes:
        found.append(each._replace(key=None) if each.key in used else each)
        if not each.retired:
            used.add(each.key)
    return tuple(found)


def _end_of(class_id: str, merged: Mapping[str, str]) -> str:
    while class_id in merged:
        class_id = merged[class_id]
    return class_id

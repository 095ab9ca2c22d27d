"""Questions, answers, edits, undo and the classes: what changes the campaign.

Routes here and in ``looking_routes`` are coroutines that call the store themselves: a transaction takes 3 ms, and handed to threads it
takes 10, which wait for one another anyway (benchmarks/labelling_load.py). Only the release looks at all items, in a thread.
"""

from typing import Annotated, Any
from uuid import uuid4

from fastapi import APIRouter, HTTPException, Query

from askwell.store.classes import ClassChange
from askwell.store.labelling_records import Answer, Question, Said
from askwell.web.bodies import AnswerBody, Asking, AtDesk, ClassBody, ClassUndoBody, EditBody, ReplyBody, UndoBody

router = APIRouter(prefix="/api")
MOST_KEYS = 2_000  # characters of "have"
CHANGES = 10  # of the classes, the latest, that the page lists


@router.get("/next")
async def next_questions(
    desk: AtDesk, who: Asking, have: Annotated[str, Query(max_length=MOST_KEYS)] = ""
) -> dict[str, Any]:
    """The questions that this annotator is to answer next and does not have yet; the first one also by itself."""
    held = set(have.split(","))
    questions = desk.store.questions(who.annotator)
    items = [shown(question) for question in questions if question.key not in held]
    first = items[0] if items else {"id": None, "image": None, "key": None}
    reply = {"items": items, **{name: first[name] for name in ("id", "image", "key")}}
    return reply if questions else {**reply, "reason": _why_nothing(desk, who.annotator)}


@router.post("/answers")
async def answer(desk: AtDesk, who: Asking, body: AnswerBody) -> dict[str, int]:
    """Write an answer down; it is on the disk when the reply comes."""
    _check_label(body.kind, body.label)
    given = Answer(body.id, body.key, body.kind, body.label, body.seconds)
    return desk.store.answer(who.annotator, given)._asdict()


@router.post("/answers/edit")
async def edit(desk: AtDesk, who: Asking, body: EditBody) -> dict[str, int]:
    """Change an answer, unless it is another one by now than the page shows."""
    kind = body.kind or "label"
    _check_label(kind, body.label)
    given = Answer(body.id, body.key, kind, body.label)
    return desk.store.edit(who.annotator, given, body.expected_sequence)._asdict()


@router.post("/undo")
async def undo(desk: AtDesk, who: Asking, body: UndoBody) -> dict[str, Any]:
    """Take this annotator's last answer back and show the image again; ``current`` is the former answer, where that counts again."""
    question, said, recorded = desk.store.undo(who.annotator, body.key)
    _, current = desk.store.item(question.position)
    now = {"answer": answered(said), "current": current and answered(current)}
    return {**shown(question), **now, **recorded._asdict()}


@router.post("/classes")
async def change_classes(desk: AtDesk, who: Asking, body: ClassBody) -> dict[str, Any]:
    """Change the classes."""
    change = ClassChange(body.kind, body.id, body.name, body.key, body.into)
    sequence, touched = desk.store.change_classes(who.annotator, change, body.idempotency)
    return {"classes": classes_of(desk, who.annotator), "touched": touched, "sequence": sequence}


@router.get("/classes/changes")
async def class_changes(desk: AtDesk, _who: Asking) -> dict[str, Any]:
    """The latest changes of the classes that are in force, latest first, then earlier ones by which a class is retired."""
    rows = [each._asdict() for each in desk.store.class_changes(CHANGES)]
    return {"changes": [{"id": row.pop("class_id"), **row} for row in rows]}


@router.post("/classes/undo")
async def undo_classes(desk: AtDesk, who: Asking, body: ClassUndoBody) -> dict[str, Any]:
    """Take a change of the classes back."""
    sequence = desk.store.undo_class_change(who.annotator, body.sequence, body.idempotency or uuid4().hex)
    return {"classes": classes_of(desk, who.annotator), "sequence": sequence}


@router.post("/release")
def release(desk: AtDesk, _who: Asking) -> dict[str, int]:
    """Give the images that were kept for measuring to training, for good."""
    return {"released": desk.store.release_sample(desk.seed)}


@router.post("/question")
async def reply(desk: AtDesk, _who: Asking, body: ReplyBody) -> dict[str, str]:
    """Reply to what the machine asked."""
    if not desk.store.reply(body.id, body.answer):
        raise HTTPException(
            409, "expected a reply to what is being asked, found one to something else; reload the page."
        )
    return {"answer": body.answer}


def shown(question: Question) -> dict[str, Any]:
    """A question as the page gets it."""
    return {
        "id": question.position,
        "key": question.key,
        "image": image_address(question.position),
        "evaluation": question.evaluation,
    }


def answered(said: Said) -> dict[str, Any]:
    """An answer as the page gets it."""
    return {
        "sequence": said.sequence,
        "id": said.position,
        "kind": said.kind,
        "label": said.class_id,
        "image": image_address(said.position),
        "time": said.time,
        "annotator": said.annotator,
    }


def classes_of(desk: AtDesk, annotator: str) -> list[dict[str, Any]]:
    """The classes with the number of their answers."""
    labels = desk.store.standing(annotator).labels
    return [{**each._asdict(), "answers": labels.get(each.id, 0)} for each in desk.store.classes().current]


def image_address(position: int) -> str:
    """Where the page finds an item's image."""
    return f"/api/images/{position}"


def _check_label(kind: str, label: str | None) -> None:
    if (kind == "label") != (label is not None):
        raise HTTPException(422, "expected a class for an answer of the kind label, and none for any other; send that.")


def _why_nothing(desk: AtDesk, annotator: str) -> str:
    if desk.images.folder_is_gone():
        return "folder_gone"
    if desk.store.status().get("indexed") != "yes":
        return "indexing"
    if desk.store.open_items():
        return "leased"
    return "all_asked" if desk.store.standing(annotator).not_asked else "all_answered"

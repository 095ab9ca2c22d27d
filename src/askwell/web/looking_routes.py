"""What the page shows: the state at a glance, answers given, the model's guess, the images."""

import json
import os
from typing import Annotated, Any, Literal

from fastapi import APIRouter, HTTPException, Query, Response

from askwell.pool.image_formats import GONE, ImageUnreadableError
from askwell.pool.rooted import OutsideRootError, below
from askwell.store.asking import SKIP_RETURNS_AFTER
from askwell.web.bodies import Asking, AtDesk, Before, Limit, Position
from askwell.web.labelling_routes import answered

router = APIRouter(prefix="/api")
SIDES = {"view": 2560, "thumb": 192}  # the longest side of an image, in pixels
FOLDER_GONE = "the folder of images is gone; put it back, and labelling goes on."


@router.get("/state")
async def state(desk: AtDesk, who: Asking) -> dict[str, Any]:
    """Everything at a glance."""
    standing, status = desk.store.standing(who.annotator), desk.store.status()
    answers = sum(count for kind, count in standing.kinds.items() if kind != "skip")
    classes = [{**each._asdict(), "answers": standing.labels.get(each.id, 0)} for each in desk.store.classes().current]
    pace = standing.seconds_per_answer
    size, released = desk.store.sample_size()
    return {
        **{"campaign": desk.name, "annotator": who.annotator, "classes": classes, "answers": answers},
        **{"per_hour": round(3600 / pace) if pace else None, "round": standing.round, "kinds": standing.kinds},
        **{"worker": worker(status), "question": _json(status, "question")},
        **{"estimate": _json(status, "estimate"), "curve": _json(status, "curve") or []},
        **{"scored": _json(status, "scored")},
        **{"remaining": max(0, standing.items - answers - standing.not_asked), "total": standing.items},
        **{"guess_allowed": standing.round is not None, "skip_gap": SKIP_RETURNS_AFTER},
        **{"evaluation": {"size": size, "released": released}, "indexed": status.get("indexed") == "yes"},
    }


@router.get("/history")
async def history(desk: AtDesk, who: Asking, limit: Limit = 10, before: Before = None) -> dict[str, Any]:
    """This annotator's answers, latest first."""
    return {"answers": [answered(said) for said in desk.store.history(who.annotator, limit, before)]}


@router.get("/items")
async def items(
    desk: AtDesk,
    _who: Asking,
    wanted: Annotated[str, Query(alias="class", pattern=r"^(c[0-9]{1,9}|skip|unsure|bad)$")],
    after: Before = None,
    limit: Limit = 60,
) -> dict[str, Any]:
    """The images of a class, or of another kind of answer, latest first; ``after`` goes on from there."""
    found = desk.store.of_class(wanted, limit, after)
    more = found[-1].sequence if len(found) == limit else None
    return {"items": [answered(said) for said in found], "after": more}


@router.get("/items/{position}")
async def item(desk: AtDesk, _who: Asking, position: Position) -> dict[str, Any]:
    """An image's name and the time of its file, which the page shows on request only, and its answer."""
    file, said = desk.store.item(position)
    try:
        time = os.stat(below(str(desk.images.root), file.path)).st_mtime  # noqa: PTH116 - the path may not be text
    except (OSError, OutsideRootError, ImageUnreadableError):
        time = None
    sequence = None if said is None else said.sequence
    return {"id": position, "name": file.id, "time": time, "answer": said and answered(said), "sequence": sequence}


@router.get("/items/{position}/guess")
async def guess(desk: AtDesk, _who: Asking, position: Position) -> dict[str, Any]:
    """What the model thinks of an image and why it is asked; 403 where knowing it would spoil the measuring."""
    found = desk.store.guess(position)
    if found is None:
        raise HTTPException(
            403, "this image measures how good the model is, so the guess is hidden until you have answered."
        )
    empty = {"probabilities": [], "total": None, "aleatoric": None, "epistemic": None, "model_round": found.round}
    if found.why is None:
        return {**empty, "why": WHY[found.source]}
    return {**empty, "why": WHY[found.source], **json.loads(found.why)}


WHY = {
    "random": "No model had ranked it: it came in the random order.",
    "cold_start": "There was no model when it was chosen: it is typical of many others, and unlike those before it.",
    "measuring": "It measures how good the model is: such images are drawn at random from the whole folder.",
    "model": "It was drawn with a chance that grows with how much the model's samples disagree on it: such answers teach it most.",
}


@router.get("/images/{position}", response_class=Response)
async def image(desk: AtDesk, _who: Asking, position: Position, size: Literal["view", "thumb"] = "view") -> Response:
    """An image, encoded anew without metadata."""
    file, _ = desk.store.item(position)
    found = await desk.images.show(file.path, file.page, SIDES[size])
    if found.media_type is not None:
        return Response(found.content, media_type=found.media_type)
    if found.refused:
        raise HTTPException(403, f"this image is not shown: {found.reason}.")
    if found.reason == GONE and desk.images.folder_is_gone():
        raise HTTPException(503, FOLDER_GONE)
    if found.reason == GONE:
        raise HTTPException(404, "the file of this image is gone; skip it, or put it back.")
    raise HTTPException(422, f"this image cannot be shown: {found.reason}; answer with bad image.")


def worker(status: dict[str, str]) -> dict[str, Any]:
    """What the machine is doing."""
    left, progress = status.get("left_s"), status.get("progress")
    return {
        "doing": status.get("doing", "starting"),
        "left_s": float(left) if left else None,
        "progress": float(progress) if progress else None,
        "message": status.get("message") or None,
        "crashes": int(status.get("crashes", "0")),
    }


def _json(status: dict[str, str], key: str) -> Any:
    return json.loads(status[key]) if status.get(key) else None

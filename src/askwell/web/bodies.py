"""What the page sends, checked before anything is done with it, and what every route is handed."""

from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import Depends, HTTPException, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from askwell.store.labelling import LabellingStore
from askwell.web.images import Images
from askwell.web.sessions import Session, Sessions

LARGEST_NUMBER = 2**53 - 1  # that JavaScript counts to, and SQLite further
LONGEST_DURATION = 86_400.0

Number = Annotated[int, Field(ge=0, le=LARGEST_NUMBER)]
Key = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.:-]{1,100}$")]
Kind = Literal["label", "skip", "unsure", "bad"]
Name = Annotated[str, Field(max_length=200)]
ClassId = Annotated[str, Field(pattern=r"^c[0-9]{1,9}$")]
Position = Annotated[int, Path(ge=0, le=LARGEST_NUMBER)]
Limit = Annotated[int, Query(ge=1, le=200)]
Before = Annotated[int | None, Query(ge=0, le=LARGEST_NUMBER)]


@dataclass(frozen=True)
class Desk:
    """What the routes work with: the campaign's store, its images, its tokens, its name and its settings that the page shows."""

    store: LabellingStore
    images: Images
    sessions: Sessions
    name: str
    seed: str


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class AnswerBody(_Body):
    """An answer to a question that was shown."""

    id: Number
    key: Key
    kind: Kind
    label: ClassId | None = None
    seconds: Annotated[float | None, Field(ge=0, le=LONGEST_DURATION)] = None


class EditBody(_Body):
    """Another answer for an item; ``expected_sequence`` is that of the answer that the page shows."""

    id: Number
    key: Key
    kind: Kind | None = None
    label: ClassId | None = None
    expected_sequence: Number | None = None


class UndoBody(_Body):
    """A request to take the last answer back."""

    key: Key


class ClassBody(_Body):
    """A change of the classes."""

    kind: Literal["add", "rename", "merge", "split", "retire"]
    id: ClassId | None = None
    name: Name | None = None
    key: Annotated[str | None, Field(max_length=8)] = None
    into: ClassId | None = None
    idempotency: Key


class ClassUndoBody(_Body):
    """A request to take a change of the classes back."""

    sequence: Annotated[int, Field(ge=1, le=LARGEST_NUMBER)]
    idempotency: Key | None = None


class ReplyBody(_Body):
    """What somebody replies to what the machine asked."""

    id: Annotated[str, Field(max_length=100)]
    answer: Literal["yes", "no"]


async def the_desk(request: Request) -> Desk:
    """What the application was made with."""
    return request.app.state.desk


async def the_session(request: Request) -> Session:
    """Who asks; 401 for nobody who was given a link."""
    session = request.app.state.desk.sessions.of_cookies(request.cookies)
    if session is None:
        raise HTTPException(
            401, "expected the link that the command `askwell label` printed, found no valid session; open it."
        )
    return session


AtDesk = Annotated[Desk, Depends(the_desk)]
Asking = Annotated[Session, Depends(the_session)]

"""The labelling page's application: the routes, what errors look like, and the way in by the link."""

from collections.abc import Collection
from functools import cache
from importlib.resources import files
from typing import Annotated

from fastapi import FastAPI, HTTPException, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from jinja2 import Environment, PackageLoader
from starlette.exceptions import HTTPException as AnyHTTPException

from askwell.errors import (
    AskwellError,
    CampaignStateError,
    ItemNotFoundError,
    StaleRequestError,
    StoreUnavailableError,
    UnknownNameError,
)
from askwell.web import export_routes, labelling_routes, looking_routes
from askwell.web.bodies import AtDesk, Desk
from askwell.web.guard import Guard

TOKEN_LENGTH = 100
STATUS = {
    ItemNotFoundError: 404,
    UnknownNameError: 404,
    StaleRequestError: 409,
    StoreUnavailableError: 503,
    CampaignStateError: 503,
}
UNNAMED = {  # what the framework says of itself
    "Not Found": "there is nothing at this address.",
    "Method Not Allowed": "this address does not take a request of that kind.",
}
MEDIA_TYPES = {
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".html": "text/html; charset=utf-8",
}
DIRECTORY = files("askwell.web") / "static"
TEMPLATES = Environment(loader=PackageLoader("askwell.web", "."), autoescape=True)


@cache
def static_files() -> dict[str, tuple[bytes, str]]:
    """Content and media type of each file of the page, read once."""
    return {
        file.name: (file.read_bytes(), MEDIA_TYPES[suffix])
        for file in DIRECTORY.iterdir()
        if (suffix := file.name[file.name.rfind(".") :]) in MEDIA_TYPES
    }


def create_app(desk: Desk, hosts: Collection[str] = (), origins: Collection[str] = ()) -> FastAPI:
    """The application of one campaign; hosts and origins are those besides this machine's own under which it may be asked."""
    app = FastAPI(
        title="askwell",
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/openapi.json",
        redirect_slashes=False,
    )
    app.state.desk = desk
    app.include_router(labelling_routes.router)
    app.include_router(looking_routes.router)
    app.include_router(export_routes.router)
    app.add_api_route("/", page, response_class=HTMLResponse, include_in_schema=False)
    app.add_api_route("/static/{name}", static, include_in_schema=False)
    app.add_exception_handler(AskwellError, _said)
    app.add_exception_handler(AnyHTTPException, _http)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_middleware(Guard, hosts=hosts, origins=origins)
    return app


async def page(
    request: Request, desk: AtDesk, token: Annotated[str | None, Query(max_length=TOKEN_LENGTH)] = None
) -> Response:
    """The page; with a token, the way in: a cookie, and on to the address without it."""
    if token is not None:
        return _enter(request, desk, token)
    session = desk.sessions.of_cookies(request.cookies)
    if (
        session is None
    ):  # also on the way from the link: browsers keep a strict cookie back until the page asks by itself
        return HTMLResponse(TEMPLATES.get_template("entry.html.jinja").render(), status_code=401)
    modules = sorted(name for name in static_files() if name.endswith(".js") and name != "theme-first.js")
    text = TEMPLATES.get_template("page.html.jinja").render(
        campaign=desk.name, annotator=session.annotator, modules=modules
    )
    return HTMLResponse(text)


def _enter(request: Request, desk: Desk, token: str) -> Response:
    session = desk.sessions.find(token)
    if session is None:
        raise HTTPException(
            401, "this link is not valid any more; open the one that the command `askwell label` printed last."
        )
    name = desk.sessions.cookie_name(session.annotator)
    reply = RedirectResponse("/", status_code=303)
    for other in request.cookies:
        if other != name and desk.sessions.is_ours(other):  # one person at a time in one browser
            reply.delete_cookie(other)
    reply.set_cookie(name, token, httponly=True, samesite="strict", path="/")
    return reply


async def static(name: str) -> Response:
    """A file of the page."""
    if name not in static_files():
        raise HTTPException(404, "there is no such file.")
    content, media_type = static_files()[name]
    return Response(content, media_type=media_type)


async def _said(_: Request, error: Exception) -> Response:
    status = next((status for kind, status in STATUS.items() if isinstance(error, kind)), 400)
    return JSONResponse({"error": str(error)}, status_code=status)


async def _http(_: Request, error: Exception) -> Response:
    assert isinstance(error, AnyHTTPException), "it is registered for those"
    sentence = UNNAMED.get(str(error.detail), str(error.detail))
    return JSONResponse({"error": sentence}, status_code=error.status_code, headers=error.headers)


async def _invalid(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError), "it is registered for those"
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"])[:100].encode("ascii", "backslashreplace").decode()
    return JSONResponse({"error": f"expected another value for {place}: {first['msg'][:200]}."}, status_code=422)

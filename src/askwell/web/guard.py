"""What every request passes before anything else: its Host, where it comes from, its size; and the headers of every reply."""

import contextlib
import ipaddress
import json
from collections.abc import Awaitable, Callable, Collection, Iterable, MutableMapping
from typing import Any, final
from urllib.parse import urlsplit

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

LARGEST_BODY = 64 * 1024  # bytes
LARGEST_QUERY = 8 * 1024
LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; font-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
)
OWN = {name for name, _ in HEADERS}


class _TooLargeError(Exception):
    """A body went on beyond what is read."""


@final
class Guard:
    """Lets through what a page of this server asks, under a name of this machine; everything else is refused before it is read.

    hosts are further names or addresses under which the page may be asked for, origins whole origins of a proxy before it.
    """

    def __init__(self, app: App, hosts: Collection[str] = (), origins: Collection[str] = ()) -> None:
        self._app = app
        self._hosts = LOOPBACK | {_bracketed(host.lower()) for host in hosts}
        self._origins = frozenset(origin.lower().rstrip("/") for origin in origins)
        self._hosts |= {_host_of(urlsplit(origin).netloc) for origin in self._origins}

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headed = _with_headers(send)
        refusal = self._refusal(scope)
        if refusal is not None:
            await _refuse(headed, *refusal)
            return
        body, started = _Body(receive), False

        async def sending(message: Message) -> None:
            nonlocal started
            if started or not body.too_large:  # whatever the application makes of a body that broke off
                started = True
                await headed(message)

        with contextlib.suppress(_TooLargeError):
            await self._app(scope, body.receive, sending)
        if body.too_large and not started:
            await _refuse(headed, 413, _TOO_LARGE)

    def _refusal(self, scope: Message) -> tuple[int, str] | None:
        headers = list(scope["headers"])
        host = _one(headers, b"host")
        if host is None or _host_of(host) not in self._hosts:
            return 421, "expected a request to this machine under a name that it was started with, found another host."
        origin = _one(headers, b"origin") if any(name == b"origin" for name, _ in headers) else ""
        if origin is None or (origin and not self._is_own(origin.lower(), host.lower())):
            return 403, "expected a request from the labelling page, found one from another site."
        site = _one(headers, b"sec-fetch-site") or "none"
        if site not in ("same-origin", "none") and scope["path"] != "/":
            return 403, "expected a request from the labelling page, found one from another site."
        length = _one(headers, b"content-length") or "0"
        if not length.isdecimal() or int(length) > LARGEST_BODY:
            return 413, _TOO_LARGE
        if len(scope.get("query_string", b"")) > LARGEST_QUERY:
            return 414, "expected a shorter address, found one that is too long."
        return None

    def _is_own(self, origin: str, host: str) -> bool:
        return origin in self._origins or origin == f"http://{host}"


_TOO_LARGE = f"expected at most {LARGEST_BODY // 1024} KB, found more; send less."


def private(host: str) -> bool:
    """Whether an address or name is one of a private network, or of this machine."""
    if host.lower() == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return (address.is_private or address.is_loopback) and not address.is_unspecified


def _one(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> str | None:
    """The value of a header that is there once; None for none, or for several that could be read in two ways."""
    values = [value for key, value in headers if key == name]
    return values[0].decode("latin-1") if len(values) == 1 else None


def _host_of(netloc: str) -> str:
    """The host of "host:port", in lower case."""
    lower = netloc.lower()
    if lower.startswith("["):
        return lower.partition("]")[0] + "]"
    return lower.partition(":")[0]


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            kept = [(name, value) for name, value in message.get("headers", []) if name.lower() not in OWN]
            message = {**message, "headers": [*kept, *HEADERS]}
        await send(message)

    return sending


class _Body:
    """A request's body as it comes in, up to the largest that is read."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._read = 0

    @property
    def too_large(self) -> bool:
        """Whether more came than is read."""
        return self._read > LARGEST_BODY

    async def receive(self) -> Message:
        """The next part; raises _TooLargeError for one too many."""
        message = await self._receive()
        self._read += len(message.get("body", b""))
        if self.too_large:
            raise _TooLargeError
        return message


async def _refuse(send: Send, status: int, sentence: str) -> None:
    """Refuse and hang up, so that nothing more of the body is read."""
    body = json.dumps({"error": sentence}).encode()
    length = str(len(body)).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", length), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})

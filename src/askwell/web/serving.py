"""The page's server: what it works with, and uvicorn on a socket."""

import socket
import sys
import threading
from collections.abc import Collection
from pathlib import Path

import uvicorn

from askwell.errors import SettingsError
from askwell.store.files import BESIDE, DATABASE
from askwell.store.labelling import SEED, LabellingStore
from askwell.web.app import create_app
from askwell.web.bodies import Desk
from askwell.web.images import Images
from askwell.web.sessions import Sessions


def open_desk(directory: Path, images: Images) -> Desk:
    """What the page works with; the folder of images is the one that was named, never one that the campaign names.

    Raises SettingsError when there is no campaign.
    """
    if not (directory / DATABASE).is_file():
        raise SettingsError(
            f"expected a campaign in {directory}, found no {DATABASE}; begin one with `askwell label FOLDER`."
        )
    store = LabellingStore(directory / DATABASE)
    name = directory.name.removesuffix(BESIDE)
    return Desk(store, images, Sessions(directory), name, store.remember(SEED, "0"))


def bound(host: str, port: int, descriptor: int | None = None) -> socket.socket:
    """A socket to serve on: the one with the descriptor, or a new one."""
    if descriptor is not None:
        return socket.socket(fileno=descriptor)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # with its protocol named, or asyncio lets small replies wait for the 40 ms of Nagle's algorithm
    listening = socket.socket(family, proto=socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind((host, port))
    return listening


def serve(
    desk: Desk, listening: socket.socket, hosts: Collection[str], origins: Collection[str], *, with_parent: bool
) -> None:
    """Serve until this process is told to stop, or until its parent ends."""
    config = uvicorn.Config(
        create_app(desk, hosts, origins),
        log_level="warning",
        access_log=False,
        server_header=False,
        date_header=False,
        ws="none",
        timeout_graceful_shutdown=3,
    )
    server = uvicorn.Server(config)
    if with_parent:
        threading.Thread(target=_end_with_parent, args=(server,), daemon=True).start()
    server.run(sockets=[listening])


def _end_with_parent(server: uvicorn.Server) -> None:
    """Whoever started this process holds the other end of its input, and lets go of it however it ends."""
    while sys.stdin.buffer.read(1):
        pass
    server.should_exit = True

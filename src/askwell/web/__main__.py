"""``python -m askwell.web DIR``: serve the page of the campaign in a directory; ``askwell label`` starts and restarts it."""

import argparse
import signal
import socket
import sys
import threading
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from askwell.errors import AskwellError, SettingsError
from askwell.store.labelling import LabellingStore
from askwell.web.app import create_app
from askwell.web.bodies import Desk
from askwell.web.images import Images
from askwell.web.sessions import Sessions

DATABASE = "campaign.db"
SEED = "labelling_seed"  # what the store remembers it under
SUFFIX = "-askwell"  # of a campaign's directory beside its folder of images
THREADS = 16


def main() -> int:
    """Serve until the process is told to stop."""
    parser = argparse.ArgumentParser(prog="python -m askwell.web", description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--root", type=Path, help="the folder of images; beside the campaign unless given")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--fd", type=int, help="a socket that listens already")
    parser.add_argument("--allow-host", action="append", default=[])
    parser.add_argument(
        "--origin", action="append", default=[], help="of a proxy before the page, as https://labels.example.org"
    )
    options = parser.parse_args()
    try:
        desk = open_desk(options.directory, options.root)
    except AskwellError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201 - a command of its own
        return 2
    app = create_app(desk, options.allow_host, options.origin)
    listening = socket.socket(fileno=options.fd) if options.fd is not None else _bound(options.host, options.port)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for whoever started this process
    server = uvicorn.Server(_config(app))
    if options.fd is not None:
        threading.Thread(target=_end_with_parent, args=(server,), daemon=True).start()
    server.run(sockets=[listening])
    return 0


def _config(app: FastAPI) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        date_header=False,
        ws="none",
        timeout_graceful_shutdown=3,
    )


def _end_with_parent(server: uvicorn.Server) -> None:
    """Whoever started this process holds the other end of its input, and lets go of it however it ends."""
    while sys.stdin.buffer.read(1):
        pass
    server.should_exit = True


def open_desk(directory: Path, root: Path | None = None) -> Desk:
    """What the page works with; the folder of images is the one named here, never one that the campaign names.

    Raises SettingsError when there is no campaign or none can be named.
    """
    directory = directory.absolute()
    if not (directory / DATABASE).is_file():
        raise SettingsError(
            f"expected a campaign in {directory}, found no {DATABASE}; begin one with `askwell label FOLDER`."
        )
    if root is None:
        if not directory.name.endswith(SUFFIX):
            raise SettingsError(
                f"expected --root FOLDER, found none, and {directory.name} is not called FOLDER{SUFFIX}; add it."
            )
        root = directory.with_name(directory.name.removesuffix(SUFFIX))
    store = LabellingStore(directory / DATABASE)
    name = directory.name.removesuffix(SUFFIX)
    return Desk(store, Images(root.absolute()), Sessions(directory), name, store.remember(SEED, "0"))


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(
        family, proto=socket.IPPROTO_TCP
    )  # named, or asyncio lets small replies wait for 40 ms (Nagle)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind((host, port))
    return listening


if __name__ == "__main__":
    sys.exit(main())

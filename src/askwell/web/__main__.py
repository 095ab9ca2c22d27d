"""``python -m askwell.web DIR --root FOLDER``: serve the page of the campaign in a directory; ``askwell label`` starts and restarts it."""

import argparse
import signal
import sys
from pathlib import Path

from askwell.errors import AskwellError
from askwell.web.images import Images


def main() -> int:
    """Serve until the process is told to stop."""
    parser = argparse.ArgumentParser(prog="python -m askwell.web", description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--root", type=Path, required=True, help="the folder of images")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--fd", type=int, help="a socket that listens; a byte on stdin says that the campaign is there")
    parser.add_argument("--allow-host", action="append", default=[])
    parser.add_argument(
        "--origin", action="append", default=[], help="of a proxy before the page, as https://a.example"
    )
    options = parser.parse_args()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for whoever started this process
    images = Images(options.root.absolute())
    images.warm()  # it loads what it needs while this process does; the first image waits for both

    from askwell.web.serving import bound, open_desk, serve  # a second

    try:
        if options.fd is not None and not sys.stdin.buffer.read(1):
            return 0
        desk = open_desk(options.directory.absolute(), images)
        listening = bound(options.host, options.port, options.fd)
        serve(desk, listening, options.allow_host, options.origin, with_parent=options.fd is not None)
    except AskwellError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201 - a command of its own
        return 2
    finally:
        images.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Does things with a store in processes of their own, and ends them where it is told to as kill -9 would.

Each line of stdin is a JSON list [what, directory, moment]; each is answered by one line of JSON.
"open" and "replace" fork a process and kill it at the moment: "fsync 2" is the second call of os.fsync, "replace 1" the first renaming,
"ALTER TABLE" a statement that begins so, "commit" and "committed" the migration's commit; the answer is how the process ended.
"race" forks as many processes as moment says, which make and open the same new campaign at the same instant; the answer is what each said.
"hold" takes the campaign and keeps it until "release".
The moments are reached through what any caller can do: SQLAlchemy's own events, and what the system's functions are called.
"""

import contextlib
import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import event
from sqlalchemy.engine import Engine

from askwell.errors import AskwellError
from askwell.store.files import replace_file
from askwell.store.lock import exclusive
from askwell.store.store import CampaignStore
from askwell.store.upgrade import MIGRATIONS

IDS = [f"image-{number}" for number in range(500)]


def die(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def die_at(moment: str) -> None:
    name, _, count = moment.partition(" ")
    if name == "fsync":
        os.fsync = dying(os.fsync, int(count))
    elif name == "replace":
        Path.replace = dying(Path.replace, int(count))  # pyright: ignore[reportAttributeAccessIssue]
    elif moment == "commit":
        event.listen(Engine, "commit", die)
    elif moment == "committed":
        event.listen(Engine, "engine_disposed", die)
    else:
        event.listen(
            Engine, "before_cursor_execute", lambda _c, _x, text, *_: die() if text.strip().startswith(moment) else None
        )


def dying(function: Callable[..., object], count: int) -> Callable[..., object]:
    calls = 0

    def called(*arguments: object) -> object:
        nonlocal calls
        calls += 1
        if calls == count:
            die()
        return function(*arguments)

    return called


def forked(work: Callable[[], None]) -> int:
    process = os.fork()
    if process == 0:
        try:
            work()
        finally:
            os._exit(1)
    return process


def open_store(directory: Path, moment: str) -> None:
    die_at(moment)
    CampaignStore(directory / "campaign.db").close()
    os._exit(0)


def replace(directory: Path, moment: str) -> None:
    die_at(moment)

    def write(path: Path) -> None:
        path.write_bytes(b"new, in ")
        if moment == "write":
            die()
        path.write_bytes(b"new, in two writes")

    replace_file(directory / "file", write)
    os._exit(0)


def race(directory: Path, processes: int) -> list[str]:
    start, starter = os.pipe()
    answers, answer = os.pipe()

    def run() -> None:
        os.read(start, 1)
        said = "fine"
        try:
            with CampaignStore(directory / "campaign.db") as store:
                store.add_items(IDS, reserved=range(9), groups=IDS)
                store.remember("images", "the same")
                store.remember_hashes({0: "hash"})
        except Exception as error:
            said = f"{'askwell' if isinstance(error, AskwellError) else 'unexpected'} {type(error).__name__}: {error}"
        os.write(answer, said.replace("\n", " ").encode() + b"\n")
        os._exit(0)

    children = [forked(run) for _ in range(processes)]
    os.write(starter, b"x" * processes)
    for child in children:
        os.waitpid(child, 0)
    for end in (start, starter, answer):
        os.close(end)
    with os.fdopen(answers) as file:
        return file.read().splitlines()


def serve() -> None:
    assert MIGRATIONS.is_dir(), "and Alembic is imported once, not in every process"
    held = contextlib.ExitStack()
    for line in sys.stdin:
        what, place, moment = json.loads(line)
        directory = Path(place)
        result: object = None
        if what == "hold":
            held.enter_context(exclusive(directory))
        elif what == "release":
            held.close()
        elif what == "race":
            result = race(directory, int(moment))
        else:
            work = {"open": open_store, "replace": replace}[what]
            _, status = os.waitpid(forked(lambda: work(directory, moment)), 0)  # noqa: B023 - it ends before the next line
            result = os.waitstatus_to_exitcode(status)
        print(json.dumps(result), flush=True)


if __name__ == "__main__":
    serve()

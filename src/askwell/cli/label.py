"""The command that people label with: begin or take up a campaign, print the link, keep the page and the worker going."""

import getpass
import html
import os
import signal
import tempfile
import threading
from pathlib import Path
from typing import Annotated

import typer

from askwell.cli.console import err
from askwell.errors import SettingsError

SECONDS_TO_OPEN = 60.0  # for the browser to read the file that leads it to the page


def label(
    folder: Annotated[Path, typer.Argument(help="The folder of images; folders within it are searched too.")],
    classes: Annotated[
        str | None,
        typer.Option(
            help="The classes' names, with commas. Say them at the first start; later, change them on the page.",
            show_default=False,
        ),
    ] = None,
    campaign: Annotated[
        Path | None,
        typer.Option(
            help="The directory that keeps the answers and all else of this campaign.", show_default="FOLDER-askwell"
        ),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=65535,
            help="The port on which the page is served.",
            show_default="the last one; at first 8642 or a free one",
        ),
    ] = None,
    host: Annotated[
        str,
        typer.Option(help="The address on which the page is served; one that other machines reach needs --insecure."),
    ] = "127.0.0.1",
    annotators: Annotated[
        str | None,
        typer.Option(help="The names of the people who label, with commas; each gets a link.", show_default="you"),
    ] = None,
    backbone: Annotated[
        str | None,
        typer.Option(
            help="The pre-trained network that turns images into numbers to learn from; one of torchvision.",
            show_default="squeezenet1_1",
        ),
    ] = None,
    weights: Annotated[
        str | None,
        typer.Option(
            help="A file with the weights of that network, for a machine that cannot fetch them.",
            show_default="the published ones",
        ),
    ] = None,
    groups: Annotated[
        str | None,
        typer.Option(
            help="Which images belong together, such as one patient's: a regular expression on their paths, or FILE.csv:column.",
            show_default=False,
        ),
    ] = None,
    origin: Annotated[
        str | None,
        typer.Option(
            help="The address that people see where a TLS proxy stands before the page: https://NAME.",
            show_default=False,
        ),
    ] = None,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Whether to open the page in a browser.")
    ] = True,
    insecure: Annotated[
        bool,
        typer.Option(
            "--insecure",
            help="Allow that a private network reaches the page unencrypted: others there could read along.",
        ),
    ] = False,
) -> None:
    """Label a folder of images: a local page shows the most informative one, takes one key press, and keeps learning meanwhile.

    Example: askwell label photos/ --classes benign,malignant
    """
    from askwell.campaign.processes import Children, PageProcess, campaign_directory, last_port, listening_socket

    folder = folder.expanduser().absolute()
    directory = (campaign or campaign_directory(folder)).expanduser().absolute()
    options = _web_options(host, insecure=insecure, origin=origin)
    if (former := last_port(directory)) is not None:
        _check_not_running(directory)
    with listening_socket(host, port, former) as listening, Children() as children:
        page = PageProcess(children, directory, folder, listening, options)  # it loads while this process does

        from askwell.campaign.labelling import begin_or_resume, unused_classes
        from askwell.campaign.supervisor import Supervisor
        from askwell.store.lock import exclusive
        from askwell.store.names import check_name
        from askwell.web.sessions import issue_tokens

        people = [check_name("annotator", name.strip()) for name in (annotators or _you()).split(",")]
        names = [name.strip() for name in (classes or "").split(",") if name.strip()]
        settings = begin_or_resume(folder, directory, names, backbone=backbone, weights=weights, groups=groups)
        if note := unused_classes(directory, names):
            err.print(note, soft_wrap=True, markup=False, highlight=False)
        with exclusive(directory):
            _keep_address(directory, former, listening.getsockname()[1])
            tokens = issue_tokens(directory, people)
            shown = f"[{host}]" if ":" in host else host
            address = f"http://{shown}:{listening.getsockname()[1]}"
            links = {name: f"{address}/?token={token}" for name, token in tokens.items()}
            supervisor = Supervisor(directory, folder, settings, children, page)
            for name in (signal.SIGINT, signal.SIGTERM):
                signal.signal(name, lambda *_: supervisor.stop())
            _say_links(links, directory)
            redirect = _open_browser(next(iter(links.values()))) if browser else None
            try:
                supervisor.run(lambda sentence: err.print(sentence, soft_wrap=True, markup=False, highlight=False))
            finally:
                if redirect is not None:
                    redirect.unlink(missing_ok=True)
    err.print("stopped; every answer is kept. The same command goes on from here.")


def _check_not_running(directory: Path) -> None:
    """Raise CampaignBusyError at once where the campaign runs: its own page would else be waited for."""
    from askwell.store.lock import exclusive

    with exclusive(directory):
        pass


def _keep_address(directory: Path, former: int | None, port: int) -> None:
    """Note where the page is now; say what another address than before means for answers that were not sent."""
    from askwell.campaign.processes import remember_port

    if former not in (None, port):
        err.print(
            f"note: the page was served on port {former} before and is on {port} now: answers that were not sent from the former address "
            f"stay in that browser until the page is served there again, with --port {former}.",
            soft_wrap=True,
            markup=False,
            highlight=False,
        )
    remember_port(directory, port)


def _web_options(host: str, *, insecure: bool, origin: str | None) -> list[str]:
    """What the page's process is told; SettingsError for an address that would show the images to others unasked."""
    from askwell.web.guard import LOOPBACK, private

    options = [] if origin is None else ["--origin", origin]
    if host in LOOPBACK or host == "::1":
        return options
    if not private(host):
        raise SettingsError(
            f"expected an address of this machine or a private network, found {host!r}; use an SSH tunnel or a TLS proxy."
        )
    if not insecure:
        raise SettingsError(
            f"expected --insecure beside --host {host}, found none: others of that network could read what is sent; "
            "add it, or use an SSH tunnel (ssh -L 8642:127.0.0.1:8642)."
        )
    return [*options, "--allow-host", host]


def _say_links(links: dict[str, str], directory: Path) -> None:
    """Each link alone on a line of stdout, whatever the width of the terminal; all else goes to stderr."""
    err.print(
        f"the campaign is in {directory}; stop with Ctrl-C, the same command goes on.",
        soft_wrap=True,
        highlight=False,
        markup=False,
    )
    for name, link in links.items():
        if len(links) > 1:
            err.print(f"the link of {name}:", highlight=False, markup=False)
        print(link, flush=True)  # noqa: T201 - rich would wrap it


def _open_browser(link: str) -> Path | None:
    """Lead the browser to the page by a file that only this user can read: what a command line says, every user of the machine sees."""
    import webbrowser

    descriptor, name = tempfile.mkstemp(prefix="askwell-", suffix=".html")  # 0600
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(
            f'<!DOCTYPE html><meta charset="utf-8"><meta http-equiv="refresh" content="0; url={html.escape(link)}"><title>askwell</title>'
        )
    path = Path(name)
    timer = threading.Timer(SECONDS_TO_OPEN, path.unlink, kwargs={"missing_ok": True})
    timer.daemon = True
    timer.start()
    if not webbrowser.open(path.as_uri()):
        err.print("no browser could be opened; open the link above by hand.")
    return path


def _you() -> str:
    try:
        name = "".join(character for character in getpass.getuser() if character.isalnum() or character in "-_.")
    except (OSError, KeyError):  # nobody has a name here
        name = ""
    return name.lstrip("-") or "me"

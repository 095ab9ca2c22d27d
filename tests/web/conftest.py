"""Campaigns that are served for a test."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from web_server import Served

from askwell.store.classes import ClassChange
from askwell.store.labelling import LabellingStore
from askwell.store.labelling_records import NewItem
from askwell.web.sessions import STATE, issue_tokens


@pytest.fixture
def serve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Served]]:
    """Serves a new campaign on a folder, with items as given or one for each file."""
    running: list[Served] = []
    monkeypatch.setenv(STATE, str(tmp_path / "state"))

    def begin(folder: Path, items: list[NewItem] | None = None, annotators: tuple[str, ...] = ("ann", "bob")) -> Served:
        directory = folder.with_name(folder.name + "-askwell")
        directory.mkdir()
        found = [NewItem(path.name, path.name) for path in sorted(folder.iterdir())] if items is None else items
        with LabellingStore(directory / "campaign.db") as store:
            for name in ("benign", "malignant"):
                store.change_classes("ann", ClassChange("add", name=name), name)
            store.add_items(found, "seed")
            store.draw_sample(500, "seed")
            store.tell({"indexed": "yes"})
        served = Served(directory, folder, tmp_path / "state")
        served.tokens = issue_tokens(directory, annotators)
        running.append(served.start())
        return served

    yield begin
    for served in running:
        if served.process is not None and served.process.poll() is None:
            served.kill()

"""One campaign, one process; the lock goes with its holder."""

import threading
from pathlib import Path

import pytest

from askwell.errors import AskwellError, CampaignBusyError, CampaignStateError
from askwell.store.lock import exclusive


def test_another_process_is_refused_until_the_first_lets_go(tmp_path: Path, store_child):
    store_child("hold", tmp_path)
    with pytest.raises(CampaignBusyError, match="another process is running the campaign in"), exclusive(tmp_path):
        pass
    store_child("release", tmp_path)
    with exclusive(tmp_path):
        pass


def test_a_second_hold_is_refused_unless_it_says_that_it_joins(tmp_path: Path):
    with exclusive(tmp_path):
        with pytest.raises(CampaignBusyError), exclusive(tmp_path):
            pass
        with exclusive(tmp_path / ".." / tmp_path.name, reenter=True):
            pass
        with pytest.raises(CampaignBusyError), exclusive(tmp_path):
            pass  # joining and leaving has not let go of the first hold
    with exclusive(tmp_path):
        pass


def test_another_thread_cannot_join(tmp_path: Path):
    said: list[type[AskwellError]] = []

    def intrude() -> None:
        try:
            with exclusive(tmp_path, reenter=True):
                pass
        except AskwellError as error:
            said.append(type(error))

    with exclusive(tmp_path):
        thread = threading.Thread(target=intrude)
        thread.start()
        thread.join()
    assert said == [CampaignBusyError]


def test_no_directory_is_made(tmp_path: Path):
    with pytest.raises(CampaignStateError, match="found no such directory"), exclusive(tmp_path / "none"):
        pass
    assert not (tmp_path / "none").exists()

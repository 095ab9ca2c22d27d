"""The learner of a labelling campaign, step by step in this process: what it learns with, and what it does not do twice."""

import json
import resource
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import PIL.Image
import pytest
from sklearn.datasets import load_digits
from sqlalchemy import select

from askwell.campaign import worker
from askwell.campaign.labelling import DATABASE, LabellingSettings, begin_or_resume, index_folder
from askwell.campaign.last_fit import FILE
from askwell.campaign.learner import Learner
from askwell.campaign.network import FROM_SCRATCH, WEIGHTS_QUESTION
from askwell.models.weights import DownloadingWeights
from askwell.store.connections import connect, reading
from askwell.store.labelling import LabellingStore
from askwell.store.labelling_records import Answer
from askwell.store.schema import queue

COUNT = 40
MOST_STEPS = 50


class Campaign:
    """A campaign on real small images, and somebody who knows every answer."""

    def __init__(self, place: Path, copies: int = 0) -> None:
        digits = load_digits()
        self.targets = digits.target
        self.folder, self.directory = place / "digits", place / "digits-askwell"
        self.folder.mkdir()
        for number in range(COUNT):
            image = PIL.Image.fromarray((digits.images[number] * 15).astype("uint8"))
            image.save(self.folder / f"{number:03d}.png")
        for number in range(copies):
            shutil.copy(self.folder / f"{number:03d}.png", self.folder / f"{number:03d}-again.png")
        self.settings: LabellingSettings = begin_or_resume(self.folder, self.directory, ["even", "odd"])
        self.store = LabellingStore(self.directory / DATABASE)
        self.index()

    def index(self) -> None:
        for _ in index_folder(self.store, self.folder, self.directory, self.settings, lambda: True):
            pass

    def answer(self, count: int) -> None:
        names = self.store.files()
        for _ in range(count):
            question = self.store.questions("ann")[0]
            label = f"c{1 + int(self.targets[int(names[question.position].id[:3])]) % 2}"
            self.store.answer("ann", Answer(question.position, question.key, "label", label))

    def queue(self) -> list[str]:
        """The ids of the ranked queue in force, best first."""
        ranked = select(queue.c.position).where(queue.c.generation == self.store.queue_in_force()[0])
        files, engine = self.store.files(), connect(self.store.path)
        with reading(engine) as connection:
            found = [files[at].id for at in connection.scalars(ranked.order_by(queue.c.rank))]
        engine.dispose()
        return found

    def learner(self) -> Learner:
        return Learner(self.store, self.directory, self.folder, self.settings)

    def learn(self, learner: Learner) -> None:
        """Until there is nothing to do but to wait for answers."""
        for _ in range(MOST_STEPS):
            if not learner.step():
                return
        raise AssertionError("the learner does not come to rest")


@pytest.fixture
def begin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Begins a campaign, out of reach of where weights are published and with none in the cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    campaigns: list[Campaign] = []

    def on_digits(copies: int = 0) -> Campaign:
        campaigns.append(Campaign(tmp_path, copies))
        return campaigns[-1]

    yield on_digits
    for each in campaigns:
        each.store.close()


def test_a_restart_fits_nothing_again_before_there_are_new_answers(
    begin: Callable[[], Campaign], imagenet_weights: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("ASKWELL_WEIGHTS", str(imagenet_weights))
    campaign = begin()
    campaign.answer(12)
    campaign.learn(campaign.learner())
    before = campaign.store.queue_in_force()
    assert (campaign.store.rounds_done(), before[1]) == (1, "model")
    assert json.loads(campaign.store.status()["scored"]) == {"round": 0, "scored": 21, "of": 21}
    campaign.learn(campaign.learner())
    assert (campaign.store.rounds_done(), campaign.store.queue_in_force()) == (1, before)
    assert campaign.store.status()["doing"] == "waiting"
    campaign.answer(10)
    campaign.learn(campaign.learner())
    assert campaign.store.rounds_done() == 2
    (campaign.directory / FILE).unlink()  # as when it was killed before the queue was in force
    campaign.learn(campaign.learner())
    assert campaign.store.rounds_done() == 3


def test_without_weights_it_asks_once_and_says_that_it_may_not_beat_chance(
    begin: Callable[[], Campaign], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv("ASKWELL_WEIGHTS", raising=False)
    campaign = begin()
    learner = campaign.learner()
    campaign.learn(learner)
    status = campaign.store.status()
    assert "about 5 MB" in json.loads(status["question"])["sentence"]
    assert status["message"].startswith(FROM_SCRATCH)
    assert str(campaign.folder.parent / "cache") in status["message"], "says where to put the file"
    assert campaign.store.reply(WEIGHTS_QUESTION, "no")
    campaign.answer(12)
    campaign.learn(learner)
    assert (campaign.store.rounds_done(), campaign.store.queue_in_force()[1]) == (1, "model")
    campaign.learn(campaign.learner())
    assert not campaign.store.status().get("question"), "asked once"
    assert FROM_SCRATCH in campaign.store.status()["message"]


def test_weights_out_of_reach_are_said_and_used_as_soon_as_the_file_is_there(
    begin: Callable[[], Campaign], tmp_path: Path, imagenet_weights: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv("ASKWELL_WEIGHTS", raising=False)
    campaign = begin()
    learner = campaign.learner()
    campaign.learn(learner)
    assert campaign.store.reply(WEIGHTS_QUESTION, "yes")
    with pytest.warns(DownloadingWeights):
        campaign.learn(learner)
    assert "could not be reached" in campaign.store.status()["message"]
    before = campaign.store.queue_in_force()
    assert before[1] == "cold_start"
    place = tmp_path / "cache" / "askwell" / "weights"
    shutil.copy(next(imagenet_weights.glob("squeezenet1_1-*.safetensors")), place)
    campaign.learn(learner)
    assert campaign.store.status()["message"] == ""
    after = campaign.store.queue_in_force()
    assert (after[0], after[1]) == (before[0] + 1, "cold_start"), "ordered anew by the trunk's features"
    campaign.answer(12)
    campaign.learn(learner)
    assert campaign.store.rounds_done() == 1
    assert list((campaign.directory / "features").glob("squeezenet1_1-*"))


def test_of_equal_files_one_is_ranked_and_none_whose_equal_was_answered(
    begin: Callable[..., Campaign], imagenet_weights: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("ASKWELL_WEIGHTS", str(imagenet_weights))
    campaign = begin(copies=COUNT)
    campaign.learn(campaign.learner())
    assert campaign.store.queue_in_force()[1] == "cold_start"
    contents = [name[:3] for name in campaign.queue()]
    assert len(contents) == len(set(contents)) > COUNT / 2
    campaign.answer(14)
    answered = {each.id[:3] for each in campaign.store.answers_in_full()}
    campaign.learn(campaign.learner())
    assert campaign.store.queue_in_force()[1] == "model"
    ranked = [name[:3] for name in campaign.queue()]
    assert len(ranked) == len(set(ranked)) > 0
    assert not answered & set(ranked)


def test_a_folder_that_is_gone_is_waited_for(
    begin: Callable[..., Campaign], imagenet_weights: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("ASKWELL_WEIGHTS", str(imagenet_weights))
    monkeypatch.setattr(worker, "SECONDS_OF_TROUBLE", 0.0)
    campaign = begin()
    learner = campaign.learner()
    away = campaign.folder.rename(campaign.folder.with_name("away"))
    for _ in range(3):
        worker.run_once(learner)
    status = campaign.store.status()
    assert (status["doing"], campaign.store.queue_in_force()[1]) == ("waiting", "random")
    assert str(campaign.folder) in status["message"]
    away.rename(campaign.folder)
    worker.run_once(learner)
    assert campaign.store.status()["message"] == ""
    campaign.learn(learner)
    assert campaign.store.queue_in_force()[1] == "cold_start"
    assert len(campaign.store.candidates()) == COUNT - campaign.store.sample_size()[0], "no image was set aside"


@pytest.mark.skipif(sys.platform != "linux", reason="limits the size of files")
def test_a_full_disk_is_waited_for(
    begin: Callable[..., Campaign], imagenet_weights: Path, monkeypatch: pytest.MonkeyPatch
):
    """The features find no room, while there is some for a word of it; then there is room again."""
    monkeypatch.setenv("ASKWELL_WEIGHTS", str(imagenet_weights))
    monkeypatch.setattr(worker, "SECONDS_OF_TROUBLE", 0.0)
    campaign = begin()
    learner = campaign.learner()
    size = campaign.store.path.with_name("campaign.db-wal").stat().st_size
    limit = size + 60_000
    assert limit < COUNT * 8 * 512 * 4
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        worker.run_once(learner)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert campaign.store.status()["message"] == worker.NO_ROOM
    assert campaign.store.queue_in_force()[1] == "random"
    campaign.learn(learner)
    assert (campaign.store.status()["message"], campaign.store.queue_in_force()[1]) == ("", "cold_start")

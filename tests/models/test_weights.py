"""Weights: where they are looked for, which ones they are, and what is said when they are nowhere."""

import http.server
import pickle
import threading
from functools import partial

import pytest
import torch
from safetensors.torch import save_file

from askwell.errors import SettingsError, WeightsNotFoundError
from askwell.models import weights
from askwell.models.backbone_settings import Backbone
from askwell.models.networks import published_weights
from askwell.models.weights import DownloadingWeights, find_weights, load_weights, resolved_weights, sha256_of

STATE = {"a": torch.arange(3.0)}
PUBLISHED = Backbone(name="squeezenet1_1")


@pytest.fixture
def places(tmp_path, monkeypatch):
    named, cache = tmp_path / "named", tmp_path / "cache"
    named.mkdir()
    monkeypatch.setenv("ASKWELL_WEIGHTS", str(named))
    monkeypatch.setattr(weights, "_cache", lambda: cache)
    return named, cache


@pytest.fixture
def offline(monkeypatch):
    def refuse(url, *_, **__):
        raise OSError(f"no route to {url}")

    monkeypatch.setattr(torch.hub, "download_url_to_file", refuse)


def test_a_file_is_recorded_with_its_hash_and_held_to_it(tmp_path):
    save_file(STATE, tmp_path / "w.safetensors")
    found = resolved_weights(Backbone(name="squeezenet1_1", weights=str(tmp_path / "w.safetensors")))
    assert (found.weights, found.sha256) == (str(tmp_path / "w.safetensors"), sha256_of(tmp_path / "w.safetensors"))
    assert torch.equal(load_weights(tmp_path / "w.safetensors")["a"], STATE["a"])
    save_file({"a": torch.ones(3)}, tmp_path / "w.safetensors")
    with pytest.raises(SettingsError, match=f"expected weights with sha256 {found.sha256} in .*, found "):
        find_weights(found)


def test_published_weights_are_looked_for_by_name(places, offline):
    named, cache = places
    cache.mkdir()
    torch.save(STATE, cache / "squeezenet1_1-b8a52dc0.pth")
    assert find_weights(PUBLISHED).path == cache / "squeezenet1_1-b8a52dc0.pth"
    save_file(STATE, named / "squeezenet1_1-imagenet.safetensors")
    assert find_weights(PUBLISHED).path == named / "squeezenet1_1-imagenet.safetensors"


def test_published_weights_are_downloaded_once_by_their_checksum(places, monkeypatch):
    _, cache = places
    asked = []

    def download(url, target, prefix, progress):
        asked.append((url, prefix))
        torch.save(STATE, target)

    monkeypatch.setattr(torch.hub, "download_url_to_file", download)
    with pytest.warns(DownloadingWeights, match=r"downloading 5 MB of weights for squeezenet1_1 from https://.* to "):
        found = find_weights(PUBLISHED)
    assert found.path == cache / "squeezenet1_1-b8a52dc0.pth"
    assert find_weights(PUBLISHED) == found
    assert asked == [("https://download.pytorch.org/models/squeezenet1_1-b8a52dc0.pth", "b8a52dc0")]


def test_a_real_download_is_held_to_its_checksum(places, tmp_path, monkeypatch):
    """Over HTTP, from a server of our own: a file with another checksum is refused, and nothing of it stays."""
    _, cache = places
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    torch.save(STATE, shelf / "net-1.pth")
    published = published_weights("squeezenet1_1")

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=shelf)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        here = published._replace(url=f"http://127.0.0.1:{server.server_port}/net-1.pth")
        monkeypatch.setattr(weights, "published_weights", lambda name: here)  # whose prefix is another file's
        with (
            pytest.warns(DownloadingWeights),
            pytest.raises(WeightsNotFoundError, match=r"invalid hash value \(expected \"b8a52dc0\""),
        ):
            find_weights(PUBLISHED)
        assert [path.name for path in cache.iterdir() if path.suffix != ".lock"] == []
        right = here._replace(hash_prefix=sha256_of(shelf / "net-1.pth")[:8])
        monkeypatch.setattr(weights, "published_weights", lambda name: right)
        with pytest.warns(DownloadingWeights):
            found = find_weights(PUBLISHED)
        server.shutdown()
    assert found.path == cache / "net-1.pth"
    assert torch.equal(load_weights(found.path)["a"], STATE["a"])


def test_timms_weights_are_not_taken_for_torchvisions(places, monkeypatch):
    named, cache = places
    monkeypatch.setattr(weights, "timm_state", lambda name: {"timm's": torch.ones(1)})
    with pytest.warns(DownloadingWeights, match=r"downloading about 47 MB of timm's weights for timm:resnet18"):
        found = find_weights(Backbone(name="timm:resnet18"))
    assert found.path == cache / "timm-resnet18.safetensors"
    torch.save(STATE, named / "resnet18-f37072fd.pth")
    assert find_weights(Backbone(name="resnet18")).path == named / "resnet18-f37072fd.pth"
    assert find_weights(Backbone(name="timm:resnet18")) == found


def test_offline_it_is_said_where_to_put_the_file(places, offline, monkeypatch):
    named, cache = places
    with (
        pytest.warns(DownloadingWeights),
        pytest.raises(
            WeightsNotFoundError, match=r"vgg16.safetensors or vgg16.pth in .* \(528 MB\) could not be reached"
        ) as caught,
    ):
        find_weights(Backbone(name="vgg16"))
    assert all(str(place) in str(caught.value) for place in (named, cache))
    monkeypatch.setattr(weights, "timm_state", lambda name: (cache / "nowhere").read_bytes())
    with (
        pytest.warns(DownloadingWeights),
        pytest.raises(WeightsNotFoundError, match=r"as timm-resnet18.safetensors or"),
    ):
        find_weights(Backbone(name="timm:resnet18"))
    with pytest.raises(WeightsNotFoundError, match=r"a file of weights at .*/none.pth, found none"):
        find_weights(Backbone(name="vgg16", weights="none.pth"))


def test_the_published_sizes_and_checksums():
    found = published_weights("vgg16")
    assert (found.hash_prefix, round(found.megabytes)) == ("397923af", 528)


def test_no_pickle_is_run(tmp_path):
    class Harmful:
        def __reduce__(self):
            return (print, ("this must not run",))

    with (tmp_path / "w.pth").open("wb") as file:
        pickle.dump({"a": Harmful()}, file, protocol=2)
    with pytest.raises(
        SettingsError, match="what torch's weights-only load does not accept; name a state dict"
    ) as caught:
        load_weights(tmp_path / "w.pth")
    assert "weights_only" not in str(caught.value)  # torch advises to run the pickle
    torch.save([1], tmp_path / "w.pth")
    with pytest.raises(SettingsError, match=r"a state dict, name -> tensor, in .*, found a list"):
        load_weights(tmp_path / "w.pth")


def test_random_weights_need_no_file():
    settings = Backbone(name="vgg16", weights="none")
    assert resolved_weights(settings) is settings

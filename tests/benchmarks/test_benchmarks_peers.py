"""The peers' network is ours, their environment is made with care, and a process that ends says why."""

import sys
from contextlib import ExitStack
from pathlib import Path

import pytest
import torch
from torch import nn

from askwell.models.bcnn import bcnn
from peer_process import formatted, paper_layers
from peers import Peer, PeersUnavailableError, peers_python, start_peers, write_files
from subjects import SHAPE, generated


@pytest.mark.parametrize("channels_last", [False, True])
def test_their_layers_are_our_network(channels_last: bool):
    network, images = bcnn(SHAPE, 10).eval(), generated(5, 0).images.float() / 255
    weights = {name: value.numpy() for name, value in network.state_dict().items()}
    theirs = formatted(paper_layers(weights, nn.Dropout), {"channels_last": channels_last}).eval()
    torch.testing.assert_close(theirs(images), network(images))
    dropout = [(name, module.p) for name, module in theirs.named_modules() if isinstance(module, nn.Dropout)]
    assert dropout == [(name, module.p) for name, module in network.named_modules() if isinstance(module, nn.Dropout)]


def test_a_folder_of_other_files_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "thesis.txt").write_text("precious")
    monkeypatch.setenv("ASKWELL_PEERS", str(tmp_path))
    with pytest.raises(PeersUnavailableError, match="found other files"):
        peers_python()
    peers, about = start_peers(["baal"], {}, tmp_path, 1, ExitStack())
    assert peers == {}
    assert "found other files" in about["absent"]
    assert (tmp_path / "thesis.txt").read_text() == "precious"


def test_a_process_that_ends_says_why(tmp_path: Path):
    files = write_files(tmp_path, bcnn(SHAPE, 10))
    files["images"] = tmp_path / "absent.npy"
    with (
        Peer(Path(sys.executable), "baal", files, tmp_path / "log", 1) as peer,
        pytest.raises(PeersUnavailableError, match=r"baal.*absent\.npy"),
    ):
        peer.ask("predict", items=1)

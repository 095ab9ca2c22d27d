"""Baal and batchbald_redux in an environment of their own, each a process that works when it is asked and is idle otherwise.

    python benchmarks/peers.py        makes the environment, benchmarks/.peers (ASKWELL_PEERS names another place)

Same torch as ours, from constraints.txt. A peer reads one command per line, as JSON, and answers with the seconds it took and where
its result lies, so that ours and theirs can take turns.
"""

import importlib.util
import json
import os
import subprocess
import sys
import venv
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from agreement import Moments

HERE = Path(__file__).resolve().parent
CONSTRAINTS = HERE.parent / "constraints.txt"
MADE_HERE = "made-by-askwell-benchmarks"  # nothing else is ever cleared
PINNED = {"baal": "2.1.0", "batchbald_redux": "2.0.5"}
ASK_VERSIONS = (
    "import json; from importlib.metadata import version as v; "
    "print(json.dumps({n: v(n) for n in ('torch', 'baal', 'batchbald_redux', 'numpy')}))"
)


class PeersUnavailableError(Exception):
    """Why there is nobody to compare with, as one sentence."""


class Peer:
    """A long-lived process of the peers' environment."""

    def __init__(self, python: Path, name: str, files: dict[str, Path], log: Path, threads: int) -> None:
        self.name = name
        self._log = log
        environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "PYTHONUNBUFFERED": "1"}
        with log.open("w", encoding="utf-8") as errors:
            self._process = subprocess.Popen(
                [str(python), str(HERE / "peer_process.py"), name, str(threads), *map(str, files.values())],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env=environment,
            )

    def __enter__(self) -> "Peer":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()  # closes its input, which ends it

    def ask(self, command: str, **arguments: Any) -> dict[str, Any]:
        """Its answer; PeersUnavailableError, with the end of its log, where it has none."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps({"do": command, **arguments}) + "\n")
            self._process.stdin.flush()
            answer = self._process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        if not answer:
            end = self._log.read_text(encoding="utf-8").strip().splitlines()[-1:]
            raise PeersUnavailableError(f"expected an answer of {self.name}, found its process ended: {end}.")
        return json.loads(answer)


def peers_directory() -> Path:
    """Where the environment is, or shall be."""
    return Path(os.environ.get("ASKWELL_PEERS") or HERE / ".peers")


def peers_python() -> tuple[Path, dict[str, str]]:
    """The environment's interpreter and the versions in it; it is made where it is missing or not as pinned.

    Raises PeersUnavailableError where it cannot be made, as without a network.
    """
    python = peers_directory() / "bin" / "python"
    versions = _versions(python)
    if versions is None:
        print(f"installing {', '.join(PINNED)} in {peers_directory()}", flush=True)
        _install(python)
        versions = _versions(python)
    if versions is None:
        raise PeersUnavailableError(
            f"expected {_wanted()} to be installed in {peers_directory()}, found that it did not succeed; "
            "check the network, or run python benchmarks/peers.py to see why."
        )
    return python, versions


def start_peers(
    names: list[str], files: dict[str, Path], logs: Path, threads: int, stack: ExitStack
) -> tuple[dict[str, Peer], dict[str, Any]]:
    """Those peers, which end with the stack, and what to say of them in the report; none, and why, where there are none."""
    try:
        python, versions = peers_python()
    except PeersUnavailableError as error:
        print(f"the plain loop alone is compared with: {error}")
        return {}, {"absent": str(error)}
    peers = {name: stack.enter_context(Peer(python, name, files, logs / f"{name}.log", threads)) for name in names}
    return peers, {"versions": versions}


def write_files(directory: Path, network: nn.Module, **arrays: Tensor) -> dict[str, Path]:
    """What the peers read: the weights as npz, images and labels as npy."""
    weights = directory / "weights.npz"
    np.savez(weights, **{name: value.detach().numpy() for name, value in network.state_dict().items()})
    files = {"weights": weights}
    for name, array in arrays.items():
        files[name] = directory / f"{name}.npy"
        np.save(files[name], array.numpy())
    return files


def read_moments(path: str) -> Moments:
    """What a peer's samples say."""
    with np.load(path) as file:
        return Moments(torch.from_numpy(file["probabilities"]).double(), torch.from_numpy(file["scores"]).double())


def _wanted() -> str:
    return ", ".join(f"{name} {version}" for name, version in PINNED.items())


def _versions(python: Path) -> dict[str, str] | None:
    """What is installed; None where there is no environment or it is not as pinned."""
    if not python.exists():
        return None
    answer = subprocess.run([str(python), "-c", ASK_VERSIONS], capture_output=True, text=True, check=False)
    if answer.returncode:
        return None
    versions = json.loads(answer.stdout)
    same_torch = versions["torch"].partition("+")[0] == torch.__version__.partition("+")[0]
    return versions if same_torch and all(versions[name] == version for name, version in PINNED.items()) else None


def _install(python: Path) -> None:
    """With uv where the running interpreter has it, which links torch from its cache; else with a new pip, which downloads it."""
    directory, uv = peers_directory(), importlib.util.find_spec("uv") is not None
    if directory.exists() and any(directory.iterdir()) and not (directory / MADE_HERE).exists():
        raise PeersUnavailableError(
            f"expected an environment made by this or nothing in {directory}, found other files; name another place as ASKWELL_PEERS."
        )
    venv.create(directory, clear=True, with_pip=not uv)
    (directory / ".gitignore").write_text("*\n", encoding="ascii")
    (directory / MADE_HERE).touch()
    with_pip = [str(python), "-m", "pip", "install", "--quiet"]
    if not uv:
        subprocess.run([*with_pip, "--upgrade", "pip"], check=False)
    install = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--python", str(python)] if uv else with_pip
    names = ["torch", "torchvision", *(f"{name}=={version}" for name, version in PINNED.items())]
    subprocess.run([*install, "--constraint", str(CONSTRAINTS), *names], check=False)


if __name__ == "__main__":
    try:
        print(*peers_python())
    except PeersUnavailableError as error:
        sys.exit(str(error))

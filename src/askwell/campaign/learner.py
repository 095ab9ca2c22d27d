"""One step of learning while people label: look at more images, order them before there is a model, fit and score after."""

import json
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple, final

import torch
from safetensors.torch import save_model
from torch import Tensor, nn

from askwell.acquisition.bald import bald
from askwell.campaign.belonging_together import distinct
from askwell.campaign.cold_start import typical_and_diverse
from askwell.campaign.inputs_of_items import Inputs, descriptors, directory_name
from askwell.campaign.labelling import LabellingSettings
from askwell.campaign.last_fit import LastFit, labels_fitted, write_last_fit
from askwell.campaign.measuring import measured
from askwell.campaign.network import Network, network_for
from askwell.campaign.seeds import derive_seed
from askwell.learning.supervised import fit
from askwell.posterior.mc_dropout import MCDropout
from askwell.probability import entropy, entropy_of_probs, mean_probs
from askwell.scoring.local import stream_log_probs
from askwell.selection.power import power
from askwell.store.files import replace_file
from askwell.store.gathering import ORDER, random_number
from askwell.store.labelling import LabellingStore
from askwell.store.labelling_records import Ranked
from askwell.store.records import RoundRecord

FIRST_BLOCK, BLOCK = 512, 2048  # images looked at before anything else is done
SAMPLES = 50  # T
CANDIDATES = (
    10_000  # images scored in a round, drawn anew: some 5 s of one core with a trunk's features, 30 s of pixels
)
QUEUE = 2_000  # images of a ranked queue: more than people answer before the next
FIRST_FIT = 10  # labels
SECONDS_BETWEEN_WORDS = 0.5  # on how far a fit is
SECONDS_BETWEEN_FETCHES = 300.0  # of weights that could not be reached
NEW_SHARE, LEAST_NEW = 0.05, 8  # new labels that make a fit worth while
SPREAD = (0.05, 0.95)  # quantiles of a class probability over posterior samples
SCORING_BYTES = 16 * 2**20


class _Opinion(NamedTuple):
    """What the model says of one image: mean, low and high of each class [C], entropies in nats."""

    mean: Tensor
    low: Tensor
    high: Tensor
    total: float
    aleatoric: float


@final
class Learner:
    """A campaign's learner between two steps; everything that must survive is in the store or in files beside it."""

    def __init__(self, store: LabellingStore, directory: Path, root: Path, settings: LabellingSettings) -> None:
        self._store, self._directory, self._root, self._settings = store, directory, root, settings
        self._files = store.files()
        self._order = sorted(self._files, key=lambda at: random_number(settings.seed, ORDER, self._files[at].id))
        self._sample = [position for position, _, _ in store.sample_answers()]
        self._network: Network | None = None
        self._inputs: Inputs | None = None
        self._fetch_again = 0.0
        self._fitted: dict[int, str] | None = None
        self._cold = False  # whether the order before there is a model is due anew, by another network's features
        self._said: dict[str, str] = {}
        self._interrupted = False
        self._measured: object = None

    def step(self) -> bool:
        """Do what is most useful now; False when there is nothing to do but to wait for answers."""
        more = self._step()
        if self._interrupted and self._network is not None:
            self._store.tell({"message": self._network.message})
            self._interrupted = False
        return more

    def interrupted(self, message: str) -> None:
        """Say why nothing can be done for now; it is taken back by the next step that ends."""
        self._store.tell({"doing": "waiting", "message": message, "left_s": "", "progress": ""})
        self._said, self._interrupted = {}, True

    def _step(self) -> bool:
        inputs = self._the_inputs()
        labels = dict(self._store.training_labels())
        if inputs.blocks == 0:
            rest = [position for position in self._order if position not in set(self._sample)]
            self._look(inputs, [*self._sample, *rest[:FIRST_BLOCK]])
            return True
        if self._cold or self._store.queue_in_force()[1] == "random":
            self._cold_start(inputs)
            self._cold = False
            return True
        unseen = [position for position in labels if not inputs.covers(position)]
        if self._worth_a_fit(labels):
            if unseen:
                self._look(inputs, unseen)
            self._learn(inputs, labels)
            return True
        rest = [position for position in self._order if not inputs.covers(position)]
        if rest:
            self._look(inputs, rest[:BLOCK])
            return True
        self._measure()
        self._tell("waiting" if self._fitted else "cold_start")
        return False

    def _the_inputs(self) -> Inputs:
        known = self._network
        network = self._the_network(known)
        if self._inputs is None or known is None or network.recipe != known.recipe:
            features = self._directory / "features"
            self._inputs = Inputs(features, self._root, network.recipe, self._files, self._store.quarantine)
            self._cold = known is not None and self._store.queue_in_force()[1] == "cold_start"
            rounds = self._store.rounds_done()
            self._fitted = labels_fitted(self._directory, rounds, directory_name(network.recipe))
        self._network = network
        return self._inputs

    def _the_network(self, known: Network | None) -> Network:
        """The network as before, unless it would be another one if only its weights were here, and they are by now."""
        if known is not None and not known.message:
            return known
        network = network_for(self._settings, self._store, fetch=time.monotonic() >= self._fetch_again)
        if network.unreachable:
            self._fetch_again = time.monotonic() + SECONDS_BETWEEN_FETCHES
            self._said = {}
        elif known is not None and known.unreachable and network.message:
            return known  # there was no other attempt
        if network != known:
            self._store.tell({"message": network.message})
        return network

    def _look(self, inputs: Inputs, positions: Sequence[int]) -> None:
        def tell(done: int, total: int, rate: float) -> None:
            left = f"{(total - done) / rate:.0f}" if rate else ""
            self._tell("features", left, f"{done / max(1, total):.3f}")

        self._tell("features")
        inputs.add_block(positions, tell)

    def _cold_start(self, inputs: Inputs) -> None:
        self._tell("scoring")
        open_items = set(self._store.candidates())
        known = [position for position in self._order if position in inputs]
        asked = [position for position in known if position not in open_items]
        unlike = distinct([at for at in known if at in open_items], self._store.contents(), asked)
        positions = [*asked, *unlike]
        rows = typical_and_diverse(
            descriptors(inputs, torch.tensor(positions)),
            range(len(asked)),
            derive_seed(0, f"cold {self._settings.seed}") % 2**32,
        )
        self._store.commit_queue([Ranked(positions[row]) for row in rows], "cold_start")

    def _worth_a_fit(self, labels: dict[int, str]) -> bool:
        if len(labels) < FIRST_FIT or len(set(labels.values())) < 2:
            return False
        if self._fitted is None:
            return True
        changed = len(labels.items() ^ self._fitted.items())  # an edited label counts twice
        return changed >= max(LEAST_NEW, NEW_SHARE * len(labels))

    def _learn(self, inputs: Inputs, labels: dict[int, str]) -> None:
        """A round: fit, save, predict the sample for measuring, score, and put the new queue in force."""
        assert self._network is not None, "inputs are of a network"
        number, classes = self._store.rounds_done(), self._classes()
        names = {name: index for index, name in enumerate(classes)}
        usable = {at: names[name] for at, name in labels.items() if name in names and at in inputs}
        seed = derive_seed(0, f"fit {self._settings.seed}", number)
        began = time.perf_counter()
        self._tell("fitting")

        def tell(done: int, total: int) -> None:
            nonlocal told
            if (now := time.perf_counter()) >= told + SECONDS_BETWEEN_WORDS:
                left = (total - done) * (now - began) / max(1, done)
                self._tell("fitting", f"{left:.0f}", f"{done / max(1, total):.3f}")
                told = now

        told = began
        model = fit(
            self._network.recipe,
            inputs.images(torch.tensor(list(usable))),
            torch.tensor(list(usable.values())),
            classes=len(classes),
            seed=seed,
            progress=tell,
        )
        seconds = time.perf_counter() - began
        precision = self._network.recipe.precision
        posterior = MCDropout(model, samples=SAMPLES, seed=seed, precision=precision)
        self._commit(number, model, seconds, len(usable), self._predictions(inputs, posterior, classes))
        self._measure()
        self._rank(inputs, posterior, classes, number)
        write_last_fit(self._directory, LastFit(number, directory_name(self._network.recipe), labels))
        self._fitted = labels

    def _classes(self) -> list[str]:
        return [each.id for each in self._store.classes().current if not each.retired]

    def _commit(self, number: int, model: nn.Module, seconds: float, labels: int, predictions: str) -> None:
        file = Path("models") / f"round-{number:04d}.safetensors"
        (self._directory / "models").mkdir(exist_ok=True)
        digest = replace_file(self._directory / file, partial(_save, model))
        self._store.commit_fit(RoundRecord(number, labels, seconds, file.as_posix(), digest, {}), predictions)

    def _predictions(self, inputs: Inputs, posterior: MCDropout, classes: Sequence[str]) -> str:
        """The predictive probabilities of the sample for measuring, as JSON."""
        self._tell("evaluating")
        positions = torch.tensor([position for position in self._sample if position in inputs], dtype=torch.int64)
        found: dict[int, list[float]] = {}
        for chunk in stream_log_probs(posterior, inputs, positions, classes=len(classes), memory_bytes=SCORING_BYTES):
            rows = mean_probs(chunk.log_probs).tolist()
            found.update(zip(positions[chunk.entries].tolist(), rows, strict=True))
        rounded = {position: [round(value, 5) for value in row] for position, row in found.items()}
        return json.dumps({"classes": list(classes), "probabilities": rounded})

    def _rank(self, inputs: Inputs, posterior: MCDropout, classes: Sequence[str], number: int) -> None:
        generator = torch.Generator().manual_seed(derive_seed(0, f"rank {self._settings.seed}", number))
        candidates = self._store.candidates()
        asked = self._files.keys() - set(candidates)
        unlike = distinct(candidates, self._store.contents(), asked)
        ready = torch.tensor([position for position in unlike if position in inputs], dtype=torch.int64)
        drawn = ready[torch.randperm(len(ready), generator=generator)[:CANDIDATES]]
        scores, opinions = torch.zeros(len(drawn), dtype=torch.float64), dict[int, _Opinion]()
        began = time.perf_counter()

        def tell(done: int, total: int) -> None:
            left = (total - done) * (time.perf_counter() - began) / max(1, done)
            self._tell("scoring", f"{left:.0f}", f"{done / max(1, total):.3f}")

        for chunk in stream_log_probs(
            posterior,
            inputs,
            drawn,
            classes=len(classes),
            memory_bytes=SCORING_BYTES,
            progress=tell,
        ):
            scores[chunk.entries] = bald(chunk.log_probs)
            opinions.update(zip(chunk.entries.tolist(), _opinions(chunk.log_probs), strict=True))
        self._store.tell({"scored": json.dumps({"round": number, "scored": len(drawn), "of": len(ready)})})
        best = power(scores, QUEUE, generator=generator).tolist()
        ranked = [
            Ranked(int(drawn[entry]), float(scores[entry]), _why(opinions[entry], classes, number)) for entry in best
        ]
        self._store.commit_queue(ranked, "model", number)

    def _measure(self) -> None:
        """Say how good the models are by what is answered now."""
        about = (self._store.rounds_done(), self._store.classes().meaning, self._store.released())
        answers = (self._store.sample_answers(), *about)
        if answers != self._measured:
            self._store.tell(measured(self._store))
            self._measured = answers

    def _tell(self, doing: str, left: str = "", progress: str = "") -> None:
        said = {"doing": doing, "left_s": left, "progress": progress}
        if said != self._said:
            self._store.tell(said)
            self._said = said


def _opinions(log_probs: Tensor) -> list[_Opinion]:
    """Of each item of log_probs [n, T, C]."""
    probs = log_probs.double().exp()
    mean = probs.mean(dim=1)
    low, high = torch.quantile(probs, torch.tensor(SPREAD, dtype=torch.float64), dim=1)
    total, aleatoric = entropy_of_probs(mean), entropy(log_probs.double()).mean(dim=1)
    rows = zip(mean, low, high, total.tolist(), aleatoric.tolist(), strict=True)
    return [_Opinion(*row) for row in rows]


def _why(opinion: _Opinion, classes: Sequence[str], number: int) -> str:
    columns = zip(classes, *(values.tolist() for values in opinion[:3]), strict=True)
    return json.dumps(
        {
            "probabilities": [
                {"class": name, "mean": round(mean, 4), "low": round(low, 4), "high": round(high, 4)}
                for name, mean, low, high in columns
            ],
            "total": round(opinion.total, 4),
            "aleatoric": round(opinion.aleatoric, 4),
            "epistemic": round(max(0.0, opinion.total - opinion.aleatoric), 4),
            "model_round": number,
        }
    )


def _save(model: nn.Module, path: Path) -> None:
    save_model(model, str(path))

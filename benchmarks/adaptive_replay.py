"""Claim: what adaptive sampling and bf16 ask for is what full sampling in fp32 asks for, in at least 95 of 100 rounds of real campaigns.

Rounds of finished campaigns on MNIST are played again, each with the network that chose in it and its masks. The whole unasked pool is
scored fully, in fp32 and in bf16, and roughly, with the first 20 samples in bf16; the rule of askwell.scoring.adaptive then decides who
would have got a full score. Counted are the picks of 10 and of 100 that are not among those of full sampling in fp32. bald in every round
that is played, the other scores in every --others-every-th. One line for each is added to the CSV as it is found, and a
round that is in it already is passed over. A round takes some 20 s on two idle cores.

    python benchmarks/adaptive_replay.py runs/CAMPAIGN ... [--every N] [--others-every N] [--threads N] [--out FILE.csv]
"""

import argparse
import csv
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from askwell.acquisition import ACQUISITIONS
from askwell.campaign.steps import load_round, posterior_of
from askwell.campaign.studies.reopening import reopened
from askwell.campaign.workspace import Workspace
from askwell.posterior.mc_dropout import MCDropout
from askwell.scoring.adaptive import FIRST_SAMPLES, settle
from askwell.scoring.local import stream_log_probs

RESULTS = Path(__file__).resolve().parent / "results" / "adaptive_replay.csv"
SCORES = ("bald", "max_entropy", "variation_ratios", "mean_std", "margin")
COUNTS = (10, 100)
SAMPLES = 100
Scored = Mapping[str, Tensor]  # score -> float64 [N]


class Row(NamedTuple):
    """How many of k picks are others than those of full fp32, and how many items got a full score for it."""

    campaign: str
    round: int
    labels: int
    score: str
    way: str
    k: int
    pool: int
    others: int
    scored_fully: int


def scores_of(posterior: MCDropout, workspace: Workspace, positions: Tensor, names: Sequence[str]) -> Scored:
    """Several scores from one pass over the pool."""
    found = {name: torch.empty(len(positions), dtype=torch.float64) for name in names}
    for chunk in stream_log_probs(posterior, workspace.pool, positions, classes=len(workspace.settings.classes)):
        for name, scores in found.items():
            scores[chunk.entries] = ACQUISITIONS[name](chunk.log_probs).double()
    return found


def rows_of(campaign: str, workspace: Workspace, number: int, names: Sequence[str]) -> Iterator[Row]:
    """What each way would have asked in a round."""
    asked = {item.position for item in workspace.store.asked(up_to=number - 1)}
    positions = torch.tensor([place for place in workspace.store.positions("pool") if place not in asked])
    posterior = posterior_of(workspace, load_round(workspace, number - 1), "mc_dropout", number)
    assert isinstance(posterior, MCDropout), "asked for"
    fp32, bf16, rough = (
        scores_of(posterior.first(samples, precision=precision), workspace, positions, names)
        for samples, precision in ((SAMPLES, "fp32"), (SAMPLES, "bf16"), (FIRST_SAMPLES, "bf16"))
    )
    for name in names:
        for k in COUNTS:
            best = set(fp32[name].topk(k).indices.tolist())

            def row(
                way: str,
                picked: Tensor,
                fully: int,
                name: str = name,
                k: int = k,
                best: frozenset[int] = frozenset(best),
            ) -> Row:
                others = len(best - set(picked.tolist()))
                return Row(campaign, number, len(asked), name, way, k, len(positions), others, fully)

            yield row("bf16", bf16[name].topk(k).indices, len(positions))
            for way, full in (("adaptive fp32", fp32[name]), ("adaptive bf16", bf16[name])):
                entries, scores = settle(rough[name], full.__getitem__, k)
                yield row(way, entries[scores.topk(k).indices], len(entries))


def summary(rows: Sequence[Mapping[str, str]]) -> str:
    """For each score, way and k: rounds, those with another pick, other picks in all, and the median and largest share scored fully."""
    lines = ["score, way, k: rounds | with another pick | other picks | scored fully, median (largest)"]
    for key in sorted({(row["score"], row["way"], int(row["k"])) for row in rows}):
        own = [row for row in rows if (row["score"], row["way"], int(row["k"])) == key]
        others = [int(row["others"]) for row in own]
        shares = sorted(int(row["scored_fully"]) / int(row["pool"]) for row in own)
        fully = f"{shares[len(shares) // 2]:.1%} ({shares[-1]:.1%})"
        lines.append(f"{', '.join(map(str, key))}: {len(own)} | {sum(map(bool, others))} | {sum(others)} | {fully}")
    return "\n".join(lines)


def main() -> None:
    """Play, append, summarise."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("campaigns", nargs="*", type=Path, help="finished campaigns; none: only summarise")
    parser.add_argument("--every", type=int, default=3, help="play every so many rounds")
    parser.add_argument("--others-every", type=int, default=12, help="rounds with the other scores too")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--out", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    known = _read(arguments.out)
    with arguments.out.open("a", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, Row._fields, lineterminator="\n")
        if not known:
            writer.writeheader()
        for directory in arguments.campaigns:
            name = "/".join(directory.resolve().parts[-3:])
            done = {int(row["round"]) for row in known if row["campaign"] == name}
            with reopened(directory) as campaign:
                torch.set_num_threads(arguments.threads)
                for number in range(1, campaign.rounds, arguments.every):
                    if number not in done:
                        others = (number - 1) % arguments.others_every == 0
                        rows = list(rows_of(name, campaign.workspace, number, SCORES if others else SCORES[:1]))
                        writer.writerows(row._asdict() for row in rows)
                        file.flush()
                        print(f"{name}, round {number}", file=sys.stderr, flush=True)
    print(summary(_read(arguments.out)))


def _read(file: Path) -> list[dict[str, str]]:
    if not file.exists():
        return []
    with file.open(encoding="utf-8", newline="") as opened:
        return list(csv.DictReader(opened))


if __name__ == "__main__":
    main()

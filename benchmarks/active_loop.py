"""Claim: a whole campaign on MNIST in a small fraction of the time of the same loop with Baal.

20 labels to begin with, then rounds of 10: score the whole pool of 60,000 by BALD with T = 100, ask, train the paper's network anew
(50 epochs in batches of 128), predict the 10,000 test images with T = 100. Ours is a Campaign, with everything it writes to disk, in bf16
where the processor multiplies it, with adaptive and with full sampling; Baal is its ActiveLearningLoop, ActiveLearningDataset, BALD
and ModelWrapper. The three take turns round by round.

Baal trains in every round as it is; it scores and tests a random part of the images in every round, and only these predictions are
extrapolated, linearly, to all images (what else a step costs is not, in its favour). A second figure lets it predict
with its MCCachingModule and channels last. The full form takes some 9 minutes.

    python benchmarks/active_loop.py [--small] [--rounds N] [--baal-items N] [--threads N] [--out FILE]
"""

import statistics
import tempfile
from argparse import Namespace
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Literal

import torch

import askwell as aw
from askwell.models.bcnn import bcnn
from askwell.pool.images import as_labelled
from askwell.pool.oracle import oracle
from measuring import argument_parser, conditions, parse, positive, precisions, publish, table, timed
from peers import Peer, start_peers, write_files
from sampling_peers import DOCUMENTED, TUNED, Tuning, fastest_setting
from subjects import CLASSES, PAPER, SHAPE, Subject, mnist_or_generated, some_labels

INITIAL, QUERY, SAMPLES = 20, 10, 100
ASKED = 100


def own_campaigns(directory: Path, subject: Subject) -> dict[str, aw.Campaign]:
    """Adaptive sampling, whose T is 100, and full sampling."""
    recipe = PAPER.model_copy(update={"precision": precisions()[-1]})
    classes = [str(number) for number in range(CLASSES)]
    test = as_labelled((subject.test_images, subject.test_labels), classes=classes)
    sampling: dict[str, int | Literal["adaptive"]] = {"adaptive": "adaptive", "full": SAMPLES}
    return {
        f"askwell, {name}": aw.Campaign.create(
            directory / name,
            pool=subject.images,
            test=test,
            recipe=recipe,
            strategy="bald",
            initial=INITIAL,
            query=QUERY,
            seed=0,
            samples=samples,
        )
        for name, samples in sampling.items()
    }


def begin_baal(peer: Peer, subject: Subject, items: int, tuning: Tuning) -> dict[str, Any]:
    """Baal at its fastest settings, as documented and with caching; returns both."""
    caching = [setting for setting in TUNED["baal"] if "caching" in setting]
    setting, _ = fastest_setting(peer, DOCUMENTED["baal"], SAMPLES, tuning)
    also, _ = fastest_setting(peer, caching, SAMPLES, tuning)
    chosen = {"setting": setting, "also": also}
    initial = some_labels(subject, INITIAL).tolist()
    peer.ask("begin", initial=initial, query=QUERY, items=items, samples=SAMPLES, **chosen)
    return chosen


def extrapolated(rounds: list[dict[str, Any]], items: int, test_items: int, subject: Subject) -> dict[str, Any]:
    """Baal's seconds for the whole loop: trainings and the rest as measured, predictions by the median round's time per image."""
    N, tests = len(subject.images), len(subject.test_images)
    pools = [N - each["labels"] + QUERY for each in rounds[1:]]  # what is left to score, before the round's labels
    wanted = sum(pools) + tests * len(rounds)
    per_image = statistics.median(
        (each["seconds_scoring"] + each["seconds_testing"]) / (min(items, left) + test_items)
        for each, left in zip(rounds[1:], pools, strict=True)
    )
    tuned = statistics.median(each["seconds_testing_also"] / test_items for each in rounds)
    fixed = sum(each["seconds_fit"] + each["seconds_rest_of_step"] for each in rounds)
    return {
        "images_scored_in_a_round": items,
        "images_tested_in_a_round": test_items,
        "images_wanted": wanted,
        "seconds_not_extrapolated": fixed,
        "milliseconds_per_image": 1e3 * per_image,
        "milliseconds_per_image_tuned": 1e3 * tuned,
        "seconds_whole": fixed + wanted * per_image,
        "seconds_whole_tuned": fixed + wanted * tuned,
    }


def measure(arguments: Namespace, scratch: Path, stack: ExitStack) -> dict[str, Any]:
    """All contestants, round by round."""
    before = conditions(arguments.threads)
    subject = mnist_or_generated(*((2000, 500) if arguments.small else (60_000, 10_000)))
    part = min(arguments.baal_items, len(subject.images))
    test_part = min(part, len(subject.test_images))
    knows = oracle(subject.labels, classes=[str(number) for number in range(CLASSES)])
    campaigns = own_campaigns(scratch, subject)
    torch.manual_seed(0)
    arrays = {"labels": subject.labels, "test_images": subject.test_images[:test_part]}
    files = write_files(scratch, bcnn(SHAPE, CLASSES), images=subject.images, **arrays)
    peers, about = start_peers(["baal"], files, scratch, arguments.threads, stack)
    baal = peers.get("baal")
    chosen = begin_baal(baal, subject, part, Tuning(64, 1) if arguments.small else Tuning(256, 2)) if baal else None
    seconds, theirs = {name: list[float]() for name in campaigns}, list[dict[str, Any]]()
    for number in range(arguments.rounds + 1):
        for name, campaign in campaigns.items():
            took, _ = timed(lambda campaign=campaign, number=number: campaign.run(knows, number))
            seconds[name].append(took)
        if baal:
            theirs.append(baal.ask("round", first=number == 0, test_labels=subject.test_labels[:test_part].tolist()))
        print(f"  round {number}: { ({name: round(each[-1], 2) for name, each in seconds.items()}) }", flush=True)
    return before | {
        "peers": about,
        "images": subject.source,
        "items": len(subject.images),
        "test_items": len(subject.test_images),
        "rounds": arguments.rounds,
        "samples": SAMPLES,
        "small": arguments.small,
        "ours": {
            name: {
                "seconds_of_rounds": seconds[name],
                "seconds": sum(seconds[name]),
                "accuracy": [point.accuracy for point in campaign.curve()],
                "seconds_fit": sum(point.seconds_fit or 0 for point in campaign.curve()),
                "seconds_score": sum(point.seconds_score or 0 for point in campaign.curve()),
            }
            for name, campaign in campaigns.items()
        },
        "baal": {**chosen, "rounds": theirs, **extrapolated(theirs, part, test_part, subject)} if chosen else None,
    }


def with_ratios(report: dict[str, Any]) -> dict[str, Any]:
    """How many times longer Baal takes."""
    baal = report["baal"]
    if baal is None:
        return report
    times = {
        name: {
            "baal": baal["seconds_whole"] / own["seconds"],
            "baal, tuned": baal["seconds_whole_tuned"] / own["seconds"],
            "asked": ASKED,
        }
        for name, own in report["ours"].items()
    }
    rows = [[name, own["seconds"], *list(times[name].values())[:2]] for name, own in report["ours"].items()]
    rows += [["baal", baal["seconds_whole"], None, None], ["baal, tuned", baal["seconds_whole_tuned"], None, None]]
    print(table(["", "seconds", "baal x", "baal, tuned x"], rows))
    return report | {"times_ours": times}


def main() -> None:
    """Run, extrapolate, report."""
    parser = argument_parser(__doc__, repeats=1)
    parser.add_argument("--rounds", type=positive, help="after the fit on the initial labels; 20, or 2 if small")
    parser.add_argument(
        "--baal-items",
        type=positive,
        help="of the pool that Baal scores in a round, and as many test images; whole batches, so 256",
    )
    arguments = parse(parser)
    arguments.rounds = arguments.rounds or (2 if arguments.small else 20)
    arguments.baal_items = arguments.baal_items or (64 if arguments.small else 256)
    with tempfile.TemporaryDirectory() as scratch, ExitStack() as stack:
        report = with_ratios(measure(arguments, Path(scratch), stack))
    publish(report, arguments.out)


if __name__ == "__main__":
    main()

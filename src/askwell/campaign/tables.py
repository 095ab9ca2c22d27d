"""curve.csv, queries.csv, evaluation.json and quarantine.csv, written anew from the store after every round."""

import json

from askwell.campaign.quarantine import quarantine_rows
from askwell.campaign.workspace import Workspace
from askwell.report.curves import CurvePoint, QueryRow, write_curve, write_queries
from askwell.report.set_aside import write_set_aside
from askwell.store.files import replace_file


def curve_points(workspace: Workspace) -> list[CurvePoint]:
    """One row per committed round; round r's seconds_score is the scoring with its network, which chose the query of round r + 1."""
    settings, seconds = workspace.settings, workspace.store.seconds_scoring()
    return [
        CurvePoint(
            strategy=settings.strategy,
            seed=settings.seed,
            round=record.round,
            labels=record.labels,
            accuracy=record.metrics["accuracy"],
            nll=record.metrics["nll"],
            ece=record.metrics["ece"],
            auc=record.metrics["auc"],
            seconds_fit=record.seconds_fit,
            seconds_score=seconds.get(record.round + 1),
        )
        for record in workspace.store.round_records()
    ]


def query_rows(workspace: Workspace) -> list[QueryRow]:
    """Every item asked for training: the items of rounds 0..r are the training set of round r. Validation items are left out."""
    settings, labels = workspace.settings, workspace.store.labels()
    return [
        QueryRow(
            strategy=settings.strategy,
            seed=settings.seed,
            round=asked.round,
            rank=asked.rank,
            id=asked.id,
            label=labels[asked.position],
            score=asked.score,
        )
        for asked in workspace.store.asked()
        if asked.role == "pool" and asked.position in labels
    ]


def evaluation_text(workspace: Workspace) -> str:
    """What was measured of every round beyond the curve, as JSON: confusion, calibration, standard error (see EvaluationDetails)."""
    settings = workspace.settings
    rounds = [{"round": number, **json.loads(text)} for number, text in workspace.store.evaluation_details().items()]
    about = {"strategy": settings.strategy, "seed": settings.seed, "classes": settings.classes}
    return json.dumps({**about, "rounds": rounds}) + "\n"


def write_tables(workspace: Workspace) -> None:
    """Replace the files, each atomically; quarantine.csv only where an image was set aside."""
    directory = workspace.directory
    write_curve(directory / "curve.csv", curve_points(workspace))
    write_queries(directory / "queries.csv", query_rows(workspace))
    text = evaluation_text(workspace)
    replace_file(directory / "evaluation.json", lambda path: path.write_text(text, encoding="utf-8"))
    if rows := quarantine_rows(workspace):
        write_set_aside(directory, rows)

"""curve.csv and queries.csv, written anew from the store after every round."""

from askwell.campaign.steps import Workspace
from askwell.report.curves import CurvePoint, QueryRow, write_curve, write_queries


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


def write_tables(workspace: Workspace) -> None:
    """Replace both files, each atomically."""
    write_curve(workspace.directory / "curve.csv", curve_points(workspace))
    write_queries(workspace.directory / "queries.csv", query_rows(workspace))

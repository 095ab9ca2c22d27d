"""The same weights measured another way: by weight scaling where the campaign took MC dropout, or the other way round."""

import dataclasses
from pathlib import Path

from askwell.campaign.campaign import Campaign
from askwell.campaign.inputs import network_inputs
from askwell.campaign.steps import load_round, predict_test
from askwell.campaign.workspace import Stage
from askwell.report.curves import CurvePoint, read_curve, write_curve
from askwell.scoring.evaluation import evaluate
from askwell.store.lock import exclusive


def second_curve_file(campaign: Path, evaluation: str) -> Path:
    """Where the other curve of a campaign lies."""
    return campaign / f"curve-{evaluation}.csv"


def evaluate_again(campaign: Path, evaluation: str, every: int = 1) -> None:
    """Measure the weights of a finished campaign's rounds 0, ``every``, 2 ``every``, ... and of the last one by ``evaluation``.

    Rounds that have been measured are not measured again. The images are those of a named data set; masks are those of the campaign's
    seed and round.

    Raises CampaignBusyError when another process runs or measures this campaign.
    """
    with exclusive(campaign):
        _measure(campaign, evaluation, every)


def _measure(campaign: Path, evaluation: str, every: int) -> None:
    file = second_curve_file(campaign, evaluation)
    done = read_curve(file) if file.exists() else []
    measured, rounds = {point.round for point in done}, read_curve(campaign / "curve.csv")
    missing = [
        point
        for point in rounds
        if point.round not in measured and (point.round % every == 0 or point.round == rounds[-1].round)
    ]
    if not missing:
        return
    with Campaign.open(campaign) as opened:
        settings = opened.settings.model_copy(update={"evaluation": evaluation})
        workspace = network_inputs(dataclasses.replace(opened.workspace, settings=settings), _silence)
        for point in missing:
            predictive = predict_test(workspace, load_round(workspace, point.round), point.round, _silence)
            numbers = evaluate(predictive.log_probs, predictive.labels)._asdict()
            done.append(CurvePoint(point.strategy, point.seed, point.round, point.labels, **numbers))
            write_curve(file, done)


def _silence(_: Stage) -> None:
    """Progress is told by campaign."""

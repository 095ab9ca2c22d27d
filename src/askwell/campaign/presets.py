"""Experiments with a name. Importing this imports no torch."""

from askwell.campaign.settings import ExperimentSettings
from askwell.campaign.strategies import PAPER_STRATEGIES
from askwell.learning.recipe import Recipe

DEMO = ExperimentSettings(
    dataset="digits",
    strategy=PAPER_STRATEGIES,
    seeds=3,
    rounds=14,
    query=10,
    initial=20,
    samples=50,
    recipe=Recipe(model="bcnn", steps=150, batch_size=20, learning_rate=2e-3),
)

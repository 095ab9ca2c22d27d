"""askwell: deep Bayesian active learning with images. Ask well, label less.

The public names and the rooms; each is imported when it is first used, so importing askwell loads no torch.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from askwell import (
        acquisition,
        campaign,
        learning,
        models,
        pool,
        posterior,
        probability,
        report,
        scoring,
        selection,
        store,
    )
    from askwell.campaign.campaign import Campaign
    from askwell.learning.recipe import Recipe
    from askwell.pool.datasets import load_dataset
    from askwell.pool.folder_dataset import load_folder
    from askwell.posterior.mc_dropout import MCDropout
    from askwell.posterior.point import Point

_WHERE = {
    "Campaign": "askwell.campaign.campaign",
    "MCDropout": "askwell.posterior.mc_dropout",
    "Point": "askwell.posterior.point",
    "Recipe": "askwell.learning.recipe",
    "acquisition": "askwell.acquisition",
    "campaign": "askwell.campaign",
    "learning": "askwell.learning",
    "load_dataset": "askwell.pool.datasets",
    "load_folder": "askwell.pool.folder_dataset",
    "models": "askwell.models",
    "pool": "askwell.pool",
    "posterior": "askwell.posterior",
    "probability": "askwell.probability",
    "report": "askwell.report",
    "scoring": "askwell.scoring",
    "selection": "askwell.selection",
    "store": "askwell.store",
}

__all__ = [
    "Campaign",
    "MCDropout",
    "Point",
    "Recipe",
    "acquisition",
    "campaign",
    "learning",
    "load_dataset",
    "load_folder",
    "models",
    "pool",
    "posterior",
    "probability",
    "report",
    "scoring",
    "selection",
    "store",
]


def __getattr__(name: str) -> object:
    if name not in _WHERE:
        raise AttributeError(f"module 'askwell' has no attribute {name!r}; it has {', '.join(__all__)}")
    module = importlib.import_module(_WHERE[name])
    return module if module.__name__ == f"askwell.{name}" else getattr(module, name)


def __dir__() -> list[str]:
    return __all__

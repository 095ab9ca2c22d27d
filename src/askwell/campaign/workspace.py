"""What every step of the loop works on, and how it tells where it is."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch

from askwell.campaign.seeds import derive_seed
from askwell.campaign.settings import CampaignSettings
from askwell.pool.images import LabelledImages, Pool
from askwell.store.store import CampaignStore


class Stage(NamedTuple):
    """Where a round is: "fit", "evaluate" or "score", with steps or items done and to do."""

    round: int
    name: str
    done: int
    total: int


Notify = Callable[[Stage], None]


@dataclass(frozen=True)
class Workspace:
    """What every step works on: the campaign's directory, its settings, its images and its store."""

    directory: Path
    settings: CampaignSettings
    pool: Pool
    test: LabelledImages
    store: CampaignStore

    def generator(self, purpose: str, round_number: int = 0) -> torch.Generator:
        """A generator for one purpose in one round, the same for every strategy of the seed."""
        return torch.Generator().manual_seed(derive_seed(self.settings.seed, purpose, round_number))

    def progress(self, notify: Notify, name: str, round_number: int) -> Callable[[int, int], None]:
        """A progress callback (done, total) that says which stage of which round it is."""
        return lambda done, total: notify(Stage(round_number, name, done, total))

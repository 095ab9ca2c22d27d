"""A small plan for the tests of this directory: digits, two strategies, a few steps."""

from pathlib import Path

from askwell.reproduction.miniature import in_miniature
from askwell.reproduction.plans import Extra, Plan, read_plan

ROOT = Path(__file__).parents[2]
SETTINGS = ROOT / "reproduce" / "gal2017"


def small_plan(name="figure1-code", strategy=("bald", "random"), **extra) -> Plan:
    """A committed plan in miniature, with its strategies, and its table changed as said."""
    plan = in_miniature(read_plan(SETTINGS / f"{name}.toml"))
    settings = plan.settings.model_copy(update={"strategy": strategy})
    return plan._replace(settings=settings, extra=Extra.model_validate(plan.extra.model_dump() | extra))

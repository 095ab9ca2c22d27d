"""What is public, and what importing it loads."""

import importlib
import subprocess
import sys

import pytest

import askwell

PUBLIC = {
    *("Campaign", "MCDropout", "Point", "Recipe", "load_dataset", "load_folder"),
    *(
        "acquisition",
        "campaign",
        "learning",
        "models",
        "pool",
        "posterior",
        "probability",
        "report",
        "scoring",
        "selection",
        "store",
    ),
}
HEAVY = ("torch", "torchvision", "matplotlib", "sklearn", "scipy")


def test_the_public_names_are_these():
    assert set(askwell.__all__) == PUBLIC
    assert set(dir(askwell)) == PUBLIC
    for name in PUBLIC:
        assert getattr(askwell, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'campain'"):
        askwell.campain  # noqa: B018 - the access is the test


@pytest.mark.parametrize(
    "statement",
    [
        "import askwell",
        "import askwell.store.store",
        "import askwell.cli.app",
        "import askwell.campaign.settings",
        "import askwell.campaign.strategies, askwell.models.catalogue, askwell.pool.catalogue",
        "import askwell.pool.listing, askwell.pool.decoders, askwell.pool.folder_plan, askwell.pool.folder_settings",
        "from askwell.cli.app import run_command_line; run_command_line(['--help'])",
        "from askwell.cli.app import run_command_line; run_command_line(['strategies'])",
        "from askwell.cli.app import run_command_line; run_command_line(['datasets'])",
        "from askwell.cli.app import run_command_line; run_command_line(['models'])",
        "from askwell.cli.app import run_command_line; run_command_line(['run', '--strategy', 'bold'])",
    ],
)
def test_light_things_stay_light(statement: str):
    code = f"{statement}\nimport sys\nprint('loaded:', [name for name in {HEAVY} if name in sys.modules])"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert "loaded: []" in answer.stdout, answer.stdout


def test_the_mathematical_rooms_give_functions_not_modules():
    acquisition = importlib.import_module("askwell.acquisition")
    selection = importlib.import_module("askwell.selection")
    assert all(getattr(acquisition, name) is function for name, function in acquisition.ACQUISITIONS.items())
    assert all(getattr(selection, name) is function for name, function in selection.SELECTIONS.items())

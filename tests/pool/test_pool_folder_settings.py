"""A folder's settings: unknown and impossible ones are refused, and nothing heavy is imported for them."""

import subprocess
import sys

import pytest
from pydantic import ValidationError

from askwell.pool.folder_settings import FolderSettings

LIGHT = """
import sys
from askwell.pool import belonging, catalogue, duplicates, folder_plan, folder_settings, groups, label_files, relink
sys.exit(bool({"torch", "torchvision", "sklearn", "scipy", "matplotlib"} & set(sys.modules)))
"""


def test_planning_a_folder_imports_nothing_heavy():
    subprocess.run([sys.executable, "-c", LIGHT], check=True)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"folder": ""}, "at least 1 character"),
        ({"folder": "x", "lables": "y.csv"}, "Extra inputs are not permitted"),
        ({"folder": "x", "test_labels": "y.csv"}, "test_labels needs the test_folder whose images it labels"),
        ({"folder": "x", "test_share": 0}, "greater than 0"),
        ({"folder": "x", "test_share": 1}, "less than 1"),
        ({"folder": "x", "size": 0}, "greater than or equal to 1"),
        ({"folder": "x", "fit": "stretch"}, "'squash', 'crop' or 'pad'"),
        ({"folder": "x", "classes": ["a"]}, "at least 2 distinct names"),
        ({"folder": "x", "classes": ["a", "a"]}, "at least 2 distinct names"),
        ({"folder": "x", "classes": ["a", ""]}, "at least 2 distinct names"),
    ],
)
def test_what_cannot_be_is_refused(values, sentence):
    with pytest.raises(ValidationError, match=sentence):
        FolderSettings(**values)


def test_settings_survive_being_written_down():
    settings = FolderSettings(folder="photos", labels="a.csv:b,c", classes=("x", "y"), group_by=r"(\d+)", size=32)
    assert FolderSettings.model_validate_json(settings.model_dump_json()) == settings

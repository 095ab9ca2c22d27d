"""The documentation says what there is, and its code runs."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import askwell
from askwell.campaign.settings import ExperimentSettings, check_settings
from askwell.campaign.strategies import STRATEGIES
from askwell.learning.recipe import Recipe, WeightDecay
from askwell.models.backbone_settings import Backbone
from askwell.models.catalogue import MODELS
from askwell.pool.catalogue import DATASETS
from docs_help import COMMANDS, DOCUMENT, document

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = README + "".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "docs").glob("*.md")))
CODE = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)


def test_every_name_is_documented():
    names = [*STRATEGIES, *MODELS, *DATASETS, *COMMANDS, *askwell.__all__]
    settings = [
        *ExperimentSettings.model_fields,
        *Recipe.model_fields,
        *WeightDecay.model_fields,
        *Backbone.model_fields,
    ]
    sources = PAGES + "".join(
        filter(
            None,
            (
                Recipe.__doc__,
                WeightDecay.__doc__,
                Backbone.__doc__,
                *(kind.__doc__ for kind in ExperimentSettings.__mro__),
            ),
        )
    )
    assert [name for name in names if not re.search(rf"\b{name}\b", PAGES)] == []
    assert [name for name in settings if not re.search(rf"\b{name}\b", sources)] == []


def test_the_page_of_commands_is_their_help():
    assert DOCUMENT.read_text(encoding="utf-8") == document(), f"run: python {Path('tests/docs_help.py')}"


def test_the_settings_in_the_documentation_are_settings(tmp_path: Path):
    import tomllib

    (example,) = re.findall(r"```toml\n(.*?)```", (ROOT / "docs/index.md").read_text(encoding="utf-8"), flags=re.DOTALL)
    check_settings(ExperimentSettings, tomllib.loads(example), "the example")


def run_code(code: str, directory: Path) -> None:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, "-c", code], cwd=directory, check=True, timeout=600, env=environment)


def test_the_six_lines_run_on_digits(tmp_path: Path):
    """As they are written, but on the embedded digits and for 2 rounds; the slow test takes MNIST."""
    code = CODE[0].replace('"mnist"', '"digits"').replace("rounds=100", "rounds=2")
    assert code.count("digits") == 1
    run_code(code, tmp_path)
    assert (tmp_path / "runs/mnist/report/report.html").exists()
    assert (tmp_path / "runs/mnist/curve.csv").read_text().count("\n") == 4


@pytest.mark.slow
def test_the_six_lines_run_on_mnist(tmp_path: Path, askwell_data: Path):
    run_code(CODE[0].replace("rounds=100", "rounds=1"), tmp_path)
    assert (tmp_path / "runs/mnist/curve.csv").read_text().count("\n") == 3


def test_the_other_code_runs(tmp_path: Path):
    assert len(CODE) == 2
    run_code(CODE[1] + "\nassert log_probs.shape == (500, 100, 10) and len(set(ask.tolist())) == 10\n", tmp_path)

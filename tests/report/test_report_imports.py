"""Reading numbers and writing the page must not load what only drawing or training needs."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize("module", ["curves", "page", "intervals", "layout", "wording"])
def test_no_heavy_import(module: str) -> None:
    script = (
        f"import sys, askwell.report.{module}; print(sorted(set(sys.modules) & {{'matplotlib', 'torch', 'scipy'}}))"
    )
    found = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert found.stdout.strip() == "[]"


def test_drawing_loads_no_torch_and_no_pyplot() -> None:
    script = "import sys, askwell.report.plots; print(sorted(set(sys.modules) & {'torch', 'matplotlib.pyplot'}))"
    found = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert found.stdout.strip() == "[]"

"""Reading numbers and writing the page must not load what only drawing or training needs."""

import subprocess
import sys
from pathlib import Path

import askwell.report

MODULES = sorted(file.stem for file in Path(askwell.report.__file__).parent.glob("*.py"))


def loaded(modules: list[str], heavy: set[str]) -> str:
    """Which of the heavy modules a fresh interpreter has after importing these of the room."""
    imports = ", ".join(f"askwell.report.{module}" for module in modules)
    script = f"import sys, {imports}; print(sorted(set(sys.modules) & {heavy!r}))"
    found = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    return found.stdout.strip()


def test_no_heavy_import() -> None:
    others = [module for module in MODULES if module not in ("plots", "estimation", "__init__")]
    assert len(others) > 15
    assert loaded(others, {"matplotlib", "torch", "scipy"}) == "[]"


def test_estimating_loads_no_more_than_scipy() -> None:
    assert loaded(["estimation"], {"matplotlib", "torch"}) == "[]"


def test_drawing_loads_no_torch_and_no_pyplot() -> None:
    assert loaded(["plots"], {"torch", "matplotlib.pyplot"}) == "[]"

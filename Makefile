# Everything askwell needs to run and to be worked on. Only Python 3.11+ and make are needed beforehand.
.DEFAULT_GOAL := help
.PHONY: help setup demo test test-slow lint format bench figures docs clean

BIN := .venv/bin
SOURCES := src tests benchmarks
BENCHMARKS := scoring scoring_memory backbone fine_tuning training active_loop growth folder_decoding

help:  ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup:  ## .venv with everything pinned; quick when it is current, mends a half-made one
	@sh scripts/setup.sh

demo: setup  ## the paper's strategies against random on handwritten digits: table and report in ./askwell-demo
	@$(BIN)/askwell demo --out askwell-demo --resume

test: lint  ## lint, then the tests (set ASKWELL_DATA for those on real MNIST)
	@$(BIN)/python -m pytest -n auto --dist loadfile -m "not slow" $(PYTEST_ARGS)

test-slow: setup  ## the tests that take longer than the suite allows
	@$(BIN)/python -m pytest -m slow $(PYTEST_ARGS)

lint: setup  ## formatter, linter, types, import contract
	@$(BIN)/ruff format --check --quiet $(SOURCES) || { echo "not formatted: run make format"; exit 1; }
	@$(BIN)/ruff check --quiet $(SOURCES)
	@$(BIN)/basedpyright --level error
	@$(BIN)/lint-imports --no-logo

format: setup  ## format, and mend what the linter can mend
	@$(BIN)/ruff check --quiet --fix $(SOURCES) || true
	@$(BIN)/ruff format --quiet $(SOURCES)

bench: setup  ## every benchmark in a small form
	@for name in $(BENCHMARKS); do echo "== $$name"; $(BIN)/python benchmarks/$$name.py --small || exit 1; done

figures: setup  ## figures and tables of reproduce/gal2017 from its committed results; trains nothing
	@$(BIN)/askwell reproduce gal2017 --draw

docs: setup  ## the documentation as a site, in ./site
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet --strict

clean:  ## remove what the targets above made
	rm -rf .venv site dist askwell-demo .pytest_cache .ruff_cache .hypothesis

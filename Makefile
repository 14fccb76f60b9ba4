# `make help` lists what there is. Everything runs in .venv, made from constraints.txt.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PORT ?= 5000
export PATH := $(CURDIR)/$(BIN):$(PATH)

.DEFAULT_GOAL := help
.PHONY: help install demo test lint format audit ui clean

help:  ## List the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-9s %s\n", $$1, $$2}'

# The environment is made anew only when what it is made from has changed.
$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev]"
	@touch $@

install: $(VENV)/.installed  ## Make .venv with everything in it

demo: install  ## Raw files to registered models, for every pipeline, on samples made here
	@echo "Bringing every pipeline up to date: ingest, validate, train, evaluate, register"
	@penstock run
	@echo
	@echo "Next:  make ui                               compare runs and see the registry in MLflow"
	@echo "       data/NAME/report.html                 the reports: open them in a browser"
	@echo "       source .venv/bin/activate             then: penstock --help"
	@echo "       penstock params mnist                 every setting, with its meaning"
	@echo "       edit params.yaml, then dvc repro      only what is stale runs again"

test: install lint  ## Lint, types, import rules and every test, two at a time
	$(BIN)/python -m pytest -n 2 --dist worksteal

lint: install  ## ruff, mypy, import-linter: what pre-commit runs too
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: install  ## Format the code; bring the JSON schema of params.yaml up to date
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/penstock schema > docs/params.schema.json

audit: install  ## Ask for known vulnerabilities in the pinned libraries (asks pypi.org)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[audit]"
	$(BIN)/pip-audit --strict --disable-pip --no-deps -r constraints.txt

ui: install  ## Open MLflow on mlruns/ at http://127.0.0.1:5000 (make ui PORT=...)
	@$(BIN)/penstock ui --port $(PORT)

clean:  ## Remove the environment and caches; data, models and runs stay
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

# Every target sets up what it needs: Python 3.11+ and make are enough; packages come from the usual registries.
.DEFAULT_GOAL := help
.PHONY: help demo test check soak bench up down status format clean

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
BENCH ?= all
export HINDCAST_CACHE ?= $(CURDIR)/.cache
export PIP_DISABLE_PIP_VERSION_CHECK := 1

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/.demo ## A year of real flights, from departure to verdict: report in the terminal and demo-report.html
	@$(BIN)/hindcast demo

test: $(VENV)/.dev ## Every test, with a real Kafka and a real ClickHouse engine that it starts itself
	@$(BIN)/python -m pytest -m "not soak" -n 3 --dist loadfile --no-loadscope-reorder $(ARGS)

check: $(VENV)/.dev ## Lint, format, types, import rules
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

soak: $(VENV)/.dev ## The long kill and soak runs, and look-ups in 100 million predictions (an hour or more, 15 GB)
	@$(BIN)/python -m pytest -m soak --timeout 14400 $(ARGS)
	@ROWS=100000000 $(BIN)/python benchmarks/queries.py

bench: $(VENV)/.bench ## Measure: one JSON object a line (BENCH=profiler for one, QUICK=1 for under a minute)
	@$(BIN)/python -m benchmarks $(BENCH)

up: $(VENV)/.demo ## Start the local stack in the foreground
	@$(BIN)/hindcast up

down: $(VENV)/.demo ## Stop a detached local stack
	@$(BIN)/hindcast down

status: $(VENV)/.demo ## What runs, how far it is behind, the last error
	@$(BIN)/hindcast status

format: $(VENV)/.dev ## Let ruff format and mend what it can
	@$(BIN)/ruff check --fix . ; $(BIN)/ruff format .

clean: ## Remove caches, the virtual environment and the local stack's data
	rm -rf $(VENV) .cache .hindcast build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Hindcast needs Python 3.11 or newer; PYTHON=python3.12 make … chooses one" >&2; exit 2; }
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: pyproject.toml | $(VENV)/bin/python
	@echo "installing (once) ..."
	@$(BIN)/python -m pip install --quiet --editable '.[demo]'
	@$(BIN)/python -m hindcast.local.jars
	@touch $@

$(VENV)/.dev: pyproject.toml | $(VENV)/bin/python
	@echo "installing (once) ..."
	@$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@$(BIN)/python -m hindcast.local.jars
	@touch $@ $(VENV)/.demo

# what benchmarks compare with; they leave out what is not there
$(VENV)/.bench: $(VENV)/.dev
	@$(BIN)/python -m pip install --quiet --editable '.[bench-sketches]' && touch $@ || echo "the sketches to compare with are not to be had" >&2

# Two commands matter: `make run` (the whole service on this machine) and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
EMULATOR_STAMP := $(VENV)/emulator/.installed
STATE_DIR ?= .orderstore
DYNAMODB_LOCAL ?= run
BENCH ?=
SEEDS ?= 1000
WORKERS ?= 2
PIP := -m pip --disable-pip-version-check --no-input install --quiet

.DEFAULT_GOAL := help
.PHONY: help setup run test test-unit long simulate conformance bench check format clean requirements

help: ## What can be made.
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

setup: $(STAMP) $(EMULATOR_STAMP) ## Set up everything in .venv, nothing else.

$(STAMP): requirements/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed, this is " + sys.version.split()[0] + ": try make PYTHON=python3.12")'
	@echo "Setting up $(VENV) (once) …"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python $(PIP) --require-hashes -r requirements/dev.txt
	@$(BIN)/python $(PIP) --no-deps --no-build-isolation --editable .
	@$(BIN)/python -m compileall -q orderstore projections workers deploy
	@touch $@

$(EMULATOR_STAMP): requirements/emulator.txt | $(STAMP)
	@echo "Setting up the embedded environment (once) …"
	@test -x $(VENV)/emulator/bin/python || $(PYTHON) -m venv $(VENV)/emulator
	@$(VENV)/emulator/bin/python $(PIP) --require-hashes -r requirements/emulator.txt
	@touch $@

run: setup ## Run the whole service on this machine and feed it orders; Ctrl-C stops it.
	@$(BIN)/orderstore demo --state-dir $(STATE_DIR)

# Compiled code is kept, whatever the environment says: each worker, and each process that a test starts, would compile it all again.
test test-unit long simulate conformance: export PYTHONDONTWRITEBYTECODE =

test: setup ## All tests, file by file in WORKERS processes (2) and one more, since many wait; each with emulators of its own.
	@$(BIN)/python -m pytest -n $$(($(WORKERS) + 1)) --dist loadfile --no-loadscope-reorder

test-unit: setup ## The tests that need no process beside them, in seconds.
	@$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal --hypothesis-profile=unit -m "not moto and not emulator and not e2e and not real_data and not thorough and not dynamodb_local and not long"

long: setup ## The searches and seeds that take minutes: the lease protocol in every state, streams in hundreds of bad moods.
	@$(BIN)/python -m pytest -n $(WORKERS) -m long

simulate: setup ## The whole service on virtual time under drawn faults: SEEDS runs (1000), WORKERS at once.
	@$(BIN)/python -m tests.simulation --seeds 0:$(SEEDS) --workers $(WORKERS)

conformance: setup ## The suites of the event store and the stream reader on AWS's own DynamoDB Local too (fetched with Maven; needs a JDK 17).
	@$(BIN)/python -m pytest tests/contract -m dynamodb_local --dynamodb-local=$(DYNAMODB_LOCAL)

bench: setup ## Speed, as one table of ratios to the bare calls; exits 1 below a floor.
	@$(BIN)/python -m tests.benchmarks $(BENCH)

check: setup ## Format, lint, strict types, templates, architecture, schemas and what the last release was promised.
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/cfn-lint deploy/data-plane.yaml deploy/notifications.yaml deploy/webhooks.yaml deploy/intake.yaml deploy/dead-letters.yaml deploy/service.yaml
	@$(BIN)/python -m pytest -q tests/test_architecture.py tests/orderstore/test_evolution_static.py
	@$(BIN)/orderstore schemas check

format: setup ## Put the code into its form.
	@$(BIN)/ruff check --fix --quiet .
	@$(BIN)/ruff format --quiet .

clean: ## Stop the embedded environment and remove it with all its state.
	@test -x $(BIN)/python || { echo "There is no $(VENV): run make setup first, so that the environment can be stopped in good order."; exit 1; }
	@$(BIN)/python -m deploy.local clean --state-dir "$(STATE_DIR)"

requirements: ## Compile the pinned requirements anew (needs uv).
	uv pip compile --universal --generate-hashes --python-version 3.11 --no-emit-index-url --no-header --quiet pyproject.toml -o requirements/runtime.txt
	uv pip compile --universal --generate-hashes --python-version 3.11 --no-emit-index-url --no-header --quiet pyproject.toml --group dev -o requirements/dev.txt
	uv pip compile --universal --generate-hashes --python-version 3.11 --no-emit-index-url --no-header --quiet requirements/emulator.in -o requirements/emulator.txt

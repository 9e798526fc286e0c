# Two commands do everything on a fresh machine with Python 3.11+ and make:
#   make rehearse   sets up, then runs a whole release offline
#   make test       sets up, then runs all checks of the code and all tests

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
WORKERS ?= 4
# Hundreds of short processes start here; each would compile again what none may keep compiled.
unexport PYTHONDONTWRITEBYTECODE
EVIDENCE ?= evidence

.DEFAULT_GOAL := help
.PHONY: help setup rehearse test lint linted pytest timed untimed explore coverage drill docs scenarios workflows lock bench clean

help: ## Show what there is to make
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  \1\t/' | expand -t 14

setup: $(VENV)/.ready ## Set up: the locked dependencies and a browser (safe to repeat)
	@$(BIN)/python -m ci.engine.browser --install || \
	  echo "setup: no browser could be had; the browser checks will be ERROR with that reason"

$(VENV)/.ready: requirements/bootstrap.txt requirements/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "setup: Python 3.11 or newer is wanted; `$(PYTHON) --version` was found. Try: make PYTHON=python3.12"; exit 2; }
	@echo "setup: virtual environment in $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@echo "setup: locked dependencies from requirements/dev.txt"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/bootstrap.txt
	@$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes requirements/bootstrap.txt requirements/dev.txt
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

rehearse: setup ## A whole release, offline, against the demo application
	@$(BIN)/gonogo rehearse --evidence $(EVIDENCE)

test: setup ## All checks of the code and all tests
	@$(MAKE) --no-print-directory --jobs=2 timed linted

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

pytest: setup ## All tests
	@$(MAKE) --no-print-directory --jobs=2 timed untimed

linted: lint
	@$(MAKE) --no-print-directory untimed

# What depends on time comes first wherever it wants the processor, and is told in one piece.
timed: setup
	@mkdir -p .cache
	@files=$$(grep -rl --include='*.py' 'mark\.timed' tests); \
	  $(BIN)/pytest -n 2 -m timed $$files > .cache/timed.txt 2>&1; code=$$?; cat .cache/timed.txt; exit $$code

untimed: setup
	nice -n 19 $(BIN)/pytest -n $(WORKERS) --dist worksteal -m "not timed"

explore: setup ## The property tests with examples that no run has tried before
	$(BIN)/pytest -n $(WORKERS) --dist worksteal -m hypothesis --hypothesis-profile explore

# Apart from `make test`, because measuring costs half as much again as the tests themselves.
coverage: setup ## All tests, and how much of the code they run (at least 90 % of lines and branches)
	@rm -f .coverage .coverage.*
	$(BIN)/pytest -n $(WORKERS) --dist worksteal -m "not timed" --cov --cov-report=
	$(BIN)/pytest -n 2 -m timed --cov --cov-append --cov-report=term --cov-fail-under=90

drill: setup ## Inject every flaw and demand that the right check fails
	@$(BIN)/gonogo drill --evidence $(EVIDENCE)/drill

docs: setup ## Renew the generated pages and the JSON Schema
	@$(BIN)/gonogo checks --write-docs docs/checks
	@$(BIN)/gonogo schema > gonogo.schema.json
	@$(BIN)/python -m tests.workflow.adopting

COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--custom-compile-command "make lock"
EXTRAS := smoke security load deploy monitor rehearsal

lock: setup ## Renew the locks in requirements/
	@for extra in $(EXTRAS); do echo "lock: $$extra"; \
	  $(COMPILE) --upgrade pyproject.toml --extra $$extra --output-file requirements/$$extra.txt || exit 1; done
	@echo "lock: dev"
	@$(COMPILE) --upgrade pyproject.toml --extra rehearsal --group dev --output-file requirements/dev.txt
	@$(COMPILE) --upgrade requirements/bootstrap.in --output-file requirements/bootstrap.txt

scenarios: setup ## Every situation a release can meet, and how it ends
	@$(BIN)/python -m tests.deploy.scenarios

workflows: setup ## The workflows under act: what starts them, which jobs run, and which deployment serves at the end
	@$(BIN)/python -m tests.workflows

bench: setup ## Measurements, as ratios
	@$(BIN)/python -m benchmarks

clean: ## Remove what was set up and what was left behind
	rm -rf $(VENV) .cache evidence build dist *.egg-info .coverage* .pytest_cache .mypy_cache .ruff_cache .hypothesis

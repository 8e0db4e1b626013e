# Zhiku (知库). `make help` lists the targets; everything lives in .venv and $ZHIKU_HOME (.zhiku).

FOUND := $(if $(wildcard .venv/bin/python),.venv/bin/python,$(firstword \
  $(foreach name,python3.11 python3.12 python3.13 python3,$(shell $(name) -c 'print("$(name)")' 2>/dev/null))))
PYTHON ?= $(FOUND)
BIN := .venv/bin
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help run demo down status doctor test test-local lint bench docs clean venv venv-dev venv-local python

help:  ## list the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: venv  ## install, start, load the sample company, show its answers, serve until Ctrl-C (ARGS=--detach returns)
	@$(BIN)/zhiku up --demo $(ARGS)

demo: venv  ## the same show against a running server
	@$(BIN)/zhiku demo $(ARGS)

down: venv  ## stop what `make run ARGS=--detach` started
	@$(BIN)/zhiku down

status: venv  ## what runs, and whether it answers
	@$(BIN)/zhiku status

doctor: venv  ## what is wrong on this machine, and the remedy
	@$(BIN)/zhiku doctor

test: venv-dev  ## all tests on real servers (PostgreSQL, Redis, Milvus Lite)
	$(BIN)/python -m pytest $(ARGS)

lint: venv-dev  ## ruff, mypy --strict, import-linter
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test-local: venv-local  ## the tests of the `local` extra: torch and sentence-transformers (0.9 GB more)
	$(BIN)/python -m pytest -m local $(ARGS)

bench: venv-dev  ## the measurements of tests/benchmarks; they print figures and assert nothing
	@for script in tests/benchmarks/bench_*.py; do echo "== $$script"; $(BIN)/python -m $$(echo $${script%.py} | tr / .) || exit 1; done

docs: venv-dev  ## write the pages that are made from the code
	@$(BIN)/python -m docs.settings_page

clean:  ## remove .venv and caches; the data folder stays
	rm -rf .venv build *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -not -path './.git/*' -prune -exec rm -rf {} +

venv: python
	@$(PYTHON) deploy/install.py requirements.lock

venv-dev: venv
	@$(PYTHON) deploy/install.py requirements-dev.lock

venv-local: venv-dev
	@$(PYTHON) deploy/install.py requirements-local.lock

python:
	@test -n "$(PYTHON)" || { echo "zhiku: no Python found; install Python 3.11, or: make run PYTHON=/path/to/python3.11" >&2; exit 1; }

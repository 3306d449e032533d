# `make run` and `make test` are all that is needed; `make help` tells the rest.
PYTHON ?= python3
BIN := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help run test test-fast bench install check format lock clean

help:  ## what there is to make
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' Makefile

run: install  ## the whole service on this machine, with demo data (PORT=8000)
	@exec $(BIN)/python -m config.stack

test: install  ## the whole suite, on real servers of its own (about ten minutes)
	@exec $(BIN)/pytest -n 2 --dist worksteal $(TESTS)

test-fast: install  ## the inner loop: what needs no browser and no patience (under a minute)
	@exec $(BIN)/pytest -n 2 --dist worksteal -m "not slow" tests/unit tests/integration

bench: install  ## measure; prints ratios against baselines taken in the same run
	@exec $(BIN)/python -m tests.benchmarks $(BENCH)

check: install  ## what is checked without running: style, types, architecture, migrations
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	DEBUG=1 $(BIN)/mypy
	$(BIN)/lint-imports
	DEBUG=1 $(BIN)/python -W ignore manage.py makemigrations --check --dry-run

format: install  ## let the tools put right what they can
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

install: .venv/.installed

.venv/.installed: requirements.lock
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("error: Python 3.11 or newer is needed, $(PYTHON) is " + sys.version.split()[0] + ". Choose another: make PYTHON=python3.12 ...")'
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "error: $(PYTHON) has no venv module. On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@echo "Installing into .venv (once, under a minute)"
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.lock
	@touch $@

lock: install  ## take the newest versions that pyproject.toml admits
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --upgrade \
	  --group stack --group test --group lint pyproject.toml -o requirements.lock

clean:  ## remove the environment and the demo's data
	rm -rf .venv .local

# `make run` and `make test` are all that is needed; `make help` lists the rest.
PYTHON ?= python3
BIN := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help run test test-fast bench install check format lock reset clean

help:  ## list the targets and variables
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' Makefile
	@printf '\n%s\n%s\n%s\n%s\n%s\n' 'PORT=8000              where `make run` listens' \
	  'PYTHON=python3.12      the Python of .venv, 3.11 or newer; another one replaces .venv' \
	  'TESTS=tests/unit       what `make test` runs' \
  'NIGHTLY=1              let `make test` include the tests that otherwise only CI runs' \
	  'BENCH=post             what `make bench` measures'

run: install  ## run the whole service on this machine, with demo data
	@exec $(BIN)/python -m config.stack --ctrl-c-is-success

test: install  ## run the suite on its own PostgreSQL and Valkey (about six minutes)
	@exec $(BIN)/python -m pytest -n 2 --dist worksteal $(if $(NIGHTLY),,-m "not nightly") $(TESTS)

test-fast: install  ## run the quick tests only (half a minute)
	@exec $(BIN)/python -m pytest -n 2 --dist worksteal -m "not slow and not nightly" tests/unit tests/integration

bench: install  ## measure; prints ratios against baselines taken in the same run
	@exec $(BIN)/python -m tests.benchmarks $(BENCH)

check: install  ## check style, types, architecture and migrations
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	DEBUG=1 $(BIN)/python -m mypy
	$(BIN)/python -c 'from importlinter.cli import lint_imports_command; lint_imports_command()'
	DEBUG=1 $(BIN)/python -W ignore manage.py makemigrations --check --dry-run

format: install  ## fix what the linters can fix
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

install:  ## make .venv, or complete it
	@$(PYTHON) config/stack/checkout.py install $(if $(filter file,$(origin PYTHON)),,--chosen)

lock: install  ## take the newest versions that pyproject.toml admits
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --upgrade \
	  --group stack --group test --group lint pyproject.toml -o requirements.lock

reset:  ## remove the data of `make run`, for a fresh start
	@$(PYTHON) config/stack/checkout.py reset

clean:  ## remove the data and .venv
	@$(PYTHON) config/stack/checkout.py clean

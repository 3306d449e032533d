# `make run` starts the service, `make test` tests it, `make help` lists all targets.
PYTHON ?= python3
BIN := .venv/bin
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate pyproject.toml

# Containers often set it. Without the cached bytecode each process of the tests compiles all modules again.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help run test test-fast bench install check audit format lock reset clean

help:  ## list the targets and variables
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' Makefile
	@printf '\n%s\n%s\n%s\n%s\n%s\n%s\n' \
	  'PORT=8000           the port of `make run` on 127.0.0.1' \
	  'PYTHON=python3.12   the Python of .venv, 3.11 or newer; another one replaces .venv' \
	  'TESTS=tests/unit    what `make test` runs' \
	  'NIGHTLY=1           run also the tests that otherwise only CI runs' \
	  'BENCH=post          what `make bench` measures' \
	  'All other variables are those of the service: see .env.example'

run: install  ## start the service on this machine, with demo data
	@exec $(BIN)/python -m config.stack --ctrl-c-is-success

test: install  ## run the suite on its own PostgreSQL and Valkey (up to an hour)
	@exec $(BIN)/python -m pytest -n 2 --dist worksteal $(if $(NIGHTLY),,-m "not nightly") $(TESTS)

test-fast: install  ## run the quick tests only (40 seconds)
	@exec $(BIN)/python -m pytest -n 2 --dist worksteal -m "not slow and not nightly" tests/unit tests/integration

bench: install  ## run the benchmarks and compare each with its baseline
	@exec $(BIN)/python -m tests.benchmarks $(BENCH)

check: install  ## check style, types, architecture, dependencies, spelling, secrets and migrations
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	DEBUG=1 $(BIN)/python -m mypy
	$(BIN)/python -c 'from importlinter.cli import lint_imports_command; lint_imports_command()'
	$(BIN)/python -m deptry .
	$(BIN)/python -m codespell_lib
	git ls-files -z -- ':!tests' ':!*.lock' | xargs -0 $(BIN)/python -m detect_secrets.pre_commit_hook --exclude-secrets '^password$$'
	DEBUG=1 $(BIN)/python -W ignore manage.py makemigrations --check --dry-run

# Strict: without it, packages that the service does not know would count as free of vulnerabilities.
audit: install  ## ask pypi.org for known vulnerabilities of the production packages
	@$(BIN)/uv tool run --from pip-audit==2.10.1 pip-audit --strict --disable-pip --require-hashes -r requirements-production.lock

format: install  ## format the code and apply the linter's fixes
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

install:  ## create .venv or update it to requirements.lock
	@$(PYTHON) config/stack/checkout.py install $(if $(filter file,$(origin PYTHON)),,--chosen)

lock: install  ## update both lock files to the newest versions that pyproject.toml allows
	$(COMPILE) --upgrade --group stack --group test --group lint -o requirements.lock
	$(COMPILE) --constraint requirements.lock --group stack -o requirements-production.lock

reset:  ## delete the data of `make run`; the next start begins with new demo data
	@$(PYTHON) config/stack/checkout.py reset

clean:  ## delete the data of `make run` and .venv
	@$(PYTHON) config/stack/checkout.py clean

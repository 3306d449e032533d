"""A test run's PostgreSQL and Valkey. The first process starts them, and all share them."""

import os
import tempfile
from functools import cache
from pathlib import Path
from typing import Final

from config.stack import processes
from config.stack.postgres import Postgres
from config.stack.valkey import Valkey

SECRETS: Final = {
    "SECRET_KEY": "only-for-tests-9a1c5be07d42f836c0-71d25be8403fa96c",
    "PSEUDONYM_KEY": "only-for-tests-too-3f60d9e7a28b4c15",
    "SEAL_KEY": "5e" * 32,
    "WEBHOOK_KEYS": "3b" * 32,
}
# Passes the folder of the servers to the worker processes of a run.
_FOLDER: Final = "PAYMENTS_TEST_FOLDER"


def environment() -> dict[str, str]:
    """Return the variables for the settings. Each process has its own database in both servers."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
    return {
        "DEBUG": "0",
        **SECRETS,
        # Processes started by a test use the test's database.
        "DATABASE_URL": postgres().url(os.environ.get("TEST_DATABASE_NAME", "payments")),
        "REDIS_URL": valkey().url(int(worker) + 1),
    }


@cache
def postgres() -> Postgres:
    return Postgres(run_folder(), run_folder(), durable=False)


@cache
def valkey() -> Valkey:
    return Valkey(run_folder(), run_folder(), durable=False)


def own_folder() -> Path:
    """Make a folder for the servers of one test. Its path is short enough for sockets."""
    folder = Path(tempfile.mkdtemp(prefix="payments-test-", dir="/tmp"))
    processes.give(folder)
    return folder


@cache
def run_folder() -> Path:
    """Return the folder that all processes of the run share."""
    if _FOLDER not in os.environ:
        os.environ[_FOLDER] = str(own_folder())
    return Path(os.environ[_FOLDER])

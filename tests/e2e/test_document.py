"""The OpenAPI document and the served application say the same: schemathesis compares them."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator

import pytest

from config.stack import place
from config.stack.postgres import Postgres
from config.stack.valkey import Valkey
from payments.clients.models import Scope
from tests.e2e.service import Service, service

pytestmark = pytest.mark.slow

SETTINGS = place.PROJECT / "tests/e2e/schemathesis.toml"


@pytest.fixture
def running(own_postgres: Postgres, own_valkey: Valkey) -> Iterator[Service]:
    with service(own_postgres, own_valkey, API_RATE_PER_MINUTE="1000000") as running:
        running.start_web()
        running.start_worker()
        running.start_beat()
        yield running


@pytest.fixture
def key(running: Service) -> str:
    """Of somebody who may do everything, also decide."""
    running.manage("create_staff", "ada", "--role", "senior reviewer")
    scopes = [word for scope in Scope.values for word in ("--scope", scope)]
    return running.manage("create_api_key", "Acme", "--staff", "ada", *scopes).strip()


def test_schemathesis_finds_no_difference(running: Service, key: str) -> None:
    """It found offsets of time that the database refuses, and line breaks in the path that were a 404."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(SETTINGS)),
            *("run", f"{running.url}/api/schema/"),
        ],
        env=os.environ | {"API_KEY": key},
        cwd=place.PROJECT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert re.search(r" (\d+) selected / \1 total", done.stdout), done.stdout

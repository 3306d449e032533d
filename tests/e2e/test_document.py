"""schemathesis compares the OpenAPI document with the served application."""

import os
import re
import subprocess
import sys

import pytest

from config.stack import place
from payments.clients.models import Scope
from tests.e2e.service import Service

pytestmark = pytest.mark.slow

SETTINGS = place.PROJECT / "tests/e2e/schemathesis.toml"


@pytest.fixture(scope="session")
def key(shared_service: Service) -> str:
    """Return a key with every scope for a staff member with every permission."""
    shared_service.manage("create_staff", "sam", "--role", "senior reviewer")
    shared_service.add_role("sam", "analyst")
    scopes = [word for scope in Scope.values for word in ("--scope", scope)]
    return shared_service.manage(
        "create_api_key", "Schemathesis", "--staff", "sam", *scopes
    ).strip()


@pytest.mark.parametrize("examples", [4, pytest.param(12, marks=pytest.mark.nightly)])
def test_schemathesis_finds_no_difference(shared_service: Service, key: str, examples: int) -> None:
    """Regressions: time offsets that the database refuses, and line breaks in the path (a 404)."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(SETTINGS)),
            *("run", f"{shared_service.url}/api/schema/", "--max-examples", str(examples)),
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

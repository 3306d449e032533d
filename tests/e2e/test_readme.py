"""The README's walk through the API, typed as it stands there."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator

import pytest

from config.stack import place
from config.stack.postgres import Postgres
from config.stack.valkey import Valkey
from tests.e2e.service import Service, service

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("curl") is None, reason="the README's lines are curl's"),
]


@pytest.fixture
def running(own_postgres: Postgres, own_valkey: Valkey) -> Iterator[Service]:
    with service(own_postgres, own_valkey) as running:
        running.start_web()
        yield running


def test_the_lines_of_the_readme_do_what_it_says(running: Service) -> None:
    readme = (place.PROJECT / "README.md").read_text()
    block = re.search(r"^KEY=.*?(?=^```)", readme, re.MULTILINE | re.DOTALL)
    assert block is not None
    lines = block[0].replace("http://127.0.0.1:8000", running.url)
    lines = lines.replace(".venv/bin/python", sys.executable)
    running.manage("create_staff", "ada", "--role", "senior reviewer")
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", lines],
        env=os.environ | running._environment,
        cwd=place.PROJECT,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    submitted, *answers = done.stdout.split("\n\n")[0], *done.stdout.splitlines()[-4:]
    assert submitted.startswith("HTTP/1.1 201 ")
    first, listed, approved, daily = answers
    assert '"status":"pending_review"' in first
    assert listed.startswith('{"payments":[')
    assert '"status":"completed"' in approved
    assert '"reason":"verified_with_customer"' in approved
    assert daily.startswith('{"days":[')
    # Submitted once, although twice; then approved and processed.
    assert running.query("SELECT count(*) FROM events_event") == 4

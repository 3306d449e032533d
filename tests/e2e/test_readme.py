"""The commands of the README, run as printed."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from config.stack import place
from config.stack.postgres import Postgres
from config.stack.valkey import Valkey
from tests.e2e.service import Service, service

pytestmark = [
    pytest.mark.slow,
    # CI installs curl, so a missing curl fails the tests there.
    pytest.mark.skipif(
        shutil.which("curl") is None and "CI" not in os.environ,
        reason="curl is not installed, which the README uses",
    ),
]


@pytest.fixture
def running(own_postgres: Postgres, own_valkey: Valkey) -> Iterator[Service]:
    with service(own_postgres, own_valkey) as running:
        running.start_web()
        running.start_worker()
        yield running


def test_readme_api_calls_work_as_printed(running: Service, tmp_path: Path) -> None:
    running.manage("create_staff", "ada", "--role", "senior reviewer")

    output = run_block("KEY=", running, tmp_path)

    assert output.startswith("HTTP/1.1 201 ")
    first, listed, claimed, approved = map(json.loads, output.splitlines()[-4:])
    assert first["status"] == "pending_review"
    assert [payment["id"] for payment in listed["payments"]] == [first["id"]]
    assert (claimed["id"], claimed["open_review"]["claimed_by"]) == (first["id"], "staff:1")
    assert (approved["status"], approved["version"]) == ("completed", 5)
    assert approved["review"]["reason"] == "verified_with_customer"
    # The payment was sent twice but submitted once. A flag, claim, approval and completion follow.
    assert running.query("SELECT count(*) FROM events_event") == 5


def test_readme_import_works_as_printed(running: Service, tmp_path: Path) -> None:
    run_block("printf ", running, tmp_path)

    assert running.query("SELECT count(*) FROM events_event WHERE version = 1") == 2


def run_block(begin: str, running: Service, folder: Path) -> str:
    """Run the README's code block that starts with `begin` in a shell. Return its output."""
    readme = (place.PROJECT / "README.md").read_text()
    block = re.search(rf"^{begin}.*?(?=^```)", readme, re.MULTILINE | re.DOTALL)
    assert block is not None
    lines = block[0].replace("http://127.0.0.1:8000", running.url)
    return subprocess.run(
        [
            "bash",
            "-euo",
            "pipefail",
            "-c",
            lines.replace("./manage.py", f"{place.PROJECT}/manage.py"),
        ],
        env=os.environ | running._environment,
        cwd=folder,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout

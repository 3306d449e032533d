"""The programs in the documentation of the read API, run as printed."""

import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from config.stack import place, processes
from tests.e2e.service import Service, wait_for

pytestmark = pytest.mark.slow


def program(begin: str) -> str:
    """Return the code block of readmodels/api/README.md that starts with `begin`."""
    text = (place.PROJECT / "readmodels/api/README.md").read_text()
    block = re.search(rf"^```python\n({begin}.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert block is not None
    return block[1]


@contextmanager
def running(code: str, folder: Path, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [sys.executable, "-c", code], cwd=folder, env=os.environ | environment
    )
    try:
        wait_for((folder / "events.db").exists)
        yield process
    finally:
        processes.end(process)


def stored(folder: Path) -> list[str]:
    """Return the payment of each event that the consumer has stored."""
    with sqlite3.connect(folder / "events.db") as db:
        return [
            payment
            for (payment,) in db.execute(
                "SELECT data ->> '$.payment_id' FROM event WHERE type = 'payment.processed'"
            )
        ]


def test_feed_consumer_stores_each_event_once_also_after_a_kill(
    shared_service: Service, tmp_path: Path
) -> None:
    code = program("import json, os, sqlite3")
    environment = {"URL": shared_service.url, "KEY": shared_service.key}

    payments = []
    for _ in range(2):
        payments.append(shared_service.post()[1]["id"])
        with running(code, tmp_path, **environment) as consumer:
            wait_for(lambda: payments[-1] in stored(tmp_path))
            consumer.kill()
        payments.append(shared_service.post()[1]["id"])

    with running(code, tmp_path, **environment):
        wait_for(lambda: payments[-1] in stored(tmp_path))
    found = stored(tmp_path)
    assert len(found) == len(set(found))
    assert [each for each in found if each in payments] == payments

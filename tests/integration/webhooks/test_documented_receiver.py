"""The receiver in the documentation of webhooks, run as printed."""

import http.client
import os
import re
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone
from pytest_django import Settings

from config.stack import place, processes
from readmodels.webhooks import endpoints, keys, signing
from readmodels.webhooks.models import Attempt, Endpoint, Outcome
from tests.e2e.service import free_port, wait_for
from tests.support.api import ApiClient, project
from tests.support.examples import OPERATOR
from tests.support.webhooks import deliver, endpoint

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


def program() -> str:
    text = (place.PROJECT / "readmodels/api/README.md").read_text()
    block = re.search(r"^```python\n(import os, sqlite3\n.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert block is not None
    return block[1]


@contextmanager
def receiver(folder: Path, port: int, secret: str) -> Iterator[None]:
    process = subprocess.Popen(
        [sys.executable, "-c", program()],
        cwd=folder,
        env=os.environ | {"SECRET": secret, "PORT": str(port)},
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(lambda: accepts(port))
        yield
    finally:
        processes.end(process)


def accepts(port: int) -> bool:
    with closing(socket.socket()) as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def stored(folder: Path) -> list[str]:
    with closing(sqlite3.connect(folder / "webhooks.db")) as db:
        return [message_id for (message_id,) in db.execute("SELECT id FROM message ORDER BY rowid")]


@pytest.fixture
def hook(settings: Settings) -> Endpoint:
    """An endpoint at a free port of this machine."""
    settings.WEBHOOK_DEBUG = True
    return endpoint(url=f"http://127.0.0.1:{free_port()}/hook")


def port_of(hook: Endpoint) -> int:
    return int(hook.url.rpartition(":")[2].partition("/")[0])


def test_receiver_stores_each_event_once(hook: Endpoint, tmp_path: Path) -> None:
    acme = ApiClient()
    last = [int(acme.submit()["X-Event-Position"]) for _ in range(2)]
    project()

    with receiver(tmp_path, port_of(hook), keys.decrypt(hook.secret)):
        hook = deliver(hook)
        endpoints.replay(hook, after=0, at=timezone.now(), by=OPERATOR)
        deliver(hook)

    assert sorted(stored(tmp_path)) == sorted(f"evt_{position}" for position in last)
    assert Attempt.objects.filter(outcome=Outcome.DELIVERED).count() == 4


def test_receiver_accepts_messages_during_a_rotation(hook: Endpoint, tmp_path: Path) -> None:
    old = keys.decrypt(hook.secret)
    new = endpoints.rotate_secret(hook, at=timezone.now(), by=OPERATOR)

    for secret in (old, new):
        endpoints.request_test(hook, at=timezone.now(), by=OPERATOR)
        with receiver(tmp_path, port_of(hook), secret):
            deliver(hook)

    assert len(stored(tmp_path)) == 2


def test_receiver_refuses_forged_and_old_messages(hook: Endpoint, tmp_path: Path) -> None:
    secret, body = keys.decrypt(hook.secret), b'{"id":"evt_1"}'
    now = timezone.now()

    def post(*, age: int = 0, **changes: str) -> int:
        at = now - timedelta(seconds=age)
        headers = signing.headers(
            "evt_1", at, body, secrets=[keys.secret_bytes(secret)], pairs=keys.signing_keys()
        )
        headers |= {name.replace("_", "-"): value for name, value in changes.items()}
        with closing(http.client.HTTPConnection("127.0.0.1", port_of(hook), timeout=10)) as client:
            client.request("POST", "/hook", body, headers)
            return client.getresponse().status

    with receiver(tmp_path, port_of(hook), secret):
        assert post(webhook_id="evt_2") == 400
        assert post(webhook_signature="") == 400
        assert post(age=3600) == 400
        assert stored(tmp_path) == []
        assert post() == 204
    assert stored(tmp_path) == ["evt_1"]

"""The time of a key's last use is written soon, in the background and despite failures."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.utils import timezone
from pytest_django import Settings

from config.stack import place
from payments.clients.keyring import Keyring
from payments.clients.models import ApiKey
from tests.support.api import ApiClient
from tests.support.roundtrips import round_trips

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


def last_used(client: ApiClient) -> datetime | None:
    return ApiKey.objects.get(pk=client.key.pk).last_used_at


def until_written(client: ApiClient, at: datetime) -> None:
    for _ in range(200):
        if last_used(client) == at:
            return
        time.sleep(0.02)
    raise AssertionError(f"{last_used(client)} is not {at}.")


@pytest.fixture
def quick_ring(settings: Settings) -> Iterator[Keyring]:
    settings.API_KEY_USES_SECONDS = 0.05
    ring = Keyring()
    yield ring
    ring.end()


def test_last_use_is_written_without_another_request(
    quick_ring: Keyring,
) -> None:
    """A process may never receive another request after a key's use."""
    acme, bolt, now = ApiClient(), ApiClient("Bolt"), timezone.now()
    quick_ring.find(acme.token, at=now)
    until_written(acme, now)
    assert last_used(bolt) is None
    for number in range(5):
        later = now + timedelta(seconds=number + 1)
        with round_trips() as counted:
            for client in (acme, bolt):
                quick_ring.find(client.token, at=later)
        assert counted.count == 0
        until_written(acme, later)
        until_written(bolt, later)


@pytest.mark.parametrize("broken_statement", ["SELECT %s::text, %s::text, 1 / 0", object()])
def test_failed_write_of_a_last_use_is_repeated(
    quick_ring: Keyring,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    broken_statement: object,
) -> None:
    acme, now = ApiClient(), timezone.now()
    with monkeypatch.context() as broken:
        broken.setattr("payments.clients.keyring._USED", broken_statement)
        quick_ring.find(acme.token, at=now)
        quick_ring.find(acme.token, at=now)
        for _ in range(200):
            if "were not written" in caplog.text:
                break
            time.sleep(0.02)
    until_written(acme, now)


def test_last_use_is_written_at_the_end_of_the_process() -> None:
    """The test forks by multiprocessing, as a web server may do."""
    one, other, now = ApiClient(), ApiClient(), timezone.now()
    program = """
import multiprocessing, sys
from datetime import datetime
import django
django.setup()
from django.conf import settings
from django.db import connection
from payments.clients.keyring import keyring
settings.API_KEY_USES_SECONDS = 3600
def use(text):
    keyring.forget()
    assert keyring.find(text, at=datetime.fromisoformat(sys.argv[3]))
use(sys.argv[1])
connection.close()  # the child would share it
child = multiprocessing.get_context("fork").Process(target=use, args=(sys.argv[2],))
child.start()
child.join()
"""
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "tests.settings"}
    environment["TEST_DATABASE_NAME"] = connection.settings_dict["NAME"]

    subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program, one.token, other.token, now.isoformat()],
        env=environment,
        cwd=place.PROJECT,
        check=True,
        timeout=60,
    )

    assert (last_used(one), last_used(other)) == (now, now)

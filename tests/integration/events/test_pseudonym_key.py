"""A process with another PSEUDONYM_KEY is refused, because it would split every customer.

Each test fails without the comparison or without a call of `require_key`.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any, Final

import pytest
from django.core.management import call_command
from django.db import connection

from config.stack import place
from payments import pseudonyms
from payments.clients.models import Client
from payments.customers import registry
from payments.customers.models import Customer, PseudonymKey
from payments.events.models import Event
from payments.pseudonyms import WrongPseudonymKey
from payments.traffic import history
from tests.support import servers
from tests.support.api import ApiClient, body_of
from tests.support.concurrency import at_once
from tests.support.roundtrips import round_trips
from tests.support.tampering import manage

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

OTHER: Final = "another-key-for-tests-8d3b07f1c2a94e65"
REFUSAL: Final = "PSEUDONYM_KEY is not the key of this database"


@pytest.fixture(autouse=True)
def _unchecked_key() -> Iterator[None]:
    """Check the key again, as a new process does."""
    pseudonyms._verified.clear()
    pseudonyms.require_key()
    yield
    pseudonyms._verified.clear()
    PseudonymKey.objects.all().delete()
    Customer.objects.all().delete()


@pytest.fixture
def another_key(settings: Any) -> None:
    settings.PSEUDONYM_KEY = OTHER


def test_check_value_is_stored_once(settings: Any) -> None:
    stored = PseudonymKey.objects.get()
    assert settings.PSEUDONYM_KEY not in stored.check_value
    pseudonyms._verified.clear()
    pseudonyms.require_key()
    assert PseudonymKey.objects.get().check_value == stored.check_value


def test_concurrent_first_processes_store_one_check_value() -> None:
    PseudonymKey.objects.all().delete()
    pseudonyms._verified.clear()
    at_once(4, lambda _: pseudonyms.require_key())
    assert PseudonymKey.objects.count() == 1


def test_key_is_checked_once_per_process() -> None:
    with round_trips() as counted:
        for _ in range(3):
            pseudonyms.require_key()
    assert counted.count == 0


@pytest.mark.usefixtures("another_key")
def test_payment_with_another_key_stores_nothing(caplog: pytest.LogCaptureFixture) -> None:
    answer = ApiClient().submit()

    assert (answer.status_code, body_of(answer)["code"]) == (503, "temporarily_unavailable")
    assert "PSEUDONYM_KEY" not in body_of(answer)["detail"]
    assert REFUSAL in caplog.text
    assert not Event.objects.exists()
    assert not Customer.objects.exists()


@pytest.mark.usefixtures("another_key")
def test_commands_with_another_key_store_nothing(tmp_path: Path) -> None:
    acme = Client.objects.create(name="Acme")
    rows = tmp_path / "rows.csv"
    rows.write_text("amount,customer,date\n10.00,customer-1,2026-01-01T10:00:00Z\n")
    with pytest.raises(WrongPseudonymKey):
        call_command(
            "import_payments",
            str(rows),
            *("--map", "amount=amount", "--map", "customer_id=customer", "--map", "date=date"),
            *("--set", "client=Acme", "--set", "currency=USD", "--set", "method=credit_card"),
            stdout=StringIO(),
        )
    with pytest.raises(WrongPseudonymKey):
        history.write(acme.pk, events=10, seed=1)
    with pytest.raises(WrongPseudonymKey):
        registry.find("Acme", "customer-1")

    assert not Event.objects.exists()
    assert not Customer.objects.exists()


def test_key_is_compared_with_a_customer_without_a_check_value(settings: Any) -> None:
    """Databases that were filled before check values existed have none."""
    assert ApiClient().submit().status_code == 201
    PseudonymKey.objects.all().delete()
    settings.PSEUDONYM_KEY = OTHER
    assert ApiClient().submit().status_code == 503
    assert not PseudonymKey.objects.exists()


def test_programs_refuse_to_start_with_another_key() -> None:
    """The message of web, worker, beat and commands names the variable."""
    environment = {"PSEUDONYM_KEY": OTHER}
    process = manage("migrate", environment=environment)
    _, errors = process.communicate(timeout=120)
    assert (process.returncode, REFUSAL in errors) == (1, True), errors
    assert "Traceback" not in errors
    for program in (
        ["-c", "import config.wsgi"],
        ["-m", "celery", "-A", "config", "worker", "--concurrency", "1"],
        ["-m", "celery", "-A", "config", "beat", "--schedule", "/tmp/no-schedule"],
    ):
        done = subprocess.run(
            [sys.executable, *program],
            cwd=place.PROJECT,
            env={
                **os.environ,
                "DJANGO_SETTINGS_MODULE": "config.settings",
                "DATABASE_URL": servers.postgres().url(connection.settings_dict["NAME"]),
                **environment,
            },
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 1, (program, done.stderr)
        assert REFUSAL in done.stderr, (program, done.stderr)


def test_web_process_starts_without_the_database() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import config.wsgi"],
        cwd=place.PROJECT,
        env={
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "DATABASE_URL": "postgres:///payments?host=/nowhere",
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr

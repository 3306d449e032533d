"""Rebuilding while the service goes on: readers see whole tables, writers lose nothing."""

import os
import subprocess
import sys
import threading
import time
from typing import Any

import pytest
from django.db import connection, connections
from django.db.models import Count, Sum

from config.stack import place
from payments.clients.models import Client
from payments.traffic import history
from readmodels.models import Checkpoint, DailyStatistics, PaymentSummary
from readmodels.projections import PROJECTIONS
from readmodels.rebuild import rebuild
from tests.api import project
from tests.concurrency import session

pytestmark = pytest.mark.django_db(transaction=True)


def contents() -> tuple[list[Any], list[Any]]:
    return (
        list(PaymentSummary.objects.order_by("pk").values_list()),
        list(DailyStatistics.objects.order_by("pk").values_list()),
    )


@pytest.fixture
def filled() -> int:
    """A log of some thousand events, projected; returns how many payments that are."""
    client = Client.objects.create(name="Acme")
    history.write(client.pk, events=12_000, seed=1)
    project()
    return PaymentSummary.objects.count()


def test_a_rebuild_gives_the_same_rows(filled: int) -> None:
    before = contents()
    PaymentSummary.objects.update(status="failed")
    DailyStatistics.objects.all().delete()
    progress: list[int] = []
    events = rebuild(list(PROJECTIONS.values()), progress=progress.append)
    assert contents() == before
    assert events == 2 * filled == progress[-1]
    assert progress == sorted(progress)
    assert len(progress) > 1


def test_a_rebuild_of_an_empty_log_leaves_empty_tables() -> None:
    assert rebuild(list(PROJECTIONS.values())) == 0
    assert {each.position for each in Checkpoint.objects.all()} == {0}


@pytest.mark.slow
def test_readers_and_writers_go_on(filled: int) -> None:
    """Readers see the old rows or the new ones, never fewer; what is written meanwhile comes after."""
    done = threading.Event()
    seen: list[tuple[int, int]] = []
    errors: list[Exception] = []

    def read() -> None:
        try:
            while not done.is_set():
                payments = PaymentSummary.objects.aggregate(n=Count("pk"))["n"]
                counted = DailyStatistics.objects.aggregate(n=Sum("total_count"))["n"]
                seen.append((payments, counted))
        except Exception as error:  # noqa: BLE001 - raised below
            errors.append(error)
        finally:
            connections.close_all()

    def write() -> None:
        try:
            client = Client.objects.get()
            number = 1
            while not done.is_set():
                number += 1
                history.write(client.pk, events=10, seed=number)
                project()
        except Exception as error:  # noqa: BLE001 - raised below
            errors.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=read), threading.Thread(target=write)]
    for thread in threads:
        thread.start()
    for _ in range(3):
        rebuild(list(PROJECTIONS.values()))
    done.set()
    for thread in threads:
        thread.join()
    assert errors == []
    assert min(payments for payments, _ in seen) >= filled
    assert min(counted for _, counted in seen) >= filled
    project()
    after = contents()
    assert len(after[0]) > filled
    rebuild(list(PROJECTIONS.values()))
    assert contents() == after


@pytest.mark.slow
def test_a_rebuild_that_is_killed_changes_nothing(filled: int) -> None:
    before = contents()
    positions = list(Checkpoint.objects.order_by("name").values_list("position", "version"))
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "TEST_DATABASE_NAME": connection.settings_dict["NAME"],
    }
    child = subprocess.Popen(
        [sys.executable, str(place.PROJECT / "manage.py"), "rebuild_projections"],
        env=environment,
        stderr=subprocess.DEVNULL,
    )
    # It deletes first, so its row locks tell that it is at work.
    deleting = (
        "SELECT count(*) FROM pg_locks WHERE relation = 'readmodels_paymentsummary'::regclass"
        " AND mode = 'RowExclusiveLock'"
    )
    with session() as looking:
        for _ in range(2_000):
            if looking.execute(deleting).fetchone() != (0,):
                break
            time.sleep(0.002)
        else:
            pytest.fail("The rebuild never began.")
    child.kill()
    child.wait()
    assert contents() == before
    assert list(Checkpoint.objects.order_by("name").values_list("position", "version")) == positions
    rebuild(list(PROJECTIONS.values()))
    assert contents() == before

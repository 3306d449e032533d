"""How clients, staff and probes see a read-only, full, starting or overloaded database."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.db import DatabaseError, IntegrityError, OperationalError, connection
from django.test import Client as Browser
from psycopg import errors
from pytest_django import Settings

from payments import outages
from payments.application import tasks
from payments.events import store, tasks as sealing
from readmodels.models import Checkpoint
from readmodels.tasks import project
from tests.support import reviewing
from tests.support.api import RISKY, ApiClient, body_of, project as catch_up
from tests.support.backoffice import browser, text
from tests.support.concurrency import at_once, dsn, session

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _nothing_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outages, "_reporter", outages._Reporter())


@contextmanager
def read_only() -> Iterator[None]:
    """Make the database read-only and end all connections, as a failover does."""
    with default_read_only():
        connection.close()
        try:
            yield
        finally:
            connection.close()


@contextmanager
def default_read_only() -> Iterator[None]:
    """Make the database read-only by default, as an administrator does. Connections stay open."""
    name = dsn()["dbname"]
    with session() as other:
        other.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on'.encode())
        try:
            yield
        finally:
            other.execute(f'ALTER DATABASE "{name}" RESET default_transaction_read_only'.encode())


def test_read_only_database_answers_503(caplog: pytest.LogCaptureFixture) -> None:
    client = ApiClient()
    read = client.submit(**RISKY)["Location"]
    catch_up()
    with read_only():
        for _ in range(3):
            answer = client.submit("key-1")
            assert (answer.status_code, answer["Retry-After"]) == (503, "5")
            problem = body_of(answer)
            assert problem["code"] == "temporarily_unavailable"
            assert "read-only" in problem["detail"]
        claimed = client.post("/api/v1/reviews/claim-next", {}, key="desk-1")
        assert (claimed.status_code, claimed["Retry-After"]) == (503, "5")
        assert client.get(read).status_code == 200
    assert client.submit("key-1").status_code == 201
    tracebacks = [each for each in caplog.records if each.exc_info]
    assert len(tracebacks) == 1


def test_readyz_is_503_while_the_database_is_read_only() -> None:
    with read_only():
        ready = Browser().get("/readyz")
        assert (ready.status_code, body_of(ready)["database"]) == (503, "read_only")
    assert Browser().get("/readyz").status_code == 200


def test_readyz_recovers_at_once_after_failed_writes() -> None:
    client = ApiClient()
    with default_read_only():
        connection.close()
        assert client.submit().status_code == 503
        assert Browser().get("/readyz").status_code == 503
        # The previous probe's connection was opened read-only, so this probe needs a new one.
    assert Browser().get("/readyz").status_code == 200


def test_readyz_detects_a_read_only_default_despite_an_older_connection() -> None:
    client = ApiClient()
    with default_read_only():
        assert [each.status_code for each in at_once(1, lambda _: client.submit())] == [503]
        ready = Browser().get("/readyz")
        assert (ready.status_code, body_of(ready)["database"]) == (503, "read_only")
    connection.close()


def test_screens_of_a_read_only_database_are_finished_pages(settings: Settings) -> None:
    """Signing in and decisions both write to the database, as they store the session."""
    staff = browser("senior reviewer", "ada")
    payment = body_of(ApiClient().submit(**RISKY))["id"]
    catch_up()
    form = reviewing.form(staff, payment, "approve")
    sign_in = {"username": "ada", "password": "wrong"}
    with read_only():
        for debug in (False, True):
            settings.DEBUG = debug
            for page in (
                staff.post(reviewing.at(payment, "approve"), form),
                Browser().post("/admin/login/", sign_in),
            ):
                assert page.status_code == 503, text(page)
                assert page["Retry-After"] == "5"
                assert "read-only" in text(page)
    assert staff.get("/admin/").status_code == 200


def test_tasks_log_the_outage_and_projections_continue_afterwards(
    caplog: pytest.LogCaptureFixture,
) -> None:
    ApiClient().submit()
    catch_up()
    ApiClient().submit()
    before = Checkpoint.objects.get(name="payment_summary").position
    with read_only():
        project("payment_summary")
        tasks.expire_reviews()
        sealing.seal()
    assert len([each for each in caplog.records if each.exc_info]) == 1
    assert Checkpoint.objects.get(name="payment_summary").error == ""
    project("payment_summary")
    assert Checkpoint.objects.get(name="payment_summary").position > before


def failing(kind: type[DatabaseError], state: str, text: str = "") -> DatabaseError:
    """Return the error that Django raises for the SQLSTATE `state`."""
    error = kind(text)
    error.__cause__ = errors.lookup(state)(text)
    return error


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (failing(OperationalError, "53100", "could not extend file"), "full"),
        (failing(OperationalError, "53300", "sorry, too many clients already"), "busy"),
        (failing(OperationalError, "57P01"), "starting"),
        (failing(OperationalError, "57P03"), "starting"),
        (failing(OperationalError, "57014"), "busy"),
        (failing(OperationalError, "40001"), "busy"),
        (OperationalError("FATAL:  the database system is starting up"), "starting"),
        (OperationalError("FATAL:  sorry, too many clients already"), "busy"),
        (OperationalError("connection refused"), "away"),
        (failing(IntegrityError, "23505"), None),
        (failing(DatabaseError, "42P01"), None),
        (ValueError(), None),
    ],
)
def test_database_errors_map_to_outages(error: Exception, code: str | None) -> None:
    outage = outages.of(error)
    assert (None if outage is None else outage.code) == code


def test_full_disk_is_not_ready_for_a_moment() -> None:
    """Reads still work, so only a failed write shows a full disk."""
    error = failing(OperationalError, "53100", "could not extend file")
    outage = outages.of(error)
    assert outage is not None
    outages.report(error, outage)
    ready = Browser().get("/readyz")
    assert (ready.status_code, body_of(ready)["database"]) == (503, "full")


def test_outage_is_logged_in_a_line_a_second_and_a_traceback_a_minute(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each request would otherwise log five kilobytes."""
    for second in range(120):
        monkeypatch.setattr("payments.outages.time.monotonic", lambda now=second: 1_000.0 + now)
        for _ in range(100):
            error = OperationalError("connection refused")
            outages.report(error, outages._AWAY)

    assert len(caplog.records) == 120
    assert len([each for each in caplog.records if each.exc_info]) == 2
    assert "99 more" in caplog.records[-1].getMessage()
    assert caplog.records[0].levelno == logging.WARNING


def test_serialization_failure_of_an_append_is_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Regression: with serializable as the default, concurrent appends got a 503."""
    answers = iter([errors.SerializationFailure("rival"), None])

    def rival(*arguments: object) -> list[tuple[int]]:
        if error := next(answers):
            with connection.wrap_database_errors:
                raise error
        return [(1,)]

    monkeypatch.setattr(store, "execute", rival)
    assert store.insert("", {}) == [1]

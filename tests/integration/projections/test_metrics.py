"""Metrics for Prometheus, access to them, and reports of transactions that hold the horizon."""

import logging
import re
import time
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client as Browser
from django.urls import reverse
from msgspec.structs import replace
from prometheus_client.parser import text_string_to_metric_families
from pytest_django import Settings

from payments.events.reading import holders
from readmodels import tasks
from readmodels.engine import runner, wakeups
from readmodels.models import Checkpoint
from readmodels.projections import PROJECTIONS, daily_statistics, payment_summary
from tests.support.api import RISKY, ApiClient, project
from tests.support.backoffice import browser, text
from tests.support.concurrency import session
from tests.support.raw_appends import insert
from tests.support.roundtrips import round_trips

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

SUMMARY, STATISTICS = payment_summary.PROJECTION, daily_statistics.PROJECTION


def samples() -> dict[str, dict[Any, float]]:
    """Return the values of the metrics by name, and then by the values of the labels."""
    answer = Browser().get("/metrics")
    assert answer.status_code == 200
    metrics: dict[str, dict[Any, float]] = {}
    for family in text_string_to_metric_families(answer.content.decode()):
        assert family.documentation
        for sample in family.samples:
            metrics.setdefault(sample.name, {})[tuple(sample.labels.values())] = sample.value
    return metrics


def test_metrics_report_the_lag_of_each_projection() -> None:
    ApiClient().submit()
    runner.catch_up(SUMMARY)
    time.sleep(0.01)
    metrics = samples()
    assert metrics["payments_projection_lag_events"] == {
        (name,): 0 if name == SUMMARY.name else 2 for name in PROJECTIONS
    }
    waiting = metrics["payments_projection_lag_seconds"]
    assert waiting[SUMMARY.name,] == 0
    assert 0.01 <= waiting[STATISTICS.name,] < 60
    assert (
        metrics["payments_projection_position"][SUMMARY.name,]
        == metrics["payments_log_position"][()]
    )
    project()
    assert set(samples()["payments_projection_lag_events"].values()) == {0}


def test_metrics_report_stalled_projections() -> None:
    project()
    Checkpoint.objects.filter(name=SUMMARY.name).update(error="UnreadableEvent: ...")
    Checkpoint.objects.filter(name=STATISTICS.name).update(version=99)
    metrics = samples()

    assert [name for name, value in metrics["payments_projection_stopped"].items() if value] == [
        (SUMMARY.name,)
    ]
    assert [
        name for name, value in metrics["payments_projection_needs_rebuild"].items() if value
    ] == [(STATISTICS.name,)]


def test_metrics_count_and_time_batches_and_calls() -> None:
    client = ApiClient()
    client.submit()
    project()
    client.submit(**RISKY | {"customer_id": "new"})
    project()
    metrics = samples()
    assert metrics["payments_projection_events_total"] == dict.fromkeys(
        [(name,) for name in PROJECTIONS], 4
    )
    assert metrics["payments_projection_batch_seconds_count"][SUMMARY.name,] == 2
    assert 0 < metrics["payments_projection_batch_seconds_sum"][SUMMARY.name,] < 60
    calls = metrics["payments_projection_call_seconds_count"]
    assert calls["payment.initiated", SUMMARY.name] == 2
    assert calls["payment.flagged_for_review", STATISTICS.name] == 1
    assert metrics["payments_projection_call_seconds_sum"]["payment.initiated", SUMMARY.name] > 0


def test_metrics_ignore_a_batch_that_was_rolled_back(monkeypatch: pytest.MonkeyPatch) -> None:
    ApiClient().submit()
    runner.catch_up(SUMMARY)
    before = Checkpoint.objects.get(name=SUMMARY.name).work
    ApiClient().submit()

    def fail(*_: Any) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr("readmodels.engine.parking.apply_or_park", fail)
    with pytest.raises(RuntimeError):
        runner.run_batch(SUMMARY)
    assert Checkpoint.objects.get(name=SUMMARY.name).work == before


def test_metering_adds_no_round_trip_to_a_batch() -> None:
    """Even with metering, a batch takes one round trip for each of its steps.

    These are begin, lock, sequence, writers, events, parked, savepoint, rows, release, checkpoint
    and commit.
    """
    client = ApiClient()
    for _ in range(8):  # until every statement is prepared
        client.submit()
        runner.catch_up(STATISTICS)
    client.submit()

    with round_trips() as counted:
        runner.run_batch(STATISTICS)

    assert counted.count == 11


def test_metrics_report_parked_events(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> Any:
        raise ZeroDivisionError

    ApiClient().submit()
    runner.catch_up(replace(STATISTICS, delta=broken))
    assert samples()["payments_projection_parked_events"][STATISTICS.name,] == 2


def test_scrape_takes_few_queries() -> None:
    samples()
    with round_trips() as counted:
        samples()
    assert counted.count <= len(PROJECTIONS) + 18


def test_scrape_without_a_token_is_for_this_machine_only() -> None:
    for address, headers, status in (
        ("127.0.0.1", {}, 200),
        ("127.8.9.1", {}, 200),
        ("::1", {}, 200),
        ("10.0.0.7", {}, 403),
        ("", {}, 403),
        ("127.0.0.1", {"X-Forwarded-For": "10.0.0.7"}, 403),
        ("127.0.0.1", {"Forwarded": "for=10.0.0.7"}, 403),
        ("127.0.0.1", {"Via": "1.1 proxy"}, 403),
        ("127.0.0.1", {"X-Forwarded-Proto": "https"}, 403),
        ("127.0.0.1", {"X-Forwarded-Port": "443"}, 403),
        ("127.0.0.1", {"X-Forwarded-Anything": "x"}, 403),
        ("127.0.0.1", {"X-Client-IP": "10.0.0.7"}, 403),
        ("127.0.0.1", {"CF-Connecting-IP": "10.0.0.7"}, 403),
        ("127.0.0.1", {"X-Real-IP": "10.0.0.7"}, 403),
        ("127.0.0.1", {"True-Client-IP": "10.0.0.7"}, 403),
        ("10.0.0.7", {"Authorization": "Bearer "}, 403),
    ):
        answer = Browser(REMOTE_ADDR=address).get("/metrics", headers=headers)
        assert answer.status_code == status, (address, headers)


def test_scrape_with_a_token_needs_that_token(settings: Settings) -> None:
    settings.METRICS_TOKEN = "täglich-frisch"
    for given, status in (
        ("Bearer täglich-frisch", 200),
        ("bearer täglich-frisch", 200),
        ("Bearer wrong", 401),
        ("Bearer", 401),
        ("Basic täglich-frisch", 401),
        ("", 401),
    ):
        answer = Browser(REMOTE_ADDR="10.0.0.7").get("/metrics", headers={"Authorization": given})
        assert answer.status_code == status, given
    assert answer["WWW-Authenticate"] == "Bearer"


def test_scrape_fails_if_the_database_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("readmodels.queries.bounded._SECONDS", 0.1)
    with session() as other, other.transaction():
        other.execute("LOCK TABLE readmodels_checkpoint IN ACCESS EXCLUSIVE MODE")
        assert Browser().get("/metrics").status_code == 503


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holders, "LONG_SECONDS", 0.1)


@pytest.fixture(params=["open", "prepared"])
def held(request: pytest.FixtureRequest, impatient: None) -> Iterator[str]:
    """Append without a commit. Yield the statement that ends the transaction."""
    with session() as writer:
        writer.execute("BEGIN")
        insert(writer)
        if request.param == "prepared":
            writer.execute("PREPARE TRANSACTION 'of O''Neill'")
        time.sleep(0.12)
        yield (
            f"SELECT pg_terminate_backend({writer.info.backend_pid});"
            if request.param == "open"
            else "ROLLBACK PREPARED 'of O''Neill';"
        )
        if request.param == "prepared":
            writer.execute("ROLLBACK PREPARED 'of O''Neill'")


def logged(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [each.getMessage() for each in caplog.records if each.name == "readmodels.tasks"]


def test_transaction_that_holds_the_horizon_is_shown_everywhere(held: str) -> None:
    ApiClient().submit()
    project_nothing()
    assert samples()["payments_log_oldest_append_seconds"][()] > 0.1
    out = StringIO()
    with pytest.raises(SystemExit, match="1"):
        call_command("projections", stdout=out)
    assert held in out.getvalue()
    manager = browser("risk manager")
    page = text(manager.get(reverse("admin:readmodels_checkpoint_changelist")))
    assert held in page.replace("&#x27;", "'")


def test_worker_logs_the_holder_of_the_horizon_once(
    held: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    impatiently(monkeypatch)
    with caplog.at_level(logging.WARNING):
        for name in PROJECTIONS:
            tasks.project(name)
        tasks.project_all()
    (line,) = logged(caplog)

    assert held in line
    assert re.search(r"open for \d+ s", line)


def test_worker_does_not_log_a_short_append(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    impatiently(monkeypatch)
    with session() as writer, caplog.at_level(logging.WARNING):
        writer.execute("BEGIN")
        insert(writer)
        tasks.project(SUMMARY.name)
        assert holders.open_appends(longer_than=holders.LONG_SECONDS) == []
        assert len(holders.open_appends()) == 1
    assert logged(caplog) == []
    assert samples()["payments_log_oldest_append_seconds"][()] == 0


def test_worker_logs_the_pid_if_its_role_may_not_see_ages(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Even without the age of other sessions, the worker names the session it waits for."""
    impatiently(monkeypatch)
    monkeypatch.setattr(holders, "open_appends", lambda **_: [])
    with session() as writer, caplog.at_level(logging.WARNING):
        writer.execute("BEGIN")
        insert(writer)
        tasks.project(SUMMARY.name)
        (line,) = logged(caplog)
        assert f"pid {writer.info.backend_pid}" in line


def impatiently(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the waits and publish no tasks."""
    from payments.events.reading import horizon

    safe_position = horizon.safe_position
    monkeypatch.setattr(horizon, "safe_position", lambda: safe_position(patience=0.01))
    monkeypatch.setattr(wakeups.projections, "wake", lambda *_, **__: None)


def project_nothing() -> None:
    """Create checkpoints, so that the metrics have projections to show."""
    for projection in PROJECTIONS.values():
        Checkpoint.objects.get_or_create(name=projection.name, version=projection.version)

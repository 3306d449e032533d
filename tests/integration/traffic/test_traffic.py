"""Simulated payments, demo data and staff accounts."""

import itertools
from collections import Counter
from datetime import UTC, datetime, timedelta
from io import StringIO
from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.models import Q
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from payments import permissions
from payments.aggregates import PAYMENT_AGGREGATE
from payments.application import review
from payments.clients.models import Client
from payments.customers.models import Customer
from payments.domain.backtest.labels import Label, label
from payments.domain.methods import Method
from payments.domain.payment.codes import DisputeOutcome
from payments.events import batches
from payments.events.models import Event
from payments.traffic import demo, senders, simulation
from readmodels import roles
from readmodels.models import PaymentSummary
from tests.support.api import ApiClient, project
from tests.support.concurrency import session

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


def run(command: str, *arguments: str, **options: Any) -> str:
    out = StringIO()
    call_command(command, *arguments, stdout=out, **options)
    return out.getvalue()


def test_simulation_with_the_same_seed_is_repeatable() -> None:
    first, again, other = (
        list(itertools.islice(simulation.attempts(seed), 5_000)) for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other
    assert {attempt.method for attempt in first} == set(Method)
    assert len({attempt.amount.currency for attempt in first}) == 4
    assert 0 < len(first) - len({attempt.key for attempt in first}) < 300
    customers = Counter(attempt.customer_reference for attempt in first)
    assert customers.most_common(1)[0][1] > 20
    assert all(attempt.amount.minor > 0 for attempt in first)


@pytest.mark.slow
def test_simulation_keeps_its_rate_and_reaches_every_outcome() -> None:
    output = run("simulate_payments", "--rate=200", "--for=2", "--seed=1")
    sent = int(output.split()[0])
    assert 380 <= sent <= 410
    for status in ("completed", "failed", "pending_review", "replayed"):
        assert status in output
    project()
    replayed = int(output.split("replayed")[1].split()[0])
    assert PaymentSummary.objects.count() == sent - replayed


def test_simulation_shows_its_progress(capsys: pytest.CaptureFixture[str]) -> None:
    run("simulate_payments", "--rate=50", "--for=1", "--seed=1")
    shown = capsys.readouterr().err

    assert "Seconds" in shown
    assert "1/1" in shown
    assert "ETA" in shown


@pytest.mark.slow
def test_simulation_over_http_submits_payments(
    live_server: LiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("API_KEY", ApiClient().token)
    output = run(
        "simulate_payments", "--rate=50", "--for=1", "--threads=2", f"--http={live_server.url}"
    )
    assert "completed" in output
    assert Event.objects.count() > 50
    monkeypatch.setenv("API_KEY", "pk_nonsense")
    with pytest.raises(SystemExit) as exit_:
        run("simulate_payments", "--rate=50", "--for=0.2", f"--http={live_server.url}")
    assert exit_.value.code == 1


def test_sender_reconnects_after_the_database_closed_its_connection() -> None:
    client = Client.objects.create(name="Acme")
    send = senders.directly(client.pk)
    attempts = simulation.attempts(1)
    assert send(next(attempts)) in {"completed", "failed", "pending_review"}
    with session() as other:
        pid = connection.connection.info.backend_pid
        other.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
    assert send(next(attempts)) in {"completed", "failed", "pending_review"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--rate=0"], "--rate must be over 0"),
        (["--for=-1"], "--for must be over 0"),
        (["--for=inf"], "at most 1000000 seconds"),
        (["--for=nan"], "--for must be over 0"),
        (["--threads=0"], "--threads must be from 1 to 64"),
        (["--http=ftp://x"], "must begin with http"),
        (["--http=http://x"], "variable API_KEY"),
        (["--history=0"], "--history must be from 1"),
    ],
)
def test_simulation_refuses_invalid_arguments_in_one_line(
    arguments: list[str], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("API_KEY", raising=False)
    with pytest.raises(CommandError, match=message):
        run("simulate_payments", *arguments)


def test_simulated_history_begins_in_the_past() -> None:
    output = run("simulate_payments", "--history=3000", "--seed=1")
    events = int(output.split()[0].replace(",", ""))
    assert events == Event.objects.count() >= 3000
    project()
    first = PaymentSummary.objects.order_by("initiated_at")[0]
    assert first.initiated_at < datetime.now(UTC) - timedelta(days=900)


def test_seed_demo_is_idempotent_and_covers_every_role(settings: Settings) -> None:
    settings.DEBUG = True
    output = run("seed_demo")
    password = output.split("Password: ")[1].split()[0]
    events = Event.objects.count()
    assert events > 500
    project()
    waiting = PaymentSummary.objects.filter(status="pending_review")
    now = datetime.now(UTC)
    unusual = Q(escalated=True) | Q(claimed_until__gt=now) | ~Q(first_approver="")
    routed = Q(snoozed_until__gt=now) | ~Q(assigned_to="")
    assert waiting.filter(review_deadline__lte=now).count() == 1
    assert waiting.filter(unusual).count() == 3
    assert (waiting.filter(snoozed_until__gt=now).count(), waiting.filter(routed).count()) == (1, 2)
    assert waiting.exclude(unusual | routed).count() == 2
    assert PaymentSummary.objects.filter(status="rejected").exists()
    _assert_disputes(now)
    assert Customer.objects.exclude(name="").count() == 8
    for name, (_, _, role, _) in demo.STAFF.items():
        user = get_user_model().objects.get(username=name)
        assert user.check_password(password)
        reviews = role not in {"viewer", "auditor"}
        assert permissions.holds(user, permissions.REVIEW) is reviews
        assert f"{name:<6}{role}" in output
    assert {role for *_, role, _ in demo.STAFF.values()} == set(roles.ROLES)
    settings.DEMO_PASSWORD = "of the launcher"
    assert "Password: of the launcher\nada " in run("seed_demo")
    settings.DEMO_PASSWORD = ""
    again = run("seed_demo")
    assert "Password" not in again
    assert again.count("(password unchanged)") == len(demo.STAFF)
    assert get_user_model().objects.get(username="ada").check_password(password)
    assert "already complete" in run("seed_demo")
    assert Event.objects.count() == events


def _assert_disputes(now: datetime) -> None:
    """Assert that the demo data give the dispute list, labels and a backtest something to show."""
    payments = batches.load(
        PAYMENT_AGGREGATE, list(PaymentSummary.objects.values_list("payment_id", flat=True))
    )
    states = [each.state for each in payments.values() if each.state is not None]
    disputes = [dispute for each in states for dispute in each.disputes]
    due = sorted(each.respond_by for each in disputes if each.is_open and each.respond_by)
    assert [each for each in due if now < each < now + timedelta(days=1)] == [due[-4]]
    assert sum(each.responded_at is not None for each in disputes) == 1
    assert {DisputeOutcome.WON, DisputeOutcome.LOST} <= {each.outcome for each in disputes}
    labels = Counter(label(each, at=now) for each in states)
    assert labels[Label.FRAUD] >= 3
    assert labels[Label.GOOD] > 80
    assert labels[Label.DISPUTE_OPEN] >= 4


def test_seed_demo_completes_an_interrupted_run(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.DEBUG = True
    decided = iter(range(3))

    def decide_and_die(*arguments: Any, **options: Any) -> Any:
        next(decided)  # StopIteration simulates a kill
        return review.handle(*arguments, **options)

    monkeypatch.setattr(demo, "review", SimpleNamespace(handle=decide_and_die))
    with pytest.raises(StopIteration):
        run("seed_demo")
    interrupted = Event.objects.count()
    monkeypatch.setattr(demo, "review", review)
    assert "Demo data added." in run("seed_demo")
    assert Event.objects.count() > interrupted
    assert "already complete" in run("seed_demo")
    project()
    waiting = PaymentSummary.objects.filter(status="pending_review")
    assert (waiting.count(), waiting.exclude(first_approver="").count()) == (7, 1)


def test_seed_demo_is_refused_without_debug() -> None:
    with pytest.raises(CommandError, match="DEBUG is 0"):
        run("seed_demo")
    assert get_user_model().objects.count() == 0


def test_create_staff_assigns_the_role() -> None:
    password = run("create_staff", "grace", role="analyst").strip()
    user = get_user_model().objects.get(username="grace")
    assert user.check_password(password)
    assert permissions.holds(user, permissions.REVIEW)
    run("create_staff", "vic", role="viewer")
    vic = get_user_model().objects.get(username="vic")
    assert not permissions.holds(vic, permissions.REVIEW)
    for username, complaint in (
        ("grace", "User 'grace' exists already"),
        ("a b", "valid username"),
        ("4111111111111111", "username: .* card number"),
    ):
        with pytest.raises(CommandError, match=complaint):
            run("create_staff", username, role="viewer")


def test_create_staff_refuses_a_weak_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", StringIO("password\n"))
    with pytest.raises(CommandError, match="too common"):
        run("create_staff", "grace", role="viewer", password_stdin=True)
    assert get_user_model().objects.count() == 0

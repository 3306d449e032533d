"""Simulated disputes depend only on the seed and are more frequent for suspicious payments."""

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import pytest
from django.core.management import CommandError

from payments import actors
from payments.aggregates import PAYMENT_AGGREGATE
from payments.clients.models import Client
from payments.domain.backtest.labels import Kind, label
from payments.domain.payment.codes import DisputeOutcome, DisputeReason
from payments.domain.payment.commands import CloseDispute, OpenDispute
from payments.domain.payment.state import Payment
from payments.events import batches
from payments.events.models import Event
from payments.traffic import dispute_stories, simulation
from payments.traffic.dispute_stories import Paid, is_fraud_like, notices
from tests.integration.traffic.test_traffic import run

NOON: Final = datetime(2026, 1, 5, 12, tzinfo=UTC)
FRAUD: Final = {DisputeReason.FRAUDULENT, DisputeReason.UNRECOGNIZED}


def paid(seed: int, count: int) -> list[Paid]:
    attempts = itertools.islice(simulation.attempts(seed), count)
    return [Paid(UUID(int=n), UUID(int=0), attempt, NOON) for n, attempt in enumerate(attempts)]


def test_story_depends_only_on_the_attempt() -> None:
    first, again = ([notices(each, 0.2) for each in paid(1, 1_000)] for _ in range(2))

    assert first == again
    assert first != [notices(each, 0.2) for each in paid(2, 1_000)]
    assert [notices(each, 0.0) for each in paid(1, 100)] == [[]] * 100


def test_share_of_payments_is_disputed_mostly_those_that_look_like_fraud() -> None:
    payments = paid(1, 30_000)
    disputed = [(each, found[0]) for each in payments if (found := notices(each, 0.02))]
    suspects = [each for each in payments if is_fraud_like(each.attempt)]
    hit = [opened for each, opened in disputed if is_fraud_like(each.attempt)]
    fraud = [opened for opened in hit if _reason(opened) in FRAUD]
    others = [opened for each, opened in disputed if not is_fraud_like(each.attempt)]

    assert 0.015 < len(disputed) / len(payments) < 0.025
    assert 0.05 < len(suspects) / len(payments) < 0.1
    assert len(hit) / len(suspects) > 4 * len(others) / (len(payments) - len(suspects))
    assert len(fraud) > 0.7 * len(hit)
    assert sum(_reason(opened) in FRAUD for opened in others) < 0.3 * len(others)


def test_disputes_come_after_days_to_weeks_and_end_later() -> None:
    noticed = [found for each in paid(3, 5_000) if (found := notices(each, 0.1))]
    delays = sorted(found[0].at - NOON for found in noticed)
    ends = [found[-1] for found in noticed]

    assert timedelta(days=1) < delays[0]
    assert timedelta(days=8) < delays[len(delays) // 2] < timedelta(days=20)
    assert delays[-1] <= timedelta(days=85)
    assert all(found == sorted(found, key=lambda each: each.at) for found in noticed)
    assert all(isinstance(end, CloseDispute) for end in ends)
    outcomes = {end.outcome for end in ends if isinstance(end, CloseDispute)}
    assert outcomes == set(DisputeOutcome) - {DisputeOutcome.PREVENTED}
    assert {len(found) for found in noticed} == {2, 3}


def _reason(notice: object) -> DisputeReason:
    assert isinstance(notice, OpenDispute)
    return notice.reason


def states() -> list[Payment]:
    ids = Event.objects.filter(aggregate_type="payment", version=1)
    loaded = batches.load(PAYMENT_AGGREGATE, list(ids.values_list("aggregate_id", flat=True)))
    return [each.state for each in loaded.values() if each.state is not None]


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_simulated_history_has_disputes_of_the_given_share() -> None:
    output = run("simulate_payments", "--history=6000", "--seed=1", "--disputes=10%")

    assert int(output.split()[0].replace(",", "")) == Event.objects.count() >= 6000
    payments = states()
    disputed = [each for each in payments if each.disputes]
    assert 0.06 < len(disputed) / len(payments) < 0.14
    now = datetime.now(UTC)
    for each in disputed:
        assert each.initiated_at < each.disputes[0].opened_at <= now
    labels = [label(each, at=now) for each in payments]
    assert {each.kind for each in labels} == set(Kind)


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_live_simulation_delivers_notices_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    def soon(payment: Paid, share: float, *, day: timedelta) -> Any:
        assert (share, day) == (1.0, timedelta(seconds=1))
        return original(payment, share, day=day / 1_000)

    original = dispute_stories.notices
    monkeypatch.setattr(dispute_stories, "notices", soon)

    output = run("simulate_payments", "--rate=50", "--for=2", "--seed=1", "--disputes=100%")

    delivered = int(output.split("dispute notices")[1].split()[0])
    stored = Event.objects.filter(event_type__startswith="payment.dispute")
    assert 0 < delivered <= stored.count()
    client = Client.objects.get()
    assert stored.filter(metadata__actor=actors.client(client.pk)).count() == stored.count()


@pytest.mark.parametrize("share", ["0.5", "x%", "101%", "-1%", "nan%"])
def test_share_is_refused_without_percent_or_outside_its_range(share: str) -> None:
    with pytest.raises(CommandError, match="is not a share from 0% to 100%"):
        run("simulate_payments", f"--disputes={share}")


def test_disputes_over_http_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CommandError, match="cannot be combined with --http"):
        run("simulate_payments", "--disputes=1%", "--http=http://x")

"""The result is a pure function of the question and the log."""

import tracemalloc
from datetime import timedelta

import pytest
from django.utils import timezone

from payments import actors
from payments.application import corrections
from payments.application.dispatch import CommandContext
from payments.customers import blocking
from payments.customers.models import Customer
from payments.domain.backtest.question import Mode
from payments.domain.customer import BlockReason
from payments.domain.payment.codes import RefundReason
from payments.domain.risk.policy import DEFAULT_POLICY
from payments.events.models import Event
from payments.traffic import demo
from readmodels.backtests import leases, questions, reading, requests, verifying
from readmodels.backtests.models import Backtest, BacktestPart, State
from tests.support import example_commands
from tests.support.backtests import (
    amount_of,
    ask,
    client_id,
    facts,
    finished,
    json_of,
    submit,
    submit_many,
    work_on,
)
from tests.support.examples import NOON, OPERATOR

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


def test_active_policy_decides_the_demo_as_it_was_decided() -> None:
    demo.seed("password")

    backtest = finished(DEFAULT_POLICY)

    result = json_of(backtest)
    assert backtest.state == State.DONE
    assert result["recorded"] > 350
    assert (result["flips"], result["drift"], result["not_evaluable_payments"]) == (0, 0, 0)
    assert result["drift_checked"] == result["recorded"]


def test_reconstructed_features_equal_recorded_ones_of_a_quiet_log(small_parts: None) -> None:
    for number in range(30):
        at = NOON + timedelta(minutes=11 * number)
        submit(f"customer-{number % 4}", minor=amount_of(number), at=at)
    blocked = Customer.objects.order_by("reference")[0]
    blocking.change(
        blocked.pk, reason=BlockReason.CHARGEBACKS, note="Case 12", by=OPERATOR, at=NOON
    )
    submit(blocked.reference or "", at=NOON + timedelta(hours=6))

    recorded, reconstructed = (
        json_of(finished(DEFAULT_POLICY, mode=mode)) for mode in (Mode.RECORDED, Mode.RECONSTRUCTED)
    )

    assert (recorded["flips"], recorded["recorded"], recorded["reconstructed"]) == (0, 31, 0)
    assert (reconstructed["recorded"], reconstructed["reconstructed"]) == (0, 31)
    assert {rule["rule"] for rule in recorded["rules"]} >= {
        "customer_blocked",
        "first_card_payment_large",
        "large_volume_24h",
    }
    for part in ("matrix", "rules", "bands", "examples", "flips"):
        assert recorded[part] == reconstructed[part]


def test_digest_does_not_depend_on_the_size_of_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    submit_many()
    digests = set()

    for mode in (Mode.RECORDED, Mode.RECONSTRUCTED, Mode.AUTO):
        for size in (5, 16, 1_000):
            monkeypatch.setattr(questions, "PART", size)
            digests.add((mode, finished(mode=mode).digest))

    assert len(digests) == 3
    assert (BacktestPart.objects.count(), facts()) == (0, 0)


def test_later_events_do_not_change_a_result(small_parts: None) -> None:
    submit_many()
    before = finished()
    payment_id = Event.objects.filter(event_type="payment.processed")[0].aggregate_id
    corrections.handle(
        example_commands.refund(
            payment_id=payment_id, client_id=client_id(), reason=RefundReason.FRAUDULENT
        ),
        CommandContext(actor=actors.client(client_id())),
    )
    submit("customer-9")

    with verifying.repeated(before, at=NOON) as repetition:
        work_on(repetition.pk)
        repetition.refresh_from_db()
        found = verifying.difference(before, repetition)
    later = finished()

    assert (found, repetition.digest) == (None, before.digest)
    assert not Backtest.objects.filter(verifies__isnull=False).exists()
    assert json_of(later)["payments"] == json_of(before)["payments"] + 1
    assert {cell["label"] for cell in json_of(later)["matrix"]} - {
        cell["label"] for cell in json_of(before)["matrix"]
    } == {"fraud"}


def test_two_verifications_at_once_keep_their_repetitions(small_parts: None) -> None:
    """Regression: the first to end deleted the other's repetition, so the other one crashed."""
    submit_many()
    backtest = finished()
    now = timezone.now()
    with verifying.repeated(backtest, at=now) as slower:
        leases.claim(slower.pk, at=now)
        with verifying.repeated(backtest, at=now) as first:
            work_on(first.pk)

        leases.release_all(slower.pk)
        work_on(slower.pk)
        slower.refresh_from_db()
        found = verifying.difference(backtest, slower)

    assert found is None


@pytest.mark.parametrize("claimed", [False, True])
def test_repetition_of_a_killed_verification_is_deleted_by_the_next(
    small_parts: None, *, claimed: bool
) -> None:
    """Regression: a verification killed before its first part left its repetition in the queue."""
    submit_many()
    backtest, other = finished(), finished(DEFAULT_POLICY)
    now = timezone.now()
    for each in (backtest, other):
        left = requests.repeat(each, at=now)
        if claimed:
            leases.claim(left.pk, at=now)

    with verifying.repeated(backtest, at=now + leases.LEASE) as repetition:
        work_on(repetition.pk)

    assert set(Backtest.objects.all()) == {backtest, other}


def test_repetition_that_waits_for_its_turn_is_not_deleted(small_parts: None) -> None:
    submit_many()
    backtest, now = finished(), timezone.now()
    waiting = requests.repeat(backtest, at=now)
    later = now + leases.LEASE / 2 + timedelta(seconds=1)
    for _ in range(leases.MOST_RUNNING):
        leases.claim(ask().pk, at=later)

    assert leases.claim(waiting.pk, at=later) is leases.NoPart.QUEUED
    verifying.sweep(at=now + leases.LEASE)
    kept = Backtest.objects.filter(pk=waiting.pk).exists()
    verifying.sweep(at=later + leases.LEASE)

    assert kept
    assert not Backtest.objects.filter(pk=waiting.pk).exists()


def test_range_begins_behind_its_first_position_but_histories_with_the_log(
    small_parts: None,
) -> None:
    submit_many(20)
    middle = Event.objects.order_by("position")[20].recorded_at
    since = Event.objects.filter(recorded_at__lt=middle).order_by("-position")[0].position

    for mode in (Mode.RECORDED, Mode.RECONSTRUCTED):
        backtest = finished(DEFAULT_POLICY, mode=mode, since=middle)

        assert backtest.since == since
        assert (json_of(backtest)["payments"], json_of(backtest)["flips"]) == (10, 0)


def test_range_ends_with_the_last_event_before_a_time(small_parts: None) -> None:
    submit_many(10)
    end = Event.objects.order_by("position")[10].recorded_at

    backtest = finished(until=end)

    assert backtest.upto == Event.objects.filter(recorded_at__lt=end).count()
    assert json_of(backtest)["payments"] == 5


def test_sample_evaluates_a_share_of_the_payments_in_each_mode(small_parts: None) -> None:
    submit_many()

    results = [
        json_of(finished(mode=mode, sample_ppm=300_000, seed=5))
        for mode in (Mode.RECORDED, Mode.RECONSTRUCTED)
    ]

    assert 0 < results[0]["evaluated"] < 20
    assert results[0]["evaluated"] + results[0]["not_sampled"] == 30
    assert results[0]["matrix"] == results[1]["matrix"]


def test_imported_payments_are_evaluable_only_by_their_history(small_parts: None) -> None:
    submit_many(5)
    submit_many(20, first=5, scored=False)

    recorded, automatic = (json_of(finished(mode=mode)) for mode in (Mode.RECORDED, Mode.AUTO))

    assert (recorded["recorded"], recorded["not_evaluable"]) == (5, {"features": 20})
    assert (automatic["recorded"], automatic["reconstructed"]) == (5, 20)
    assert automatic["not_evaluable_payments"] == 0


@pytest.mark.parametrize("mode", [Mode.RECORDED, Mode.RECONSTRUCTED])
def test_memory_does_not_grow_with_the_number_of_payments(
    monkeypatch: pytest.MonkeyPatch, mode: Mode
) -> None:
    monkeypatch.setattr(questions, "PART", 200)
    monkeypatch.setattr(reading, "_AT_ONCE", 50)
    submit_many(200, customers=100)
    finished(mode=mode)  # fills caches
    few = _peak(mode)
    submit_many(2_000, first=200, customers=100)

    many = _peak(mode)

    assert many < few + 500_000  # bytes; 2,000 payments' events would need 3,000,000


def _peak(mode: Mode) -> int:
    """Return the peak of allocated memory, in bytes, while the backtest ran."""
    backtest = ask(DEFAULT_POLICY, mode=mode)
    tracemalloc.start()
    work_on(backtest.pk)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak

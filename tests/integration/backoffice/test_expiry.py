"""A review expires once after its deadline. One that cannot expire does not delay others."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.utils import timezone

from payments.aggregates import PAYMENT_AGGREGATE
from payments.application import expiry, tasks
from payments.domain.payment.events import AnyPaymentEvent
from payments.domain.payment.state import REVIEW_PERIOD
from payments.events import store
from payments.events.metadata import Metadata
from payments.events.models import Event
from readmodels.models import DailyStatistics, PaymentSummary
from readmodels.queries import review_queue
from tests.support.api import PAYMENTS, RISKY, ApiClient, body_of, project
from tests.support.concurrency import at_once
from tests.support.example_events import flagged, initiated
from tests.support.examples import LARGE, NOON

pytestmark = pytest.mark.django_db(transaction=True)

BY_TEST = Metadata(actor="system:test", command="process_payment")


@pytest.fixture
def acme() -> ApiClient:
    return ApiClient("Acme")


def waiting(*, at: datetime = NOON, **changes: Any) -> UUID:
    """Submit a payment that has been waiting for review since `at`."""
    payment_id = uuid4()
    since = {"at": at, "initiated_at": at}
    deadline = {"deadline": at + REVIEW_PERIOD, "flagged_at": at} | changes
    events: list[AnyPaymentEvent] = [initiated(amount=LARGE, **since), flagged(**since, **deadline)]
    store.append(PAYMENT_AGGREGATE, payment_id, events, expected=0, metadata=BY_TEST)
    return payment_id


def statuses() -> dict[UUID, str]:
    return dict(PaymentSummary.objects.values_list("payment_id", "status"))


def test_review_expires_after_its_deadline_only(acme: ApiClient) -> None:
    payment = body_of(acme.submit(**RISKY))
    project()
    tasks.expire_reviews()
    assert Event.objects.count() == 2
    deadline = datetime.fromisoformat(payment["review_deadline"])
    assert list(expiry.expire_due(deadline - timedelta(microseconds=1))) == []
    assert list(expiry.expire_due(deadline)) == [UUID(payment["id"])]
    project()
    shown = body_of(acme.get(f"{PAYMENTS}/{payment['id']}"))
    assert (shown["status"], shown["version"]) == ("expired", 3)
    first, last = DailyStatistics.objects.order_by("day")
    assert (first.review_count, first.open_reviews, first.expired_count) == (1, 0, 0)
    assert (last.expired_count, last.expired_volume) == (1, RISKY["amount"])
    assert Event.objects.get(version=3).metadata["actor"] == "system:expiry"
    assert list(expiry.expire_due(deadline)) == []


def test_expiry_task_expires_due_reviews(acme: ApiClient) -> None:
    """The task also expires payments that were flagged before events had deadlines."""
    old, new = waiting(deadline=None), waiting(at=timezone.now())
    project()
    tasks.expire_reviews()
    project()
    assert statuses() == {old: "expired", new: "pending_review"}
    late = acme.post(f"{PAYMENTS}/{old}/approve", {"reason": "other"})
    assert late.status_code in {404, 409}


def test_expiry_pages_advance_while_the_queue_lags(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two payments share each deadline, and the projection does not run during the expiry."""
    monkeypatch.setattr(review_queue, "PAGE", 2)
    due = {waiting(at=NOON + timedelta(minutes=number // 2)) for number in range(7)}
    project()

    found = list(expiry.expire_due(timezone.now()))

    assert len(found) == 7
    assert set(found) == due
    assert Event.objects.filter(event_type="payment.expired").count() == 7


def test_expiry_skips_payments_decided_in_the_meantime(acme: ApiClient) -> None:
    cancelled = body_of(acme.submit(**RISKY))["id"]
    other = body_of(acme.submit(**RISKY | {"reference": "order-2", "customer_id": "c-2"}))["id"]
    project()
    acme.post(f"{PAYMENTS}/{cancelled}/cancel", {"reason": "duplicate"})
    list(expiry.expire_due(timezone.now() + REVIEW_PERIOD))
    project()

    assert statuses() == {UUID(cancelled): "cancelled", UUID(other): "expired"}


def test_expiry_skips_unreadable_payments() -> None:
    """Regression: the first unreadable stream kept all later reviews open."""
    broken, sound = waiting(), waiting(at=NOON + timedelta(hours=1))
    project()
    unread = Metadata(actor="system:test", command="approve_payment")
    event = flagged()
    strange = type("Strange", (type(event),), {"event_type": "payment.teleported"}, frozen=True)
    fields = {name: getattr(event, name) for name in event.__struct_fields__}

    store.append(PAYMENT_AGGREGATE, broken, [strange(**fields)], expected=2, metadata=unread)

    assert list(expiry.expire_due(timezone.now())) == [broken, sound]
    assert list(Event.objects.filter(event_type="payment.expired").values_list("aggregate_id")) == [
        (sound,)
    ]


def test_concurrent_workers_expire_each_review_once() -> None:
    due = {waiting() for _ in range(5)}
    project()
    at_once(6, lambda _: list(expiry.expire_due(timezone.now())))
    ended = Event.objects.filter(event_type="payment.expired").values_list(
        "aggregate_id", flat=True
    )

    assert sorted(ended) == sorted(due)

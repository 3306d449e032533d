"""Metrics of the review queue."""

from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client as Browser

from readmodels.models import PaymentSummary
from tests.support.reviewing import waiting

pytestmark = pytest.mark.django_db(transaction=True)


def _samples(prefix: str) -> set[str]:
    lines = Browser().get("/metrics").content.decode().splitlines()
    return {line for line in lines if line.startswith(prefix)}


def test_metrics_count_what_waits_and_what_nears_its_deadline() -> None:
    payments = waiting(3)
    now = datetime.now(UTC)
    for payment, hours in zip(payments, (10, 60, 90), strict=True):
        begun = now - timedelta(hours=hours)
        PaymentSummary.objects.filter(pk=payment).update(
            flagged_at=begun, review_deadline=begun + timedelta(hours=100)
        )

    assert _samples("payments_reviews_waiting") == {'payments_reviews_waiting{currency="USD"} 3.0'}
    assert _samples("payments_reviews_past_deadline_percent") == {
        'payments_reviews_past_deadline_percent{percent="50"} 2.0',
        'payments_reviews_past_deadline_percent{percent="80"} 1.0',
        'payments_reviews_past_deadline_percent{percent="100"} 0.0',
    }
    ((oldest),) = _samples("payments_reviews_oldest_seconds")
    assert 90 * 3_600 <= float(oldest.rpartition(" ")[2]) < 91 * 3_600

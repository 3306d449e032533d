"""The facts about a dispute: its payment, the risk assessment, the review, earlier payments."""

from collections.abc import Iterator
from typing import Any, Final

from django.http import HttpRequest
from msgspec import Struct

from payments import permissions
from payments.domain.payment.disputes import find
from payments.domain.payment.events import (
    PaymentApproved,
    PaymentFirstApproved,
    PaymentRejected,
    ReviewEscalated,
)
from readmodels import labels
from readmodels.admin.base import fragments
from readmodels.admin.review import disputed, evidence, timeline
from readmodels.models import DisputeSummary

_MOST_OTHERS: Final = 5
_REVIEW: Final = {
    each.event_type
    for each in (PaymentFirstApproved, PaymentApproved, PaymentRejected, ReviewEscalated)
}


def gather(row: DisputeSummary, request: HttpRequest) -> dict[str, Any]:
    """Return the context of dispute.html. The payment is read from the log."""
    payment, history = evidence.load(row.payment_id)
    dispute = find(payment.disputes, row.dispute_id)
    assert dispute is not None, "its row is made of the payment's events"  # noqa: S101
    entries = timeline.load(payment, history)
    (shown_dispute,) = (
        each for each in disputed.shown(payment, history, entries) if each.dispute is dispute
    )
    may_change = dispute.is_open and permissions.holds(request.user, permissions.RESPOND_TO_DISPUTE)
    return evidence.gather(payment, request, before=payment.initiated_at) | {
        "shown": shown_dispute,
        "dispute": dispute,
        "may_change": may_change,
        "opinions": [each for each in entries if each.event_type in _REVIEW],
        "others": list(_others(row)),
    }


class OtherDispute(Struct, frozen=True):
    pk: str
    opened: str
    amount: str
    badge: fragments.Badge


def _others(row: DisputeSummary) -> Iterator[OtherDispute]:
    """Yield the customer's other disputes, the newest first."""
    rows = DisputeSummary.objects.filter(customer_id=row.customer_id).exclude(pk=row.pk)
    for each in rows.order_by("-opened_at", "-id")[:_MOST_OTHERS]:
        yield OtherDispute(
            str(each.pk),
            f"{each.opened_at:%Y-%m-%d}",
            labels.amount(each.disputed_amount, each.currency),
            fragments.dispute_badge(each.outcome or each.status),
        )

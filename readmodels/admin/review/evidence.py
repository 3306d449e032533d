"""The evidence for a decision: a payment from the log, its customer, its client and earlier payments."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.http import Http404
from django.utils import timezone
from msgspec import Struct

from payments.aggregates import PAYMENT_AGGREGATE, HistoricPaymentEvent
from payments.clients.models import Client
from payments.customers.models import Customer
from payments.domain.payment.state import Payment, Status
from payments.events import replay
from payments.events.reading import streams, timetravel
from readmodels import labels
from readmodels.admin.base import fragments
from readmodels.admin.base.browsing import as_uuid
from readmodels.models import PaymentSummary
from readmodels.queries.explanation import explain

_MOST_LATEST: Final = 5


def load(
    object_id: str | UUID, *, version: str | None = None
) -> tuple[Payment, list[HistoricPaymentEvent]]:
    """Return the payment now or at `version`, and its whole history. Raises Http404."""
    payment_id = object_id if isinstance(object_id, UUID) else as_uuid(object_id)
    past = history = streams.history(PAYMENT_AGGREGATE, payment_id) if payment_id else []
    if version is not None:
        try:
            past = timetravel.at_version(history, int(version))
        except (ValueError, timetravel.NoSuchVersion):
            raise Http404(f"There is no version {version} of payment {object_id}.") from None
    events = (record.event for record in past)
    payment = replay.fold(PAYMENT_AGGREGATE, payment_id, events) if payment_id else None
    if payment is None:
        raise Http404(f"There is no payment {object_id}.")
    return payment, history


def gather(payment: Payment) -> dict[str, Any]:
    """Return the context of parts/evidence.html, with at most four queries."""
    author = payment.policy_author
    left, urgency = (
        fragments.time_left(payment.review_deadline, timezone.now())
        if payment.status is Status.PENDING_REVIEW and payment.review_deadline
        else ("", "")
    )
    customer = Customer.objects.select_related("client").filter(pk=payment.customer_id).first()
    return {
        "payment": payment,
        "policy_author": labels.person(author) if author else None,
        "time_left": left,
        "urgency": urgency,
        "status": labels.label(payment.status),
        "status_color": fragments.STATUS_COLORS[payment.status],
        "method": labels.paid_with(payment.method, payment.card),
        "customer": customer,
        "client": customer.client if customer else Client.objects.get(pk=payment.client_id),
        "earlier": latest(payment.customer_id, but=payment.payment_id),
        "explanation": explain(payment, (), None) if payment.risk else None,
        "band_color": fragments.BAND_COLORS[payment.risk.band] if payment.risk else "",
    }


class LatestPayment(Struct, frozen=True):
    """A line of parts/latest_payments.html."""

    payment_id: UUID
    initiated_at: datetime
    amount: str
    status: str
    color: str
    badges: tuple[fragments.Badge, ...]


def latest(
    customer_id: UUID, *, but: UUID | None = None, before: datetime | None = None
) -> list[LatestPayment]:
    """Return the customer's latest payments except the payment `but`, with one query."""
    rows = PaymentSummary.objects.filter(customer_id=customer_id)
    if before is not None:
        rows = rows.filter(initiated_at__lt=before)
    if but is not None:
        rows = rows.exclude(pk=but)
    return [
        LatestPayment(
            payment_id=row.pk,
            initiated_at=row.initiated_at,
            amount=labels.amount(row.amount, row.currency),
            status=labels.label(row.status),
            color=fragments.STATUS_COLORS[Status(row.status)],
            badges=fragments.dispute_badges(
                open_disputes=row.open_disputes, lost_amount=row.lost_amount
            ),
        )
        for row in rows.order_by("-initiated_at", "-payment_id")[:_MOST_LATEST]
    ]

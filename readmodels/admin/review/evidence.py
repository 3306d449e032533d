"""The evidence for a decision: a payment from the log, its customer, its client and earlier payments."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest
from django.utils import timezone

from payments.aggregates import PAYMENT_AGGREGATE, HistoricPaymentEvent
from payments.application import policies
from payments.clients.models import Client
from payments.customers.models import Customer
from payments.domain.payment.state import Payment, Status
from payments.domain.risk.assessment import RiskAssessment
from payments.domain.risk.policy import RiskPolicy
from payments.events import replay
from payments.events.reading import streams, timetravel
from readmodels import labels
from readmodels.admin.base import contacts, fragments
from readmodels.admin.base.browsing import as_uuid
from readmodels.admin.review import blocks, related
from readmodels.queries.explanation import explain


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


def gather(
    payment: Payment, request: HttpRequest, *, before: datetime | None = None
) -> dict[str, Any]:
    """Return the context of parts/evidence.html, with at most eleven queries.

    The customer's data is masked unless it was revealed in this session. The customer's and the
    card's other payments are the latest ones, or with `before`, the latest ones before that time.
    """
    author = payment.policy_author
    left, urgency = (
        fragments.time_left(payment.review_deadline, timezone.now())
        if payment.status is Status.PENDING_REVIEW and payment.review_deadline
        else ("", "")
    )
    customer = Customer.objects.select_related("client").filter(pk=payment.customer_id).first()
    contact = contacts.contact(customer, request)
    return {
        "payment": payment,
        "reference": contact.of_payment(payment.reference),
        "policy_author": labels.person(author) if author else None,
        "time_left": left,
        "urgency": urgency,
        "status": labels.label(payment.status),
        "status_color": fragments.STATUS_COLORS[payment.status],
        "method": labels.paid_with(payment.method, payment.card),
        "customer": customer,
        "contact": contact,
        "customer_block": blocks.sentence(customer, payment),
        "client": customer.client if customer else Client.objects.get(pk=payment.client_id),
        "of_customer": related.of_customer(payment.customer_id),
        "earlier": related.latest(payment.customer_id, but=payment.payment_id, before=before),
        "of_card": related.of_card(payment, before=before),
        "others_title": "Other payments" if before is None else "Earlier payments",
        "explanation": explain(payment, (), policy(payment.risk)) if payment.risk else None,
        "band_color": fragments.BAND_COLORS[payment.risk.band] if payment.risk else "",
    }


def policy(risk: RiskAssessment) -> RiskPolicy | None:
    """Return the policy that scored the payment, None for a built-in policy of an older release."""
    try:
        return policies.by_id(risk.policy_id)
    except policies.UnknownPolicy:
        return None

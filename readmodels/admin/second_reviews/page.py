"""The evidence for a second review: the facts that were known before the decision.

Links are left out, because the pages behind them could show the decision.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db.models import QuerySet
from django.http import HttpRequest
from msgspec import Struct
from msgspec.structs import replace

from payments.aggregates import PAYMENT_AGGREGATE
from payments.clients.models import Client
from payments.customers import blocking
from payments.customers.models import Customer, Note
from payments.domain.payment.events import (
    NoteRef,
    PaymentApproved,
    PaymentFirstApproved,
    PaymentRejected,
    ReviewEscalated,
    ReviewSnoozed,
)
from payments.domain.payment.state import Payment, Status
from payments.domain.second_review import SecondReview, Verdict
from payments.events import replay
from payments.events.reading import streams, timetravel
from readmodels import labels
from readmodels.admin.base import contacts, fragments
from readmodels.admin.review import evidence, notes as notes_of_payment, timeline
from readmodels.models import PaymentSummary
from readmodels.queries import related
from readmodels.queries.explanation import explain

_MOST_EARLIER: Final = 5
# Claims and assignments are left out, because they name the reviewer.
_OPINIONS: Final = {each.event_type for each in (ReviewEscalated, ReviewSnoozed)}
_DECISIONS: Final = (PaymentFirstApproved, PaymentApproved, PaymentRejected)


class ShownVerdict(Struct, frozen=True, kw_only=True):
    """The verdict of one person. Only second reviewers state a severity."""

    title: str
    by: str
    verdict: str
    color: str
    reason: str
    note: str
    at: datetime
    severity: str = ""


class EarlierPayment(Struct, frozen=True, kw_only=True):
    """An earlier payment. `status` is empty if it may have changed after the decision."""

    initiated_at: datetime
    customer: str
    amount: str
    status: str
    color: str


def gather(review: SecondReview, http_request: HttpRequest) -> dict[str, Any]:
    """Return the context of second_reviews/evidence.html, with at most ten queries."""
    request = review.request
    history = streams.history(PAYMENT_AGGREGATE, request.payment_id)
    past = timetravel.at_version(history, request.evidence_version)
    payment = replay.fold(PAYMENT_AGGREGATE, request.payment_id, (record.event for record in past))
    assert payment is not None, "a decision follows the first event"  # noqa: S101
    customer = Customer.objects.select_related("client").filter(pk=payment.customer_id).first()
    texts = timeline.notes_of(payment)
    entries = timeline.entries(past, texts)
    at = request.decided_at
    contact = contacts.contact(customer, http_request)
    return {
        "payment": payment,
        "reference": contact.of_payment(payment.reference),
        "method": labels.paid_with(payment.method, payment.card),
        "customer": customer,
        "contact": contact,
        "was_blocked": blocking.standing(payment.customer_id, at=at) is not None,
        "client": customer.client if customer else Client.objects.get(pk=payment.client_id),
        "of_customer": _earlier(related.of_customer(payment.customer_id), payment, at),
        "of_card": _earlier(related.of_card(payment.card.fingerprint), payment, at)
        if payment.card
        else [],
        "notes": notes_of_payment.shown(past, entries, texts, version=request.evidence_version),
        "opinions": [each for each in entries if each.event_type in _OPINIONS],
        "explanation": explain(payment, (), evidence.policy(payment.risk))
        if payment.risk
        else None,
        "band_color": fragments.BAND_COLORS[payment.risk.band] if payment.risk else "",
    }


def verdicts(review: SecondReview) -> list[ShownVerdict]:
    """Return the verdicts of a concluded review in order, or [] if open. Takes three queries."""
    conclusion = review.conclusion
    if conclusion is None:
        return []
    history = streams.history(PAYMENT_AGGREGATE, review.request.payment_id)
    decisions = [each.event for each in history if isinstance(each.event, _DECISIONS)]
    references = [each.note for each in (*decisions, conclusion) if each.note is not None]
    texts = Note.objects.in_bulk([each.note_id for each in references])
    names = labels.people(each.by for each in (*review.request.decisions, conclusion.verdict))
    shown = [
        _shown("Decision", verdict, names, event.at, _text(event.note, texts))
        for verdict, event in zip(review.request.decisions, decisions, strict=True)
    ]
    second = _shown(
        "Second review", conclusion.verdict, names, conclusion.at, _text(conclusion.note, texts)
    )
    return [*shown, replace(second, severity=labels.label(conclusion.severity))]


def _earlier(
    rows: QuerySet[PaymentSummary], payment: Payment, at: datetime
) -> list[EarlierPayment]:
    """Return the latest payments before the payment, as they were at the time `at`."""
    earlier = rows.filter(initiated_at__lt=payment.initiated_at).exclude(pk=payment.payment_id)
    found = list(earlier.order_by("-initiated_at", "-payment_id")[:_MOST_EARLIER])
    names = Customer.objects.in_bulk({row.customer_id for row in found})
    return [
        EarlierPayment(
            initiated_at=row.initiated_at,
            customer=contacts.called(names.get(row.customer_id)),
            amount=labels.amount(row.amount, row.currency),
            status=labels.label(row.status) if row.updated_at <= at else "",
            color=fragments.STATUS_COLORS[Status(row.status)],
        )
        for row in found
    ]


def _shown(
    title: str, verdict: Verdict, names: Mapping[str, str], at: datetime, note: str
) -> ShownVerdict:
    return ShownVerdict(
        title=title,
        by=names.get(verdict.by, verdict.by),
        verdict="Approve" if verdict.approved else "Reject",
        color="success" if verdict.approved else "danger",
        reason=labels.label(verdict.reason),
        note=note,
        at=at,
    )


def _text(reference: NoteRef | None, texts: Mapping[UUID, Note]) -> str:
    """Return the text of a note, or why it is not shown, or "" without a note."""
    if reference is None:
        return ""
    note = texts.get(reference.note_id)
    if note is None:
        return timeline.ERASED
    return note.text if note.digest == reference.digest else timeline.CHANGED

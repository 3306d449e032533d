"""A payment as clients see it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Protocol, Self
from uuid import UUID

import msgspec
from django.http import HttpResponse
from msgspec import Meta, Struct

from payments.api import preconditions
from payments.dispatch import Outcome
from payments.domain.cards import Brand
from payments.domain.events import FailureReason
from payments.domain.methods import Method
from payments.domain.payment import (
    Payment,
    Review,
    Status,
)
from payments.domain.risk import Band

Moment = Annotated[datetime, Meta(tz=True)]


class Risk(Struct, frozen=True):
    """What the risk policy made of the payment."""

    score: int
    band: Band
    reasons: tuple[str, ...]


class CardView(Struct, frozen=True):
    brand: Brand
    last4: str


class Decision(Struct, frozen=True):
    """What a person decided. `reviewer` is an id, never a name."""

    decision: str
    reviewer: str
    reason: str
    at: Moment

    @classmethod
    def of(cls, review: Review) -> Self:
        decision = "approved" if review.approved else "rejected"
        return cls(decision, review.reviewer, review.reason, review.at)


class OpenReview(Struct, frozen=True, kw_only=True):
    """Where a review stands that nobody has finished. People are ids, never names."""

    claimed_by: str | None
    claimed_until: Annotated[
        Moment | None, Meta(description="Anybody may claim the payment after that.")
    ]
    escalated: Annotated[bool, Meta(description="Only senior reviewers decide.")]
    four_eyes: Annotated[bool, Meta(description="Two people have to approve.")]
    first_approver: str | None
    reject_advised: Annotated[bool, Meta(description="To approve all the same takes a note.")]

    @classmethod
    def of(cls, payment: Payment) -> Self:
        lease, first, risk = payment.lease, payment.first_approval, payment.risk
        return cls(
            claimed_by=None if lease is None else lease.reviewer,
            claimed_until=None if lease is None else lease.until,
            escalated=payment.escalated,
            four_eyes=risk is not None and risk.four_eyes,
            first_approver=None if first is None else first.reviewer,
            reject_advised=risk is not None and risk.reject_advised,
        )


class PaymentView(Struct, frozen=True, kw_only=True):
    """A payment after `version` events, the last of which is at `position` in the log."""

    id: UUID
    status: Status
    amount: int
    refunded_amount: int
    currency: str
    method: Method
    card: CardView | None
    customer_id: Annotated[
        str | None, Meta(description="Your own id of the customer; null: erased.")
    ]
    reference: str | None
    failure_reason: FailureReason | None
    risk: Risk | None
    open_review: OpenReview | None
    review: Decision | None
    review_deadline: Annotated[
        Moment | None, Meta(description="Whoever reviews it has to decide before; else it expires.")
    ]
    version: int
    position: int
    created_at: Moment
    updated_at: Moment

    @classmethod
    def of(cls, payment: Payment, *, customer_reference: str | None, position: int) -> Self:
        card, risk, review = payment.card, payment.risk, payment.review
        return cls(
            id=payment.payment_id,
            status=payment.status,
            amount=payment.amount.minor,
            refunded_amount=0 if payment.refunded is None else payment.refunded.minor,
            currency=payment.amount.currency,
            method=payment.method,
            card=None if card is None else CardView(card.brand, card.last4),
            customer_id=customer_reference,
            reference=payment.reference,
            failure_reason=payment.failure,
            risk=None if risk is None else Risk(risk.score, risk.band, risk.reasons),
            open_review=(
                OpenReview.of(payment) if payment.status is Status.PENDING_REVIEW else None
            ),
            review=None if review is None else Decision.of(review),
            review_deadline=payment.review_deadline,
            version=payment.version,
            position=position,
            created_at=payment.initiated_at,
            updated_at=payment.updated_at,
        )


_encoder = msgspec.json.Encoder()


def json_response(
    body: object, headers: Mapping[str, str] | None = None, *, status: int = 200
) -> HttpResponse:
    return HttpResponse(
        _encoder.encode(body),
        status=status,
        content_type="application/json",
        headers=dict(headers or {}),
    )


class Versioned(Protocol):
    """A payment after so many events, however it is held."""

    @property
    def version(self) -> int: ...
    @property
    def position(self) -> int: ...


def payment_headers(payment: Versioned) -> dict[str, str]:
    return {
        "ETag": preconditions.etag(payment.version),
        "X-Event-Position": str(payment.position),
    }


def outcome_response(
    outcome: Outcome,
    *,
    customer_reference: str | None,
    status: int,
    headers: Mapping[str, str] | None = None,
) -> HttpResponse:
    """What a command answers, the same whenever it is repeated."""
    body = PaymentView.of(
        outcome.payment, customer_reference=customer_reference, position=outcome.position
    )
    replayed = {"Idempotency-Replayed": "true"} if outcome.replayed else {}
    return json_response(
        body, {**payment_headers(body), **(headers or {}), **replayed}, status=status
    )

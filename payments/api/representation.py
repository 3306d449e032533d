"""A payment as clients see it."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Final, Protocol, Self, overload
from uuid import UUID

import msgspec
from django.http import HttpResponse
from msgspec import Meta, Struct

from payments.application.dispatch import Outcome
from payments.domain.cards import Brand
from payments.domain.methods import Method
from payments.domain.money import MAX_MINOR
from payments.domain.payment.events import FailureReason
from payments.domain.payment.state import Payment, Review, Status
from payments.domain.risk.policy import Band

FROM_ONE: Final = {"minimum": 1}
# Text, since msgspec leaves out a fraction of zero: 2026-11-23T12:00:00.000000Z.
Moment = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]


@overload
def rfc3339(at: datetime) -> str: ...
@overload
def rfc3339(at: None) -> None: ...
def rfc3339(at: datetime | None) -> str | None:
    """Return the time in UTC in the form of RFC 3339, always with microseconds."""
    if at is None:
        return None
    return f"{at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='microseconds')}Z"


class Risk(Struct, frozen=True):
    """What the risk policy made of the payment."""

    score: Annotated[int, Meta(description="The points of the rules that fired, added up.")]
    band: Annotated[Band, Meta(description="What the policy calls so many points.")]
    reasons: Annotated[
        tuple[str, ...], Meta(description="Which rules fired, in the order of the policy.")
    ]


class CardView(Struct, frozen=True):
    """The card that was paid with, as far as it is kept."""

    brand: Annotated[Brand, Meta(description="Who issued it.")]
    last4: Annotated[str, Meta(description="The last four digits of its number.")]


class Decision(Struct, frozen=True):
    """What a person decided at last; of two who approved, the second."""

    decision: Annotated[
        str,
        Meta(description="The outcome.", extra_json_schema={"enum": ["approved", "rejected"]}),
    ]
    reviewer: Annotated[str, Meta(description="Who decided: an id, never a name.")]
    reason: Annotated[str, Meta(description="One of the reasons that such a decision takes.")]
    at: Annotated[Moment, Meta(description="When (UTC).")]

    @classmethod
    def of(cls, review: Review) -> Self:
        decision = "approved" if review.approved else "rejected"
        return cls(decision, review.reviewer, review.reason, rfc3339(review.at))


class OpenReview(Struct, frozen=True, kw_only=True):
    """Where a review stands that nobody has finished. People are ids, never names."""

    claimed_by: Annotated[
        str | None,
        Meta(
            description="Who claimed it last and has not given it back; null: nobody. It is theirs no"
            " longer once `claimed_until` has passed."
        ),
    ]
    claimed_until: Annotated[
        Moment | None,
        Meta(
            description="When the claim ends or has ended (UTC): compare it with the time. Anybody may"
            " claim the payment after that. Null: nobody has claimed it."
        ),
    ]
    escalated: Annotated[bool, Meta(description="Only senior reviewers decide.")]
    four_eyes: Annotated[bool, Meta(description="Two people have to approve.")]
    first_approver: Annotated[
        str | None,
        Meta(description="Who of the two has approved; null: nobody yet, or one is enough."),
    ]
    reject_advised: Annotated[bool, Meta(description="To approve all the same takes a note.")]

    @classmethod
    def of(cls, payment: Payment) -> Self:
        lease, first, risk = payment.lease, payment.first_approval, payment.risk
        return cls(
            claimed_by=None if lease is None else lease.reviewer,
            claimed_until=None if lease is None else rfc3339(lease.until),
            escalated=payment.escalated,
            four_eyes=risk is not None and risk.four_eyes,
            first_approver=None if first is None else first.reviewer,
            reject_advised=risk is not None and risk.reject_advised,
        )


class PaymentView(Struct, frozen=True, kw_only=True):
    """A payment after `version` events, the last of which is at `position` in the log."""

    id: Annotated[UUID, Meta(description="Ours, the same in every address.")]
    status: Annotated[Status, Meta(description="What has become of it.")]
    amount: Annotated[
        int,
        Meta(
            description="In minor units of the currency.",
            extra_json_schema={"minimum": 1, "maximum": MAX_MINOR},
        ),
    ]
    refunded_amount: Annotated[
        int,
        Meta(
            description="What was given back, all refunds together, in minor units; 0: nothing.",
            extra_json_schema={"minimum": 0, "maximum": MAX_MINOR},
        ),
    ]
    currency: Annotated[str, Meta(description="An ISO 4217 code.")]
    method: Annotated[Method, Meta(description="How it is paid.")]
    card: Annotated[CardView | None, Meta(description="Null: none was named.")]
    customer_id: Annotated[
        str | None, Meta(description="Your own id of the customer; null: erased.")
    ]
    reference: Annotated[str | None, Meta(description="Your own id of it; null: it has none.")]
    failure_reason: Annotated[
        FailureReason | None, Meta(description="Why it failed; null: it did not.")
    ]
    risk: Annotated[Risk | None, Meta(description="Null: it was not assessed.")]
    open_review: Annotated[
        OpenReview | None, Meta(description="Null unless the status is `pending_review`.")
    ]
    review: Annotated[Decision | None, Meta(description="Null: no person has decided.")]
    review_deadline: Annotated[
        Moment | None,
        Meta(
            description="Whoever reviews it has to decide before (UTC); else it expires. Null: it was"
            " never flagged for review."
        ),
    ]
    version: Annotated[
        int,
        Meta(
            description="How many events it has: its `ETag` without the quotes.",
            extra_json_schema=FROM_ONE,
        ),
    ]
    position: Annotated[
        int,
        Meta(
            description="Of its last event in the log of all payments.", extra_json_schema=FROM_ONE
        ),
    ]
    created_at: Annotated[Moment, Meta(description="When it was submitted (UTC).")]
    updated_at: Annotated[Moment, Meta(description="When its last event happened (UTC).")]

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
            review_deadline=rfc3339(payment.review_deadline),
            version=payment.version,
            position=position,
            created_at=rfc3339(payment.initiated_at),
            updated_at=rfc3339(payment.updated_at),
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
        "ETag": etag(payment.version),
        "X-Event-Position": str(payment.position),
    }


def etag(version: int) -> str:
    """The ETag of a payment. A strong one, because If-Match compares no others.

    The version says everything about the bytes but the customer's reference, which whoever has the ETag
    has too: an erasure or a new name of theirs gives no new one.
    """
    return f'"{version}"'


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

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
from payments.domain.payment.state import Payment, Status
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
    def of(cls, fields: "PaymentFields", *, customer_reference: str | None) -> Self:
        return cls(
            id=fields.payment_id,
            status=Status(fields.status),
            amount=fields.amount,
            refunded_amount=fields.refunded_amount,
            currency=fields.currency,
            method=Method(fields.method),
            card=_card(fields),
            customer_id=customer_reference,
            reference=fields.reference,
            failure_reason=FailureReason(fields.failure_reason) if fields.failure_reason else None,
            risk=_risk(fields),
            open_review=_open_review(fields),
            review=_decision(fields),
            review_deadline=rfc3339(fields.review_deadline),
            version=fields.version,
            position=fields.position,
            created_at=rfc3339(fields.initiated_at),
            updated_at=rfc3339(fields.updated_at),
        )


class PaymentFields(Struct, kw_only=True):
    """The flat fields that PaymentView is made of; "" and None stand for no value.

    Rows of the payment summary have fields of the same names.
    """

    payment_id: UUID
    status: str
    amount: int
    refunded_amount: int
    currency: str
    method: str
    card_brand: str
    card_last4: str
    reference: str | None
    failure_reason: str
    risk_score: int | None
    risk_band: str
    risk_reasons: list[str]
    four_eyes: bool
    reject_advised: bool
    claimed_by: str
    claimed_until: datetime | None
    escalated: bool
    first_approver: str
    reviewer: str
    review_reason: str
    reviewed_at: datetime | None
    review_deadline: datetime | None
    version: int
    position: int
    initiated_at: datetime
    updated_at: datetime


def fields_of(payment: Payment, position: int) -> PaymentFields:
    """Return the fields of a payment whose last event is at `position` in the log."""
    card, risk, lease = payment.card, payment.risk, payment.lease
    first, review = payment.first_approval, payment.review
    return PaymentFields(
        payment_id=payment.payment_id,
        status=payment.status,
        amount=payment.amount.minor,
        refunded_amount=0 if payment.refunded is None else payment.refunded.minor,
        currency=payment.amount.currency,
        method=payment.method,
        card_brand="" if card is None else card.brand,
        card_last4="" if card is None else card.last4,
        reference=payment.reference,
        failure_reason="" if payment.failure is None else payment.failure,
        risk_score=None if risk is None else risk.score,
        risk_band="" if risk is None else risk.band,
        risk_reasons=[] if risk is None else list(risk.reasons),
        four_eyes=risk is not None and risk.four_eyes,
        reject_advised=risk is not None and risk.reject_advised,
        claimed_by="" if lease is None else lease.reviewer,
        claimed_until=None if lease is None else lease.until,
        escalated=payment.escalated,
        first_approver="" if first is None else first.reviewer,
        reviewer="" if review is None else review.reviewer,
        review_reason="" if review is None else review.reason,
        reviewed_at=None if review is None else review.at,
        review_deadline=payment.review_deadline,
        version=payment.version,
        position=position,
        initiated_at=payment.initiated_at,
        updated_at=payment.updated_at,
    )


def _card(fields: PaymentFields) -> CardView | None:
    return CardView(Brand(fields.card_brand), fields.card_last4) if fields.card_brand else None


def _risk(fields: PaymentFields) -> Risk | None:
    if fields.risk_score is None:
        return None
    return Risk(fields.risk_score, Band(fields.risk_band), tuple(fields.risk_reasons))


def _open_review(fields: PaymentFields) -> OpenReview | None:
    if fields.status != Status.PENDING_REVIEW:
        return None
    return OpenReview(
        claimed_by=fields.claimed_by or None,
        claimed_until=rfc3339(fields.claimed_until),
        escalated=fields.escalated,
        four_eyes=fields.four_eyes,
        first_approver=fields.first_approver or None,
        reject_advised=fields.reject_advised,
    )


def _decision(fields: PaymentFields) -> Decision | None:
    if fields.reviewed_at is None:
        return None
    # A rejected payment is final, so every other status follows an approval.
    decision = "rejected" if fields.status == Status.REJECTED else "approved"
    return Decision(decision, fields.reviewer, fields.review_reason, rfc3339(fields.reviewed_at))


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
    fields = fields_of(outcome.payment, outcome.position)
    body = PaymentView.of(fields, customer_reference=customer_reference)
    replayed = {"Idempotency-Replayed": "true"} if outcome.replayed else {}
    return json_response(
        body, {**payment_headers(body), **(headers or {}), **replayed}, status=status
    )

"""The JSON of a payment, and the headers that go with it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Final, Self
from uuid import UUID

import msgspec
from django.http import HttpResponse
from msgspec import Meta, Struct, structs

from payments.api.dispute_view import DisputeView
from payments.application.dispatch import Outcome
from payments.domain.cards import Brand
from payments.domain.methods import Method
from payments.domain.money import MAX_MINOR
from payments.domain.payment.codes import FailureReason, RefundReason
from payments.domain.payment.events import PaymentRefunded
from payments.domain.payment.state import Payment, Status
from payments.domain.risk.policy import Band
from payments.domain.text import Moment, rfc3339

FROM_ONE: Final = {"minimum": 1}
_AMOUNT: Final = {"minimum": 1, "maximum": MAX_MINOR}
_FROM_ZERO: Final = {"minimum": 0, "maximum": MAX_MINOR}


class Risk(Struct, frozen=True):
    """The assessment of the payment by the risk policy."""

    score: Annotated[int, Meta(description="The sum of the points of the rules that fired.")]
    band: Annotated[Band, Meta(description="The policy's name for that score.")]
    reasons: Annotated[
        tuple[str, ...], Meta(description="The rules that fired, in the order of the policy.")
    ]


class CardView(Struct, frozen=True):
    """The stored data of the card."""

    brand: Annotated[Brand, Meta(description="The brand of the card.")]
    last4: Annotated[str, Meta(description="The last four digits of the card number.")]


class Decision(Struct, frozen=True):
    """The final decision of a reviewer; after two approvals, the second one."""

    decision: Annotated[
        str,
        Meta(description="The outcome.", extra_json_schema={"enum": ["approved", "rejected"]}),
    ]
    reviewer: Annotated[str, Meta(description="The id of the reviewer. Names are never shown.")]
    reason: Annotated[str, Meta(description="The reason code.")]
    at: Annotated[Moment, Meta(description="The time of the decision (UTC).")]


class OpenReview(Struct, frozen=True, kw_only=True):
    """The state of a review that is not decided. People are shown by ids, never by names."""

    claimed_by: Annotated[
        str | None,
        Meta(
            description="The reviewer with the latest claim that was not released; null: none. The claim ends"
            " at `claimed_until`."
        ),
    ]
    claimed_until: Annotated[
        Moment | None,
        Meta(
            description="The end of the claim (UTC), which may have passed. Afterwards any reviewer can claim"
            " the payment. Null: there is no claim."
        ),
    ]
    escalated: Annotated[bool, Meta(description="Only senior reviewers can decide.")]
    four_eyes: Annotated[bool, Meta(description="Two people have to approve.")]
    first_approver: Annotated[
        str | None,
        Meta(description="The reviewer who gave the first of two approvals; null: there is none."),
    ]
    reject_advised: Annotated[
        bool, Meta(description="The policy advises to reject. An approval needs a note.")
    ]


class PaymentView(Struct, frozen=True, kw_only=True):
    """A payment after `version` events. The last one is at `position` in the log."""

    id: Annotated[UUID, Meta(description="The id that the service gave the payment.")]
    status: Annotated[Status, Meta(description="The status of the payment.")]
    amount: Annotated[
        int,
        Meta(description="In minor units of the currency.", extra_json_schema=_AMOUNT),
    ]
    refunded_amount: Annotated[
        int,
        Meta(description="The sum of all refunds, in minor units.", extra_json_schema=_FROM_ZERO),
    ]
    open_disputes: Annotated[
        int,
        Meta(
            description="The number of open disputes. While there are any, no refund is possible.",
            extra_json_schema={"minimum": 0},
        ),
    ]
    disputed_amount: Annotated[
        int,
        Meta(
            description="What the open disputes claim, in minor units.",
            extra_json_schema=_FROM_ZERO,
        ),
    ]
    lost_amount: Annotated[
        int,
        Meta(
            description="What closed disputes took, in minor units. It cannot be refunded any more.",
            extra_json_schema=_FROM_ZERO,
        ),
    ]
    currency: Annotated[str, Meta(description="An ISO 4217 code.")]
    method: Annotated[Method, Meta(description="The payment method.")]
    card: Annotated[CardView | None, Meta(description="Null: no card was sent.")]
    customer_id: Annotated[str | None, Meta(description="Your id of the customer; null: erased.")]
    reference: Annotated[str | None, Meta(description="Your id of the payment; null: none.")]
    failure_reason: Annotated[
        FailureReason | None, Meta(description="Why the payment failed; null: it did not fail.")
    ]
    risk: Annotated[Risk | None, Meta(description="Null: the payment was not assessed.")]
    open_review: Annotated[
        OpenReview | None, Meta(description="Null unless the status is `pending_review`.")
    ]
    review: Annotated[Decision | None, Meta(description="Null: no reviewer has decided.")]
    review_deadline: Annotated[
        Moment | None,
        Meta(
            description="The deadline of the review (UTC), at which an undecided payment expires. Null: the"
            " payment was never flagged for review."
        ),
    ]
    disputes: Annotated[
        tuple[DisputeView, ...], Meta(description="Its disputes, the first opened one first.")
    ]
    version: Annotated[
        int,
        Meta(
            description="The number of the payment's events: its `ETag` without the quotes.",
            extra_json_schema=FROM_ONE,
        ),
    ]
    position: Annotated[
        int,
        Meta(
            description="The position of its last event in the log of all payments.",
            extra_json_schema=FROM_ONE,
        ),
    ]
    created_at: Annotated[Moment, Meta(description="The time of submission (UTC).")]
    updated_at: Annotated[Moment, Meta(description="The time of its last event (UTC).")]

    @classmethod
    def of(cls, fields: "PaymentFields", *, customer_reference: str | None) -> Self:
        return cls(
            id=fields.payment_id,
            status=Status(fields.status),
            amount=fields.amount,
            refunded_amount=fields.refunded_amount,
            open_disputes=fields.open_disputes,
            disputed_amount=fields.disputed_amount,
            lost_amount=fields.lost_amount,
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
            disputes=fields.disputes,
            version=fields.version,
            position=fields.position,
            created_at=rfc3339(fields.initiated_at),
            updated_at=rfc3339(fields.updated_at),
        )


class RefundView(Struct, frozen=True, kw_only=True):
    """A refund, which is final."""

    id: Annotated[UUID, Meta(description="The id that the service gave the refund.")]
    amount: Annotated[
        int,
        Meta(description="In minor units of the currency.", extra_json_schema=_AMOUNT),
    ]
    currency: Annotated[str, Meta(description="An ISO 4217 code, that of the payment.")]
    reason: Annotated[RefundReason, Meta(description="The reason code.")]
    reference: Annotated[
        str | None, Meta(description="Your id of the refund; null: none, or staff refunded.")
    ]
    position: Annotated[
        int,
        Meta(
            description="The position of its event in the log of all payments.",
            extra_json_schema=FROM_ONE,
        ),
    ]
    created_at: Annotated[Moment, Meta(description="The time of the refund (UTC).")]

    @classmethod
    def of(cls, event: PaymentRefunded, position: int) -> Self:
        return cls(
            id=event.refund_id,
            amount=event.refund.minor,
            currency=event.refund.currency,
            reason=event.reason,
            reference=event.reference,
            position=position,
            created_at=rfc3339(event.at),
        )


class RefundedPayment(PaymentView, frozen=True, kw_only=True):
    """The payment after a refund, and the refund."""

    refund: Annotated[RefundView, Meta(description="The refund that the command made.")]


class PaymentFields(Struct, kw_only=True):
    """The fields that PaymentView is made of; "" and None stand for no value.

    Rows of the payment summary have fields of the same names, except `disputes`.
    """

    payment_id: UUID
    status: str
    amount: int
    refunded_amount: int
    open_disputes: int
    disputed_amount: int
    lost_amount: int
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
    disputes: tuple[DisputeView, ...] = ()


def fields_of(payment: Payment, position: int) -> PaymentFields:
    """Return the fields of a payment whose last event is at `position` in the log."""
    card, risk, lease = payment.card, payment.risk, payment.lease
    first, review = payment.first_approval, payment.review
    return PaymentFields(
        payment_id=payment.payment_id,
        status=payment.status,
        amount=payment.amount.minor,
        refunded_amount=0 if payment.refunded is None else payment.refunded.minor,
        open_disputes=len(payment.open_disputes),
        disputed_amount=sum(each.disputed.minor for each in payment.open_disputes),
        lost_amount=payment.lost.minor,
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
        disputes=tuple(map(DisputeView.of, payment.disputes)),
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
    body: object,
    headers: Mapping[str, str] | None = None,
    *,
    status: int = 200,
    media_type: str = "application/json",
) -> HttpResponse:
    return HttpResponse(
        _encoder.encode(body),
        status=status,
        content_type=media_type,
        headers=dict(headers or {}),
    )


def payment_headers(version: int, position: int) -> dict[str, str]:
    return {"ETag": etag(version), "X-Event-Position": str(position)}


def etag(version: int) -> str:
    """Return the ETag of a payment. It is strong, because If-Match ignores weak ETags.

    The version determines all fields but the customer's reference. An erasure does not change the ETag.
    """
    return f'"{version}"'


def outcome_response(
    outcome: Outcome,
    *,
    customer_reference: str | None,
    status: int,
    headers: Mapping[str, str] | None = None,
) -> HttpResponse:
    """Return the response to a command. A repetition gets the same response."""
    body = view_of(outcome, customer_reference)
    return json_response(body, outcome_headers(outcome) | dict(headers or {}), status=status)


def refund_response(outcome: Outcome, *, customer_reference: str | None) -> HttpResponse:
    """Return the response to a refund. A repetition gets the same response."""
    refunded = outcome.payment.last_refund
    assert refunded is not None, "the outcome is the payment after the refund"  # noqa: S101
    view = structs.asdict(view_of(outcome, customer_reference))
    body = RefundedPayment(**view, refund=RefundView.of(refunded, outcome.position))
    return json_response(body, outcome_headers(outcome))


def view_of(outcome: Outcome, customer_reference: str | None) -> PaymentView:
    fields = fields_of(outcome.payment, outcome.position)
    return PaymentView.of(fields, customer_reference=customer_reference)


def outcome_headers(outcome: Outcome) -> dict[str, str]:
    replayed = {"Idempotency-Replayed": "true"} if outcome.replayed else {}
    return payment_headers(outcome.payment.version, outcome.position) | replayed

"""The payment aggregate: `decide` makes events of a command, `evolve` state of events."""

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar, Final, assert_never
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from payments.domain.commands import ApprovePayment, PaymentCommand, ProcessPayment, RejectPayment
from payments.domain.events import (
    AnyPaymentEvent,
    FailureReason,
    NoteRef,
    PaymentApproved,
    PaymentFailed,
    PaymentFlaggedForReview,
    PaymentInitiated,
    PaymentProcessed,
    PaymentRejected,
)
from payments.domain.methods import Method, limit_of
from payments.domain.money import Money
from payments.domain.risk import RiskAssessment, assess

# Of what `evolve` makes of a history: the next one for every change of `evolve` or of the state's
# fields, so that no snapshot of the old one is taken for the new. A test tells when.
STATE_VERSION: Final = 2


class Status(StrEnum):
    INITIATED = "initiated"
    PENDING_REVIEW = "pending_review"
    COMPLETED = "completed"
    FAILED = "failed"
    REJECTED = "rejected"


class Review(Struct, frozen=True, kw_only=True):
    """What a person decided, and why: `reason` is an ApprovalReason or a RejectionReason."""

    reviewer: str
    approved: bool
    reason: str  # JSON could not tell two enumerations apart
    note: NoteRef | None
    at: datetime


class Payment(Struct, frozen=True, kw_only=True):
    """The state of one payment after `version` events."""

    payment_id: UUID
    version: int
    status: Status
    client_id: UUID
    customer_id: UUID
    amount: Money
    method: Method
    initiated_at: datetime
    updated_at: datetime
    reference: str | None = None
    flagged_at: datetime | None = None
    processed_at: datetime | None = None
    failure: FailureReason | None = None
    risk: RiskAssessment | None = None
    review: Review | None = None


class PaymentError(Exception):
    """A command that the state refuses.

    `code` is stable and public, `details` tell a program more.
    """

    code: ClassVar[str]

    def __init__(self, message: str, **details: str) -> None:
        super().__init__(message)
        self.details = details


class PaymentNotFound(PaymentError):
    """There is no such payment that this caller may see; whether it exists is not told."""

    code = "payment_not_found"


class PaymentAlreadyFinished(PaymentError):
    """A finished payment is never processed again."""

    code = "payment_already_finished"


class PaymentUnderReview(PaymentError):
    """Only a reviewer moves a payment that waits for review."""

    code = "payment_under_review"


class PaymentDiffers(PaymentError):
    """The payment was initiated on other terms."""

    code = "payment_differs"


class NotAwaitingReview(PaymentError):
    """There is nothing to decide. If somebody decided before, the details say who and what."""

    code = "not_under_review"


def authorise(payment: Payment | None, command: PaymentCommand) -> None:
    """Raise PaymentNotFound unless the command may touch this payment."""
    if payment is not None and command.client_id not in {None, payment.client_id}:
        raise PaymentNotFound(f"There is no payment {command.payment_id}.")


def decide(payment: Payment | None, command: PaymentCommand) -> tuple[AnyPaymentEvent, ...]:
    """Return the events that carrying out `command` means.

    Raises PaymentError if the state refuses it.
    """
    match command:
        case ProcessPayment():
            return _process(payment, command)
        case ApprovePayment(reviewer=reviewer, reason=approval, note=note):
            terms = _terms(_awaiting_review(payment, command), command.at)
            return (
                PaymentApproved(reviewer=reviewer, reason=approval, note=note, **terms),
                PaymentProcessed(**terms),
            )
        case RejectPayment(reviewer=reviewer, reason=rejection, note=note):
            terms = _terms(_awaiting_review(payment, command), command.at)
            return (PaymentRejected(reviewer=reviewer, reason=rejection, note=note, **terms),)
        case _:
            assert_never(command)


def evolve(payment: Payment | None, payment_id: UUID, event: AnyPaymentEvent) -> Payment:
    """Return the state after `event`. Any prefix of a stream is valid: facts are not refused."""
    if payment is None:
        payment = _begin(payment_id, event)
    version = payment.version + 1
    match event:
        case PaymentInitiated():
            return replace(payment, version=version, updated_at=event.at, reference=event.reference)
        case PaymentProcessed():
            return replace(
                payment,
                version=version,
                updated_at=event.at,
                status=Status.COMPLETED,
                processed_at=event.at,
                risk=event.risk or payment.risk,
            )
        case PaymentFailed():
            return replace(
                payment,
                version=version,
                updated_at=event.at,
                status=Status.FAILED,
                failure=event.reason,
                risk=event.risk or payment.risk,
            )
        case PaymentFlaggedForReview():
            return replace(
                payment,
                version=version,
                updated_at=event.at,
                status=Status.PENDING_REVIEW,
                flagged_at=event.flagged_at,
                risk=event.risk,
            )
        case PaymentApproved():
            # The status stays: PaymentProcessed follows in the same append.
            return replace(
                payment, version=version, updated_at=event.at, review=_review(event, approved=True)
            )
        case PaymentRejected():
            return replace(
                payment,
                version=version,
                updated_at=event.at,
                status=Status.REJECTED,
                review=_review(event, approved=False),
            )
        case _:
            assert_never(event)


def replay(
    payment_id: UUID, events: Iterable[AnyPaymentEvent], payment: Payment | None = None
) -> Payment | None:
    """Fold `events` onto `payment`, which is None at the beginning of a stream."""
    for event in events:
        payment = evolve(payment, payment_id, event)
    return payment


def _process(payment: Payment | None, command: ProcessPayment) -> tuple[AnyPaymentEvent, ...]:
    if payment is None:
        terms = _first_terms(command)
        return (PaymentInitiated(reference=command.reference, **terms), _outcome(command, terms))
    if payment.status is Status.PENDING_REVIEW:
        raise PaymentUnderReview(
            f"Payment {payment.payment_id} waits for review.", status=payment.status
        )
    if payment.status is not Status.INITIATED:
        raise PaymentAlreadyFinished(
            f"Payment {payment.payment_id} is already {payment.status}.", status=payment.status
        )
    agreed = (payment.client_id, payment.customer_id, payment.amount, payment.method)
    if agreed != (command.client_id, command.customer_id, command.amount, command.method):
        raise PaymentDiffers(f"Payment {payment.payment_id} was initiated on other terms.")
    return (_outcome(command, _terms(payment, command.at)),)


def _outcome(command: ProcessPayment, terms: dict[str, Any]) -> AnyPaymentEvent:
    # The method's limit comes first: nobody should review what cannot pass.
    limit = limit_of(command.method, command.amount.currency)
    if limit is not None and command.amount > limit:
        return PaymentFailed(reason=FailureReason.METHOD_LIMIT_EXCEEDED, limit=limit, **terms)
    if command.features is None:
        return PaymentProcessed(**terms)
    risk = assess(command.policy, command.features, amount=command.amount, method=command.method)
    if risk.block:
        return PaymentFailed(reason=FailureReason.BLOCKED_BY_POLICY, risk=risk, **terms)
    if risk.review:
        return PaymentFlaggedForReview(risk=risk, **(terms | {"flagged_at": command.at}))
    return PaymentProcessed(risk=risk, **terms)


def _awaiting_review(payment: Payment | None, command: ApprovePayment | RejectPayment) -> Payment:
    if payment is None:
        raise PaymentNotFound(f"There is no payment {command.payment_id}.")
    if payment.status is Status.PENDING_REVIEW:
        return payment
    if payment.review is None:
        raise NotAwaitingReview(
            f"Payment {payment.payment_id} is {payment.status}, nothing waits for a decision.",
            status=payment.status,
        )
    decision = "approved" if payment.review.approved else "rejected"
    raise NotAwaitingReview(
        f"Payment {payment.payment_id} was {decision} by {payment.review.reviewer}"
        f" at {payment.review.at:%Y-%m-%d %H:%M:%S} UTC.",
        status=payment.status,
        decision=decision,
        decided_by=payment.review.reviewer,
    )


def _begin(payment_id: UUID, event: AnyPaymentEvent) -> Payment:
    return Payment(
        payment_id=payment_id,
        version=0,
        status=Status.INITIATED,
        client_id=event.client_id,
        customer_id=event.customer_id,
        amount=event.amount,
        method=event.method,
        initiated_at=event.initiated_at,
        updated_at=event.at,
    )


def _first_terms(command: ProcessPayment) -> dict[str, Any]:
    return {
        "at": command.at,
        "client_id": command.client_id,
        "customer_id": command.customer_id,
        "amount": command.amount,
        "method": command.method,
        "initiated_at": command.at,
    }


def _terms(payment: Payment, at: datetime) -> dict[str, Any]:
    """What every event repeats, see PaymentEvent."""
    return {
        "at": at,
        "client_id": payment.client_id,
        "customer_id": payment.customer_id,
        "amount": payment.amount,
        "method": payment.method,
        "initiated_at": payment.initiated_at,
        "flagged_at": payment.flagged_at,
    }


def _review(event: PaymentApproved | PaymentRejected, *, approved: bool) -> Review:
    return Review(
        reviewer=event.reviewer,
        approved=approved,
        reason=event.reason,
        note=event.note,
        at=event.at,
    )

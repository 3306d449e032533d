"""`decide` makes events of a command and a payment's state, or says why there are none."""

from datetime import datetime
from typing import Any, ClassVar, Final, assert_never

from payments.domain.commands import (
    ApprovePayment,
    CancelPayment,
    ExpireReview,
    PaymentCommand,
    ProcessPayment,
    RefundPayment,
    RejectPayment,
)
from payments.domain.events import (
    AnyPaymentEvent,
    FailureReason,
    PaymentApproved,
    PaymentCancelled,
    PaymentExpired,
    PaymentFailed,
    PaymentFlaggedForReview,
    PaymentInitiated,
    PaymentProcessed,
    PaymentRefunded,
    PaymentRejected,
)
from payments.domain.methods import limit_of
from payments.domain.payment import REVIEW_PERIOD, Payment, Status
from payments.domain.risk import assess

_REFUNDABLE: Final = {Status.COMPLETED, Status.PARTIALLY_REFUNDED}


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


class ReviewExpired(PaymentError):
    """The deadline has passed: nobody decides any more."""

    code = "review_expired"


class ReviewNotDue(PaymentError):
    """There is still time to decide."""

    code = "review_not_due"


class NotRefundable(PaymentError):
    """Only what was completed can be given back."""

    code = "not_refundable"


class RefundTooLarge(PaymentError):
    """Refunds never add up to more than the payment."""

    code = "refund_too_large"


class RefundCurrencyDiffers(PaymentError):
    """A payment is given back in its own currency."""

    code = "refund_currency_differs"


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
            terms = _terms(_to_decide(payment, command), command.at)
            return (
                PaymentApproved(reviewer=reviewer, reason=approval, note=note, **terms),
                PaymentProcessed(**terms),
            )
        case RejectPayment(reviewer=reviewer, reason=rejection, note=note):
            terms = _terms(_to_decide(payment, command), command.at)
            return (PaymentRejected(reviewer=reviewer, reason=rejection, note=note, **terms),)
        case ExpireReview():
            return (_expire(_awaiting_review(payment, command), command),)
        case CancelPayment():
            return (_cancel(_known(payment, command), command),)
        case RefundPayment():
            return (_refund(_known(payment, command), command),)
        case _:
            assert_never(command)


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
        flagged = terms | {"flagged_at": command.at, "deadline": command.at + REVIEW_PERIOD}
        return PaymentFlaggedForReview(risk=risk, **flagged)
    return PaymentProcessed(risk=risk, **terms)


def _to_decide(payment: Payment | None, command: ApprovePayment | RejectPayment) -> Payment:
    payment = _awaiting_review(payment, command)
    deadline = _deadline(payment)
    if command.at >= deadline:
        raise ReviewExpired(
            f"Payment {payment.payment_id} had to be decided by {deadline:%Y-%m-%d %H:%M:%S} UTC.",
            deadline=deadline.isoformat(),
        )
    return payment


def _expire(payment: Payment, command: ExpireReview) -> PaymentExpired:
    deadline = _deadline(payment)
    if command.at < deadline:
        raise ReviewNotDue(
            f"Payment {payment.payment_id} may be decided until {deadline:%Y-%m-%d %H:%M:%S} UTC.",
            deadline=deadline.isoformat(),
        )
    return PaymentExpired(deadline=deadline, **_terms(payment, command.at))


def _deadline(payment: Payment) -> datetime:
    assert payment.review_deadline is not None, "whoever is under review was flagged"  # noqa: S101
    return payment.review_deadline


def _cancel(payment: Payment, command: CancelPayment) -> PaymentCancelled:
    if payment.status not in {Status.INITIATED, Status.PENDING_REVIEW}:
        hint = " Refund it instead." if payment.status in _REFUNDABLE else ""
        raise PaymentAlreadyFinished(
            f"Payment {payment.payment_id} is already {payment.status}.{hint}",
            status=payment.status,
        )
    return PaymentCancelled(reason=command.reason, **_terms(payment, command.at))


def _refund(payment: Payment, command: RefundPayment) -> PaymentRefunded:
    if payment.status not in _REFUNDABLE:
        raise NotRefundable(
            f"Payment {payment.payment_id} is {payment.status}, there is nothing to give back.",
            status=payment.status,
        )
    refund = command.amount or payment.refundable
    if refund.currency != payment.amount.currency:
        raise RefundCurrencyDiffers(
            f"Payment {payment.payment_id} is in {payment.amount.currency}.",
            currency=payment.amount.currency,
        )
    if not 0 < refund.minor <= payment.refundable.minor:
        raise RefundTooLarge(
            f"Of payment {payment.payment_id} no more than {payment.refundable} is left to refund,"
            f" not {refund}.",
            refundable=str(payment.refundable.minor),
            currency=payment.amount.currency,
        )
    return PaymentRefunded(
        refund_id=command.refund_id,
        refund=refund,
        refunded=refund if payment.refunded is None else payment.refunded + refund,
        reason=command.reason,
        **_terms(payment, command.at),
    )


def _known(payment: Payment | None, command: PaymentCommand) -> Payment:
    if payment is None:
        raise PaymentNotFound(f"There is no payment {command.payment_id}.")
    return payment


def _awaiting_review(payment: Payment | None, command: PaymentCommand) -> Payment:
    payment = _known(payment, command)
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

"""Decide on a command: return its events, or raise a refusal."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any, Final, assert_never

from msgspec.structs import replace

from payments.domain.methods import LIMITS
from payments.domain.payment import disputing, reviewing
from payments.domain.payment.codes import FailureReason
from payments.domain.payment.commands import (
    AddNote,
    CancelPayment,
    DisputeCommand,
    ExpireReview,
    PaymentCommand,
    ProcessPayment,
    RefundPayment,
    ReviewCommand,
)
from payments.domain.payment.events import (
    AnyDisputeEvent,
    AnyPaymentEvent,
    PaymentCancelled,
    PaymentFailed,
    PaymentFlaggedForReview,
    PaymentInitiated,
    PaymentNoteAdded,
    PaymentProcessed,
    PaymentRefunded,
)
from payments.domain.payment.findings import Finding
from payments.domain.payment.refusals import (
    DisputeOpen,
    NotRefundable,
    PaymentAlreadyFinished,
    PaymentDiffers,
    PaymentNotFound,
    PaymentUnderReview,
    RefundCurrencyDiffers,
    RefundTooLarge,
)
from payments.domain.payment.state import Payment, Status, evolve
from payments.domain.risk.assessment import assess

_REFUNDABLE: Final = {Status.COMPLETED, Status.PARTIALLY_REFUNDED}


def authorize(payment: Payment | None, command: PaymentCommand) -> None:
    """Raise PaymentNotFound if the command names another client than that of the payment."""
    if payment is not None and command.client_id not in {None, payment.client_id}:
        raise PaymentNotFound(payment_id=command.payment_id)


def decide(payment: Payment | None, command: PaymentCommand) -> tuple[AnyPaymentEvent, ...]:
    """Return the events of `command`. Raises PaymentError if the state refuses it.

    Only a dispute command can have no events, if its notice or response brings no news.
    """
    match command:
        case ProcessPayment():
            return _process(payment, command)
        case ReviewCommand():
            return reviewing.review(_existing(payment, command), command)
        case ExpireReview():
            return (reviewing.expire(_existing(payment, command), command),)
        case CancelPayment():
            return (_cancel(_existing(payment, command), command),)
        case RefundPayment():
            payment = _existing(payment, command)
            return _with_findings(payment, (_refund(payment, command),))
        case AddNote():
            return (_note(_existing(payment, command), command),)
        case DisputeCommand():
            payment = _existing(payment, command)
            return _with_findings(payment, disputing.dispute(payment, command))
        case _:
            assert_never(command)


def _process(payment: Payment | None, command: ProcessPayment) -> tuple[AnyPaymentEvent, ...]:
    if payment is None:
        terms = _first_terms(command)
        begun = PaymentInitiated(
            reference=command.reference, card=command.card, signals=command.signals, **terms
        )
        return (begun, _outcome(command, terms))
    if payment.status is Status.PENDING_REVIEW:
        raise PaymentUnderReview(payment_id=payment.payment_id)
    if payment.status is not Status.INITIATED:
        raise PaymentAlreadyFinished(payment_id=payment.payment_id, status=payment.status)
    agreed = (payment.client_id, payment.customer_id, payment.amount, payment.method)
    if agreed != (command.client_id, command.customer_id, command.amount, command.method):
        raise PaymentDiffers(payment_id=payment.payment_id)
    return (_outcome(command, payment.terms(command.at)),)


def _outcome(command: ProcessPayment, terms: dict[str, Any]) -> AnyPaymentEvent:
    # The method's limit comes first, so that nobody reviews a payment that fails anyway.
    limit = LIMITS[command.method].get(command.amount.currency)
    if limit is not None and command.amount > limit:
        return PaymentFailed(reason=FailureReason.METHOD_LIMIT_EXCEEDED, limit=limit, **terms)
    if command.features is None:
        return PaymentProcessed(**terms)
    risk = assess(command.policy, command.features, amount=command.amount, method=command.method)
    if risk.block:
        return PaymentFailed(reason=FailureReason.BLOCKED_BY_POLICY, risk=risk, **terms)
    if risk.review:
        return PaymentFlaggedForReview(
            risk=risk,
            deadline=command.at + timedelta(hours=command.policy.document.review_hours),
            policy_author=command.policy_author,
            **{**terms, "flagged_at": command.at},
        )
    return PaymentProcessed(risk=risk, **terms)


def _cancel(payment: Payment, command: CancelPayment) -> PaymentCancelled:
    if payment.status not in {Status.INITIATED, Status.PENDING_REVIEW}:
        raise PaymentAlreadyFinished(
            payment_id=payment.payment_id,
            status=payment.status,
            refundable=payment.status in _REFUNDABLE,
        )
    return PaymentCancelled(reason=command.reason, note=command.note, **payment.terms(command.at))


def _refund(payment: Payment, command: RefundPayment) -> PaymentRefunded:
    if payment.status not in _REFUNDABLE:
        raise NotRefundable(payment_id=payment.payment_id, status=payment.status)
    for dispute in payment.open_disputes:
        raise DisputeOpen(payment_id=payment.payment_id, dispute_id=dispute.dispute_id)
    if not payment.refundable.minor:
        raise NotRefundable(payment_id=payment.payment_id, status=payment.status, lost=payment.lost)
    refund = command.amount or payment.refundable
    if refund.currency != payment.amount.currency:
        raise RefundCurrencyDiffers(payment_id=payment.payment_id, currency=payment.amount.currency)
    if not 0 < refund.minor <= payment.refundable.minor:
        raise RefundTooLarge(
            payment_id=payment.payment_id, refund=refund, refundable=payment.refundable
        )
    return PaymentRefunded(
        refund_id=command.refund_id,
        refund=refund,
        refunded=refund if payment.refunded is None else payment.refunded + refund,
        reason=command.reason,
        reference=command.reference,
        note=command.note,
        **payment.terms(command.at),
    )


def _note(payment: Payment, command: AddNote) -> PaymentNoteAdded:
    return PaymentNoteAdded(
        author=command.author,
        note=command.note,
        mentions=command.mentions,
        attachments=command.attachments,
        **payment.terms(command.at),
    )


def _with_findings(
    payment: Payment, events: Iterable[PaymentRefunded | AnyDisputeEvent]
) -> tuple[AnyPaymentEvent, ...]:
    """Add a finding to each event that changes whether an approved payment is known to be fraud."""
    found = []
    for event in events:
        after = evolve(payment, payment.payment_id, event)
        if payment.approvals and after.proved_fraudulent is not payment.proved_fraudulent:
            finding = Finding(after.proved_fraudulent, payment.approvals)
            found.append(replace(event, finding=finding))
        else:
            found.append(event)
        payment = after
    return tuple(found)


def _existing(payment: Payment | None, command: PaymentCommand) -> Payment:
    if payment is None:
        raise PaymentNotFound(payment_id=command.payment_id)
    return payment


def _first_terms(command: ProcessPayment) -> dict[str, Any]:
    return {
        "at": command.at,
        "client_id": command.client_id,
        "customer_id": command.customer_id,
        "amount": command.amount,
        "method": command.method,
        "initiated_at": command.at,
    }

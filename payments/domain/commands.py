"""The commands of a payment: what somebody wants, in the imperative. Time and ids are arguments."""

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from msgspec import Struct

from payments.domain.conditions import RiskFeatures
from payments.domain.events import (
    ApprovalReason,
    CancellationReason,
    NoteRef,
    RefundReason,
    RejectionReason,
)
from payments.domain.methods import Method
from payments.domain.money import Money
from payments.domain.risk import DEFAULT_POLICY, RiskPolicy


class Command(Struct, frozen=True, kw_only=True):
    """What every command says: which payment, when, among which client's (None: among all)."""

    name: ClassVar[str]

    payment_id: UUID
    client_id: UUID | None
    at: datetime


class ProcessPayment(Command, frozen=True, kw_only=True):
    """Take a payment.

    `features` is None where risk is not assessed, as for payments of the past.
    """

    name: ClassVar[str] = "process_payment"

    client_id: UUID
    customer_id: UUID
    amount: Money
    method: Method
    reference: str | None = None
    features: RiskFeatures | None = None
    policy: RiskPolicy = DEFAULT_POLICY


class ApprovePayment(Command, frozen=True, kw_only=True):
    """Let a payment under review go through. `reviewer` is the staff member's actor id."""

    name: ClassVar[str] = "approve_payment"

    reviewer: str
    reason: ApprovalReason
    note: NoteRef | None = None


class RejectPayment(Command, frozen=True, kw_only=True):
    """Refuse a payment under review for good. `reviewer` is the staff member's actor id."""

    name: ClassVar[str] = "reject_payment"

    reviewer: str
    reason: RejectionReason
    note: NoteRef | None = None


class ExpireReview(Command, frozen=True, kw_only=True):
    """Give up on a review that nobody finished in time."""

    name: ClassVar[str] = "expire_review"


class CancelPayment(Command, frozen=True, kw_only=True):
    """Call off a payment that is not completed yet."""

    name: ClassVar[str] = "cancel_payment"

    reason: CancellationReason


class RefundPayment(Command, frozen=True, kw_only=True):
    """Give back `amount` of a completed payment; None is all that is left of it."""

    name: ClassVar[str] = "refund_payment"

    refund_id: UUID
    amount: Money | None
    reason: RefundReason


PaymentCommand = (
    ProcessPayment | ApprovePayment | RejectPayment | ExpireReview | CancelPayment | RefundPayment
)

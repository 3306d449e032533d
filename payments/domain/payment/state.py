"""The state of a payment, and how its events change it."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final, assert_never
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from payments.domain.cards import Card
from payments.domain.methods import Method
from payments.domain.money import Money
from payments.domain.payment.claims import Lease, claimed
from payments.domain.payment.codes import FailureReason, RefundReason
from payments.domain.payment.disputes import Dispute, noted
from payments.domain.payment.events import (
    AnyPaymentEvent,
    NoteRef,
    PaymentApproved,
    PaymentCancelled,
    PaymentDisputeClosed,
    PaymentDisputed,
    PaymentDisputeResponded,
    PaymentDisputeUpdated,
    PaymentExpired,
    PaymentFailed,
    PaymentFirstApproved,
    PaymentFlaggedForReview,
    PaymentInitiated,
    PaymentNoteAdded,
    PaymentProcessed,
    PaymentRefunded,
    PaymentRejected,
    ReviewAssigned,
    ReviewClaimed,
    ReviewEscalated,
    ReviewReleased,
    ReviewResumed,
    ReviewSnoozed,
)
from payments.domain.payment.findings import Approval
from payments.domain.payment.snoozes import Snooze
from payments.domain.risk.assessment import RiskAssessment

# Increase it with every change of `evolve` or of the state's fields, to invalidate older snapshots.
# A test fails if this is forgotten.
STATE_VERSION: Final = 14


class Status(StrEnum):
    INITIATED = "initiated"
    PENDING_REVIEW = "pending_review"
    COMPLETED = "completed"
    FAILED = "failed"
    REJECTED = "rejected"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    PARTIALLY_REFUNDED = "partially_refunded"
    REFUNDED = "refunded"


# The time to decide on payments that were flagged before events had a deadline.
REVIEW_PERIOD: Final = timedelta(days=7)


# Ended by a decision or an escalation, because then others have to act, or nobody.
_UNROUTED: Final[dict[str, Any]] = {"lease": None, "snooze": None, "assigned_to": None}


class Review(Struct, frozen=True, kw_only=True):
    """A person's decision. `reason` is an ApprovalReason or a RejectionReason."""

    reviewer: str
    approved: bool
    reason: str  # JSON cannot distinguish the two enumerations
    note: NoteRef | None
    at: datetime

    @property
    def decision(self) -> str:
        return "approved" if self.approved else "rejected"


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
    card: Card | None = None
    flagged_at: datetime | None = None
    review_deadline: datetime | None = None
    processed_at: datetime | None = None
    failure: FailureReason | None = None
    risk: RiskAssessment | None = None
    policy_author: str | None = None
    lease: Lease | None = None
    snooze: Snooze | None = None
    assigned_to: str | None = None
    escalated: bool = False
    first_approval: Review | None = None
    review: Review | None = None
    refunded: Money | None = None
    last_refund: PaymentRefunded | None = None
    refunded_as_fraudulent: bool = False  # any of the refunds, not only the last one
    disputes: tuple[Dispute, ...] = ()

    @property
    def refundable(self) -> Money:
        """The remaining amount of a completed payment that can be refunded."""
        taken = self.lost.minor + (0 if self.refunded is None else self.refunded.minor)
        # Not negative, although a dispute may take an amount that was refunded before.
        return Money(max(0, self.amount.minor - taken), self.amount.currency)

    @property
    def lost(self) -> Money:
        """The amount that closed disputes have taken."""
        lost = sum(each.lost.minor for each in self.disputes if each.lost is not None)
        return Money(lost, self.amount.currency)

    @property
    def open_disputes(self) -> tuple[Dispute, ...]:
        return tuple(each for each in self.disputes if each.is_open)

    @property
    def approvals(self) -> tuple[Approval, ...]:
        """The approvals of reviewers, the final one last."""
        given = (self.first_approval, self.review)
        return tuple(
            Approval(each.reviewer, each.at) for each in given if each is not None and each.approved
        )

    @property
    def proved_fraudulent(self) -> bool:
        """Return whether a refund was for fraud, or a dispute was lost or accepted as fraud."""
        return self.refunded_as_fraudulent or any(each.is_fraud for each in self.disputes)

    @property
    def needs_senior(self) -> bool:
        """Return whether only senior reviewers may decide."""
        return self.escalated or self.first_approval is not None

    def terms(self, at: datetime) -> dict[str, Any]:
        """Return the fields that every event of the payment repeats, see PaymentEvent."""
        return {
            "at": at,
            "client_id": self.client_id,
            "customer_id": self.customer_id,
            "amount": self.amount,
            "method": self.method,
            "initiated_at": self.initiated_at,
            "flagged_at": self.flagged_at,
        }


def evolve(payment: Payment | None, payment_id: UUID, event: AnyPaymentEvent) -> Payment:
    """Return the state after `event`. Facts are never refused: any prefix of a stream is valid."""
    if payment is None:
        payment = _begin(payment_id, event)
    changes = _changes(payment, event)
    return replace(payment, version=payment.version + 1, updated_at=event.at, **changes)


def _changes(  # noqa: C901, PLR0912 - a case for each event
    payment: Payment, event: AnyPaymentEvent
) -> dict[str, Any]:
    match event:
        case PaymentInitiated():
            return {"reference": event.reference, "card": event.card}
        case PaymentProcessed():
            return {
                "status": Status.COMPLETED,
                "processed_at": event.at,
                "risk": event.risk or payment.risk,
            }
        case PaymentFailed():
            return {
                "status": Status.FAILED,
                "failure": event.reason,
                "risk": event.risk or payment.risk,
            }
        case PaymentFlaggedForReview():
            return {
                "status": Status.PENDING_REVIEW,
                "flagged_at": event.flagged_at,
                "review_deadline": event.deadline or event.at + REVIEW_PERIOD,
                "risk": event.risk,
                "policy_author": event.policy_author,
            }
        case ReviewClaimed(reviewer=reviewer, until=until, at=at):
            lease = claimed(payment.lease, reviewer=reviewer, at=at, until=until)
            return {"lease": lease, "snooze": None}
        case ReviewReleased():
            return {"lease": None}
        case ReviewSnoozed(reviewer=reviewer, until=until, reason=reason):
            snooze = Snooze(reviewer=reviewer, until=until, reason=reason)
            return {"snooze": snooze, "lease": None}
        case ReviewResumed():
            # The ended snooze is kept, so that the payment returns to the same reviewer first.
            return {"snooze": payment.snooze and replace(payment.snooze, until=event.at)}
        case ReviewAssigned(to=to):
            return {"assigned_to": to}
        case ReviewEscalated():
            return {"escalated": True, **_UNROUTED}
        case PaymentFirstApproved():
            return {"first_approval": _review(event, approved=True), **_UNROUTED}
        case PaymentApproved():
            # The status stays: PaymentProcessed follows in the same append.
            return {"review": _review(event, approved=True), **_UNROUTED}
        case PaymentRejected():
            review = _review(event, approved=False)
            return {"status": Status.REJECTED, "review": review, **_UNROUTED}
        case PaymentExpired():
            return {"status": Status.EXPIRED, **_UNROUTED}
        case PaymentCancelled():
            return {"status": Status.CANCELLED, **_UNROUTED}
        case PaymentRefunded(refunded=refunded):
            whole = refunded == payment.amount
            status = Status.REFUNDED if whole else Status.PARTIALLY_REFUNDED
            return {
                "status": status,
                "refunded": refunded,
                "last_refund": event,
                "refunded_as_fraudulent": payment.refunded_as_fraudulent
                or event.reason is RefundReason.FRAUDULENT,
            }
        case PaymentNoteAdded():
            return {}  # no decision on a command depends on notes
        case (
            PaymentDisputed()
            | PaymentDisputeUpdated()
            | PaymentDisputeResponded()
            | PaymentDisputeClosed()
        ):
            return {"disputes": noted(payment.disputes, event)}
        case _:
            assert_never(event)


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


def _review(
    event: PaymentFirstApproved | PaymentApproved | PaymentRejected, *, approved: bool
) -> Review:
    return Review(
        reviewer=event.reviewer,
        approved=approved,
        reason=event.reason,
        note=event.note,
        at=event.at,
    )

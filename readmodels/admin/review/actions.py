"""The actions of staff on a payment.

The domain decides which actions are offered. `decide` is pure, so each action's command is tried on
the current state. An action has no button if the domain refuses its command.
"""

from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Self
from uuid import UUID, uuid4, uuid5

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from msgspec import Struct

from payments import actors, permissions
from payments.application import corrections, review
from payments.application.dispatch import CommandContext, Outcome
from payments.domain.payment import claims
from payments.domain.payment.codes import (
    ApprovalReason,
    CancellationReason,
    EscalationReason,
    RefundReason,
    RejectionReason,
    SnoozeReason,
)
from payments.domain.payment.commands import (
    AnyReviewCommand,
    ApprovePayment,
    AssignReview,
    CancelPayment,
    ClaimReview,
    EscalateReview,
    RefundPayment,
    RejectPayment,
    ReleaseReview,
    ResumeReview,
    ReviewCommand,
    SnoozeReview,
    TakeOverReview,
)
from payments.domain.payment.deciding import decide
from payments.domain.payment.events import NoteRef
from payments.domain.payment.refusals import NoteNeeded, PaymentError
from payments.domain.payment.state import Payment

StaffCommand = AnyReviewCommand | CancelPayment | RefundPayment

_NO_KEY: Final = UUID(int=0)
_SOME_NOTE: Final = NoteRef(UUID(int=0), "")


class Person(Struct, frozen=True, kw_only=True):
    """The signed-in member of staff, with their current permissions."""

    actor: str
    reviews: bool = False
    senior: bool = False
    corrects: bool = False

    @classmethod
    def of(cls, user: AbstractBaseUser | AnonymousUser) -> Self:
        reviews = permissions.holds(user, permissions.REVIEW)
        return cls(
            actor=actors.staff(int(user.pk or 0)),
            reviews=reviews,
            senior=reviews and permissions.holds(user, permissions.REVIEW_AS_SENIOR),
            corrects=permissions.holds(user, permissions.CORRECT),
        )


class Action(Struct, frozen=True, kw_only=True):
    """A button and the command that it sends.

    `shortcut` is the key that presses the button. An action with `reasons` or an assignee has a
    page with a form. The button alone carries out any other action.
    """

    name: str
    kind: type[StaffCommand]
    label: str
    shortcut: str = ""
    variant: str = "default"  # a button style of unfold
    reasons: type[StrEnum] | None = None

    @property
    def has_page(self) -> bool:
        # Templates need this property, because they would call the class in `reasons`.
        return self.reasons is not None or self.takes_assignee

    @property
    def takes_note(self) -> bool:
        return "note" in self.kind.__struct_fields__

    @property
    def takes_amount(self) -> bool:
        return "amount" in self.kind.__struct_fields__

    @property
    def takes_time(self) -> bool:
        return "until" in self.kind.__struct_fields__

    @property
    def takes_assignee(self) -> bool:
        return "to" in self.kind.__struct_fields__

    @property
    def takes_holder(self) -> bool:
        return "holder" in self.kind.__struct_fields__

    def permitted(self, person: Person) -> bool:
        return person.reviews if issubclass(self.kind, ReviewCommand) else person.corrects

    def command(
        self, payment_id: UUID, person: Person, at: datetime, *, key: UUID, **given: Any
    ) -> StaffCommand:
        """Return the command. `given` has the values of the form, such as a reason or an amount."""
        facts = {"payment_id": payment_id, "client_id": None, "at": at, **given}
        if issubclass(self.kind, ReviewCommand):
            facts |= {"reviewer": person.actor, "senior": person.senior}
        if issubclass(self.kind, RefundPayment):
            facts["refund_id"] = uuid5(payment_id, str(key))
        return self.kind(**facts)


APPROVE: Final = Action(
    name="approve",
    kind=ApprovePayment,
    label="Approve",
    shortcut="a",
    variant="primary",
    reasons=ApprovalReason,
)
REJECT: Final = Action(
    name="reject",
    kind=RejectPayment,
    label="Reject",
    shortcut="r",
    variant="danger",
    reasons=RejectionReason,
)
ESCALATE: Final = Action(
    name="escalate",
    kind=EscalateReview,
    label="Escalate",
    shortcut="e",
    reasons=EscalationReason,
)
CLAIM: Final = Action(name="claim", kind=ClaimReview, label="Claim", shortcut="c")
TAKE_OVER: Final = Action(name="take_over", kind=TakeOverReview, label="Take over")
RELEASE: Final = Action(name="release", kind=ReleaseReview, label="Release")
SNOOZE: Final = Action(
    name="snooze", kind=SnoozeReview, label="Snooze", shortcut="s", reasons=SnoozeReason
)
RESUME: Final = Action(name="resume", kind=ResumeReview, label="End snooze")
ASSIGN: Final = Action(name="assign", kind=AssignReview, label="Assign", shortcut="h")
REFUND: Final = Action(name="refund", kind=RefundPayment, label="Refund", reasons=RefundReason)
CANCEL: Final = Action(
    name="cancel", kind=CancelPayment, label="Cancel payment", reasons=CancellationReason
)
ACTIONS: Final = (
    APPROVE,
    REJECT,
    ESCALATE,
    CLAIM,
    TAKE_OVER,
    RELEASE,
    SNOOZE,
    RESUME,
    ASSIGN,
    REFUND,
    CANCEL,
)
# The actions that the review queue offers for many payments at once.
IN_BULK: Final = (APPROVE, REJECT, ESCALATE, CLAIM, RELEASE, ASSIGN)
MOST_IN_BULK: Final = 50


class Assignee(Struct, frozen=True):
    """The person to whom payments are assigned, or nobody, and what that person may do."""

    actor: str | None
    reviews: bool = True
    senior: bool = True


ANY_ASSIGNEE: Final = Assignee("staff:0")


def refusal(
    action: Action,
    payment: Payment,
    person: Person,
    at: datetime,
    *,
    note: bool = True,
    customer_blocked: bool = False,
    assignee: Assignee = ANY_ASSIGNEE,
) -> PaymentError | None:
    """Return the refusal that the action would get now, or None if it would be accepted.

    `note` is whether the command has a note.
    """
    given: dict[str, Any] = {}
    if action.reasons is not None:
        given["reason"] = next(iter(action.reasons))
    if action.takes_note:
        given["note"] = _SOME_NOTE if note else None
    if action is APPROVE:
        given["customer_blocked"] = customer_blocked
    if action.takes_amount:
        given["amount"] = None
    if action.takes_time:
        given["until"] = at + ((payment.review_deadline or at) - at) / 2
    if action.takes_assignee:
        given["to"] = assignee.actor
        given |= {"to_reviews": assignee.reviews, "to_senior": assignee.senior}
    if action.takes_holder:
        lease = claims.unlapsed(payment.lease, at)
        given["holder"] = lease.reviewer if lease else ""
    try:
        decide(payment, action.command(payment.payment_id, person, at, key=_NO_KEY, **given))
    except PaymentError as error:
        return error
    return None


def needs_note(
    action: Action,
    payment: Payment,
    person: Person,
    at: datetime,
    *,
    customer_blocked: bool = False,
) -> bool:
    """Return whether the action is refused without a note."""
    refused = refusal(action, payment, person, at, note=False, customer_blocked=customer_blocked)
    return isinstance(refused, NoteNeeded)


def offered(payment: Payment, person: Person, at: datetime) -> tuple[Action, ...]:
    """Return the actions that the person may take on the payment now."""
    lease = claims.unlapsed(payment.lease, at)
    found = [
        action
        for action in ACTIONS
        if action.permitted(person) and refusal(action, payment, person, at) is None
    ]
    if TAKE_OVER in found:
        # Of the two, offer "Take over" for another person's claim and "Release" for one's own.
        is_held_by_another = lease is not None and lease.reviewer != person.actor
        dropped = RELEASE if is_held_by_another else TAKE_OVER
        found = [each for each in found if each is not dropped]
    return tuple(found)


def handle(
    command: StaffCommand, context: CommandContext, *, note: str | None, expected_version: int
) -> Outcome:
    """Carry out the command. Raises NotPermitted, PaymentError and StaleVersion."""
    if isinstance(command, CancelPayment | RefundPayment):
        return corrections.handle(command, context, note=note, expected_version=expected_version)
    return review.handle(command, context, note=note, expected_version=expected_version)


def next_key(person: Person) -> str | None:
    """Return the idempotency key for "Claim next", or None if the person may not review."""
    return str(uuid4()) if person.reviews else None

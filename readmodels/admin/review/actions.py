"""What staff may do about a payment: the domain is asked, by the very command that they would give.

`decide` is pure, so an action is offered if and only if its command would be carried out now, and why
another one is not is what the domain says of it.
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
from payments.domain.payment.commands import (
    AnyReviewCommand,
    ApprovePayment,
    CancelPayment,
    ClaimReview,
    EscalateReview,
    RefundPayment,
    RejectPayment,
    ReleaseReview,
    ReviewCommand,
    TakeOverReview,
)
from payments.domain.payment.deciding import decide
from payments.domain.payment.events import (
    ApprovalReason,
    CancellationReason,
    EscalationReason,
    NoteRef,
    RefundReason,
    RejectionReason,
)
from payments.domain.payment.refusals import NoteNeeded, PaymentError
from payments.domain.payment.state import Payment

StaffCommand = AnyReviewCommand | CancelPayment | RefundPayment

_NO_KEY: Final = UUID(int=0)
_SOME_NOTE: Final = NoteRef(UUID(int=0), "")


class Person(Struct, frozen=True, kw_only=True):
    """Somebody before the screen, with the rights of this moment."""

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
    """A command as staff give it.

    `label` is what its button says, `shortcut` the key that presses it. With `reasons` it is given on a
    page of its own, without any by the button alone.
    """

    name: str
    kind: type[StaffCommand]
    label: str
    shortcut: str = ""
    variant: str = "default"  # of unfold's buttons
    reasons: type[StrEnum] | None = None

    @property
    def has_page(self) -> bool:
        # Templates ask this: they would call an enumeration instead of looking at it.
        return self.reasons is not None

    @property
    def takes_note(self) -> bool:
        return "note" in self.kind.__struct_fields__

    @property
    def takes_amount(self) -> bool:
        return "amount" in self.kind.__struct_fields__

    @property
    def takes_holder(self) -> bool:
        return "holder" in self.kind.__struct_fields__

    def permitted(self, person: Person) -> bool:
        return person.reviews if issubclass(self.kind, ReviewCommand) else person.corrects

    def command(
        self, payment_id: UUID, person: Person, at: datetime, *, key: UUID, **given: Any
    ) -> StaffCommand:
        """The command, with what the person has `given`: a reason, an amount."""
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
REFUND: Final = Action(name="refund", kind=RefundPayment, label="Refund", reasons=RefundReason)
CANCEL: Final = Action(
    name="cancel", kind=CancelPayment, label="Cancel payment", reasons=CancellationReason
)
ACTIONS: Final = (APPROVE, REJECT, ESCALATE, CLAIM, TAKE_OVER, RELEASE, REFUND, CANCEL)


def refusal(
    action: Action, payment: Payment, person: Person, at: datetime, *, note: bool = True
) -> PaymentError | None:
    """Why the payment would refuse the action now, `note` being whether there is one; None: it would not."""
    given: dict[str, Any] = {}
    if action.reasons is not None:
        given["reason"] = next(iter(action.reasons))
    if action.takes_note:
        given["note"] = _SOME_NOTE if note else None
    if action.takes_amount:
        given["amount"] = None
    if action.takes_holder:
        lease = payment.lease_at(at)
        given["holder"] = lease.reviewer if lease else ""
    try:
        decide(payment, action.command(payment.payment_id, person, at, key=_NO_KEY, **given))
    except PaymentError as error:
        return error
    return None


def needs_note(action: Action, payment: Payment, person: Person, at: datetime) -> bool:
    return isinstance(refusal(action, payment, person, at, note=False), NoteNeeded)


def offered(payment: Payment, person: Person, at: datetime) -> tuple[Action, ...]:
    """Return the actions that the person may take on the payment now."""
    lease = payment.lease_at(at)
    found = [
        action
        for action in ACTIONS
        if action.permitted(person) and refusal(action, payment, person, at) is None
    ]
    if TAKE_OVER in found:
        # A claim of another person is taken over rather than released; otherwise the payment is claimed.
        anothers = lease is not None and lease.reviewer != person.actor
        found = [each for each in found if each is not (RELEASE if anothers else TAKE_OVER)]
    return tuple(found)


def handle(
    command: StaffCommand, context: CommandContext, *, note: str | None, expected_version: int
) -> Outcome:
    """Raises NotPermitted, and as dispatch does."""
    if isinstance(command, CancelPayment | RefundPayment):
        return corrections.handle(command, context, expected_version=expected_version)
    return review.handle(command, context, note=note, expected_version=expected_version)


def next_key(person: Person) -> str | None:
    """The key of a page's "Claim next": a double click claims one payment. None: this person may not."""
    return str(uuid4()) if person.reviews else None

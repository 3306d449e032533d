"""Refusals that concern snoozes and assignments. `refusals.py` has the others."""

from dataclasses import dataclass
from datetime import datetime

from payments.domain.payment.refusals import PaymentError, second


@dataclass(kw_only=True, eq=False)
class AssignedToAnother(PaymentError):
    """The payment is reserved for another reviewer, `assigned_to`, until `assigned_until`."""

    code = "review_assigned"

    assigned_to: str
    assigned_until: datetime

    def __str__(self) -> str:
        until = second(self.assigned_until)
        return f"Payment {self.payment_id} is assigned to {self.assigned_to} until {until}."


@dataclass(kw_only=True, eq=False)
class AssignmentNeedsSenior(PaymentError):
    """A reviewer can only assign what they hold or are assigned, and not to themselves."""

    code = "assignment_needs_senior"

    def __str__(self) -> str:
        return (
            f"Only a senior reviewer can assign payment {self.payment_id}. Others hand over what they have"
            " claimed or are assigned."
        )


@dataclass(kw_only=True, eq=False)
class AssigneeNotReviewer(PaymentError):
    """The actor to whom the payment should be assigned may not review."""

    code = "assignee_not_reviewer"

    assignee: str

    def __str__(self) -> str:
        return f"{self.assignee} is not a reviewer, so payment {self.payment_id} cannot be assigned to them."


@dataclass(kw_only=True, eq=False)
class NotAssigned(PaymentError):
    """There is no assignment to remove."""

    code = "review_not_assigned"

    def __str__(self) -> str:
        return f"Payment {self.payment_id} is not assigned."


@dataclass(kw_only=True, eq=False)
class StillSnoozed(PaymentError):
    """The payment is snoozed, so it is not the next one in the queue."""

    code = "review_snoozed"

    snoozed_by: str
    snoozed_until: datetime

    def __str__(self) -> str:
        until = second(self.snoozed_until)
        return f"{self.snoozed_by} has snoozed payment {self.payment_id} until {until}."


@dataclass(kw_only=True, eq=False)
class NotSnoozed(PaymentError):
    """There is no snooze to end."""

    code = "review_not_snoozed"

    def __str__(self) -> str:
        return f"Payment {self.payment_id} is not snoozed."


@dataclass(kw_only=True, eq=False)
class SnoozeTimeInvalid(PaymentError):
    """The end of a snooze, `until`, is not between now and the deadline of the review."""

    code = "snooze_time_invalid"

    until: datetime
    earliest: datetime
    deadline: datetime

    def __str__(self) -> str:
        return (
            f"A snooze must end after {second(self.earliest)} and before the deadline of payment"
            f" {self.payment_id}, {second(self.deadline)}, not at {second(self.until)}."
        )

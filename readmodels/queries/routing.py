"""Conditions on snoozes and assignments in the review queue.

They apply the rules of `payments/domain/payment/standing.py` to rows that may lag. A command checks
them again with the log.
"""

from datetime import datetime

from django.db.models import DateTimeField, ExpressionWrapper, F, Q, Value
from django.db.models.functions import Coalesce


def snoozed(at: datetime) -> Q:
    # The first condition is that of the partial index.
    return ~Q(snoozed_by="") & Q(snoozed_until__gt=at)


def awake(at: datetime) -> Q:
    return Q(snoozed_until=None) | Q(snoozed_until__lte=at)


def open_to(reviewer: str, at: datetime) -> Q:
    """Return the condition for payments that no assignment reserves for anybody else."""
    # An assignment ends after half of the time, when the time left is at most the time passed.
    gone = Value(at, DateTimeField()) - Coalesce("flagged_at", F("initiated_at"))
    end = ExpressionWrapper(Value(at, DateTimeField()) + gone, output_field=DateTimeField())
    return Q(assigned_to="") | Q(assigned_to=reviewer) | Q(review_deadline__lte=end)


def tiers(reviewer: str, at: datetime) -> tuple[Q, Q, Q]:
    """Return the conditions for what claim-next offers first, second and last.

    First come the payments assigned to the reviewer, then those that returned from the reviewer's snooze.
    """
    own = Q(assigned_to=reviewer)
    returned = Q(assigned_to="", snoozed_by=reviewer)
    return own, returned, open_to(reviewer, at) & ~own & ~returned

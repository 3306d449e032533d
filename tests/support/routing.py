"""Reviewers' snoozes, assignments and claims, given directly to the use cases."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.utils import timezone

from payments import actors
from payments.application import review
from payments.application.dispatch import CommandContext, Outcome
from payments.domain.payment import commands
from payments.domain.payment.codes import SnoozeReason
from payments.domain.payment.commands import ReviewCommand


def staff(username: str, role: str = "analyst") -> str:
    """Return the actor id of a new member of staff."""
    user = get_user_model().objects.create(username=username, is_staff=True)
    user.groups.add(Group.objects.get(name=role))
    return actors.staff(user.pk)


def act(
    kind: type[ReviewCommand],
    payment: str,
    by: str,
    *,
    at: datetime | None = None,
    note: str | None = None,
    **given: Any,
) -> Outcome:
    """Carry out a reviewer's command."""
    command: Any = kind(
        payment_id=UUID(payment),
        client_id=None,
        reviewer=by,
        at=at or timezone.now(),
        **given,
    )
    return review.handle(command, CommandContext(actor=by), note=note)


def snooze(payment: str, by: str, *, hours: float = 24, **given: Any) -> Outcome:
    until = timezone.now() + timedelta(hours=hours)
    reason = SnoozeReason.WAITING_FOR_CUSTOMER
    return act(commands.SnoozeReview, payment, by, until=until, reason=reason, **given)


def assign(payment: str, by: str, *, to: str | None, **given: Any) -> Outcome:
    return act(commands.AssignReview, payment, by, to=to, **given)


def claim_next(by: str, *, at: datetime | None = None) -> str | None:
    """Return the payment that the reviewer gets, or None."""
    context = CommandContext(actor=by, key=str(uuid4()))
    outcome = review.claim_next(client_id=None, at=at or timezone.now(), context=context)
    return None if outcome is None else str(outcome.payment.payment_id)

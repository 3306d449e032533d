"""Resets of second factors. One person asks for a reset, another one approves it."""

from datetime import datetime
from typing import Final
from uuid import UUID

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction

from payments import actors, permissions
from payments.identity import factors, records, sessions
from payments.identity.models import Change, FactorReset, Reason

RESET: Final = "identity.reset_second_factor"


class ResetRefused(Exception):
    """The reset is not possible. The message states the reason and the remedy."""


def ask(staff: User, reason: Reason, *, by: str, at: datetime) -> FactorReset:
    """Store the request to reset the person's factors. Raises NotPermitted, ResetRefused."""
    asker = permissions.person(by, RESET)
    if asker.pk == staff.pk:
        raise ResetRefused("You cannot request a reset for yourself. Ask a colleague.")
    if not factors.is_enrolled(staff):
        raise ResetRefused(f"{staff} has no second factor. Signing in asks for a new one.")
    try:
        with transaction.atomic():
            reset = FactorReset.objects.create(
                staff=staff, reason=reason, asked_by_id=asker.pk, asked_at=at
            )
            records.add(Change.RESET_ASKED, staff.pk, actor=by, at=at)
    except IntegrityError as error:
        if "identity_factorreset_one_open" not in str(error):
            raise
        raise ResetRefused(f"A reset for {staff} is already waiting for approval.") from error
    return reset


def approve(reset_id: UUID, *, by: str, at: datetime) -> FactorReset:
    """Remove all factors of the person and end the sessions. Raises NotPermitted, ResetRefused."""
    with transaction.atomic():
        reset = _open(reset_id, by)
        if actors.staff_pk(by) == reset.asked_by_id:
            raise ResetRefused("You requested this reset. Another person must approve it.")
        _decide(reset, by=by, at=at, approved=True)
        factors.remove_all(reset.staff)
        sessions.end_all(reset.staff_id)
        records.add(Change.RESET_APPROVED, reset.staff_id, actor=by, at=at)
    return reset


def decline(reset_id: UUID, *, by: str, at: datetime) -> FactorReset:
    """Decline the request, or withdraw one's own. Raises NotPermitted, ResetRefused."""
    with transaction.atomic():
        reset = _open(reset_id, by)
        _decide(reset, by=by, at=at, approved=False)
        records.add(Change.RESET_DECLINED, reset.staff_id, actor=by, at=at)
    return reset


def by_command(staff: User, *, operator: str, at: datetime) -> None:
    """Remove all factors of the person, on behalf of an operator with access to the database."""
    with transaction.atomic():
        factors.remove_all(staff)
        sessions.end_all(staff.pk)
        records.add(Change.RESET_BY_COMMAND, staff.pk, actor=operator, at=at)


def _open(reset_id: UUID, by: str) -> FactorReset:
    """Lock and return the request. Raises ResetRefused if `by` may not decide on it."""
    decider = permissions.person(by, RESET)
    reset = (
        FactorReset.objects.select_for_update(of=("self",))
        .select_related("staff")
        .filter(pk=reset_id)
        .first()
    )
    if reset is None:
        raise ResetRefused("There is no such request.")
    if reset.decided_at is not None:
        raise ResetRefused("This request has already been decided.")
    if decider.pk == reset.staff_id:
        raise ResetRefused("This request is about your own factor. A colleague must decide.")
    return reset


def _decide(reset: FactorReset, *, by: str, at: datetime, approved: bool) -> None:
    reset.decided_by_id = actors.staff_pk(by)
    reset.decided_at = at
    reset.approved = approved
    reset.save(update_fields=["decided_by", "decided_at", "approved"])

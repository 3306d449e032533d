"""Decide on a payment that waits for review; the note is stored with the decision or not at all."""

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from payments.customers import notes
from payments.dispatch import Outcome, Request, dispatch
from payments.domain.commands import ApprovePayment, RejectPayment
from payments.domain.events import ApprovalReason, NoteRef, RejectionReason


def approve(
    payment_id: UUID,
    *,
    client_id: UUID | None,
    reason: ApprovalReason,
    note: str | None,
    at: datetime,
    request: Request,
    expected_version: int | None = None,
) -> Outcome:
    """Let the payment through. `request.actor` is the reviewer. Raises as dispatch does."""
    noted, store_note = _prepare(payment_id, note, request.actor, at)
    command = ApprovePayment(
        payment_id=payment_id,
        client_id=client_id,
        reviewer=request.actor,
        reason=reason,
        note=noted,
        at=at,
    )
    return dispatch(
        command, request, expected_version=expected_version, note=note, alongside=store_note
    )


def reject(
    payment_id: UUID,
    *,
    client_id: UUID | None,
    reason: RejectionReason,
    note: str | None,
    at: datetime,
    request: Request,
    expected_version: int | None = None,
) -> Outcome:
    """Refuse the payment for good. `request.actor` is the reviewer. Raises as dispatch does."""
    noted, store_note = _prepare(payment_id, note, request.actor, at)
    command = RejectPayment(
        payment_id=payment_id,
        client_id=client_id,
        reviewer=request.actor,
        reason=reason,
        note=noted,
        at=at,
    )
    return dispatch(
        command, request, expected_version=expected_version, note=note, alongside=store_note
    )


def _prepare(
    payment_id: UUID, note: str | None, author: str, at: datetime
) -> tuple[NoteRef | None, Callable[[], None] | None]:
    if note is None:
        return None, None
    written = notes.write(payment_id, note, author=author, at=at)
    return NoteRef(written.pk, written.digest), written.save

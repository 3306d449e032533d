"""Decide on a payment that waits for review; the note is stored with the decision or not at all."""

from datetime import datetime
from uuid import UUID

from payments import permissions
from payments.customers import notes
from payments.dispatch import Outcome, Request, dispatch
from payments.domain.commands import ApprovePayment, RejectPayment
from payments.domain.events import ApprovalReason, NoteRef, RejectionReason


def decide(
    payment_id: UUID,
    reason: ApprovalReason | RejectionReason,
    *,
    client_id: UUID | None,
    note: str | None,
    at: datetime,
    request: Request,
    expected_version: int | None = None,
) -> Outcome:
    """Approve or reject the payment, as `reason` says. `request.actor` is the reviewer.

    Raises NotPermitted, and as dispatch does.
    """
    permissions.require(request.actor, permissions.REVIEW)
    written = None if note is None else notes.write(payment_id, note, author=request.actor, at=at)
    reference = None if written is None else NoteRef(written.pk, written.digest)
    command: ApprovePayment | RejectPayment
    if isinstance(reason, ApprovalReason):
        command = ApprovePayment(
            payment_id=payment_id,
            client_id=client_id,
            reviewer=request.actor,
            reason=reason,
            note=reference,
            at=at,
        )
    else:
        command = RejectPayment(
            payment_id=payment_id,
            client_id=client_id,
            reviewer=request.actor,
            reason=reason,
            note=reference,
            at=at,
        )
    return dispatch(
        command,
        request,
        expected_version=expected_version,
        note=note,
        alongside=None if written is None else written.save,
    )

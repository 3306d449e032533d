"""Correct a payment: cancel it before it is completed, refund it afterwards."""

from functools import partial

from msgspec.structs import replace

from payments import actors, permissions
from payments.application.dispatch import CommandContext, Outcome, dispatch
from payments.customers import notes, staff_mentions
from payments.domain.payment.commands import CancelPayment, RefundPayment
from payments.domain.payment.events import NoteRef


def handle(
    command: CancelPayment | RefundPayment,
    context: CommandContext,
    *,
    note: str | None = None,
    expected_version: int | None = None,
) -> Outcome:
    """Cancel or refund a payment, for its client or for permitted staff.

    `note` is stored with the correction or not at all. Raises NotPermitted, TextError for the note, and the
    errors of `dispatch`.
    """
    # Clients need no permission here, because `dispatch` finds only their own payments.
    if command.client_id is None or context.actor != actors.client(command.client_id):
        permissions.require(context.actor, permissions.CORRECT)
    alongside = None
    if note is not None:
        written = notes.write(command.payment_id, note, author=context.actor, at=command.at)
        command = replace(command, note=NoteRef(written.pk, written.digest))
        alongside = partial(staff_mentions.save, written)
        note = written.text  # normalized: a repetition may use other code points
    return dispatch(
        command, context, expected_version=expected_version, note=note, alongside=alongside
    )

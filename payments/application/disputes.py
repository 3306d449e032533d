"""Record the notices of disputes, and respond to disputes."""

from collections.abc import Sequence

from msgspec.structs import replace

from payments import actors, permissions
from payments.application.bulk import Decision, dispatch_all
from payments.application.dispatch import CommandContext, Outcome, dispatch
from payments.customers import notes
from payments.domain.payment.commands import AnyDisputeCommand, AnyNotice, RespondToDispute
from payments.domain.payment.events import NoteRef


def handle(
    command: AnyDisputeCommand,
    context: CommandContext,
    *,
    note: str | None = None,
    expected_version: int | None = None,
) -> Outcome:
    """Record a notice or a response, for the payment's client, permitted staff or an operator.

    The responder is taken from `context`. `note` is stored with the response or not at all.
    Raises NotPermitted, TextError for the note, and the errors of `dispatch`.
    """
    # A client's command names the client, so `dispatch` finds only that client's payments.
    if command.client_id is None or context.actor != actors.client(command.client_id):
        permissions.require(context.actor, permissions.RESPOND_TO_DISPUTE, operators=True)
    alongside = None
    if isinstance(command, RespondToDispute):
        command = replace(command, responder=context.actor)
        if note is not None:
            written = notes.write(command.payment_id, note, author=context.actor, at=command.at)
            command = replace(command, note=NoteRef(written.pk, written.digest))
            alongside = written.save
            note = written.text  # normalized: a repetition may use other code points
    return dispatch(
        command, context, expected_version=expected_version, note=note, alongside=alongside
    )


def record_all(notices: Sequence[AnyNotice], context: CommandContext) -> list[Decision]:
    """Record many notices in two statements, for an operator or permitted staff.

    Returns the events of each notice, or why it was refused. Raises NotPermitted, StaleVersion.
    """
    permissions.require(context.actor, permissions.RESPOND_TO_DISPUTE, operators=True)
    return dispatch_all(notices, context)

"""Record dispute notices, and responses to disputes."""

from collections.abc import Sequence
from functools import partial

from msgspec.structs import replace

from payments import actors, permissions
from payments.application import bulk
from payments.application.bulk import Decision, dispatch_all
from payments.application.dispatch import CommandContext, Outcome, dispatch
from payments.customers import notes, staff_mentions
from payments.customers.models import Note
from payments.domain.payment.commands import AnyDisputeCommand, AnyNotice, RespondToDispute
from payments.domain.payment.disputes import find
from payments.domain.payment.events import NoteRef
from payments.domain.payment.refusals import DisputeContradicted


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
    # Clients need no permission here, because `dispatch` finds only their own payments.
    if command.client_id is None or context.actor != actors.client(command.client_id):
        permissions.require(context.actor, permissions.RESPOND_TO_DISPUTE, operators=True)
    if isinstance(command, RespondToDispute):
        command = replace(command, responder=context.actor)
        return _respond(command, context, note=note, expected_version=expected_version)
    return dispatch(command, context, expected_version=expected_version)


def _respond(
    command: RespondToDispute,
    context: CommandContext,
    *,
    note: str | None,
    expected_version: int | None,
) -> Outcome:
    if note is None:
        return dispatch(command, context, expected_version=expected_version)
    written = notes.write(command.payment_id, note, author=context.actor, at=command.at)
    command = replace(command, note=NoteRef(written.pk, written.digest))
    # A repetition may use other code points, so the text is the normalized one.
    text = written.text
    save = partial(staff_mentions.save, written)
    try:
        return dispatch(
            command, context, expected_version=expected_version, note=text, alongside=save
        )
    except DisputeContradicted:
        # Each note has its own salt, so the domain cannot see that the text is the same.
        known = _known_note(command)
        if known is None or not Note.objects.filter(pk=known.note_id, text=text).exists():
            raise
        repeated = replace(command, note=known)
        return dispatch(repeated, context, expected_version=expected_version, note=text)


def _known_note(command: RespondToDispute) -> NoteRef | None:
    """Return the note of the recorded response that has the same time as the command."""
    payment = bulk.load([command.payment_id])[command.payment_id]
    known = payment and find(payment.disputes, command.dispute_id)
    response = known and known.response_at(command.responded_at or command.at)
    return response.note if response else None


def record_all(notices: Sequence[AnyNotice], context: CommandContext) -> list[Decision]:
    """Record many notices in two statements, for an operator or permitted staff.

    Returns the events of each notice, or why it was refused. Raises NotPermitted, StaleVersion.
    """
    permissions.require(context.actor, permissions.RESPOND_TO_DISPUTE, operators=True)
    return dispatch_all(notices, context)

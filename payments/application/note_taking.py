"""Write notes on payments without a decision."""

from datetime import datetime
from uuid import UUID

from payments import permissions
from payments.application.dispatch import CommandContext, Outcome, dispatch
from payments.customers import notes, staff_mentions
from payments.domain.payment.commands import AddNote
from payments.domain.payment.events import NoteRef


def add(payment_id: UUID, text: str, context: CommandContext, *, at: datetime) -> Outcome:
    """Add a reviewer's note to a payment in any state, and notify the staff whom it mentions.

    The text is stored with the event or not at all.
    Raises NotPermitted, TextError, and the errors of `dispatch`.
    """
    permissions.require(context.actor, permissions.REVIEW)
    written = notes.write(payment_id, text, author=context.actor, at=at)
    mentioned = staff_mentions.find(written.text, author=context.actor)
    command = AddNote(
        payment_id=payment_id,
        client_id=None,
        at=at,
        author=context.actor,
        note=NoteRef(written.pk, written.digest),
        mentions=mentioned.actors,
    )
    return dispatch(
        command, context, note=written.text, alongside=lambda: staff_mentions.save(written)
    )

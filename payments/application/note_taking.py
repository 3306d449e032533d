"""Write notes on payments without a decision."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from payments import permissions
from payments.application.dispatch import CommandContext, Outcome, dispatch
from payments.customers import attachments, notes, staff_mentions
from payments.customers.attachments import File
from payments.customers.models import Attachment
from payments.domain.payment.commands import AddNote
from payments.domain.payment.events import NoteRef


def add(
    payment_id: UUID,
    text: str,
    context: CommandContext,
    *,
    at: datetime,
    files: Sequence[File] = (),
) -> Outcome:
    """Add a reviewer's note to a payment in any state, and notify the staff whom it mentions.

    The text and the files are stored with the event or not at all.
    Raises NotPermitted, TextError, FileRefused, and the errors of `dispatch`.
    """
    permissions.require(context.actor, permissions.REVIEW)
    written = notes.write(payment_id, text, author=context.actor, at=at)
    attached = attachments.write(written, files)
    mentioned = staff_mentions.find(written.text, author=context.actor)
    command = AddNote(
        payment_id=payment_id,
        client_id=None,
        at=at,
        author=context.actor,
        note=NoteRef(written.pk, written.digest),
        mentions=mentioned.actors,
        attachments=tuple(map(attachments.reference, attached)),
        files=tuple(map(attachments.content_digest, files)),
    )

    def save() -> None:
        staff_mentions.save(written)
        Attachment.objects.bulk_create(attached)

    return dispatch(command, context, note=written.text, alongside=save)

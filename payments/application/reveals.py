"""Reveal the personal data of a customer to a member of staff, and record it in the log."""

from datetime import datetime
from typing import Final
from uuid import UUID

from payments import permissions
from payments.aggregates import REVEAL_AGGREGATE
from payments.customers import notes
from payments.customers.models import Customer
from payments.domain.payment.events import NoteRef
from payments.domain.reveal import (
    CustomerRevealed,
    NothingToReveal,
    PersonalField,
    Purpose,
    RevealCustomer,
    decide,
)
from payments.events import replay
from payments.events.metadata import Metadata
from payments.pseudonyms import keyed_id

LONGEST_NOTE: Final = 500


def reveal(
    customer_id: UUID,
    *,
    purpose: Purpose,
    note: str | None,
    by: str,
    at: datetime,
    key: UUID,
    correlation_id: str | None = None,
) -> CustomerRevealed:
    """Record that the actor `by` sees the customer's data, and return the event.

    A repetition with the same `key` records nothing and returns the first event with its time.
    Raises NotPermitted, TextError for the note, RevealRefused.
    """
    permissions.require(by, permissions.REVEAL)
    customer = Customer.objects.filter(pk=customer_id).first()
    if customer is None:
        raise NothingToReveal
    # The note belongs to the customer, so that erasing the customer erases the note.
    written = (
        notes.write(None, note, author=by, at=at, longest=LONGEST_NOTE, customer_id=customer_id)
        if note is not None
        else None
    )
    command = RevealCustomer(
        at=at,
        customer_id=customer_id,
        by=by,
        fields=tuple(each for each in PersonalField if getattr(customer, each)),
        purpose=purpose,
        note=NoteRef(written.pk, written.digest) if written is not None else None,
    )
    return replay.execute(
        REVEAL_AGGREGATE,
        keyed_id("reveal", by, str(customer_id), str(key)),
        lambda revealed: decide(revealed, command),
        metadata=Metadata(actor=by, command=command.name, correlation_id=correlation_id),
        new=True,
        alongside=written.save if written is not None else None,
    ).state

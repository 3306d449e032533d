"""Reveals: a member of staff sees the personal data of a customer, for a stated purpose.

Each reveal is an aggregate of its own with one event. Reveals therefore never conflict with each other, nor
with a block of the customer. Nothing personal is stored: people are ids, and the note is a reference. The
event does not name the client, so that queries for a client do not find it.
"""

from datetime import datetime
from enum import StrEnum
from typing import ClassVar, Final
from uuid import UUID

from msgspec import Struct

from payments.domain.payment.events import NoteRef


class Purpose(StrEnum):
    """Why a person needs the data. `OTHER` requires a note."""

    CHARGEBACK = "chargeback"
    CALL_WITH_CUSTOMER = "call_with_customer"
    LEGAL_REQUEST = "legal_request"
    OTHER = "other"


class PersonalField(StrEnum):
    """A personal field of a customer. `REFERENCE` includes the references of the customer's payments."""

    NAME = "name"
    EMAIL = "email"
    PHONE = "phone"
    REFERENCE = "reference"


class CustomerRevealed(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The personal data of a customer was shown to the actor `by`. `fields` are those that had a value."""

    event_type: ClassVar[str] = "customer.revealed"
    schema_version: ClassVar[int] = 1

    at: datetime
    customer_id: UUID
    by: str
    fields: tuple[PersonalField, ...]
    purpose: Purpose
    note: NoteRef | None = None


REVEAL_EVENT_CLASSES: Final[tuple[type[CustomerRevealed], ...]] = (CustomerRevealed,)


class RevealCustomer(Struct, frozen=True, kw_only=True):
    """Show the personal data of a customer to the actor `by`."""

    name: ClassVar[str] = "reveal_customer"

    at: datetime
    customer_id: UUID
    by: str
    fields: tuple[PersonalField, ...]
    purpose: Purpose
    note: NoteRef | None = None


class RevealRefused(Exception):
    """A reveal that is not allowed. The message is the reason."""


class NothingToReveal(RevealRefused):
    """The customer has no personal data, or it was erased."""

    def __str__(self) -> str:
        return "The customer has no personal data. It may have been erased."


class PurposeNeedsNote(RevealRefused):
    """The purpose is `OTHER`, and there is no note that states it."""

    def __str__(self) -> str:
        return "State the purpose in the note."


def decide(
    revealed: CustomerRevealed | None, command: RevealCustomer
) -> tuple[CustomerRevealed, ...]:
    """Return the event of the reveal, none if the same reveal was recorded already. Raises RevealRefused."""
    if revealed is not None:
        return ()
    if not command.fields:
        raise NothingToReveal
    if command.purpose is Purpose.OTHER and command.note is None:
        raise PurposeNeedsNote
    return (
        CustomerRevealed(
            at=command.at,
            customer_id=command.customer_id,
            by=command.by,
            fields=command.fields,
            purpose=command.purpose,
            note=command.note,
        ),
    )


def evolve(
    _revealed: CustomerRevealed | None, _reveal_id: UUID, event: CustomerRevealed
) -> CustomerRevealed:
    """Return the reveal, which is its only event."""
    return event

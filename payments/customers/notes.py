"""Create notes. The log contains their digest, which proves the text without revealing it."""

import secrets
from datetime import datetime
from typing import Final
from uuid import UUID, uuid4

from payments.customers.models import Note
from payments.domain.text import checked_text

LONGEST: Final = 2_000


def write(
    payment_id: UUID | None,
    text: str,
    *,
    author: str,
    at: datetime,
    longest: int = LONGEST,
    customer_id: UUID | None = None,
) -> Note:
    """Return an unsaved note with a new id and salt and the normalized text. Raises TextError.

    `payment_id` is None for a note about a customer or a list. A note with `customer_id` is erased with the
    customer.
    """
    text = checked_text(text, max_length=longest, multiline=True)
    return Note(
        id=uuid4(),
        payment_id=payment_id,
        customer_id=customer_id,
        author=author,
        salt=secrets.token_bytes(16),
        text=text,
        written_at=at,
    )

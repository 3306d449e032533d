"""Writing a note, so that the log can prove it without holding it."""

import secrets
from datetime import datetime
from typing import Final
from uuid import UUID, uuid4

from payments.customers.models import Note
from payments.domain.text import checked_text

LONGEST: Final = 2_000


def write(payment_id: UUID, text: str, *, author: str, at: datetime) -> Note:
    """Return an unsaved note with a fresh id and salt. Raises TextError."""
    checked_text(text, max_length=LONGEST, multiline=True)
    return Note(
        id=uuid4(),
        payment_id=payment_id,
        author=author,
        salt=secrets.token_bytes(16),
        text=text,
        written_at=at,
    )

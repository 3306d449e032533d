"""List cursors.

A page begins after the last row of the previous page, so all pages cost the same.
"""

import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Final
from uuid import UUID

from msgspec import Struct

from payments.api.openapi.schemas import INT64_MAX

OF_ANOTHER_LIST: Final = "It belongs to a list with another address or other filters."
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
# The time and id of a row, or the position of a payment's first event.
After = tuple[datetime, UUID | int] | int


class Cursor(Struct, frozen=True):
    """The place of a page's last row in the list, and a hash of the list's address and filters."""

    after: After
    question: str


def question(path: str, given: Mapping[str, object]) -> str:
    """Return a hash of an address and its parameters, except those that differ between pages."""
    parameters = {
        name: str(value) for name, value in given.items() if name not in {"cursor", "limit"}
    }
    return sha256(json.dumps([path, parameters], sort_keys=True).encode()).hexdigest()[:12]


def encode(cursor: Cursor) -> str:
    match cursor.after:
        case int(position):
            parts: list[object] = [position]
        case (at, row_id):
            shown = row_id.hex if isinstance(row_id, UUID) else row_id
            parts = [(at - _EPOCH) // _MICROSECOND, shown]
    text = json.dumps([*parts, cursor.question])
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode(text: str) -> Cursor:
    """Return the cursor. Raises ValueError."""
    try:
        padded = text + "=" * (-len(text) % 4)
        match json.loads(base64.urlsafe_b64decode(padded.encode("ascii"))):
            case [int(position), str(question)] if 0 <= position <= INT64_MAX:
                return Cursor(position, question)
            case [int(micros), str(row_id), str(question)]:
                return Cursor((_EPOCH + micros * _MICROSECOND, UUID(row_id)), question)
            case [int(micros), int(row_id), str(question)] if 0 <= row_id <= INT64_MAX:
                return Cursor((_EPOCH + micros * _MICROSECOND, row_id), question)
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError):
        pass
    raise ValueError("It is not the `next` of an earlier answer.")

"""Cursors of lists: a page begins after the last payment of the page before, so depth costs nothing."""

import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Final
from uuid import UUID

from msgspec import Struct

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_HIGHEST: Final = 2**63 - 1


# The time and id of a payment, or the position of its first event.
After = tuple[datetime, UUID] | int


class Cursor(Struct, frozen=True):
    """The place of a page's last payment in the list, and the question that the page answers."""

    after: After
    question: str


def question(path: str, given: Mapping[str, object]) -> str:
    """What stands for an address and its parameters, but for those that change from page to page."""
    asked = {name: str(value) for name, value in given.items() if name not in {"cursor", "limit"}}
    return sha256(json.dumps([path, asked], sort_keys=True).encode()).hexdigest()[:12]


def encode(cursor: Cursor) -> str:
    match cursor.after:
        case int(position):
            parts: list[object] = [position]
        case (at, payment_id):
            parts = [(at - _EPOCH) // _MICROSECOND, payment_id.hex]
    text = json.dumps([*parts, cursor.question])
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode(text: str) -> Cursor:
    """Raises ValueError."""
    try:
        padded = text + "=" * (-len(text) % 4)
        match json.loads(base64.urlsafe_b64decode(padded.encode("ascii"))):
            case [int(position), str(asked)] if 0 <= position <= _HIGHEST:
                return Cursor(position, asked)
            case [int(micros), str(payment_id), str(asked)]:
                return Cursor((_EPOCH + micros * _MICROSECOND, UUID(payment_id)), asked)
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError):
        pass
    raise ValueError("This is not a cursor of an earlier answer.")

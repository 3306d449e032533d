"""Where a page of payments begins: after a time and an id, so that depth costs nothing."""

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


class Cursor(Struct, frozen=True):
    """The last payment of a page, and which question the page answers."""

    at: datetime
    payment_id: UUID
    question: str


def question(path: str, given: Mapping[str, object]) -> str:
    """What stands for an address and its parameters, but for those that change from page to page."""
    asked = {name: str(value) for name, value in given.items() if name not in {"cursor", "limit"}}
    return sha256(json.dumps([path, asked], sort_keys=True).encode()).hexdigest()[:12]


def encode(cursor: Cursor) -> str:
    micros = (cursor.at - _EPOCH) // _MICROSECOND
    told = json.dumps([micros, cursor.payment_id.hex, cursor.question])
    return base64.urlsafe_b64encode(told.encode()).decode().rstrip("=")


def decode(text: str) -> Cursor:
    """Raises ValueError."""
    try:
        padded = text + "=" * (-len(text) % 4)
        micros, payment_id, asked = json.loads(base64.urlsafe_b64decode(padded.encode("ascii")))
        at = _EPOCH + micros * _MICROSECOND
        return Cursor(at, UUID(payment_id), str(asked))
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError):
        raise ValueError("This is no cursor of an earlier answer.") from None

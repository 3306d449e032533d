"""Where a page of payments begins: after a time and an id, so that depth costs nothing."""

import base64
import json
from datetime import UTC, datetime
from uuid import UUID


def encode(at: datetime, payment_id: UUID) -> str:
    micros = int(at.timestamp()) * 1_000_000 + at.microsecond
    return (
        base64.urlsafe_b64encode(json.dumps([micros, payment_id.hex]).encode()).decode().rstrip("=")
    )


def decode(text: str) -> tuple[datetime, UUID]:
    """Raises ValueError."""
    try:
        padded = text + "=" * (-len(text) % 4)
        micros, payment_id = json.loads(base64.urlsafe_b64decode(padded.encode("ascii")))
        at = datetime.fromtimestamp(micros // 1_000_000, UTC).replace(
            microsecond=micros % 1_000_000
        )
        return at, UUID(payment_id)
    except (ValueError, TypeError, AttributeError, OverflowError, OSError, RecursionError):
        raise ValueError("This is no cursor of an earlier answer.") from None

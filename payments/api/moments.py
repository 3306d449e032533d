"""Times in the answers of the API."""

from datetime import UTC, datetime
from typing import Annotated, overload

from msgspec import Meta

# Text, since msgspec leaves out a fraction of zero: 2026-11-23T12:00:00.000000Z.
Moment = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]


@overload
def rfc3339(at: datetime) -> str: ...
@overload
def rfc3339(at: None) -> None: ...
def rfc3339(at: datetime | None) -> str | None:
    """Return the time in UTC in the form of RFC 3339, always with microseconds."""
    if at is None:
        return None
    return f"{at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='microseconds')}Z"
